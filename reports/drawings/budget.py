"""Figures of the error budgets: one row for each pair of scales, and errors against supports."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from reports.readers.budgets import Budget, Layer, LayerPair, Pair, Supports
from reports.writing.figures import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PALE,
    PURPLE,
    VERMILION,
    percent_axis,
)
from reports.writing.wording import configuration, percent

_ROW, _HEADING = 1.0, 1.4  # heights in the list of scale pairs
_SMALLER: dict[str, Any] = {"marker": "<", "markersize": 6.0, "markerfacecolor": "white"}
_SPAN = "smallest to largest total of the random images"
_STROKE = {"marker": "|", "markeredgewidth": 2.2}
_TOTAL: tuple[str, dict[str, Any], float] = (BLACK, {**_STROKE, "markersize": 14.0}, 0.0)
_LOOKS: dict[str, tuple[str, dict[str, Any], float]] = {
    "total error": _TOTAL,
    "sampling": (BLUE, {"marker": "o", "markersize": 6.0}, -0.16),
    "truncation": (ORANGE, {"marker": "D", "markersize": 5.5}, 0.16),
    "of which rank loss": (
        PURPLE,
        {"marker": "x", "markersize": 5.5, "markeredgewidth": 1.8},
        -0.16,
    ),
    "image border": (GREEN, {"marker": "s", "markersize": 5.5}, -0.16),
    "scale-axis end": (VERMILION, {"marker": "^", "markersize": 6.5}, 0.16),
    "rounding in bfloat16": (GREY, {"marker": "x", "markersize": 5.5}, 0.0),
    "bound": (GREY, {**_STROKE, "markersize": 9.0}, 0.0),
}
"""Colour, marker, and place above or below the row's middle, of what a row can show."""


@dataclass(frozen=True)
class Row:
    """One pair of scales: values by the names of `_LOOKS`, and the range of its total."""

    name: str
    values: dict[str, float]
    span: tuple[float, float] | None = None


@dataclass(frozen=True)
class Group:
    """The rows of one configuration."""

    name: str
    rows: tuple[Row, ...]


def of_filters(budgets: Sequence[Budget]) -> list[Group]:
    """What the filters alone lose."""

    def row(pair: Pair) -> Row:
        values = {
            "total error": pair.total, "sampling": pair.sampling, "truncation": pair.truncation,
        }  # fmt: skip
        if pair.rank:
            values["of which rank loss"] = pair.rank
        values["bound"] = pair.bound
        return Row(pair.name, values, (pair.lowest, pair.highest))

    return [Group(item.name, tuple(map(row, item.pairs))) for item in budgets]


def of_layers(layers: Sequence[tuple[str, Layer]]) -> list[Group]:
    """What a real layer loses on an image."""

    def row(pair: LayerPair) -> Row:
        values = {
            "total error": pair.total,
            "sampling": pair.parts["sampling"],
            "truncation": pair.parts["truncation"],
            "image border": pair.parts["border"],
        }
        if pair.parts["scale_axis"]:
            values["scale-axis end"] = pair.parts["scale_axis"]
        values["rounding in bfloat16"] = pair.bfloat16
        return Row(pair.name, values)

    return [Group(name, tuple(map(row, layer.pairs))) for name, layer in layers]


def draw(groups: Sequence[Group], title: str, figure: Figure) -> None:
    """Every pair of scales as a row of dots, down to the smallest total or rounding."""
    columns = _columns(groups)
    tallest = max(_height(part) for part in columns)
    figure.set_size_inches(9.5, 2.0 + 0.21 * tallest)
    figure.suptitle(title, fontweight="bold", fontsize=11)
    panels = figure.subplots(1, len(columns), sharex=True, squeeze=False)[0]
    rows = [row for group in groups for row in group.rows]
    deciding = ("total error", "rounding in bfloat16")
    shown = [row.values[name] for row in rows for name in deciding if row.values.get(name, 0) > 0]
    smallest = 10.0 ** (math.floor(math.log10(min(shown, default=1.0))))
    for axes, part in zip(panels, columns, strict=True):
        _column(axes, part, smallest)
        axes.set_ylim(tallest, 0)
        axes.set_xlabel("relative squared error, %")
    percent_axis(panels[0], "x")
    panels[0].set_xlim(0.6 * smallest, None)
    handles = [
        Line2D([], [], color=colour, linestyle="none", label=name, **style)
        for name, (colour, style, _) in _LOOKS.items()
        if any(name in row.values for row in rows)
    ]
    left_out = Line2D([], [], color=GREY, linestyle="none", **_SMALLER)
    handles.append(left_out)
    labels = [*(str(handle.get_label()) for handle in handles[:-1]), "smaller than shown"]
    if any(row.span for row in rows):
        handles.append(Line2D([], [], color=BLACK, linewidth=1.0))
        labels.append(_SPAN)
    figure.legend(handles, labels, loc="outside lower center", ncols=4, columnspacing=1.2)


def _columns(groups: Sequence[Group]) -> list[list[Group]]:
    """Split the groups into two columns of nearly equal height, in order."""
    if len(groups) < 2:
        return [list(groups)]
    cut = min(range(1, len(groups)), key=lambda n: max(_height(groups[:n]), _height(groups[n:])))
    return [list(groups[:cut]), list(groups[cut:])]


def _height(groups: Sequence[Group]) -> float:
    return sum(_HEADING + _ROW * len(group.rows) for group in groups)


def _column(axes: Axes, groups: Sequence[Group], smallest: float) -> None:
    """Rows of one column from top to bottom: a heading for each configuration, then its pairs."""
    top, places, labels = 0.0, [], []
    for number, group in enumerate(groups):
        height = _height([group])
        if number % 2 == 0:
            axes.axhspan(top, top + height, color=PALE, linewidth=0, zorder=0)
        axes.text(
            0.01, top + 0.75 * _HEADING, configuration(group.name), fontweight="bold", va="center",
            transform=axes.get_yaxis_transform(),
        )  # fmt: skip
        for number_of_row, row in enumerate(group.rows):
            place = top + _HEADING + (number_of_row + 0.45) * _ROW
            _row(axes, row, place, smallest)
            places.append(place)
            labels.append(row.name)
        top += height
    axes.set_yticks(places, labels)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")


def _row(axes: Axes, row: Row, place: float, smallest: float) -> None:
    """Total and bound as strokes, the parts as dots; what is below `smallest` sits at the edge."""
    if row.span is not None:
        axes.plot(row.span, [place, place], color=BLACK, linewidth=1.0)
    for name, value in reversed(row.values.items()):
        colour, style, shift = _LOOKS[name]
        shown, marker = (smallest, _SMALLER) if value < smallest else (value, style)
        axes.plot(shown, place + shift, color=colour, linestyle="none", **marker)


def worst_pairs(published: Sequence[Budget], figure: Figure) -> None:
    """The worst pair of each configuration, largest error first, with its two parts."""
    ordered = sorted(published, key=lambda item: -item.worst.total)
    figure.set_size_inches(8.0, 1.2 + 0.3 * len(published))
    axes = figure.subplots()
    for place, item in enumerate(ordered):
        pair = item.worst
        axes.barh(place, pair.total, height=0.62, color=PALE, edgecolor=GREY, linewidth=0.8)
        axes.plot(pair.sampling, place, color=BLUE, marker="o", linestyle="none")
        axes.plot(pair.truncation, place, color=ORANGE, marker="D", linestyle="none")
    names = [f"{configuration(item.name)}, σ {item.worst.name} px" for item in ordered]
    axes.set_yticks(range(len(ordered)), names)
    axes.set_ylim(len(ordered) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("relative squared equivariance error, % (logarithmic)")
    axes.set_title("Worst pair of neighbouring scales")
    percent_axis(axes, "x")
    smallest = min(item.worst.total for item in ordered)
    axes.set_xlim(0.02 * smallest, None)
    handles = [
        Patch(facecolor=PALE, edgecolor=GREY, label="total error"),
        Line2D([], [], color=BLUE, marker="o", linestyle="none", label="sampling"),
        Line2D([], [], color=ORANGE, marker="D", linestyle="none", label="truncation"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)


_COLUMNS = 4
_WIDEST = 2.2
"""How far panels reach, in published supports."""

Scanned = tuple[str, int, Supports]
"""Name, published support, and errors."""


def draw_supports(panels: Sequence[Scanned], figure: Figure) -> None:
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
