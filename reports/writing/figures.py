"""One look for all figures, and figures as files whose bytes depend on nothing else."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

# Okabe and Ito's palette: told apart also by readers who do not see all colours.
BLACK, GREY, PALE = "#1a1a1a", "#767676", "#f2f2f2"
ORANGE, SKY, GREEN = "#e69f00", "#56b4e9", "#009e73"
BLUE, VERMILION, PURPLE = "#0072b2", "#d55e00", "#cc79a7"

DOTS_PER_INCH = 160

_UNDRAWN = ContextVar("undrawn", default=False)

_LOOK = {
    "font.family": "DejaVu Sans",  # ships with matplotlib
    "font.size": 10.0,
    "axes.titlesize": 11.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelcolor": BLACK,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.7,
    "xtick.color": BLACK,
    "ytick.color": BLACK,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 6.0,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
    "svg.hashsalt": "sesn",
}


def render(name: str, draw: Callable[[Figure], None]) -> dict[str, bytes]:
    """Draw a figure, whose size in inches `draw` sets; return NAME.svg and NAME.png.

    Settings of the machine's own matplotlib configuration have no effect.
    """
    if _UNDRAWN.get():
        return {f"{name}.svg": b"", f"{name}.png": b""}
    with mpl.rc_context():
        mpl.rcdefaults()
        settings: Any = mpl.rcParams
        settings.update(_LOOK)
        layout = ConstrainedLayoutEngine()
        figure = Figure(layout=layout)
        draw(figure)
        layout.execute(figure)
        figure.set_layout_engine("none")  # laid out once, for both files
        # By the canvases themselves: `savefig` draws each figure once more, for a layout it has.
        return {f"{name}.svg": _svg(figure), f"{name}.png": _png(figure)}


@contextmanager
def undrawn() -> Iterator[None]:
    """Within this context figures are files without content: for those who want the text alone."""
    token = _UNDRAWN.set(True)
    try:
        yield
    finally:
        _UNDRAWN.reset(token)


def percent_axis(axes: Axes, which: str) -> None:
    """Make the x or y axis, of shares of 1, logarithmic and number it in percent."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    axis.set_major_locator(LogLocator(base=10, numticks=20))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: _power(value)))


def _power(value: float) -> str:
    """Write a power of ten in percent, with all its zeros."""
    digits = round(math.log10(value)) + 2
    return f"1{'0' * digits}" if digits >= 0 else f"0.{'0' * (-digits - 1)}1"


def _svg(figure: Figure) -> bytes:
    stream = io.StringIO()
    # Without these two fields a figure says nothing of the clock and of the program's version.
    canvas: Any = FigureCanvasSVG(figure)
    canvas.print_svg(stream, metadata={"Date": None, "Creator": None})
    return stream.getvalue().encode()


def _png(figure: Figure) -> bytes:
    stream = io.BytesIO()
    figure.dpi = DOTS_PER_INCH
    canvas: Any = FigureCanvasAgg(figure)
    canvas.print_png(stream, metadata={"Software": None})
    return stream.getvalue()
