"""How sure a share of counted samples is: the exact interval of Clopper and Pearson (1934).

It holds at any count. The normal approximation fails near 0 and 1, where agreement lies.
"""

from __future__ import annotations

from scipy import special


def clopper_pearson(successes: int, n: int, confidence: float) -> tuple[float, float]:
    """Bounds of the share of which `successes` of `n` were seen."""
    tail = (1 - confidence) / 2
    failures = n - successes
    low = special.betaincinv(successes, failures + 1, tail) if successes else 0.0
    high = special.betaincinv(successes + 1, failures, 1 - tail) if failures else 1.0
    return float(low), float(high)
