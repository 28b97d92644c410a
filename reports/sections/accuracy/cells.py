"""Section on accuracy: the published tables of test errors beside earlier and own runs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from reports.drawings import results as plots
from reports.readers.material import FOOTNOTE, Material, mark
from reports.writing.markdown import code, paragraphs, plain, table
from reports.writing.section import Section, picture, section
from reports.writing.wording import NOTHING, interval, mean_and_spread, plural, signed
from verification.claims.claim import Cell

HEADER = "Method | Published: | Earlier re-run ‡: | Ours: | Difference: | Verdict | Evidence"
MNIST_EXPLANATION = (
    "Test error in %, mean ± standard deviation, with the number of runs in brackets. The sign + "
    "marks training with extra scaling augmentation; SESN then uses its configurations ending in "
    "p. The difference is ours minus published, with its 95 % interval. A cell is supported if two "
    "one-sided tests show it to lie within the margin, refuted if the whole interval lies beyond."
)
STL10_DEFECTS = (
    "Test error in %. **Defects of these figures.** Each of the paper's own rests on a single run "
    "that was not seeded. The test set was watched during training, and there is no validation "
    "split. One run has no spread: own runs can refute such a figure, but can never support it."
)


def write(material: Material) -> Section:
    """Tables of all published test errors, and a figure once some were measured again."""
    cells = material.select(Cell, "cell.mnist")
    columns = list(dict.fromkeys(cell.column for cell in cells))
    tables = [
        paragraphs(
            _heading(column, [c for c in cells if c.column == column]),
            _table(material, [c for c in cells if c.column == column]),
        )
        for column in columns
    ]
    measured = [cell for cell in cells if "mean" in material.verdict(cell).measured]
    stl10 = sorted(material.select(Cell, "cell.stl10"), key=_is_quoted)
    return section(
        "## MNIST-scale",
        MNIST_EXPLANATION,
        _state(cells, measured),
        _picture(material, cells) if measured else "",
        *tables,
        "## STL-10",
        STL10_DEFECTS,
        _table(material, stl10),
        _notes(stl10),
        FOOTNOTE,
    )


def _heading(column: str, cells: list[Cell]) -> str:
    extra = ", with extra scaling augmentation" if cells[0].augmentation else ""
    return f"### Column {column}{extra}"


def _state(cells: list[Cell], measured: list[Cell]) -> str:
    if not measured:
        return (
            f"**Not run.** None of the {len(cells)} cells was measured under the published recipe."
        )
    return f"Measured under the published recipe: {len(measured)} of {plural(len(cells), 'cell')}."


def _picture(material: Material, cells: list[Cell]) -> Section:
    return picture(
        "cells",
        "Published, earlier and own test errors of every method in the four columns of the "
        "MNIST-scale table",
        "Test error in %. Bars: one standard deviation over runs.",
        partial(plots.cells, cells, material.verdicts),
    )


def _table(material: Material, cells: list[Cell]) -> str:
    rows = []
    for cell in cells:
        verdict = material.verdict(cell)
        rows.append(
            [
                f"{plain(cell.method)} {code(cell.model)}",
                mean_and_spread(cell.value, cell.std) + _runs(cell.runs) + mark(cell),
                _rerun(cell),
                _ours(verdict.measured),
                _difference(verdict.measured),
                material.judged(cell),
                material.cite(cell),
            ]
        )
    return table(HEADER, rows)


def _rerun(cell: Cell) -> str:
    if cell.rerun is None:
        return NOTHING
    return mean_and_spread(cell.rerun.mean, cell.rerun.std) + _runs(cell.rerun.runs)


def _ours(measured: Mapping[str, Any]) -> str:
    if "mean" not in measured:
        return NOTHING
    return mean_and_spread(measured["mean"], measured.get("std")) + _runs(measured["runs"])


def _runs(runs: float | None) -> str:
    return "" if runs is None else f" ({runs:.0f})"


def _difference(measured: Mapping[str, Any]) -> str:
    if "difference" not in measured:
        return NOTHING
    if "low" not in measured:
        return signed(measured["difference"])
    return interval([measured[name] for name in ("difference", "low", "high")], signed)


def _notes(cells: list[Cell]) -> str:
    """Quote what claims say about where single figures come from."""
    quoted = [cell for cell in cells if _is_quoted(cell)]
    return " ".join(f"{plain(cell.method)}: {plain(cell.source)}. {cell.note}" for cell in quoted)


def _is_quoted(cell: Cell) -> bool:
    return cell.transcription == "secondary"
