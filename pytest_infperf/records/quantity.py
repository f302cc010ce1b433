"""Quantities as text: "300 ms", "54.2 MB", "1.31x", "98.5 %".

Limits in thresholds.toml and printed measures have the same notation, so that a number copied from
a report is a valid limit. Commas are accepted if they cannot be decimal commas, as in "1,234,567";
numbers are printed without commas. Prefixes are decimal (1 MB = 1e6 bytes) or binary (1 MiB = 2**20
bytes). For a unit that is not known here, such as that of a third-party metric, plain numbers are
accepted, optionally followed by the unit.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from decimal import Decimal

_ONE, _PERCENT = Decimal(1), Decimal("0.01")
_SCALES: Mapping[str, Mapping[str, Decimal]] = {
    "s": {
        "ns": Decimal("1e-9"),
        "us": Decimal("1e-6"),
        "µs": Decimal("1e-6"),
        "ms": Decimal("1e-3"),
        "s": _ONE,
        "min": Decimal(60),
        "h": Decimal(3600),
    },
    "bytes": {
        "B": _ONE,
        "kB": Decimal(10**3),
        "KB": Decimal(10**3),
        "MB": Decimal(10**6),
        "GB": Decimal(10**9),
        "TB": Decimal(10**12),
        "KiB": Decimal(2**10),
        "MiB": Decimal(2**20),
        "GiB": Decimal(2**30),
        "TiB": Decimal(2**40),
    },
    "samples/s": {"": _ONE, "samples/s": _ONE},
    "ratio": {"": _ONE, "x": _ONE, "%": _PERCENT},
    "fraction": {"": _ONE, "%": _PERCENT},
    "points": {"": _ONE, "point": _ONE, "points": _ONE},
    "usd": {"": _ONE, "USD": _ONE, "usd": _ONE},
}
_EXAMPLES: Mapping[str, str] = {
    "s": '"300 ms" or "2 s"',
    "bytes": '"900 MB" or "1 GiB"',
    "samples/s": '120 or "120 samples/s"',
    "ratio": '1.5 or "1.5x"',
    "fraction": '0.05 or "5 %"',
    "points": '22.5 or "22.5 points"',
    "usd": '1.2 or "1.2 USD"',
}
_NEVER_NEGATIVE = frozenset({"s", "bytes", "samples/s", "ratio", "usd"})
"""Units of times, sizes, rates and their ratios. Differences of quality can be negative."""
_UNIT = r"\s*(?P<unit>[^\d\s.,].*)?"
_QUANTITY = re.compile(
    r"(?P<number>[+-]?(?:[1-9]\d{0,2}(?:(?:,\d{3}){2,}|(?:,\d{3})+\.\d+)"
    r"|\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?)" + _UNIT,
    re.ASCII,
)
_ONE_COMMA = re.compile(
    r"(?P<whole>[+-]?\d*),(?P<rest>\d+)(?P<exponent>[eE][+-]?\d{1,3})?" + _UNIT, re.ASCII
)
_MICRO, _MU = "\u00b5", "\u03bc"
"""The micro sign and the Greek letter, which look the same."""
_SHOWN: Mapping[str, tuple[tuple[float, str], ...]] = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns")),
    "bytes": ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")),
}
_BASE: Mapping[str, str] = {"s": "s", "bytes": "B"}


def parse_quantity(value: object, unit: str) -> float:
    """Return the value of a limit in the unit of its measure.

    Parameters
    ----------
    value : object
        The value from TOML: a number, or a string with a number and a unit.
    unit : str
        The unit of the measure.

    Raises
    ------
    ValueError
        If the value cannot be parsed; the message shows the correct notation.
    """
    number, suffix = _split(value, unit)
    scales = {name.replace(_MU, _MICRO): scale for name, scale in _scales(unit).items()}
    scale = scales.get(suffix.replace(_MU, _MICRO))
    if scale is None:
        raise ValueError(_unfitting_unit(value, number, suffix, unit))
    quantity = float(number * scale)
    if not _is_finite(quantity):
        raise ValueError(f"{value!r} is not a finite number; write {_example(unit)}")
    if quantity < 0 and unit in _NEVER_NEGATIVE:
        raise ValueError(f"{value!r} is negative; write {_example(unit)}")
    if unit == "fraction" and not suffix and abs(quantity) > 1:
        raise ValueError(f'{value!r} is more than the whole; write "{number} %" for per cent')
    return quantity


def read_back(text: str) -> float | None:
    """Return the value of a text from `format_value` in its base unit; None for other texts.

    Examples
    --------
    >>> read_back("83.4 ms"), read_back("12.5 %"), read_back("c7i.large")
    (0.0834, 0.125, None)
    """
    match = _QUANTITY.fullmatch(text.replace(",", ""))
    if match is None:
        return None
    scales = {unit: scale for scales in _SCALES.values() for unit, scale in scales.items()}
    return float(Decimal(match["number"]) * scales.get(match["unit"] or "", _ONE))


def _split(value: object, unit: str) -> tuple[Decimal, str]:
    if isinstance(value, str):
        match = _QUANTITY.fullmatch(value.strip())
        if comma := _ONE_COMMA.fullmatch(value.strip()):
            raise ValueError(_ambiguous(value, comma))
        if match is None:
            raise ValueError(f"{value!r} is not a number with a unit; write {_example(unit)}")
        return Decimal(match["number"].replace(",", "")), match["unit"] or ""
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
        raise ValueError(f"{value!r} is not a finite number; write {_example(unit)}")
    return Decimal(repr(value)), ""


def _ambiguous(value: str, comma: re.Match[str]) -> str:
    """Return the message about a comma that may be a decimal comma, with both alternatives."""
    whole, rest, exponent = comma["whole"], comma["rest"], comma["exponent"] or ""
    after = f"{exponent} {comma['unit'] or ''}".rstrip()
    readings = [f"{whole}.{rest}{after}"]
    if len(rest) == 3 and 1 <= len(whole.lstrip("+-")) <= 3:
        readings.append(f"{int(whole + rest)}{after}")
    ways = " or ".join(f'"{reading}"' for reading in readings)
    return f"{value!r} has a comma that may be a decimal comma; write {ways}"


def _scales(unit: str) -> Mapping[str, Decimal]:
    return _SCALES.get(unit, {"": _ONE, unit: _ONE})


def _example(unit: str) -> str:
    return _EXAMPLES.get(unit) or (f'2.5 or "2.5 {unit}"' if unit else "2.5")


def _is_finite(value: float) -> bool:
    """Return whether a number is finite as a float; math.isfinite raises on very large integers."""
    return abs(value) <= sys.float_info.max


def _unfitting_unit(value: object, number: Decimal, suffix: str, unit: str) -> str:
    fitting = [name for name in _scales(unit) if name]
    if suffix and not fitting:
        return f"{value!r}: {suffix!r} is not a valid unit here; write {number}"
    if suffix:
        return f"{value!r}: {suffix!r} is not a valid unit here; use one of {', '.join(fitting)}"
    shown = {"s": ("ms", "s"), "bytes": ("MB", "GB")}[unit]
    ways = " or ".join(f'"{number} {name}"' for name in shown)
    return f"{value!r} has no unit; write {ways} (units: {', '.join(fitting)})"


def format_value(value: float, unit: str, extra_digits: int = 0) -> str:
    """Return the value with its unit.

    Parameters
    ----------
    value : float
        The value, in `unit`.
    unit : str
        The unit.
    extra_digits : int, default 0
        Digits in addition to three significant figures or the unit's default decimals, to
        distinguish two values.
    """
    if not math.isfinite(value):
        return f"{value:g}"
    if unit == "ratio":
        return f"{_fixed(value, 2 + extra_digits)}x"
    if unit == "points":
        return _fixed(value, 2 + extra_digits)
    if unit == "fraction":
        percent = 100 * value
        return f"{_fixed(percent, (1 if abs(percent) >= 10 else 2) + extra_digits)} %"
    figures = 3 + extra_digits
    if unit == "usd":
        return f"{_significant(value, figures)} USD"
    if unit not in _SHOWN:
        return f"{_significant(value, figures)} {unit}".rstrip()
    for scale, name in _SHOWN[unit]:
        if abs(float(f"{value / scale:.{figures}g}")) >= 1:
            return f"{_significant(value / scale, figures)} {name}"
    scale, name = _SHOWN[unit][-1] if value else (1.0, _BASE[unit])
    return f"{_significant(value / scale, figures)} {name}"


def _fixed(value: float, decimals: int) -> str:
    return f"{round(value, decimals) + 0.0:.{decimals}f}"


def _significant(value: float, figures: int) -> str:
    """Format a value without exponent and trailing zeros, with all digits before the point."""
    if not value:
        return "0"
    whole = math.floor(math.log10(abs(value))) + 1
    text = f"{value:.{max(0, figures - whole)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
