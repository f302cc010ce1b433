"""The picture of the rooms: it is current, and no arrow points up or is missing."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from docs.house import GAP, PICTURE, House, house, width

SMALL = House({"top": {"middle", "base"}, "middle": {"base"}, "base": set(), "alone": {"base"}})


def test_the_picture_is_what_the_command_draws() -> None:
    assert PICTURE.read_text("utf-8") == house().svg(), "run: python -m docs.house"


def test_an_arrow_that_follows_from_others_is_left_out() -> None:
    assert SMALL.arrows == [("top", "middle"), ("middle", "base"), ("alone", "base")]


def test_a_room_is_one_floor_above_the_highest_that_it_imports() -> None:
    assert SMALL.floors == {"base": 0, "middle": 1, "alone": 1, "top": 2}


def test_an_arrow_over_several_floors_has_a_place_on_each() -> None:
    far = House(
        {"top": {"two", "low"}, "two": {"one"}, "one": {"base"}, "base": set(), "low": set()}
    )
    assert far.path("top", "low") == [("top", ""), *[("top", "low")] * 2, ("low", "")]
    assert [len(places) for places in far.levels] == [2, 2, 2, 1]


@pytest.mark.parametrize("drawn", [SMALL, house()], ids=["small", "package"])
def test_every_room_is_drawn_once_and_none_overlaps(drawn: House) -> None:
    root = ET.fromstring(drawn.svg())
    names = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert sorted(filter(None, names)) == sorted(drawn.imports)
    for floor, places in enumerate(drawn.levels):
        row = sorted((drawn.centres[floor, place], width(place) / 2) for place in places)
        for (left, half), (right, other) in pairwise(row):
            assert right - left - half - other >= GAP - 1e-6


def test_every_import_of_the_table_follows_from_the_arrows() -> None:
    rooms = house()
    drawn = House({room: {b for a, b in rooms.arrows if a == room} for room in rooms.imports})
    assert drawn.below == rooms.below
    assert all(rooms.floors[room] > rooms.floors[used] for room, used in rooms.arrows)
