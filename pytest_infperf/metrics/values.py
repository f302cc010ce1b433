"""Conversion of outputs and references to the types that metrics require."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_infperf.suite.outputs import UnusableSample, is_absent


def numbers(values: Sequence[Any], role: str) -> NDArray[np.float64]:
    """Return outputs or references as an array, with NaN for absent ones.

    Parameters
    ----------
    values : sequence, length n
        The outputs or references.
    role : str
        "output" or "reference".

    Raises
    ------
    UnusableSample
        If one is not a number.
    """
    try:
        array = np.asarray(values)
    except ValueError:  # lists of different lengths
        array = np.array(None)
    if array.dtype.kind not in "biuf" or array.shape != (len(values),):
        for position, value in enumerate(values):
            if not isinstance(value, Real):
                raise UnusableSample(position, f"its {role} is {_shown(value)}, not a number")
    return array.astype(np.float64)


def texts(position: int, reference: Any) -> Sequence[str]:
    """Return the texts of a reference, which is a text or a list of texts.

    Raises
    ------
    UnusableSample
        If it is neither, or an empty list.
    """
    alternatives = [reference] if isinstance(reference, str) else reference
    if not isinstance(alternatives, list | tuple) or not alternatives:
        raise UnusableSample(
            position, f"its reference is {_shown(reference)}, not a text or a list of texts"
        )
    for alternative in alternatives:
        text(position, alternative, "reference")
    return alternatives


def text(position: int, value: Any, role: str) -> str:
    """Return an output or a reference as a text; an absent one is empty.

    Raises
    ------
    UnusableSample
        If it is not a text.
    """
    if not isinstance(value, str) and not is_absent(value):
        raise UnusableSample(position, f"its {role} is {_shown(value)}, not a text")
    return "" if is_absent(value) else str(value)


def label_set(position: int, value: Any, role: str) -> frozenset[Any]:
    """Return the labels of an output or a reference, which is a label or a list of labels.

    An absent output counts as a label that no reference has.

    Raises
    ------
    UnusableSample
        If a label is a list or a mapping itself.
    """
    labels = value if isinstance(value, list | tuple | set | frozenset) else [value]
    try:
        return frozenset(labels)
    except TypeError:
        raise UnusableSample(
            position, f"its {role} is {_shown(value)}, not a label or a list of labels"
        ) from None


def ranked(position: int, output: Any) -> Sequence[Any]:
    """Return the labels or ids of an output, best first; a single label is a list of one.

    An absent output has none.

    Raises
    ------
    UnusableSample
        If a label or id is a list or a mapping itself.
    """
    if is_absent(output):
        return ()
    ranking = output if isinstance(output, list | tuple) else [output]
    label_set(position, ranking, "output")
    return ranking


def _shown(value: Any) -> str:
    """Return the start of the value's repr."""
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
