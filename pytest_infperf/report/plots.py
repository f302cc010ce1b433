"""Plots of results as SVG text, readable in black and white and on light or dark background."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, log
from statistics import fmean
from typing import Any

from pytest_infperf.records.measure import Measure
from pytest_infperf.records.quantity import format_value
from pytest_infperf.report.labels import Label, label_ends, label_points, short_name
from pytest_infperf.report.svg import (
    COLOURS,
    INK,
    in_plot_style,
    line_styles,
    new_figure,
    plain_numbers,
    set_tip,
    to_svg,
)

_WIDTH = 5.2
"""Width of a figure in inches, at which its text is readable on a screen of 390 pixels."""
_MAX_DATES = 5


@dataclass(frozen=True)
class PlotPoint:
    """A variant as a point whose coordinates are two measures."""

    name: str
    x: float
    y: float


@dataclass(frozen=True)
class HistoryLine:
    """The values of one measure of one variant over saved runs."""

    variant: str
    labels: Sequence[str]
    """Label of each run on the axis: its time and commit."""
    values: Sequence[float]
    unit: str
    shifts: Sequence[int] = ()
    """Indices of the values at which a new level begins."""


@in_plot_style
def ratios(
    ratio_by_variant: Mapping[str, Measure], label: str, limits: Mapping[str, float] | None = None
) -> str:
    """Plot a row per variant: its ratio and interval on a log scale, with a line at 1.

    `limits` contains the limits of variants, which are drawn as dashed lines across their rows.
    """
    figure, axes = _rows(list(ratio_by_variant))
    for row, (name, measure) in enumerate(ratio_by_variant.items()):
        low = measure.value if measure.low is None else measure.low
        high = measure.value if measure.high is None else measure.high
        (line,) = axes.plot(
            [low, high], [row, row], color=COLOURS[0], linewidth=2.5, solid_capstyle="butt"
        )
        (dot,) = axes.plot([measure.value], [row], "o", color=COLOURS[0])
        text, *bounds = (format_value(x, measure.unit) for x in (measure.value, low, high))
        for artist in (line, dot):
            set_tip(artist, f"{name}: {text}, interval {' to '.join(bounds)}")
        if (limit := (limits or {}).get(name)) is not None:
            axes.vlines(limit, row - 0.5, row + 0.5, color=INK, linewidth=1.5, linestyle="--")
            text, high = f"{text}, limit {format_value(limit, 'ratio')}", max(high, limit)
        axes.annotate(
            text, (high, row), (6, 0), textcoords="offset points", va="center", fontsize=10
        )
    axes.axvline(1, color=INK, linewidth=1)
    plain_numbers(axes.xaxis)
    axes.set_xlabel(label)
    return to_svg(figure, f"{label}: a row per variant")


@in_plot_style
def distributions(percentiles_s: Mapping[str, Sequence[float]]) -> str:
    """Plot a row per variant: the latencies of most queries, of the middle half, and the median.

    `percentiles_s` contains the percentiles 0 to 100 of each variant, in seconds.
    """
    figure, axes = _rows(list(percentiles_s))
    for row, (name, times) in enumerate(percentiles_s.items()):
        p1, p25, p50, p75, p99 = (1e3 * times[percent] for percent in (1, 25, 50, 75, 99))
        (tails,) = axes.plot([p1, p99], [row, row], color=COLOURS[0], linewidth=1)
        (half,) = axes.plot(
            [p25, p75], [row, row], color=COLOURS[0], linewidth=6, solid_capstyle="butt"
        )
        axes.plot([p50], [row], "|", color=INK, markersize=9, markeredgewidth=1.5)
        text = ", ".join(
            f"{word} {format_value(times[percent], 's')}"
            for word, percent in (("p1", 1), ("p25", 25), ("p50", 50), ("p75", 75), ("p99", 99))
        )
        for artist in (tails, half):
            set_tip(artist, f"{name}: {text}")
        axes.annotate(
            f"p99 {format_value(times[99], 's')}",
            (p99, row), (6, 0), textcoords="offset points", va="center", fontsize=10,
        )  # fmt: skip
    plain_numbers(axes.xaxis)
    axes.set_xlabel("latency of a query, ms")
    return to_svg(figure, "latency distributions: a row per variant")


def _rows(names: Sequence[str]) -> tuple[Any, Any]:
    """Return a figure and its axes with a row per name and a log scale."""
    figure, axes = new_figure(_WIDTH, 0.9 + 0.3 * len(names))
    axes.set_xscale("log")
    axes.margins(x=0.08)
    axes.set_yticks(range(len(names)), list(map(short_name, names)))
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.set_ylim(len(names) - 0.5, -0.5)
    return figure, axes


@in_plot_style
def sweep(
    times_by_variant: Mapping[str, Mapping[float, Measure]], parameter: str, label: str
) -> str:
    """Plot times in ms over the values of a parameter, with a line per variant and log scales."""
    figure, axes = new_figure(_WIDTH, _height_of_lines(len(times_by_variant)))
    ends = []
    for (name, times), line_style in zip(times_by_variant.items(), line_styles(), strict=False):
        milliseconds = [1e3 * time.value for time in times.values()]
        (line,) = axes.plot(list(times), milliseconds, **line_style)
        set_tip(line, name)
        ends.append(Label(name, list(times)[-1], milliseconds[-1], line_style["color"]))
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    ticks = sorted({value for times in times_by_variant.values() for value in times})
    axes.set_xticks(ticks, [f"{tick:,g}" for tick in ticks])
    axes.minorticks_off()
    plain_numbers(axes.yaxis)
    axes.set_xlabel(parameter)
    axes.set_ylabel(label)
    label_ends(axes, ends)
    return to_svg(figure, f"{label} by {parameter}: a line per variant")


@in_plot_style
def levels(
    responses: Mapping[float, Sequence[float]], level_names: Sequence[str], x: str, y: str
) -> str:
    """Plot a dot per trial over the levels of a factor, and a line through the geometric means.

    `responses` contains the values of the trials at each level. The axis of the levels is
    logarithmic; if one is 0, it is linear from there to the next one.
    """
    figure, axes = new_figure(_WIDTH, 3.2)
    for level, values in responses.items():
        axes.plot([level] * len(values), values, "o", color=COLOURS[0], alpha=0.5)
    means = [exp(fmean(map(log, values))) for values in responses.values()]
    axes.plot(list(responses), means, "-", color=INK, linewidth=1.5)
    above_0 = [level for level in responses if level > 0]
    if len(above_0) == len(responses):
        axes.set_xscale("log")
    elif above_0:
        axes.set_xscale("symlog", linthresh=min(above_0))
    axes.set_yscale("log")
    axes.set_xticks(list(responses), level_names)
    axes.minorticks_off()
    axes.margins(x=0.15)
    plain_numbers(axes.yaxis)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return to_svg(figure, f"{y} by {x}: a dot per trial")


@in_plot_style
def front(
    points: Sequence[PlotPoint], x_label: str, y_label: str, *, higher_is_better: bool = True
) -> str:
    """Plot a point per variant, and a line that joins the undominated ones.

    For x, lower is better; `higher_is_better` applies to y. Undominated points are always labelled,
    other points only where there is room.
    """
    figure, axes = new_figure(_WIDTH, max(3.4, min(5.0, 0.9 + 0.25 * len(points))))
    best = undominated(points, higher_is_better=higher_is_better)
    if len(best) > 1:
        axes.step(
            [p.x for p in best], [p.y for p in best], where="post", color=INK, alpha=0.5, zorder=1
        )
    labels = []
    for point, line_style in zip(points, line_styles(), strict=False):
        (dot,) = axes.plot([point.x], [point.y], **{**line_style, "linestyle": "none"})
        set_tip(dot, f"{point.name}: {point.x:.3g} ({x_label}), {point.y:.2f} ({y_label})")
        labels.append(
            Label(point.name, point.x, point.y, line_style["color"], is_optional=point not in best)
        )
    axes.set_xscale("log")
    axes.margins(x=0.15, y=0.25)
    plain_numbers(axes.xaxis)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    path = [(x, y) for a, b in pairwise(best) for x, y in ((a.x, a.y), (b.x, a.y), (b.x, b.y))]
    label_points(axes, sorted(labels, key=lambda label: label.is_optional), path)
    return to_svg(figure, f"{y_label} against {x_label}: a point per variant")


def undominated(points: Sequence[PlotPoint], *, higher_is_better: bool = True) -> list[PlotPoint]:
    """Return the Pareto front in the order of x: no other point has as low an x and a better y."""
    sign = 1 if higher_is_better else -1
    best: list[PlotPoint] = []
    for point in sorted(points, key=lambda p: (p.x, -sign * p.y)):
        if not best or sign * point.y > sign * best[-1].y:
            best.append(point)
    return best


@in_plot_style
def history(
    title: str, panels: Mapping[str, Sequence[HistoryLine]], *, standalone: bool = False
) -> str:
    """Plot a panel per measure with a line per variant; a ring marks each change of level.

    A standalone plot has dark grey text instead of the colour of a page's text.
    """
    from matplotlib.figure import Figure

    heights = [_height_of_lines(len(lines)) for lines in panels.values()]
    figure = Figure(figsize=(_WIDTH, sum(heights)), dpi=72, layout="constrained")
    rows = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
    ends = []
    for axes, (name, lines) in zip(rows, panels.items(), strict=True):
        if len(panels) > 1:
            axes.set_title(name, loc="left", fontsize=11)
        ends.append(_draw_panel(axes, lines))
    for axes, labels in zip(rows, ends, strict=True):
        label_ends(axes, labels)
    return to_svg(figure, f"{title}: measures over saved runs", standalone=standalone)


def _height_of_lines(count: int) -> float:
    """Return the height, in inches, that fits the names of all lines one below the other."""
    return max(3.2, 0.9 + count * 0.23)


def _draw_panel(axes: Any, lines: Sequence[HistoryLine]) -> list[Label]:
    """Draw the lines of a panel, and return the names to write at their ends."""
    from matplotlib.ticker import FuncFormatter

    labels = list(dict.fromkeys(label for line in lines for label in line.labels))
    positions = {label: position for position, label in enumerate(labels)}
    ends = []
    for line, line_style in zip(lines, line_styles(), strict=False):
        x = [positions[label] for label in line.labels]
        (artist,) = axes.plot(x, line.values, **line_style)
        set_tip(artist, line.variant)
        ends.append(Label(line.variant, x[-1], line.values[-1], line_style["color"]))
        if rings := [(x[i], line.values[i]) for i in line.shifts]:
            axes.plot(*zip(*rings, strict=True), "o", markersize=12, fillstyle="none", color=INK)
    unit = lines[0].unit
    if unit not in ("points", "fraction") and all(v > 0 for line in lines for v in line.values):
        axes.set_yscale("log")
        plain_numbers(axes.yaxis, lambda value: format_value(value, unit))
    else:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: format_value(value, unit)))
    step = max(1, -(-len(labels) // _MAX_DATES))
    axes.set_xticks(range(0, len(labels), step), labels[::step])
    axes.tick_params(axis="x", labelsize=8)
    return ends
