"""Positions of the names in plots."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from pytest_infperf.report.labels import short_name, spread

_heights = st.lists(st.floats(0, 100), min_size=1, max_size=9).map(sorted)


@given(_heights)
def test_names_keep_their_distance_and_stay_within_the_axes(wanted: list[float]) -> None:
    placed = spread(wanted, 10, 0, 100)
    assert len(placed) == len(wanted)
    assert all(b - a >= 10 - 1e-6 for a, b in pairwise(placed))
    assert placed[0] >= -1e-6
    assert placed[-1] <= 100 + 1e-6


def test_names_with_room_stay_at_their_line() -> None:
    assert spread([5, 50, 90], 10, 0, 100) == [5, 50, 90]


def test_names_of_one_height_are_centred_on_it() -> None:
    assert spread([50, 50, 50], 10, 0, 100) == [40, 50, 60]


@pytest.mark.parametrize("name", ["onnx", "x" * 36])
def test_short_names_stay(name: str) -> None:
    assert short_name(name) == name


def test_a_long_name_keeps_its_beginning_and_its_end() -> None:
    assert short_name("a" * 30 + "-" + "b" * 30) == "a" * 17 + "…" + "b" * 17
