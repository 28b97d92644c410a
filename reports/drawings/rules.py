"""Figure of the power of the rules: share of verdicts against the true difference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.writing.figures import BLACK, BLUE, GREEN, GREY, ORANGE, VERMILION
from verification.claims.rules import REFUTED, SUPPORTED

CELL_RUNS = (3, 6, 12)
PAIRS = (5, 6, 8, 12)
COLOURS = {3: ORANGE, 5: GREY, 6: BLUE, 8: GREEN, 12: VERMILION}
MARKERS = {3: "v", 5: "X", 6: "s", 8: "^", 12: "D"}

Curves = dict[tuple[str, str, int], list[float | None]]


def curves(numbers: Mapping[str, Any]) -> tuple[list[float], Curves]:
    """Effects in points, and for each rule, verdict and number of runs its share at each effect.

    Spread: the first that was simulated, the usual one.  None: not simulated.
    """
    cells, rankings = numbers["cells"], numbers["rankings"]
    effects = sorted({item["effect"] for item in [*cells, *rankings]})
    usual = cells[0]["spread"]
    found: Curves = {}
    for status in (SUPPORTED, REFUTED):
        for runs in CELL_RUNS:
            points = {
                item["effect"]: item[status] / item["repetitions"]
                for item in cells
                if (item["runs"], item["spread"], item["published_spread"]) == (runs, usual, usual)
            }
            found["cell", status, runs] = [points.get(effect) for effect in effects]
    for pairs in PAIRS:
        points = {
            item["effect"]: item[SUPPORTED] / item["repetitions"]
            for item in rankings
            if (item["pairs"], item["spread"], item["family"]) == (pairs, usual, 2)
            and item["companion"] == item["effect"]
        }
        found["ranking", SUPPORTED, pairs] = [points.get(effect) for effect in effects]
    return effects, found


def power(numbers: Mapping[str, Any], figure: Figure) -> None:
    """Cells on the left, rankings on the right."""
    effects, found = curves(numbers)
    figure.set_size_inches(10.5, 4.8)
    left, right = figure.subplots(1, 2, sharey=True)
    for (rule, status, runs), values in found.items():
        axes = left if rule == "cell" else right
        label = f"{runs} {'runs' if rule == 'cell' else 'pairs'}"
        shown = label if status == SUPPORTED else None
        _line(axes, effects, values, runs, shown, dashed=status == REFUTED)
    margin = numbers["cells"][0]["margin"]
    left.axvline(margin, color=BLACK, linestyle=":", linewidth=1.2)
    left.text(margin + 0.01, 60, f"margin of {margin:g} points", rotation=90, va="center")
    right.text(0.5, 6, "5 %: wrong verdicts allowed", ha="right")
    left.set_title("Cells: supported (—) or refuted (- -)")
    right.set_title("Rankings: supported")
    left.set_ylabel("share of draws, %")
    for axes in (left, right):
        axes.set_xlabel("true difference, points of test error")
        axes.set_ylim(-3, 103)
        axes.axhline(5, color=GREY, linewidth=0.8, linestyle=(0, (2, 2)))
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=4)


def _line(
    axes: Axes,
    effects: list[float],
    values: list[float | None],
    runs: int,
    label: str | None,
    *,
    dashed: bool,
) -> None:
    points = [(x, 100 * y) for x, y in zip(effects, values, strict=True) if y is not None]
    axes.plot(
        [x for x, _ in points], [y for _, y in points], color=COLOURS[runs], marker=MARKERS[runs],
        linestyle=(0, (4, 2)) if dashed else "solid", label=label,
    )  # fmt: skip
