"""The best path through the outputs of networks that are trained with CTC.

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
        The number of steps of each sample; those of the padding are not read.
    blank : int
        The token that separates others.

    Returns
    -------
    list of list of int or None
        None for a sample with a result that is not finite in its steps.
    """
    import numpy as np

    # A NaN or an infinity is the largest result wherever there is one.
    best, finite = results.argmax(axis=-1), np.isfinite(results.max(axis=-1))
    return [
        [token for token, _ in groupby(path[:count].tolist()) if token != blank]
        if usable[:count].all()
        else None
        for path, usable, count in zip(best, finite, steps, strict=True)
    ]
