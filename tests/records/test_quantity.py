"""Quantities are parsed from text, and printed as text that can be parsed."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given, strategies as st

from pytest_infperf.records.quantity import format_value, parse_quantity, read_back

UNITS = ("s", "bytes", "samples/s", "ratio", "fraction", "points", "dB")


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("300 ms", "s", 0.3),
        ("300ms", "s", 0.3),
        ("2 s", "s", 2.0),
        ("85 us", "s", 85e-6),
        ("85 µs", "s", 85e-6),
        ("1.5 min", "s", 90.0),
        ("900 MB", "bytes", 900e6),
        ("1 GiB", "bytes", 2.0**30),
        ("512 B", "bytes", 512.0),
        ("5 %", "fraction", 0.05),
        ("35%", "ratio", 0.35),
        ("120 %", "fraction", 1.2),
        ("1.5x", "ratio", 1.5),
        ("85 μs", "s", 85e-6),  # the Greek letter; above, the micro sign
        ("1,234,567 samples/s", "samples/s", 1234567.0),
        ("1,234.5 samples/s", "samples/s", 1234.5),
        ("22.5 points", "points", 22.5),
        ("22.5", "points", 22.5),
        (" 1e-3 s ", "s", 0.001),
        (0.05, "fraction", 0.05),
        (-0.5, "points", -0.5),
        (1.5, "ratio", 1.5),
        (120, "samples/s", 120.0),
    ],
)
def test_valid_quantities_are_parsed(text: object, unit: str, value: float) -> None:
    assert parse_quantity(text, unit) == value


@pytest.mark.parametrize(
    ("value", "unit", "message"),
    [
        (300, "s", 'has no unit; write "300 ms" or "300 s"'),
        ("300", "s", 'has no unit; write "300 ms" or "300 s"'),
        (900, "bytes", 'has no unit; write "900 MB" or "900 GB"'),
        ("300 MB", "s", "'MB' is not a valid unit here; use one of ns, us"),
        ("5 %", "points", "'%' is not a valid unit here; use one of point, points"),
        ("300 mb", "bytes", "'mb' is not a valid unit here; use one of B, kB"),
        ("-3 ms", "s", "is negative"),
        (-1, "ratio", "is negative"),
        (5, "fraction", 'is more than the whole; write "5 %"'),
        ("fast", "s", 'is not a number with a unit; write "300 ms" or "2 s"'),
        ("0,250 s", "s", 'a comma that may be a decimal comma; write "0.250 s" or "250 s"'),
        ("0,001 ms", "s", 'write "0.001 ms" or "1 ms"'),
        ("1,500 ms", "s", 'write "1.500 ms" or "1500 ms"'),
        ("-1,500", "points", 'write "-1.500" or "-1500"'),
        ("1,234e3 samples/s", "samples/s", 'write "1.234e3 samples/s" or "1234e3 samples/s"'),
        ("1,5 ms", "s", 'has a comma that may be a decimal comma; write "1.5 ms"'),
        (",5 x", "ratio", 'write ".5 x"'),
        ("0,123,456 s", "s", "is not a number with a unit"),
        ("1.234,5 s", "s", "is not a number with a unit"),
        ("", "ratio", "is not a number with a unit"),
        ("nan ms", "s", "is not a number with a unit"),
        ("1e999 s", "s", "is not a finite number"),
        (math.nan, "points", "is not a finite number"),
        (math.inf, "ratio", "is not a finite number"),
        (10**400, "points", "is not a finite number"),
        (True, "points", "is not a finite number"),
        (None, "s", "is not a finite number"),
        (["300 ms"], "s", "is not a finite number"),
    ],
)
def test_invalid_quantities_are_refused_with_an_example(
    value: object, unit: str, message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_quantity(value, unit)


@pytest.mark.parametrize(
    ("value", "unit", "quantity"),
    [(2.5, "dB", 2.5), ("2.5", "dB", 2.5), ("-2.5 dB", "dB", -2.5), (7, "", 7.0), ("7", "", 7.0)],
)
def test_an_unknown_unit_takes_plain_numbers(value: object, unit: str, quantity: float) -> None:
    assert parse_quantity(value, unit) == quantity


@pytest.mark.parametrize(
    ("value", "unit", "message"),
    [
        ("3 ms", "dB", "'ms' is not a valid unit here; use one of dB"),
        ("3 ms", "", "'ms' is not a valid unit here; write 3"),
        ("loud", "dB", 'is not a number with a unit; write 2.5 or "2.5 dB"'),
        ("loud", "", "is not a number with a unit; write 2.5"),
        (math.inf, "dB", 'is not a finite number; write 2.5 or "2.5 dB"'),
    ],
)
def test_an_unknown_unit_refuses_other_units(value: object, unit: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_quantity(value, unit)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(12.345, "dB", "12.3 dB"), (-1234.5, "px", "-1234 px"), (0.5, "", "0.5"), (0, "dB", "0 dB")],
)
def test_an_unknown_unit_is_printed_after_the_number(value: float, unit: str, text: str) -> None:
    assert format_value(value, unit) == text
    assert parse_quantity(text, unit) == pytest.approx(value, rel=0.005)


@given(st.text(), st.sampled_from(UNITS))
def test_any_text_is_parsed_or_refused_with_a_message(text: str, unit: str) -> None:
    try:
        value = parse_quantity(text, unit)
    except ValueError as refused:
        assert repr(text) in str(refused)  # noqa: PT017 (a value is as good)
    else:
        assert math.isfinite(value)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.312, "s", "312 ms"),
        (0.00431, "s", "4.31 ms"),
        (85e-6, "s", "85 us"),
        (0.9996, "s", "1 s"),
        (0.0, "s", "0 s"),
        (1234.0, "s", "1234 s"),
        (54.2e6, "bytes", "54.2 MB"),
        (512, "bytes", "512 B"),
        (0, "bytes", "0 B"),
        (999.9e6, "bytes", "1 GB"),
        (1.31, "ratio", "1.31x"),
        (1.5, "ratio", "1.50x"),
        (1234, "samples/s", "1234 samples/s"),
        (12.34, "samples/s", "12.3 samples/s"),
        (26.2, "points", "26.20"),
        (-0.001, "points", "0.00"),
        (0.985, "fraction", "98.5 %"),
        (0.0512, "fraction", "5.12 %"),
        (-0.312, "s", "-312 ms"),
        (math.inf, "ratio", "inf"),
    ],
)
def test_values_are_printed_with_a_fitting_prefix(value: float, unit: str, text: str) -> None:
    assert format_value(value, unit) == text


def test_more_digits_distinguish_close_values() -> None:
    assert format_value(0.30004, "s") == format_value(0.3, "s") == "300 ms"
    assert format_value(0.30004, "s", extra_digits=2) == "300.04 ms"
    assert format_value(1.4996, "ratio", extra_digits=2) == "1.4996x"


@given(st.floats(1e-6, 1e6), st.sampled_from(["s", "bytes", "samples/s"]))
def test_three_significant_figures_survive_printing_and_reading(value: float, unit: str) -> None:
    assert parse_quantity(format_value(value, unit), unit) == pytest.approx(value, rel=0.0051)


@given(st.floats(-200, 200), st.integers(0, 3))
def test_points_survive_printing_and_reading(value: float, extra: int) -> None:
    printed = format_value(value, "points", extra)
    assert parse_quantity(printed, "points") == pytest.approx(value, abs=0.51 * 10 ** -(2 + extra))


@given(st.floats(0, 100))
def test_ratios_survive_printing_and_reading(value: float) -> None:
    assert parse_quantity(format_value(value, "ratio"), "ratio") == pytest.approx(value, abs=0.0051)


@given(st.floats(-2, 2))
def test_fractions_survive_printing_and_reading(value: float) -> None:
    printed = format_value(value, "fraction")
    assert parse_quantity(printed, "fraction") == pytest.approx(value, abs=0.00051)


@given(st.floats(0, 1e12), st.sampled_from(UNITS))
def test_printing_a_parsed_text_gives_the_same_text(value: float, unit: str) -> None:
    printed = format_value(value, unit)
    assert format_value(parse_quantity(printed, unit), unit) == printed


@pytest.mark.parametrize(
    ("value", "unit"),
    [(0.0834, "s"), (1.62, "ratio"), (0.125, "fraction"), (3.1e8, "bytes"), (37, "samples/s")],
)
def test_a_formatted_value_is_read_back(value: float, unit: str) -> None:
    assert read_back(format_value(value, unit)) == pytest.approx(value)


def test_texts_without_a_number_are_not_read_back() -> None:
    assert [read_back(text) for text in ("-", "pass", "c7i.large", "[1, 2]")] == [None] * 4
    assert read_back("1,080") == 1080
