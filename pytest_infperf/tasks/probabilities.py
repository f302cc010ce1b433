"""Conversion of a classifier's logits to classes and probabilities."""

from __future__ import annotations

from typing import Any

from pytest_infperf.errors import UserError


def best_classes(logits: Any) -> list[int | None]:
    """Return the class with the largest logit of each sample; None if that logit is not finite.

    A sample with a NaN or positive infinity gets None. Minus infinity is allowed, because some
    models use it to exclude a class.

    Raises
    ------
    UserError
        If there are fewer than two classes.
    """
    import numpy as np

    if logits.shape[-1] < 2:
        raise UserError(
            f"the model returns {logits.shape[-1]} value for each sample, as in a regression; a "
            "classifier must return one value for each of at least two classes"
        )
    finite = np.isfinite(logits.max(axis=-1)).tolist()
    best = logits.argmax(axis=-1).tolist()
    return [number if usable else None for number, usable in zip(best, finite, strict=True)]


def ranked_classes(logits: Any, count: int) -> list[list[int] | None]:
    """Return the `count` classes with the largest logits of each sample, largest first.

    Returns None and raises UserError in the same cases as `best_classes`.
    """
    import numpy as np

    ranks = np.argsort(-logits, axis=-1, kind="stable")[:, :count].tolist()
    return [
        None if best is None else row for best, row in zip(best_classes(logits), ranks, strict=True)
    ]


def softmax(logits: Any) -> Any:
    """Return the softmax over the last axis of logits, shape [samples, classes].

    If the largest logit of a sample is not finite, its probabilities are NaN.
    """
    import numpy as np

    with np.errstate(invalid="ignore"):
        exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return exponentials / exponentials.sum(axis=-1, keepdims=True)


def sigmoid(logits: Any) -> Any:
    """Return the sigmoid of logits of any shape."""
    import numpy as np

    return 0.5 * (1 + np.tanh(0.5 * np.asarray(logits, np.float64)))
