"""The style of all plots, and their conversion to SVG text.

Each line has its own marker and dashes besides its colour. Text and axes are in `currentColor`, so
that a plot inside a page has the colour of the page's text. Text stays text, for search and for
screen readers.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from html import escape
from itertools import cycle
from typing import Any

INK = "#010203"
"""Placeholder for the colour of text and axes, which nothing else uses; `to_svg` replaces it."""
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#8b6fc0", "#7f7f7f")
"""Okabe and Ito (2008), Color Universal Design, with a darker yellow for white background."""
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
        ("axes.edgecolor", "axes.labelcolor", "text.color", "xtick.color", "ytick.color"), INK
    ),
    "grid.color": INK,
}


def new_figure(width: float, height: float) -> tuple[Any, Any]:
    """Return a figure and its axes; width and height are in inches."""
    from matplotlib.figure import Figure

    with plot_style():
        figure = Figure(figsize=(width, height), layout="constrained")
        return figure, figure.subplots()


def plot_style() -> AbstractContextManager[None]:
    """Return a context in which new figures have the style of our plots."""
    import matplotlib as mpl

    return mpl.rc_context(_SETTINGS)


def line_styles() -> Iterator[dict[str, Any]]:
    """Yield endlessly arguments of `Axes.plot` that make lines differ in colour and in shape."""
    colours, markers, dashes = cycle(COLOURS), cycle(_MARKERS), cycle(_DASHES)
    for colour, marker, dash in zip(colours, markers, dashes, strict=False):
        yield {"color": colour, "marker": marker, "linestyle": dash, "linewidth": 1.5}


def plain_numbers(axis: Any) -> None:
    """Label ticks with numbers such as 2, 5 and 10 instead of powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def legend_label(text: str) -> str:
    """Return a label that legends show: they leave out labels that begin with an underscore."""
    return f" {text}" if text.startswith("_") else text


def to_svg(figure: Any, description: str, *, standalone: bool = False) -> str:
    """Return a figure as an SVG element with a description for screen readers.

    The text depends on figure and description only. A standalone figure has dark grey text instead
    of the colour of a page's text.
    """
    written = io.StringIO()
    with plot_style():
        import matplotlib as mpl

        mpl.rcParams["svg.hashsalt"] = description
        figure.savefig(written, format="svg", transparent=True)
    text = _IDS.sub("", _METADATA.sub("", _PROLOGUE.sub("", written.getvalue())))
    text = text.replace(INK, "#333" if standalone else "currentColor")
    label = f'<svg role="img" aria-label="{escape(description)}"'
    return text.replace("<svg", label, 1)
