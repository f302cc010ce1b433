"""Conversion of a classifier's logits to probabilities."""

from __future__ import annotations

from typing import Any


def softmax(logits: Any) -> Any:
    """Return the softmax over the last axis of logits, shape [samples, classes]."""
    import numpy as np

    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)
