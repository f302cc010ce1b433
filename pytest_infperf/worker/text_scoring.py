"""Scoring of a window of a text: its probability, and the divergence from the baseline.

The distributions of the baseline are in files, one for each window, because it runs in another
process. They are rounded to float16 and normalised again when they are read. The divergence is
then too large by the divergence of the rounding, about 1e-6.

References
----------
The divergence is that of llama.cpp's `perplexity --kl-divergence`:
https://github.com/ggml-org/llama.cpp/tree/master/tools/perplexity
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_infperf.suite.perplexity import Window
from pytest_infperf.suite.runner import ScoringRunner
from pytest_infperf.worker import messages

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LEAST = -6e4
"""The smallest logarithm that is kept; those of float16 end at -65504."""
_TOLERANCE = 0.02
"""Maximum difference of a sum of probabilities from 1, to allow for bfloat16."""


def digest(windows: Sequence[Window]) -> str:
    """Return a hash of the tokens of windows."""
    tokens = [(list(window.tokens), window.scored) for window in windows]
    return hashlib.sha256(repr(tokens).encode()).hexdigest()


def score(
    runner: ScoringRunner, window: Window, request: messages.ScoreWindow
) -> messages.WindowScored:
    """Return the probability of the scored tokens of a window.

    Raises ValueError if the runner does not return logarithms of probabilities for each token.
    """
    import numpy as np

    length, scored = len(window.tokens), window.scored
    [logarithms] = runner.log_probabilities([window.tokens])
    if len(logarithms) != length:
        raise ValueError(f"log_probabilities returned {len(logarithms)} rows for {length} tokens")
    # Row i is the distribution of token i + 1.
    rows = logarithms[length - scored - 1 : -1]
    if not np.isfinite(rows).all():
        return messages.WindowScored(scored, window.size, 0.0, is_finite=False)
    probable = rows[np.arange(scored), window.tokens[length - scored :]]
    nats = -float(probable.sum(dtype=np.float64))
    chosen = np.linspace(0, scored - 1, min(request.positions, scored)).round().astype(int)
    ours = rows[chosen].astype(np.float64)
    totals = np.exp(ours).sum(axis=1)
    farthest = totals[abs(totals - 1).argmax()]
    if abs(farthest - 1) > _TOLERANCE:
        raise ValueError(f"the rows of log_probabilities add up to {farthest:g}, not 1")
    if request.keep_in:
        np.save(request.keep_in, np.maximum(ours, _LEAST).astype(np.float16))
    if not request.compare_with:
        return messages.WindowScored(scored, window.size, nats)
    theirs = np.load(request.compare_with).astype(np.float64)
    if theirs.shape != ours.shape:
        unlike = (
            f"the variant returns the probabilities of {ours.shape[1]:,} tokens, and the baseline "
            f"of {theirs.shape[1]:,}"
        )
        return messages.WindowScored(scored, window.size, nats, unlike=unlike)
    divergence = _divergence(theirs, ours)
    return messages.WindowScored(
        scored, window.size, nats, positions=len(chosen), divergence=divergence
    )


def _divergence(theirs: NDArray[np.float64], ours: NDArray[np.float64]) -> float:
    """Return the sum over rows of D(theirs || ours), in nats."""
    import numpy as np

    normalised = theirs - np.log(np.exp(theirs).sum(axis=1, keepdims=True))
    return float((np.exp(normalised) * (normalised - ours)).sum())
