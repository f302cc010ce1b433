"""Confidence interval of a proportion, by the exact method of Clopper and Pearson [1]_.

It holds for any count. The normal approximation fails near 0 and 1, where agreement usually is.

References
----------
.. [1] Clopper, C. J. and Pearson, E. S. (1934). The Use of Confidence or Fiducial Limits
   Illustrated in the Case of the Binomial. Biometrika 26.
"""

from __future__ import annotations

from scipy import special


def clopper_pearson(successes: int, n: int, confidence: float) -> tuple[float, float]:
    """Return the confidence interval of a proportion.

    Parameters
    ----------
    successes : int
        Number of successes, from 0 to n.
    n : int
        Number of trials.
    confidence : float
        Confidence of the interval, between 0 and 1.

    Returns
    -------
    low, high : float
        Bounds of the proportion, between 0 and 1.
    """
    tail = (1 - confidence) / 2
    failures = n - successes
    low = special.betaincinv(successes, failures + 1, tail) if successes else 0.0
    high = special.betaincinv(successes + 1, failures, 1 - tail) if failures else 1.0
    return float(low), float(high)
