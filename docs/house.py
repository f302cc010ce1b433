"""Draw which room of the package imports which, as docs/images/house.svg: `python -m docs.house`.

Rooms are drawn in floors: a room imports only from floors below its own. The picture leaves out an
arrow that follows from others: `plugin` imports `session` and `session` imports `errors`, so it has
no arrow from `plugin` to `errors`. tests/test_directions.py lists the rooms and their imports.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from pathlib import Path
from statistics import fmean
from xml.etree import ElementTree as ET

from scipy.optimize import isotonic_regression

from tests.test_directions import ROOMS

PICTURE = Path(__file__).parent / "images" / "house.svg"
STYLE = """
.room rect { fill: #eef3f8; stroke: #4a6a8a; }
.room text { fill: #15202b; font: 13px system-ui, sans-serif; text-anchor: middle; }
.import { fill: none; stroke: #6b7f93; stroke-width: 1.2; }
.tip { fill: #6b7f93; }
@media (prefers-color-scheme: dark) {
  .room rect { fill: #1d2b3a; stroke: #7fa3c7; }
  .room text { fill: #e8eef4; }
  .import { stroke: #8ca0b5; }
  .tip { fill: #8ca0b5; }
}
"""
ROOM_HEIGHT, FLOOR_HEIGHT, GAP, MARGIN, LETTER = 28, 72, 18, 16, 7.6
SWEEPS = 24
"""Passes over all floors, in which rooms move towards the rooms that they are connected with."""

Place = tuple[str, str]
"""A room as ``(room, "")``, or the point where the arrow between two rooms crosses a floor."""


@dataclass(frozen=True)
class House:
    """The rooms of a package.

    Parameters
    ----------
    imports : mapping of str to set of str
        The rooms that each room imports. It must have no cycle.
    """

    imports: Mapping[str, set[str]]

    @cached_property
    def below(self) -> dict[str, set[str]]:
        """The rooms that each room needs, directly or through others."""
        found: dict[str, set[str]] = {}

        def visit(room: str) -> set[str]:
            if room not in found:
                direct = self.imports[room]
                found[room] = direct.union(*(visit(other) for other in direct))
            return found[room]

        for room in self.imports:
            visit(room)
        return found

    @cached_property
    def arrows(self) -> list[tuple[str, str]]:
        """The imports that do not follow from others."""
        return [
            (room, used)
            for room, direct in self.imports.items()
            for used in sorted(direct)
            if not any(used in self.below[other] for other in direct)
        ]

    @cached_property
    def floors(self) -> dict[str, int]:
        """The floor of each room: one above the highest room that it imports, from 0."""
        floors: dict[str, int] = {}
        for room in sorted(self.imports, key=lambda room: len(self.below[room])):
            floors[room] = 1 + max((floors[used] for used in self.imports[room]), default=-1)
        return floors

    def path(self, room: str, used: str) -> list[Place]:
        """Return the places of an arrow, one on each floor, from the importing room down."""
        between = self.floors[room] - self.floors[used] - 1
        return [(room, ""), *[(room, used)] * between, (used, "")]

    @cached_property
    def levels(self) -> list[list[Place]]:
        """The places of each floor, from left to right."""
        levels: list[list[Place]] = [[] for _ in range(1 + max(self.floors.values()))]
        for room, floor in self.floors.items():
            levels[floor].append((room, ""))
        for room, used in self.arrows:
            for floor in range(self.floors[used] + 1, self.floors[room]):
                levels[floor].append((room, used))
        return levels

    def steps(self) -> Iterator[tuple[int, Place, Place]]:
        """Yield each floor's places with the place one floor below that an arrow leads to."""
        for room, used in self.arrows:
            path = self.path(room, used)
            for depth, (upper, lower) in enumerate(pairwise(path)):
                yield self.floors[room] - depth, upper, lower

    @cached_property
    def centres(self) -> dict[tuple[int, Place], float]:
        """The middle of each place, in pixels from the left, by floor and place."""
        near: dict[tuple[int, Place], list[tuple[int, Place]]] = {}
        for floor, upper, lower in self.steps():
            near.setdefault((floor, upper), []).append((floor - 1, lower))
            near.setdefault((floor - 1, lower), []).append((floor, upper))
        centres: dict[tuple[int, Place], float] = {}
        for floor, places in enumerate(self.levels):
            centres |= _in_a_row(floor, places, [0.0] * len(places))
        for sweep in range(SWEEPS):
            order = range(len(self.levels)) if sweep % 2 else reversed(range(len(self.levels)))
            for floor in order:
                keys = [(floor, place) for place in self.levels[floor]]
                wanted = {
                    key: fmean(centres[other] for other in near.get(key, [key])) for key in keys
                }
                places = [place for _, place in sorted(keys, key=lambda key: (wanted[key], key))]
                centres |= _in_a_row(floor, places, [wanted[floor, place] for place in places])
        left = min(centre - width(place) / 2 for (_, place), centre in centres.items())
        return {key: centre - left + MARGIN for key, centre in centres.items()}

    def svg(self) -> str:
        """Return the drawing."""
        right = max(centre + width(place) / 2 for (_, place), centre in self.centres.items())
        top = len(self.levels) - 1
        size = (round(right + MARGIN), top * FLOOR_HEIGHT + ROOM_HEIGHT + 2 * MARGIN)
        root = ET.Element(
            "svg",
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"0 0 {size[0]} {size[1]}",
            width=str(size[0]),
            role="img",
        )
        ET.SubElement(root, "title").text = "Rooms of pytest_infperf and what they import"
        ET.SubElement(root, "style").text = STYLE

        def y(floor: int) -> int:
            return MARGIN + (top - floor) * FLOOR_HEIGHT

        for room, used in self.arrows:
            points = [
                (self.centres[self.floors[room] - depth, place], y(self.floors[room] - depth))
                for depth, place in enumerate(self.path(room, used))
            ]
            line = f"M{points[0][0]:.0f} {points[0][1] + ROOM_HEIGHT}"
            for (x, above), (next_x, below) in pairwise(points):
                start, end = above + ROOM_HEIGHT, below
                middle = (start + end) / 2
                line += f"C{x:.0f} {middle:.0f} {next_x:.0f} {middle:.0f} {next_x:.0f} {end}"
                if (next_x, below) != points[-1]:
                    line += f"V{below + ROOM_HEIGHT}"
            ET.SubElement(root, "path", {"class": "import", "d": line})
            x, foot = points[-1]
            tip = f"M{x:.0f} {foot}l-4 -8h8z"
            ET.SubElement(root, "path", {"class": "tip", "d": tip})
        for room, floor in self.floors.items():
            group = ET.SubElement(root, "g", {"class": "room"})
            wide, centre = width((room, "")), self.centres[floor, (room, "")]
            box = {"x": f"{centre - wide / 2:.0f}", "y": str(y(floor)), "rx": "5"}
            box |= {"width": f"{wide:.0f}", "height": str(ROOM_HEIGHT)}
            direct = ", ".join(sorted(self.imports[room])) or "no other room"
            ET.SubElement(group, "title").text = f"{room} imports {direct}"
            ET.SubElement(group, "rect", box)
            name = {"x": f"{centre:.0f}", "y": str(y(floor) + 19)}
            ET.SubElement(group, "text", name).text = room
        ET.indent(root)
        return ET.tostring(root, "unicode") + "\n"


def width(place: Place) -> float:
    """Return the width of a place in pixels: that of a room's box, or of an arrow."""
    room, used = place
    return 0 if used else len(room) * LETTER + 20


def _in_a_row(
    floor: int, places: list[Place], wanted: list[float]
) -> dict[tuple[int, Place], float]:
    """Return the centres nearest to the wanted ones that keep the order and do not overlap."""
    widths = [width(place) for place in places]
    apart = [(left + right) / 2 + GAP for left, right in pairwise(widths)]
    packed = list(accumulate(apart, initial=0.0))
    shifts = isotonic_regression([want - at for want, at in zip(wanted, packed, strict=True)]).x
    return {
        (floor, place): at + float(shift)
        for place, at, shift in zip(places, packed, shifts, strict=True)
    }


def house() -> House:
    """Return the house of pytest_infperf."""
    return House({room: set(used.split()) for room, used in ROOMS.items()})


if __name__ == "__main__":
    PICTURE.write_text(house().svg(), "utf-8")
    sys.stdout.write(f"wrote {PICTURE}\n")
