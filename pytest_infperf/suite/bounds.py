"""Bounds of the numbers that an author of a suite writes."""

from __future__ import annotations

import math
from numbers import Integral, Real

from pytest_infperf.errors import UserError


def require_whole(owner: object, *names: str, least: int = 1) -> None:
    """Check that attributes which are not None are whole numbers.

    Parameters
    ----------
    owner : object
        The object; messages show its class.
    *names : str
        The names of the attributes.
    least : int, default 1
        The lowest number.

    Raises
    ------
    UserError
        If one is not a whole number, or is below the lowest.
    """
    for name in names:
        value = getattr(owner, name)
        is_whole = isinstance(value, Integral) and not isinstance(value, bool)
        if value is not None and not (is_whole and value >= least):
            raise _wrong(owner, name, value, f"a whole number of at least {least}")


def require_above_0(owner: object, *names: str, below: float = math.inf) -> None:
    """Check that attributes which are not None are finite numbers above 0.

    Parameters
    ----------
    owner : object
        The object; messages show its class.
    *names : str
        The names of the attributes.
    below : float, optional
        A bound that they are below.

    Raises
    ------
    UserError
        If one is not a number, or is out of bounds.
    """
    for name in names:
        value = getattr(owner, name)
        is_number = isinstance(value, Real) and not isinstance(value, bool)
        if value is not None and not (is_number and 0 < value < below):
            bound = "" if below == math.inf else f" and below {below:g}"
            raise _wrong(owner, name, value, f"a number above 0{bound}")


def _wrong(owner: object, name: str, value: object, wanted: str) -> UserError:
    return UserError(f"{type(owner).__name__}({name}={value!r}): must be {wanted}")
