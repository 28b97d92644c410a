"""Figure of the front page: our errors against the published ones, and SESN against the CNN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.writing.figures import BLACK, BLUE, GREY, ORANGE, PALE, VERMILION
from verification.claims.claim import Cell, Ranking
from verification.claims.rules import Verdict

SHORT, PAPER = "short", "paper"


@dataclass(frozen=True)
class Row:
    """One line: the difference with its interval, None where not run or without an interval."""

    label: str
    value: float | None
    low: float | None
    high: float | None
    published: float = 0.0
    protocol: str = PAPER


@dataclass(frozen=True)
class Points:
    """Both panels: differences from the published errors, and of SESN from the CNN."""

    cells: tuple[Row, ...]
    pairs: tuple[Row, ...]
    margin: float


def points(
    cells: Sequence[Cell],
    rankings: Sequence[Ranking],
    verdicts: Mapping[str, Verdict],
    names: Mapping[str, str],
) -> Points:
    """The cells that were measured, and all comparisons with the CNN."""
    rows = [_of_cell(cell, verdicts[cell.id].measured) for cell in cells]
    published = {(cell.model, cell.column): cell.value for cell in cells}
    pairs = [
        _of_ranking(claim, verdicts[claim.id].measured, published, names) for claim in rankings
    ]
    measured = tuple(row for row in rows if row.value is not None)
    return Points(measured, tuple(pairs), cells[0].margin)


def draw(found: Points, figure: Figure) -> None:
    """Differences from the published errors on the left, paired differences on the right."""
    figure.set_size_inches(9.5, 1.5 + 0.26 * max(len(found.cells), len(found.pairs)))
    left, right = figure.subplots(1, 2)
    left.axvspan(-found.margin, found.margin, color=PALE, linewidth=0, zorder=0)
    _lines(left, found.cells)
    _lines(right, found.pairs)
    for place, row in enumerate(found.pairs):
        inside = "white" if row.value is None else ORANGE
        right.plot(row.published, place, "v", color=ORANGE, markerfacecolor=inside, markersize=7)
    left.set_title("Our error − published error")
    right.set_title("SESN − CNN, same data")
    for axes in (left, right):
        axes.axvline(0, color=GREY, linewidth=1.0)
        axes.set_xlabel("points of test error")
    handles = [
        Line2D([], [], color=VERMILION, marker="o", linestyle="none", label="60 epochs (paper)"),
        Line2D([], [], color=BLUE, marker="s", linestyle="none", label="5 epochs (short)"),
        Line2D([], [], color=ORANGE, marker="v", linestyle="none", label="published difference"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)


def _lines(axes: Axes, rows: Sequence[Row]) -> None:
    for place, row in enumerate(rows):
        if row.value is None:
            continue
        colour, marker = (BLUE, "s") if row.protocol == SHORT else (VERMILION, "o")
        if row.low is not None and row.high is not None:
            axes.plot([row.low, row.high], [place, place], color=colour, linewidth=1.4)
        axes.plot(row.value, place, marker, color=colour)
    axes.set_yticks(range(len(rows)), [row.label for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0, labelcolor=BLACK)
    axes.grid(visible=False, axis="y")


def _of_cell(cell: Cell, measured: Mapping[str, float]) -> Row:
    label = f"{cell.method}, {cell.column}"
    if "mean" not in measured:
        return Row(label, None, None, None)
    runs = f"{label} ({measured['units']:.0f})"
    return Row(runs, measured["difference"], measured.get("low"), measured.get("high"))


def _of_ranking(
    claim: Ranking,
    measured: Mapping[str, float],
    published: Mapping[tuple[str, str], float],
    names: Mapping[str, str],
) -> Row:
    gap = published[claim.better, claim.column] - published[claim.worse[0], claim.column]
    label = f"{names.get(claim.better, claim.better)}, {claim.column}"
    if "difference" not in measured:
        return Row(label, None, None, None, gap)
    return Row(
        f"{label} ({measured['pairs']})",
        measured["difference"],
        measured.get("low"),
        measured.get("high"),
        gap,
        str(measured["protocol"]),
    )
