"""Pictures of results as SVG text: readable in black and white, on light and on dark ground.

Each line has its own marker and dashes beside its colour. Ink is `currentColor`, so that a picture
inside a page takes the page's; words stay words, for search and for screen readers.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from math import exp, log
from statistics import fmean
from typing import Any

from pytest_infperf.records.measure import Measure
from pytest_infperf.records.quantity import format_value

_INK = "#010203"
"""A colour that nothing else has, to be replaced by the page's own."""
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#8b6fc0", "#7f7f7f")
"""Okabe and Ito (2008), Color Universal Design, with the yellow darkened for white ground."""
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "*")
_DASHES = ("-", "--", "-.", ":")
_IDS = re.compile(r' id="[A-Za-z0-9.]+_\d+"')
_METADATA = re.compile(r"<metadata>.*?</metadata>\s*", re.DOTALL)
_PROLOGUE = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_SETTINGS: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "lines.markersize": 5,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "text.parse_math": False,
    **dict.fromkeys(
        ("axes.edgecolor", "axes.labelcolor", "text.color", "xtick.color", "ytick.color"), _INK
    ),
    "grid.color": _INK,
}


@dataclass(frozen=True)
class PlotPoint:
    """A variant between two measures."""

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


def ratios(found: Mapping[str, Measure], label: str) -> str:
    """A row a variant: the ratio with its interval, on a log scale with a line at 1."""
    names = list(found)
    figure, axes = _figure(7.2, 0.9 + 0.32 * len(names))
    for row, measure in enumerate(found.values()):
        low = measure.value if measure.low is None else measure.low
        high = measure.value if measure.high is None else measure.high
        axes.plot([low, high], [row, row], color=_COLOURS[0], linewidth=2.5, solid_capstyle="butt")
        axes.plot([measure.value], [row], "o", color=_COLOURS[0])
        text = format_value(measure.value, measure.unit)
        axes.annotate(text, (high, row), (6, 0), textcoords="offset points", va="center")
    axes.axvline(1, color=_INK, linewidth=1)
    axes.set_xscale("log")
    _plain_numbers(axes.xaxis)
    axes.margins(x=0.12)
    axes.set_yticks(range(len(names)), [_safe(name) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel(label)
    return _svg(figure, f"{label}: a row a variant")


def distributions(percentiles_s: Mapping[str, Sequence[float]]) -> str:
    """The share of queries that took at most a time, a line a variant; 101 percentiles each."""
    figure, axes = _figure(7.2, 4.2)
    for (name, times), style in zip(percentiles_s.items(), _styles(), strict=False):
        milliseconds = [1e3 * time for time in times]
        axes.plot(milliseconds, range(len(times)), label=_safe(name), markevery=(10, 20), **style)
    axes.set_xscale("log")
    _plain_numbers(axes.xaxis)
    axes.set_xlabel("latency of a query, ms")
    axes.set_ylabel("% of queries at most that long")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return _svg(figure, "latency distributions: a line a variant")


def sweep(found: Mapping[str, Mapping[float, Measure]], parameter: str, label: str) -> str:
    """A line a variant over the values of a parameter, both axes on a log scale."""
    figure, axes = _figure(7.2, 4.2)
    for (name, values), style in zip(found.items(), _styles(), strict=False):
        y = [1e3 * measure.value for measure in values.values()]
        axes.plot(list(values), y, label=_safe(name), **style)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    ticks = sorted({value for values in found.values() for value in values})
    axes.set_xticks(ticks, [f"{tick:,g}" for tick in ticks])
    axes.minorticks_off()
    _plain_numbers(axes.yaxis)
    axes.set_xlabel(parameter)
    axes.set_ylabel(label)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return _svg(figure, f"{label} by {parameter}: a line a variant")


def levels(found: Mapping[float, Sequence[float]], names: Sequence[str], x: str, y: str) -> str:
    """A dot a trial over the levels of a factor, and a line through their geometric means."""
    figure, axes = _figure(5.2, 3.4)
    for level, values in found.items():
        axes.plot([level] * len(values), values, "o", color=_COLOURS[0], alpha=0.5)
    means = [exp(fmean(map(log, values))) for values in found.values()]
    axes.plot(list(found), means, "-", color=_INK, linewidth=1.5)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(list(found), names)
    axes.minorticks_off()
    axes.margins(x=0.15)
    _plain_numbers(axes.yaxis)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return _svg(figure, f"{y} by {x}: a dot a trial")


def front(points: Sequence[PlotPoint], x_label: str, y_label: str, *, y_rises: bool = True) -> str:
    """Less of x and more of y is better; a line joins those that no other beats in both."""
    figure, axes = _figure(7.2, 4.2)
    best = undominated(points, y_rises=y_rises)
    if len(best) > 1:
        axes.step(
            [p.x for p in best], [p.y for p in best], where="post", color=_INK, alpha=0.5, zorder=1
        )
    for point, style in zip(points, _styles(), strict=False):
        axes.plot([point.x], [point.y], **{**style, "linestyle": "none"}, label=_safe(point.name))
    axes.set_xscale("log")
    _plain_numbers(axes.xaxis)
    axes.margins(0.12)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return _svg(figure, f"{y_label} against {x_label}: a point a variant")


def undominated(points: Sequence[PlotPoint], *, y_rises: bool = True) -> list[PlotPoint]:
    """The points that no other beats or equals in x while it beats them in y, by rising x."""
    sign = 1 if y_rises else -1
    best: list[PlotPoint] = []
    for point in sorted(points, key=lambda p: (p.x, -sign * p.y)):
        if not best or sign * point.y > sign * best[-1].y:
            best.append(point)
    return best


def history(
    title: str, panels: Mapping[str, Sequence[HistoryLine]], *, standalone: bool = False
) -> str:
    """Return a panel per measure with a line per variant; a ring marks each change of level.

    A standalone picture has ink of its own, as there is no page to take it from.
    """
    from matplotlib.figure import Figure

    with _style():
        figure = Figure(figsize=(7.8, 2.6 * len(panels)), layout="constrained")
        rows = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
        for axes, (name, lines) in zip(rows, panels.items(), strict=True):
            axes.set_title(_safe(name), loc="left", fontsize=10)
            _draw_panel(axes, lines)
        return _svg(figure, f"{title}: measures over saved runs", standalone=standalone)


def _draw_panel(axes: Any, lines: Sequence[HistoryLine]) -> None:
    from matplotlib.ticker import FuncFormatter

    labels = list(dict.fromkeys(label for line in lines for label in line.labels))
    positions = {label: position for position, label in enumerate(labels)}
    for line, style in zip(lines, _styles(), strict=False):
        x = [positions[label] for label in line.labels]
        axes.plot(x, line.values, label=_safe(line.variant), **style)
        if rings := [(x[i], line.values[i]) for i in line.shifts]:
            axes.plot(*zip(*rings, strict=True), "o", markersize=12, fillstyle="none", color=_INK)
    unit = lines[0].unit
    if unit not in ("points", "fraction") and all(v > 0 for line in lines for v in line.values):
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: format_value(value, unit)))
    step = max(1, len(labels) // 10)
    axes.set_xticks(range(0, len(labels), step), [_safe(label) for label in labels[::step]])
    axes.tick_params(axis="x", labelsize=7)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def _figure(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    with _style():
        figure = Figure(figsize=(width, height), layout="constrained")
        return figure, figure.subplots()


def _style() -> Any:
    import matplotlib as mpl

    return mpl.rc_context(_SETTINGS)


def _styles() -> Any:
    colours, markers, dashes = cycle(_COLOURS), cycle(_MARKERS), cycle(_DASHES)
    for colour, marker, dash in zip(colours, markers, dashes, strict=False):
        yield {"color": colour, "marker": marker, "linestyle": dash, "linewidth": 1.5}


def _plain_numbers(axis: Any) -> None:
    """2, 5, 10 and not powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _safe(text: str) -> str:
    """A label that begins with an underscore would be left out of a legend."""
    return f" {text}" if text.startswith("_") else text


def _svg(figure: Any, description: str, *, standalone: bool = False) -> str:
    from html import escape

    written = io.StringIO()
    with _style():
        import matplotlib as mpl

        mpl.rcParams["svg.hashsalt"] = description
        figure.savefig(written, format="svg", transparent=True)
    text = _IDS.sub("", _METADATA.sub("", _PROLOGUE.sub("", written.getvalue())))
    text = text.replace(_INK, "#333" if standalone else "currentColor")
    label = f'<svg role="img" aria-label="{escape(description)}"'
    return text.replace("<svg", label, 1)
