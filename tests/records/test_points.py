"""Names of points: which are a parameter with a value, and which are not."""

from __future__ import annotations

import pytest

from pytest_infperf.records.points import parameter_and_value


@pytest.mark.parametrize(
    ("point", "parts"),
    [
        ("length=512", ("length", 512.0)),
        ("rate=2.5", ("rate", 2.5)),
        ("users=1:listings", None),
        ("users=1-1000", None),
        ("rate=1e-05", ("rate", 1e-05)),
        ("SingleStream-60x12:listings", None),
        ("jmeter-60x12", None),
        ("length", None),
    ],
)
def test_parameter_and_value(point: str, parts: tuple[str, float] | None) -> None:
    assert parameter_and_value(point) == parts
