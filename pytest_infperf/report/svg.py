"""The style of all plots, and their conversion to SVG text.

Each line has its own marker and dashes besides its colour. Text and axes are in `currentColor`, so
that a plot inside a page has the colour of the page's text. Text stays text, for search and for
screen readers.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from functools import wraps
from html import escape
from itertools import cycle
from typing import Any, ParamSpec

P = ParamSpec("P")

INK = "#010203"
"""Placeholder for the colour of text and axes, not used elsewhere; `to_svg` replaces it."""
COLOURS = (
    "#0072b2",
    "#d55e00",
    "#339911",
    "#cc66cc",
    "#776633",
    "#7788ff",
    "#bb3366",
    "#559999",
    "#8855aa",
    "#aa7788",
    "#ee5577",
    "#998800",
    "#007733",
    "#0099dd",
    "#337777",
    "#6666dd",
)
"""Colours with a contrast of 3:1 to a white and to a nearly black background, chosen far apart in
the perceptual colour space OKLab."""
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "*")
_DASHES = ("-", "--", "-.", ":")
_SHORT = 4
"""Largest ratio of the ends of a logarithmic axis for which 1, 2 and 5 give too few ticks."""
_IDS = re.compile(r' id="[A-Za-z0-9.]+_\d+"')
_TIP = "tip:"
_TIPS = re.compile(f' id=(?="{_TIP})')
_METADATA = re.compile(r"<metadata>.*?</metadata>\s*", re.DOTALL)
_PROLOGUE = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_SETTINGS: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "lines.markersize": 5,
    "text.parse_math": False,
    **dict.fromkeys(
        ("axes.edgecolor", "axes.labelcolor", "text.color", "xtick.color", "ytick.color"), INK
    ),
    "grid.color": INK,
}


def new_figure(width: float, height: float) -> tuple[Any, Any]:
    """Return a figure and its axes; width and height are in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=72, layout="constrained")
    return figure, figure.subplots()


def in_plot_style(plot: Callable[P, str]) -> Callable[P, str]:
    """Return the plotting function, changed to draw and save in the style of all plots."""

    @wraps(plot)
    def styled(*args: P.args, **kwargs: P.kwargs) -> str:
        import matplotlib as mpl

        with mpl.rc_context(_SETTINGS):
            return plot(*args, **kwargs)

    return styled


def line_styles() -> Iterator[dict[str, Any]]:
    """Yield arguments of `Axes.plot`, without end, so that lines differ in colour and shape."""
    colours, markers, dashes = cycle(COLOURS), cycle(_MARKERS), cycle(_DASHES)
    for colour, marker, dash in zip(colours, markers, dashes, strict=False):
        yield {"color": colour, "marker": marker, "linestyle": dash, "linewidth": 1.5}


def plain_numbers(axis: Any, text_of: Callable[[float], str] = "{:g}".format) -> None:
    """Label the ticks of a logarithmic axis with numbers such as 2, 5 and 10, not powers of ten.

    All data must have been drawn, because a short axis gets ticks in equal steps.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    low, high = axis.get_data_interval()
    is_long = high > _SHORT * low
    axis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)) if is_long else MaxNLocator(5))
    axis.set_major_formatter(FuncFormatter(lambda value, _: text_of(value)))
    axis.set_minor_formatter(NullFormatter())


def set_tip(artist: Any, text: str) -> None:
    """Set the text that the page shows while the pointer is on a part of a plot."""
    artist.set_gid(f"{_TIP}{text}")


def to_svg(figure: Any, description: str, *, standalone: bool = False) -> str:
    """Return a figure as an SVG element with a description for screen readers.

    The text depends only on the figure and the description. A standalone figure has dark grey text
    instead of the colour of a page's text.
    """
    import matplotlib as mpl

    written = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": description}):
        figure.savefig(written, format="svg", transparent=True)
    text = _IDS.sub("", _METADATA.sub("", _PROLOGUE.sub("", written.getvalue())))
    text = _TIPS.sub(" data-tip=", text).replace(f'data-tip="{_TIP}', 'data-tip="')
    text = text.replace(INK, "#333" if standalone else "currentColor")
    label = f'<svg role="img" aria-label="{escape(description)}"'
    return text.replace("<svg", label, 1)
