"""Figure of the comparison: error against cost, a point with its name for each method."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from reports.comparison_records import REFERENCE, Comparison
from reports.figures import BLACK, GREY
from reports.plots import STYLES

SIZE = (11.5, 5.2)
PANELS = (
    ("probe", "First layer, exact probe"),
    ("trunk", "All layers before the last pool"),
)
TICKS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100)
_PANEL = (4.9, 4.3)
"""Inches of the drawing area of one panel, roughly: labels are placed by it."""
_CHARACTER, _LINE = 0.078, 0.17
"""Inches of a label's letter and height."""


@dataclass(frozen=True)
class Point:
    """A method in one panel: cost with its quartiles, share of chance with its range."""

    name: str
    x: tuple[float, float, float]
    y: tuple[float, float, float]


Limits = tuple[tuple[float, float], tuple[float, float]]
"""Lowest and highest value of the horizontal and of the vertical axis."""
Box = tuple[float, float, float, float]
"""Left, lower, right and upper edge in inches."""


def points_of(comparison: Comparison, column: str, names: Mapping[str, str]) -> list[Point]:
    """The methods of which both the error in this column and the cost are known."""
    points = []
    for model in comparison.names:
        price, method = comparison.prices.get(model), comparison.methods.get(model)
        if price is None or method is None or column not in method.errors:
            continue
        step, errors = price.step, method.errors[column]
        y = (errors.share, min(errors.shares), max(errors.shares))
        points.append(Point(names.get(model, model), (step.median, step.lower, step.upper), y))
    return points


def draw(comparison: Comparison, names: Mapping[str, str], figure: Figure) -> None:
    """One panel for the first layer, one for the trunk, on the same axes."""
    grid = figure.subplots(1, len(PANELS), sharex=True, sharey=True, squeeze=False)[0]
    panels = [points_of(comparison, column, names) for column, _ in PANELS]
    together = [point for points in panels for point in points]
    limits = _range([p.x for p in together], 1.15), _range([p.y for p in together], 1.25)
    for axes, points, (_, title) in zip(grid, panels, PANELS, strict=True):
        axes.set_title(title)
        axes.set_xlabel("time of a training step, over the plain CNN’s")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(*limits[0])
        axes.set_ylim(*limits[1])
        _number(axes, limits)
        _panel(axes, points, limits, names.get(REFERENCE, REFERENCE))
    grid[0].set_ylabel("equivariance error, % of that of unrelated responses")


def _panel(axes: Axes, points: Sequence[Point], limits: Limits, reference: str) -> None:
    for point in points:
        if point.name == reference:
            axes.axhline(point.y[0], color=GREY, linewidth=1.0, linestyle=(0, (5, 3)), zorder=0)
        colour, marker, _ = STYLES.get(point.name, (GREY, "o", "solid"))
        axes.errorbar(
            point.x[0], point.y[0], xerr=_reach(point.x), yerr=_reach(point.y), color=colour,
            marker=marker, markersize=8.0, elinewidth=1.2,
        )  # fmt: skip
    for point, (x, y) in zip(points, _places(points, limits), strict=True):
        axes.annotate(
            point.name, (point.x[0], point.y[0]), (72 * x, 72 * y), textcoords="offset points",
            ha="center", va="center", color=BLACK, fontsize=9.0,
        )  # fmt: skip


def _number(axes: Axes, limits: Limits) -> None:
    """Few round numbers on both axes, in percent on the vertical one."""
    for axis, (low, high), unit in zip((axes.xaxis, axes.yaxis), limits, (1, 0.01), strict=True):
        ticks = [unit * t * f for f in (0.01, 1) for t in TICKS if low <= unit * t * f <= high]
        axis.set_ticks(sorted(set(ticks)))
        axis.set_major_formatter(FuncFormatter(lambda value, _, unit=unit: f"{value / unit:.3g}"))
        axis.set_minor_locator(NullLocator())
        axis.set_minor_formatter(NullFormatter())


def _range(values: Sequence[tuple[float, float, float]], room: float) -> tuple[float, float]:
    low, high = min(map(min, values)), max(map(max, values))
    return low / room, high * room


def _reach(values: tuple[float, float, float]) -> list[list[float]]:
    middle, low, high = values
    return [[max(0.0, middle - low)], [max(0.0, high - middle)]]


def _places(points: Sequence[Point], limits: Limits) -> list[tuple[float, float]]:
    """For each label its offset from its point in inches, chosen so that few things overlap."""
    centres = [
        tuple(
            size * math.log(value / low) / math.log(high / low)
            for value, (low, high), size in zip((p.x[0], p.y[0]), limits, _PANEL, strict=True)
        )
        for p in points
    ]
    taken: list[Box] = [_box(x, y, 0.16, 0.16) for x, y in centres]
    taken += [_bar(point, centre, limits) for point, centre in zip(points, centres, strict=True)]
    places = []
    for point, (x, y) in zip(points, centres, strict=True):
        width = _CHARACTER * len(point.name)
        sides = [
            (dx * (width / 2 + 0.1), dy * distance)
            for distance in (0.19, 0.32)
            for dx, dy in ((0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1), (1.1, 0), (-1.1, 0))
        ]
        best = min(sides, key=lambda side: _trouble(_box(x + side[0], y + side[1], width), taken))
        taken.append(_box(x + best[0], y + best[1], width))
        places.append(best)
    return places


def _bar(point: Point, centre: tuple[float, ...], limits: Limits) -> Box:
    """The vertical error bar, as thin as it is drawn."""
    low, high = (
        _PANEL[1] * math.log(value / limits[1][0]) / math.log(limits[1][1] / limits[1][0])
        for value in point.y[1:]
    )
    return centre[0] - 0.02, low, centre[0] + 0.02, high


def _box(x: float, y: float, width: float, height: float = _LINE) -> Box:
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _trouble(box: Box, taken: Sequence[Box]) -> float:
    """Area shared with what is there already, and length outside the panel, which weighs more."""
    left, lower, right, upper = box
    shared = sum(
        max(0.0, min(right, r) - max(left, le)) * max(0.0, min(upper, u) - max(lower, lo))
        for le, lo, r, u in taken
    )
    outside = max(0.0, -left, -lower, right - _PANEL[0], upper - _PANEL[1])
    return shared + 10 * outside
