"""Whether an output is an answer at all, one that a worker can send, and one for a metric."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from pytest_infperf.errors import UserError

ABSENT_TEXT = "\uffff"
"""Scored in place of a text that is not there: a character that no text has."""


class UnusableSample(UserError):
    """An output or a reference that a metric cannot take.

    Parameters
    ----------
    position : int
        The position of the sample among those that are scored, from 0.
    problem : str
        What is wrong with its output or its reference.
    """

    def __init__(self, position: int, problem: str) -> None:
        super().__init__(f"sample {position}: {problem}")
        self.position = position
        self.problem = problem


def is_absent(output: Any) -> bool:
    """Return whether an output stands for one that is not finite, which is wrong in every metric.

    Metrics are given NaN in its place, or, where references are texts, a text that no other equals.
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
