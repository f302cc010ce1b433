"""Best-path decoding of models trained with CTC.

References
----------
Graves et al. 2006, "Connectionist Temporal Classification".
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any


def best_paths(results: Any, steps: Iterable[int], blank: int) -> list[list[int] | None]:
    """Return the tokens of each sample without repetitions and blanks.

    Parameters
    ----------
    results : ndarray, shape [batch, steps, tokens]
        Logits or log probabilities.
    steps : iterable of int
        The number of steps of each sample, without the padding.
    blank : int
        The blank token.

    Returns
    -------
    list of list of int or None
        The tokens; None for a sample with a non-finite result in its steps.
    """
    import numpy as np

    # If a step has a NaN or an infinity, the maximum is not finite.
    best, finite = results.argmax(axis=-1), np.isfinite(results.max(axis=-1))
    return [
        [token for token, _ in groupby(path[:count].tolist()) if token != blank]
        if usable[:count].all()
        else None
        for path, usable, count in zip(best, finite, steps, strict=True)
    ]
