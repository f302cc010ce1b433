"""Direct labels of a plot: names beside its lines and points, placed without overlap.

Positions are in points, which are pixels of the SVG text, because `svg.new_figure` sets 72 dpi.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

_SIZE = 10
_MAX_CHARACTERS = 36
_LINE_HEIGHT = 13
_CHARACTER_WIDTH = 6.3
_GAP = 7
_NEAR = 1.1 * _LINE_HEIGHT
"""Largest vertical distance at which a name needs no line to its point."""
_REACH = 8
"""Largest distance of a name from its point, in heights of a line."""


def short_name(name: str) -> str:
    """Return a name that leaves room for the plot; a long name is shortened in the middle.

    Examples
    --------
    >>> short_name("an-encoder-with-a-very-long-name-onnx-fused-int8")
    'an-encoder-with-a-…-onnx-fused-int8'
    """
    if len(name) <= _MAX_CHARACTERS:
        return name
    half = (_MAX_CHARACTERS - 1) // 2
    return f"{name[:half]}…{name[-half:]}"


@dataclass(frozen=True)
class Label:
    """A name to write beside a point of a plot."""

    text: str
    x: float
    y: float
    colour: str
    is_optional: bool = False
    """Whether to leave the name out if it would cover another one."""


@dataclass(frozen=True)
class _Box:
    left: float
    bottom: float
    right: float
    top: float

    def distance(self, x: float, y: float) -> float:
        return math.hypot(
            max(self.left - x, 0, x - self.right), max(self.bottom - y, 0, y - self.top)
        )

    def is_in(self, frame: _Box) -> bool:
        return (
            frame.left <= self.left
            and self.right <= frame.right
            and frame.bottom <= self.bottom
            and self.top <= frame.top
        )

    def overlaps(self, other: _Box) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.bottom < other.top
            and other.bottom < self.top
        )


def label_ends(axes: Any, labels: Sequence[Label]) -> None:
    """Write names to the right of the axes, in the order of their lines' last points."""
    axes.figure.draw_without_rendering()
    bottom, top = (axes.transAxes.transform((0, y))[1] for y in (0, 1))
    ordered = sorted(labels, key=lambda label: float(label.y))
    wanted = [axes.transData.transform((label.x, label.y))[1] for label in ordered]
    for label, height in zip(ordered, spread(wanted, _LINE_HEIGHT, bottom, top), strict=True):
        axes.annotate(
            short_name(label.text),
            (label.x, label.y),
            (1.1, (height - bottom) / (top - bottom)),
            textcoords="axes fraction",
            va="center",
            fontsize=_SIZE,
            annotation_clip=False,
            arrowprops=_leader(label.colour, 0),
        )


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return positions near ascending wanted ones, at least a gap apart, between two bounds.

    Positions that do not fit between the bounds extend beyond them.

    Examples
    --------
    >>> spread([1, 1, 9], 2, 0, 10)
    [0.0, 2.0, 9.0]
    """
    groups: list[tuple[float, int]] = []
    for position in wanted:
        centre, count = float(position), 1
        while groups and centre - groups[-1][0] < gap * (count + groups[-1][1]) / 2:
            other, others = groups.pop()
            centre = _within(
                (centre * count + other * others) / (count + others),
                gap * (count + others - 1) / 2,
                low,
                high,
            )
            count += others
        groups.append((_within(centre, gap * (count - 1) / 2, low, high), count))
    return [
        centre + gap * (index - (count - 1) / 2)
        for centre, count in groups
        for index in range(count)
    ]


def _within(centre: float, half: float, low: float, high: float) -> float:
    return max(low + half, min(high - half, centre)) if high - low > 2 * half else (low + high) / 2


def label_points(
    axes: Any, labels: Sequence[Label], path: Sequence[tuple[float, float]] = ()
) -> None:
    """Write names beside points; a name without room beside its point gets a line to it.

    Labels are placed in their order. `path` contains the corners of a line that names must avoid.
    """
    axes.figure.draw_without_rendering()
    bottom_left, top_right = (axes.transAxes.transform(corner) for corner in ((0, 0), (1, 1)))
    frame = _Box(*bottom_left, *top_right)
    points = [axes.transData.transform((label.x, label.y)) for label in labels]
    dots = [_Box(x - 5, y - 5, x + 5, y + 5) for x, y in points]
    corners = [axes.transData.transform(corner) for corner in path]
    dots += [_dot(a, b, step / 20) for a, b in pairwise(corners) for step in range(21)]
    taken: list[_Box] = []
    for label, (x, y) in zip(labels, points, strict=True):
        places = [
            place
            for place in _places(x, y, _CHARACTER_WIDTH * len(short_name(label.text)))
            if place.box.is_in(frame)
        ]
        place, covered = _least_covering(places, taken, dots)
        if place is None or (covered and label.is_optional):
            continue
        taken += [place.box, *place.leader]
        box = place.box
        axes.annotate(
            short_name(label.text),
            (label.x, label.y),
            ((box.left + box.right) / 2 - x, (box.bottom + box.top) / 2 - y),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=_SIZE,
            arrowprops=_leader(label.colour, *place.side) if place.leader else None,
        )


@dataclass(frozen=True)
class _Place:
    """A box for a name, and small boxes along the line from its side to the point."""

    box: _Box
    side: tuple[float, float] = (0, 0.5)
    leader: Sequence[_Box] = ()


def _places(x: float, y: float, width: float) -> Iterator[_Place]:
    """Yield places beside a point, then places around it, in ascending distance."""
    for centre in (x + _GAP + width / 2, x - _GAP - width / 2):
        yield _Place(_box(centre, y, width))
    around = [
        (x + columns * _LINE_HEIGHT, y + rows * _LINE_HEIGHT)
        for columns in range(-_REACH, _REACH + 1)
        for rows in (*range(-_REACH, 0), *range(1, _REACH + 1))
    ]
    boxes = [_box(centre, middle, width) for centre, middle in around]
    for box in sorted(boxes, key=lambda box: box.distance(x, y)):
        middle = (box.bottom + box.top) / 2
        if abs(middle - y) < _NEAR and box.left < x < box.right:
            yield _Place(box)
        else:
            side = (0.0 if box.left > x else 1.0 if box.right < x else 0.5, float(middle < y))
            end = (box.left + side[0] * width, box.top if middle < y else box.bottom)
            steps = (0.3, 0.45, 0.6, 0.75, 0.9)
            yield _Place(box, side, [_dot((x, y), end, step) for step in steps])


def _box(centre: float, middle: float, width: float) -> _Box:
    half = _LINE_HEIGHT / 2
    return _Box(centre - width / 2, middle - half, centre + width / 2, middle + half)


def _dot(start: tuple[float, float], end: tuple[float, float], step: float) -> _Box:
    """Return a small box on the line between two positions, at a fraction of its length."""
    x, y = (a + step * (b - a) for a, b in zip(start, end, strict=True))
    return _Box(x - 1, y - 1, x + 1, y + 1)


def _least_covering(
    places: Iterable[_Place], taken: Sequence[_Box], dots: Sequence[_Box]
) -> tuple[_Place | None, float]:
    """Return the first place without overlap, or the one with the least, and its overlap."""
    best, fewest = None, math.inf
    for place in places:
        covered = sum(map(place.box.overlaps, (*taken, *dots)))
        covered += sum(piece.overlaps(other) for piece in place.leader for other in taken)
        if covered < fewest:
            best, fewest = place, covered
        if not covered:
            break
    return best, fewest


def _leader(colour: str, side: float, height: float = 0.5) -> dict[str, Any]:
    """Return the properties of a line that begins at a place of the name, in fractions of it."""
    return {
        "arrowstyle": "-",
        "color": colour,
        "linewidth": 0.9,
        "relpos": (side, height),
        "shrinkA": 1,
        "shrinkB": 3,
    }
