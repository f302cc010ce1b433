"""Direct labels of a plot: names beside its lines and points, placed so that none covers another.

Positions are in points, which are pixels of the SVG text, because `svg.new_figure` sets 72 dpi.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

_SIZE = 10
_LINE_HEIGHT = 13
_CHARACTER_WIDTH = 6.3
_GAP = 7
_NEAR = 1.1 * _LINE_HEIGHT
"""Vertical distance up to which a name needs no line to its point."""
_MAX_ROWS_AWAY = 12


@dataclass(frozen=True)
class Label:
    """A name to write beside a point of a plot."""

    text: str
    x: float
    y: float
    colour: str


@dataclass(frozen=True)
class _Box:
    left: float
    bottom: float
    right: float
    top: float

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
            label.text,
            (label.x, label.y),
            (1.1, (height - bottom) / (top - bottom)),
            textcoords="axes fraction",
            va="center",
            fontsize=_SIZE,
            annotation_clip=False,
            arrowprops=_leader(label.colour, 0),
        )


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return positions near the wanted ascending ones, at least a gap apart, between two bounds.

    If there are too many for the bounds, they extend beyond them.

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


def label_points(axes: Any, labels: Sequence[Label]) -> None:
    """Write names beside points; a name that finds no room beside its point gets a line to it."""
    axes.figure.draw_without_rendering()
    (left, bottom), (right, top) = (axes.transAxes.transform(corner) for corner in ((0, 0), (1, 1)))
    points = [axes.transData.transform((label.x, label.y)) for label in labels]
    dots = [_Box(x - 5, y - 5, x + 5, y + 5) for x, y in points]
    taken: list[_Box] = []
    for label, (x, y) in zip(labels, points, strict=True):
        width = _CHARACTER_WIDTH * len(label.text)
        boxes = list(_places(x, y, width))
        inside = [
            box
            for box in boxes
            if box.left >= left and box.right <= right and box.bottom >= bottom and box.top <= top
        ]
        box = next((b for b in inside if _is_free(b, x, y, taken, dots)), (inside or boxes)[0])
        taken += [box, *_along_leader(box, x, y)]
        is_right = box.left > x
        middle = (box.bottom + box.top) / 2
        is_near = abs(middle - y) < _NEAR
        axes.annotate(
            label.text,
            (label.x, label.y),
            ((box.left if is_right else box.right) - x, middle - y),
            textcoords="offset points",
            ha="left" if is_right else "right",
            va="center",
            fontsize=_SIZE,
            arrowprops=None if is_near else _leader(label.colour, 0 if is_right else 1),
        )


def _is_free(box: _Box, x: float, y: float, taken: Sequence[_Box], dots: Sequence[_Box]) -> bool:
    """Return whether neither a name nor its leader covers another name, and the name no dot."""
    pieces = [box, *_along_leader(box, x, y)]
    return not any(piece.overlaps(other) for piece in pieces for other in taken) and not any(
        map(box.overlaps, dots)
    )


def _along_leader(box: _Box, x: float, y: float) -> Iterator[_Box]:
    """Yield small boxes along the line from a point to its name; none if the name is near."""
    middle = (box.bottom + box.top) / 2
    if abs(middle - y) < _NEAR:
        return
    end = box.left if box.left > x else box.right
    for step in (0.3, 0.45, 0.6, 0.75, 0.9):
        at_x, at_y = x + step * (end - x), y + step * (middle - y)
        yield _Box(at_x - 1, at_y - 1, at_x + 1, at_y + 1)


def _places(x: float, y: float, width: float) -> Iterator[_Box]:
    """Yield boxes to the right and to the left of a point, in ascending vertical distance."""
    half = _LINE_HEIGHT / 2
    for rows in (n * 0.5 for n in range(2 * _MAX_ROWS_AWAY)):
        for middle in (y + rows * _LINE_HEIGHT, y - rows * _LINE_HEIGHT):
            yield _Box(x + _GAP, middle - half, x + _GAP + width, middle + half)
            yield _Box(x - _GAP - width, middle - half, x - _GAP, middle + half)


def _leader(colour: str, side: float) -> dict[str, Any]:
    """Return the properties of a line from the left (0) or right (1) side of a name."""
    return {
        "arrowstyle": "-",
        "color": colour,
        "linewidth": 0.9,
        "relpos": (side, 0.5),
        "shrinkA": 1,
        "shrinkB": 3,
    }
