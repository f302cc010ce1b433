"""The measure: a quantity with a unit and an interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

STRICT = {"extra": "forbid", "allow_inf_nan": False}
"""pydantic's settings for reading a file: unknown keys and non-finite numbers are errors."""


@dataclass(frozen=True)
class Measure:
    """The value of a quantity, with an interval if it was estimated from repeated measurements.

    Parameters
    ----------
    value : float
        The value, in `unit`.
    unit : str
        The unit: `s`, `bytes`, `samples/s`, `ratio`, `fraction`, `points`, `usd`, or a metric's
        own.
    low, high : float, optional
        The bounds of the confidence interval, at the confidence of the suite; None means no bound.
    n : int, default 1
        The number of observations, such as queries, samples or pairs.
    """

    __pydantic_config__: ClassVar = STRICT

    value: float
    unit: str
    low: float | None = None
    high: float | None = None
    n: int = 1
