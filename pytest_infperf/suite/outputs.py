"""Whether an output of a model is an answer at all, and one that a worker can send."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


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
