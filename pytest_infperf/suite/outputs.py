"""Checks of outputs: absent outputs, and values that JSON or a metric cannot represent."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from pytest_infperf.errors import UserError

ABSENT_TEXT = "\uffff"
"""Placeholder for an absent text: a character that no text contains."""


class UnusableSample(UserError):
    """An output or a reference that a metric cannot score.

    Parameters
    ----------
    position : int
        The index of the sample among the scored samples.
    problem : str
        The problem of its output or reference.
    """

    def __init__(self, position: int, problem: str) -> None:
        super().__init__(f"sample {position}: {problem}")
        self.position = position
        self.problem = problem


def is_absent(output: Any) -> bool:
    """Return whether an output is the placeholder of one that is not finite.

    The placeholder is NaN or, if references are texts, a text that equals no other. Such outputs
    are wrong in every metric.
    """
    if isinstance(output, float):
        return math.isnan(output)
    return isinstance(output, str) and output == ABSENT_TEXT


def is_finite(output: Any) -> bool:
    """Return whether no number in an output is NaN or infinite."""
    if isinstance(output, float):
        return math.isfinite(output)
    if isinstance(output, Mapping):
        return all(map(is_finite, output.values()))
    return not isinstance(output, list | tuple) or all(map(is_finite, output))


def json_problem(value: Any) -> str:
    """Return why JSON cannot express a value; empty if it can."""
    try:
        json.dumps(value)
    except (TypeError, ValueError) as error:
        return str(error)
    return ""
