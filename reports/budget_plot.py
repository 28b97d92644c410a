"""Figure of the error budgets: one row for each pair of scales."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.figures import BLACK, BLUE, GREY, ORANGE, PALE, percent_axis
from reports.measurements import Budget, Pair

_ROW, _HEADING = 1.0, 1.4  # heights in the list of scale pairs
_SMALLER: dict[str, Any] = {"marker": "<", "markersize": 6.0, "markerfacecolor": "white"}
_STROKE = {"marker": "|", "markeredgewidth": 2.2}
_PARTS: tuple[tuple[str, str, dict[str, Any], float], ...] = (
    ("total error", BLACK, {**_STROKE, "markersize": 14.0}, 0.0),
    ("sampling", BLUE, {"marker": "o", "markersize": 6.0}, -0.16),
    ("truncation", ORANGE, {"marker": "D", "markersize": 5.5}, 0.16),
    ("bound", GREY, {**_STROKE, "markersize": 9.0}, 0.0),
)
"""Name, colour, marker, and place above or below the row's middle, of what a budget shows."""


def size(budgets: Sequence[Budget]) -> tuple[float, float]:
    """Inches that the budgets need in two columns."""
    return 9.5, 1.5 + 0.21 * max((_height(part) for part in _columns(budgets)), default=1.0)


def draw(budgets: Sequence[Budget], figure: Figure) -> None:
    """Total error, its two parts and its bound for every pair of scales, as dots in rows."""
    columns = _columns(budgets)
    panels = figure.subplots(1, len(columns), sharex=True, squeeze=False)[0]
    tallest = max(_height(part) for part in columns)
    totals = [pair.total for item in budgets for pair in item.pairs if pair.total > 0]
    smallest = 10.0 ** (math.floor(math.log10(min(totals, default=1.0))))
    for axes, part in zip(panels, columns, strict=True):
        _budget_column(axes, part, smallest)
        axes.set_ylim(tallest, 0)
        axes.set_xlabel("relative squared error, %")
    percent_axis(panels[0], "x")
    panels[0].set_xlim(0.6 * smallest, None)
    handles = [
        Line2D([], [], color=colour, linestyle="none", label=name, **style)
        for name, colour, style, _ in _PARTS
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))


def _columns(budgets: Sequence[Budget]) -> list[list[Budget]]:
    """Split the budgets into two columns of nearly equal height, in order."""
    if len(budgets) < 2:
        return [list(budgets)]
    cut = min(range(1, len(budgets)), key=lambda n: max(_height(budgets[:n]), _height(budgets[n:])))
    return [list(budgets[:cut]), list(budgets[cut:])]


def _height(budgets: Sequence[Budget]) -> float:
    return sum(_HEADING + _ROW * len(item.pairs) for item in budgets)


def _budget_column(axes: Axes, budgets: Sequence[Budget], smallest: float) -> None:
    """Rows of one column from top to bottom: a heading for each configuration, then its pairs."""
    top, places, labels = 0.0, [], []
    for number, item in enumerate(budgets):
        height = _height([item])
        if number % 2 == 0:
            axes.axhspan(top, top + height, color=PALE, linewidth=0, zorder=0)
        axes.text(
            0.01, top + 0.75 * _HEADING, item.name, fontweight="bold", va="center",
            transform=axes.get_yaxis_transform(),
        )  # fmt: skip
        for row, pair in enumerate(item.pairs):
            place = top + _HEADING + (row + 0.45) * _ROW
            _pair(axes, pair, place, smallest)
            places.append(place)
            labels.append(pair.name)
        top += height
    axes.set_yticks(places, labels)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")


def _pair(axes: Axes, pair: Pair, place: float, smallest: float) -> None:
    """Total and bound as strokes, the parts as dots; what is below `smallest` sits at the edge."""
    axes.plot([pair.lowest, pair.highest], [place, place], color=BLACK, linewidth=1.0)
    values = (pair.total, pair.sampling, pair.truncation, pair.bound)
    for value, (_, colour, style, shift) in reversed(list(zip(values, _PARTS, strict=True))):
        shown, marker = (smallest, _SMALLER) if value < smallest else (value, style)
        axes.plot(shown, place + shift, color=colour, linestyle="none", **marker)
