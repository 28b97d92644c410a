"""Tables and figure of the published experiments beside ours."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from reports.drawings import accuracy as drawing
from reports.readers.material import Material
from reports.writing.markdown import code, paragraphs, plain, table
from reports.writing.section import Section, picture
from reports.writing.wording import NOTHING, signed
from verification.claims.claim import Cell, Ranking
from verification.claims.rules import Verdict

CELLS = (
    "Method, column | Published, %: | Ours, %: | Realisations: | Difference: | 95 % interval: "
    "| Verdict | Evidence"
)
AGAINST_CNN = (
    "SESN − CNN, column | Training | Pairs: | Difference, points: | 95 % interval: | Published: "
    "| Verdict | Evidence"
)


def cells(material: Material) -> str:
    """A row for each published error that was measured under the published recipe."""
    rows = []
    for cell in material.select(Cell, "cell.mnist", "cell.stl10"):
        measured = material.verdict(cell).measured
        if "mean" not in measured:
            continue
        rows.append(
            [
                f"{plain(cell.method)}, {cell.column}",
                f"{cell.value:.2f} †",
                f"{measured['mean']:.2f}",
                f"{measured['units']:.0f} of {cell.runs or 1}",
                signed(measured["difference"]),
                _ends(measured, "one run: none"),
                material.judged(cell),
                material.cite(cell),
            ]
        )
    return table(CELLS, rows)


def from_memory(material: Material) -> str:
    """How sure the published errors are."""
    cells = material.select(Cell, "cell.mnist", "cell.stl10")
    memory = [cell for cell in cells if cell.transcription == "unverified"]
    rerun = [abs(cell.rerun.mean - cell.value) for cell in cells if cell.rerun is not None]
    text = (
        f"{len(memory)} of the {len(cells)} published errors are transcribed from memory and may "
        "contain transcription errors."
    )
    if rerun:
        text += (
            " An earlier re-run of the authors' code by others (spetrescu/sesn) reports "
            f"{len(rerun)} of them within {max(rerun):.2f} points, but with the check of the data "
            "hash switched off, so that its data may differ."
        )
    return text


def against_cnn(material: Material) -> str:
    """A row for each comparison of SESN with the plain CNN that was made."""
    published = {(c.model, c.column): c.value for c in material.select(Cell, "cell.mnist")}
    rows, open_columns = [], []
    for claim in _against_cnn(material):
        verdict, name = material.verdict(claim), material.name(claim.better)
        if "difference" not in verdict.measured:
            open_columns.append(f"{name} in column {claim.column}")
            continue
        gap = published[claim.better, claim.column] - published[claim.worse[0], claim.column]
        ends = [material.judged(claim), material.cite(claim)]
        rows.append([f"{name}, {claim.column}", *_difference(verdict, gap), *ends])
        if verdict.measured["protocol"] != "paper":
            # Fewer pairs do not decide, but they are of the training that was published.
            paper = material.under(claim, "paper")
            if "difference" in paper.measured:
                ends = [f"by itself {paper.status}", NOTHING]
                rows.append([f"{name}, {claim.column}", *_difference(paper, gap), *ends])
    if not rows:
        return "Not tested: no data realisation has trainings of both."
    left = f" Not compared: {', '.join(open_columns)}." if open_columns else ""
    return paragraphs(
        "Paired on the same data realisations; a negative difference means that SESN has the lower "
        "error. `short` is five epochs in place of 60 on the published data; it supports rankings, "
        "but never the published errors. A verdict uses the protocol with the most pairs, and the "
        f"heavier one of equals.{left}",
        table(AGAINST_CNN, rows),
    )


def _difference(verdict: Verdict, published: float) -> list[str]:
    """Protocol, pairs, difference with its interval, and the published difference."""
    measured = verdict.measured
    return [
        code(measured["protocol"]),
        str(measured["pairs"]),
        signed(measured["difference"]),
        _ends(measured, NOTHING),
        f"{signed(published)} †",
    ]


def _ends(measured: Mapping[str, float], unknown: str) -> str:
    low, high = measured.get("low"), measured.get("high")
    return unknown if low is None or high is None else f"{signed(low)} to {signed(high)}"


def _against_cnn(material: Material) -> list[Ranking]:
    claims = material.select(Ranking, "ranking.mnist")
    return [c for c in claims if len(c.worse) == 1 and c.worse[0].startswith("cnn_")]


def accuracy_figure(material: Material) -> str | Section:
    """Our errors beside the published ones, SESN beside the CNN; empty without a measurement."""
    cells = material.select(Cell, "cell.mnist")
    if not any("mean" in material.verdict(cell).measured for cell in cells):
        return ""
    points = drawing.points(cells, _against_cnn(material), material.verdicts, material.method_names)
    return picture(
        "accuracy",
        "Left: our test error minus the published one, with interval and margin. Right: SESN minus "
        "CNN, paired, with the published difference",
        "Left: our error minus the published error in points, with 95 % interval; shaded: the "
        "margin of ±0.2; one run has no interval; in brackets the number of realisations. Right: "
        "error of SESN minus that of the CNN on the same data, with 95 % interval; triangles: the "
        "published difference; hollow: not run.",
        partial(drawing.draw, points),
    )
