"""Plots of results as SVG text, readable in black and white and on light or dark background."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from statistics import fmean
from typing import Any

from pytest_infperf.records.measure import Measure
from pytest_infperf.records.quantity import format_value
from pytest_infperf.report.svg import (
    COLOURS,
    INK,
    legend_label,
    line_styles,
    new_figure,
    plain_numbers,
    plot_style,
    to_svg,
)


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


def ratios(ratio_by_variant: Mapping[str, Measure], label: str) -> str:
    """Plot a row per variant: its ratio and interval on a log scale, with a line at 1."""
    names = list(ratio_by_variant)
    figure, axes = new_figure(7.2, 0.9 + 0.32 * len(names))
    for row, measure in enumerate(ratio_by_variant.values()):
        low = measure.value if measure.low is None else measure.low
        high = measure.value if measure.high is None else measure.high
        axes.plot([low, high], [row, row], color=COLOURS[0], linewidth=2.5, solid_capstyle="butt")
        axes.plot([measure.value], [row], "o", color=COLOURS[0])
        text = format_value(measure.value, measure.unit)
        axes.annotate(text, (high, row), (6, 0), textcoords="offset points", va="center")
    axes.axvline(1, color=INK, linewidth=1)
    axes.set_xscale("log")
    plain_numbers(axes.xaxis)
    axes.margins(x=0.12)
    axes.set_yticks(range(len(names)), [legend_label(name) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel(label)
    return to_svg(figure, f"{label}: a row per variant")


def distributions(percentiles_s: Mapping[str, Sequence[float]]) -> str:
    """Plot the cumulative distribution of latency, with a line per variant.

    `percentiles_s` has the percentiles 0 to 100 of each variant, in seconds.
    """
    figure, axes = new_figure(7.2, 4.2)
    for (name, times), line_style in zip(percentiles_s.items(), line_styles(), strict=False):
        milliseconds = [1e3 * time for time in times]
        axes.plot(
            milliseconds,
            range(len(times)),
            label=legend_label(name),
            markevery=(10, 20),
            **line_style,
        )
    axes.set_xscale("log")
    plain_numbers(axes.xaxis)
    axes.set_xlabel("latency of a query, ms")
    axes.set_ylabel("% of queries at most that long")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return to_svg(figure, "latency distributions: a line per variant")


def sweep(
    times_by_variant: Mapping[str, Mapping[float, Measure]], parameter: str, label: str
) -> str:
    """Plot times in ms over the values of a parameter, with a line per variant and log scales."""
    figure, axes = new_figure(7.2, 4.2)
    for (name, times), line_style in zip(times_by_variant.items(), line_styles(), strict=False):
        milliseconds = [1e3 * time.value for time in times.values()]
        axes.plot(list(times), milliseconds, label=legend_label(name), **line_style)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    ticks = sorted({value for times in times_by_variant.values() for value in times})
    axes.set_xticks(ticks, [f"{tick:,g}" for tick in ticks])
    axes.minorticks_off()
    plain_numbers(axes.yaxis)
    axes.set_xlabel(parameter)
    axes.set_ylabel(label)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return to_svg(figure, f"{label} by {parameter}: a line per variant")


def levels(
    responses: Mapping[float, Sequence[float]], level_names: Sequence[str], x: str, y: str
) -> str:
    """Plot a dot per trial over the levels of a factor, and a line through the geometric means.

    `responses` has the values of the trials at each level.
    """
    figure, axes = new_figure(5.2, 3.4)
    for level, values in responses.items():
        axes.plot([level] * len(values), values, "o", color=COLOURS[0], alpha=0.5)
    means = [exp(fmean(map(log, values))) for values in responses.values()]
    axes.plot(list(responses), means, "-", color=INK, linewidth=1.5)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(list(responses), level_names)
    axes.minorticks_off()
    axes.margins(x=0.15)
    plain_numbers(axes.yaxis)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return to_svg(figure, f"{y} by {x}: a dot per trial")


def front(
    points: Sequence[PlotPoint], x_label: str, y_label: str, *, higher_is_better: bool = True
) -> str:
    """Plot a point per variant, and a line that joins the undominated ones.

    Lower is better for x; `higher_is_better` is about y.
    """
    figure, axes = new_figure(7.2, 4.2)
    best = undominated(points, higher_is_better=higher_is_better)
    if len(best) > 1:
        axes.step(
            [p.x for p in best], [p.y for p in best], where="post", color=INK, alpha=0.5, zorder=1
        )
    for point, line_style in zip(points, line_styles(), strict=False):
        axes.plot(
            [point.x],
            [point.y],
            **{**line_style, "linestyle": "none"},
            label=legend_label(point.name),
        )
    axes.set_xscale("log")
    plain_numbers(axes.xaxis)
    axes.margins(0.12)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return to_svg(figure, f"{y_label} against {x_label}: a point per variant")


def undominated(points: Sequence[PlotPoint], *, higher_is_better: bool = True) -> list[PlotPoint]:
    """Return the Pareto front in the order of x: no other point has as low an x and a better y."""
    sign = 1 if higher_is_better else -1
    best: list[PlotPoint] = []
    for point in sorted(points, key=lambda p: (p.x, -sign * p.y)):
        if not best or sign * point.y > sign * best[-1].y:
            best.append(point)
    return best


def history(
    title: str, panels: Mapping[str, Sequence[HistoryLine]], *, standalone: bool = False
) -> str:
    """Plot a panel per measure with a line per variant; a ring marks each change of level.

    A standalone plot has a dark grey instead of the colour of a page's text.
    """
    from matplotlib.figure import Figure

    with plot_style():
        figure = Figure(figsize=(7.8, 2.6 * len(panels)), layout="constrained")
        rows = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
        for axes, (name, lines) in zip(rows, panels.items(), strict=True):
            axes.set_title(legend_label(name), loc="left", fontsize=10)
            _draw_panel(axes, lines)
        return to_svg(figure, f"{title}: measures over saved runs", standalone=standalone)


def _draw_panel(axes: Any, lines: Sequence[HistoryLine]) -> None:
    from matplotlib.ticker import FuncFormatter

    labels = list(dict.fromkeys(label for line in lines for label in line.labels))
    positions = {label: position for position, label in enumerate(labels)}
    for line, line_style in zip(lines, line_styles(), strict=False):
        x = [positions[label] for label in line.labels]
        axes.plot(x, line.values, label=legend_label(line.variant), **line_style)
        if rings := [(x[i], line.values[i]) for i in line.shifts]:
            axes.plot(*zip(*rings, strict=True), "o", markersize=12, fillstyle="none", color=INK)
    unit = lines[0].unit
    if unit not in ("points", "fraction") and all(v > 0 for line in lines for v in line.values):
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: format_value(value, unit)))
    step = max(1, len(labels) // 10)
    axes.set_xticks(range(0, len(labels), step), [legend_label(label) for label in labels[::step]])
    axes.tick_params(axis="x", labelsize=7)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
