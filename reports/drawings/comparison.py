"""Figure of the comparison: error against cost, a point with its name for each method."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from reports.drawings.results import STYLES
from reports.readers.comparison import REFERENCE, Comparison
from reports.writing.figures import BLACK, GREY

PANELS = (
    ("probe", "First layer, exact probe"),
    ("trunk", "All layers before the last pool"),
)
TICKS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100)
_PANEL = (4.9, 4.3)
"""Inches of the drawing area of one panel, roughly: labels are placed by it."""
DIRECTIONS = ((0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1), (1.1, 0), (-1.1, 0))
"""Where a label can stand beside its point: to the right and upwards."""
_CHARACTER, _LINE = 0.078, 0.17
"""Inches of a label's letter and height."""


@dataclass(frozen=True)
class Point:
    """A method in one panel: cost with its quartiles, share of chance with its range."""

    name: str
    x: tuple[float, float, float]
    y: tuple[float, float, float]


Place = tuple[float, float]
"""Inches to the right and upwards."""
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
    """One panel for the first layer, one for the trunk, costs on the same axis."""
    figure.set_size_inches(11.5, 5.5)
    grid = figure.subplots(1, len(PANELS), sharex=True, squeeze=False)[0]
    panels = [points_of(comparison, column, names) for column, _ in PANELS]
    together = [point for points in panels for point in points]
    costs = _range([p.x for p in together], 1.15)
    for axes, points, (_, title) in zip(grid, panels, PANELS, strict=True):
        limits = costs, _range([p.y for p in points or together], 1.25)
        axes.set_title(title)
        axes.set_xlabel("time of a training step, over the plain CNN’s")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(*limits[0])
        axes.set_ylim(*limits[1])
        _number(axes, limits)
        _panel(axes, points, limits, names.get(REFERENCE, REFERENCE))
    handles = [
        Line2D([], [], color=GREY, linewidth=1.0, linestyle=(0, (5, 3)), label="error of the CNN"),
        Line2D([], [], color=GREY, marker="|", linewidth=1.2,
               label="bars: quartiles of the time, range of the error over repetitions"),
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
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
    lines = [point.y[0] for point in points if point.name == reference]
    for point, (x, y) in zip(points, _places(points, limits, lines), strict=True):
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


def _places(points: Sequence[Point], limits: Limits, lines: Sequence[float] = ()) -> list[Place]:
    """For each label its offset from its point in inches, chosen so that few things overlap.

    lines: heights of horizontal lines across the panel.
    """
    centres = [(_inches(p.x[0], 0, limits), _inches(p.y[0], 1, limits)) for p in points]
    taken = _obstacles(points, limits, lines)
    places = []
    for point, centre in zip(points, centres, strict=True):
        others = [other for other in centres if other != centre]
        side = _side(centre, _CHARACTER * len(point.name), others, taken)
        taken.append(_label(centre, side, _CHARACTER * len(point.name)))
        places.append(side)
    return places


def _obstacles(points: Sequence[Point], limits: Limits, lines: Sequence[float]) -> list[Box]:
    """Markers, bars and lines."""
    boxes = [
        (0.0, height - 0.02, _PANEL[0], height + 0.02)
        for height in (_inches(line, 1, limits) for line in lines)
    ]
    for point in points:
        x, left, right = (_inches(value, 0, limits) for value in point.x)
        y, lower, upper = (_inches(value, 1, limits) for value in point.y)
        bars = (x - 0.02, lower, x + 0.02, upper), (left, y - 0.02, right, y + 0.02)
        boxes += [_box(x, y, 0.16, 0.16), *bars]
    return boxes


def _side(centre: Place, width: float, others: Sequence[Place], taken: Sequence[Box]) -> Place:
    """Where a label overlaps least, is near its point, and not nearer to another one."""

    def badness(side: Place) -> float:
        place = centre[0] + side[0], centre[1] + side[1]
        own = math.dist(place, centre)
        nearest = min((math.dist(place, other) for other in others), default=math.inf)
        stranger = max(0.0, own - 0.8 * nearest)
        # A thin bar through a label hurts more than some distance.
        return 5 * _trouble(_label(centre, side, width), taken) + 0.01 * own + 0.2 * stranger

    return min(
        (
            (dx * (width / 2 + 0.1), dy * distance)
            for distance in (0.19, 0.26, 0.36, 0.46)
            for dx, dy in DIRECTIONS
        ),
        key=badness,
    )


def _label(centre: Place, side: Place, width: float) -> Box:
    return _box(centre[0] + side[0], centre[1] + side[1], width)


def _inches(value: float, axis: int, limits: Limits) -> float:
    """Distance from the lower left corner along an axis, 0 horizontal, 1 vertical."""
    low, high = limits[axis]
    return _PANEL[axis] * math.log(value / low) / math.log(high / low)


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
