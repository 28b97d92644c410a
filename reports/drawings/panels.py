"""The figure of the three panels: one row of axes for each grid of scales."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.readers.panels import Panel
from reports.writing.figures import BLACK, BLUE, GREY, ORANGE, PURPLE, VERMILION, percent_axis

STYLES = {
    "ceiling": ("one fixed scale (ceiling)", VERMILION, "s", (0, (5, 2))),
    "y": ("network", BLACK, "o", "solid"),
    "complete": ("network, complete scales only", PURPLE, "v", (0, (5, 2))),
    "probe": ("exact probe", ORANGE, "D", "solid"),
    "floor": ("not cut off (floor)", BLUE, "^", (0, (2, 1.5))),
    "limit": ("limits of the published statements (5 %, factor 16)", GREY, "", ":"),
}
"""Label, colour, marker and line of each curve; those with a band show it over the networks."""
BANDS = ("y", "probe")
_LINE: dict[str, Any] = {"color": GREY, "linewidth": 1.0, "linestyle": ":"}


def draw(panels: Sequence[Panel], titles: Mapping[str, str], figure: Figure) -> None:
    """Every panel on every grid, all with one axis of errors and one legend."""
    grids = list(dict.fromkeys(panel.grid for panel in panels))
    names = list(dict.fromkeys(panel.name for panel in panels))
    figure.set_size_inches(max(6.0, 3.7 * len(names) + 0.6), 2.9 * len(grids) + 0.7)
    axes = figure.subplots(len(grids), len(names), sharey="row", squeeze=False)
    handles: dict[str, Line2D] = {}
    drawn = set()
    for panel in panels:
        place = grids.index(panel.grid), names.index(panel.name)
        drawn.add(place)
        handles.update(_panel(axes[place], panel))
        axes[place].set_title(titles[panel.grid])
    for row in range(len(grids)):
        for column in range(len(names)):
            if (row, column) not in drawn:
                axes[row, column].set_axis_off()
        axes[row, 0].set_ylabel("relative squared error, %")
        percent_axis(axes[row, 0], "y")
    handles["limit"] = Line2D([], [], **_LINE)
    ordered = [name for name in STYLES if name in handles]
    figure.legend(
        [handles[name] for name in ordered],
        [STYLES[name][0] for name in ordered],
        loc="outside upper center",
        ncols=3,
        title="Medians of random networks; bands hold 95 % of them",
    )


def _panel(axes: Axes, panel: Panel) -> dict[str, Line2D]:
    handles = {name: _curve(axes, panel, name) for name in STYLES if name in panel.rows}
    axes.set_xlabel(panel.variable)
    if panel.x[-1] / panel.x[0] > 10:
        axes.set_xscale("log")
    if panel.name == "depth":
        axes.axhline(0.05, **_LINE)
    if panel.name == "down_scaling":
        axes.axvline(16, **_LINE)
    ticks = _ticks(panel.x)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)
    return handles


def _curve(axes: Axes, panel: Panel, name: str) -> Line2D:
    _, colour, marker, dash = STYLES[name]
    positions = range(len(panel.x))
    middle = [panel.median(name, position) for position in positions]
    if name in BANDS:
        lower, upper = zip(*(panel.band(name, position) for position in positions), strict=True)
        axes.fill_between(panel.x, lower, upper, color=colour, alpha=0.16, linewidth=0)
    line: Line2D
    (line,) = axes.plot(panel.x, middle, color=colour, marker=marker, markersize=5, linestyle=dash)
    return line


def _ticks(x: Sequence[float]) -> list[float]:
    """Whole numbers only, and none so near to the one before that their labels would touch."""
    kept: list[float] = []
    for value in x:
        if value == round(value) and (len(x) < 5 or not kept or value / kept[-1] > 1.45):
            kept.append(value)
    return kept
