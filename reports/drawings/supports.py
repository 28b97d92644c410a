"""Figure of what each configuration's error would be with other supports."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.readers.budgets import Supports
from reports.writing.figures import BLACK, BLUE, GREY, VERMILION, percent_axis
from reports.writing.wording import configuration, percent

_COLUMNS = 4
_WIDEST = 2.2
"""How far panels reach, in published supports."""

Scanned = tuple[str, int, Supports]
"""Name, published support, and errors."""


def draw(panels: Sequence[Scanned], figure: Figure) -> None:
    """The worst pair's error for every odd support, one panel for each configuration."""
    rows = math.ceil(len(panels) / _COLUMNS)
    figure.set_size_inches(2.4 * _COLUMNS, 0.7 + 1.9 * rows)
    grid = figure.subplots(rows, _COLUMNS, sharey=True, squeeze=False)
    places = list(grid.flat)
    for axes, panel in zip(places, panels, strict=False):
        _panel(axes, panel)
    for axes in places[len(panels) :]:
        axes.set_visible(False)
    percent_axis(places[0], "y")
    smallest = min(min(_shown(panel).values()) for panel in panels)
    places[0].set_ylim(0.5 * max(smallest, 1e-5), None)
    wanted = " or ".join(percent(error) for error in panels[0][2].recommended)
    figure.supxlabel("support at the largest scale V, pixels", fontsize=10)
    figure.supylabel("error of the worst pair, %", fontsize=10)
    handles = [
        Line2D([], [], color=BLUE, marker="o", markersize=3.5, label="error of the worst pair"),
        Line2D([], [], color=VERMILION, marker="o", markersize=8.0, linestyle="none",
               markerfacecolor="none", markeredgewidth=1.8, label="published support"),
        Line2D([], [], color=BLACK, linestyle="--", linewidth=1.0,
               label="unlimited support (sampling alone)"),
        Line2D([], [], color=GREY, linewidth=0.9, label=f"wanted: {wanted}"),
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))


def _panel(axes: Axes, panel: Scanned) -> None:
    name, published, supports = panel
    errors = _shown(panel)
    for wanted in supports.recommended:
        axes.axhline(wanted, color=GREY, linewidth=0.9)
    axes.axhline(supports.unlimited, color=BLACK, linestyle="--", linewidth=1.0)
    axes.plot(*zip(*errors.items(), strict=True), color=BLUE, marker="o", markersize=3.5)
    axes.plot(
        published, supports.errors[published], color=VERMILION, marker="o", markersize=8.0,
        markerfacecolor="none", markeredgewidth=1.8,
    )  # fmt: skip
    axes.set_title(configuration(name), fontsize=9.5)


def _shown(panel: Scanned) -> dict[int, float]:
    _, published, supports = panel
    return {v: error for v, error in supports.errors.items() if v <= _WIDEST * published}
