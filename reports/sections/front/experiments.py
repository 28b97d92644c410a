"""Tables and figure of the published experiments beside ours."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from reports.drawings import accuracy as drawing
from reports.readers.material import Material
from reports.writing.figures import render
from reports.writing.markdown import code, paragraphs, plain, table
from reports.writing.wording import NOTHING, signed
from verification.claims.claim import Cell, Ranking
from verification.claims.rules import Verdict, verdict_on


def cells(material: Material) -> str:
    """A row for each published error that was measured under the published recipe."""
    rows = []
    for cell in material.select(Cell, "cell.mnist", "cell.stl10"):
        measured = material.verdict(cell).measured
        if "mean" not in measured:
            continue
        interval = (
            f"{signed(measured['low'])} to {signed(measured['high'])}"
            if "low" in measured
            else "one run: none"
        )
        rows.append(
            [
                f"{plain(cell.method)}, {cell.column}",
                f"{cell.value:.2f} †",
                f"{measured['mean']:.2f}",
                f"{measured['units']:.0f} of {cell.runs or 1}",
                signed(measured["difference"]),
                interval,
                material.judged(cell),
                material.cite(cell),
            ]
        )
    header = [
        "Method, column", "Published, %", "Ours, %", "Realisations", "Difference", "95 % interval",
        "Verdict", "Evidence",
    ]  # fmt: skip
    return table(header, "lrrrrrll", rows) if rows else ""


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
    for claim in material.select(Ranking, "ranking.mnist"):
        if not (len(claim.worse) == 1 and claim.worse[0].startswith("cnn_")):
            continue
        verdict = material.verdict(claim)
        name = material.method_names.get(claim.better, claim.better)
        if "difference" not in verdict.measured:
            open_columns.append(f"{plain(name)} in column {claim.column}")
            continue
        gap = published[claim.better, claim.column] - published[claim.worse[0], claim.column]
        ends = [material.judged(claim), material.cite(claim)]
        rows.append([f"{plain(name)}, {claim.column}", *_difference(verdict, gap), *ends])
        if verdict.measured["protocol"] != "paper":
            # Fewer pairs do not decide, but they are of the training that was published.
            same = replace(claim, protocol="paper")
            paper = verdict_on(same, material.records, material.claims)
            if "difference" in paper.measured:
                ends = [f"by itself {paper.status}", NOTHING]
                rows.append([f"{plain(name)}, {claim.column}", *_difference(paper, gap), *ends])
    if not rows:
        return "Not tested: no data realisation has trainings of both."
    header = [
        "SESN − CNN, column", "Training", "Pairs", "Difference, points", "95 % interval",
        "Published", "Verdict", "Evidence",
    ]  # fmt: skip
    left = f" Not compared: {', '.join(open_columns)}." if open_columns else ""
    return paragraphs(
        "Paired on the same data realisations; a negative difference means that SESN errs less. "
        "`short` is five epochs in place of 60 on the published data: it supports rankings, never "
        "the published errors. A verdict rests on the protocol with the most pairs, among equals "
        f"on the heaviest.{left}",
        table(header, "llrrrrll", rows),
    )


def _difference(verdict: Verdict, published: float) -> list[str]:
    """Protocol, pairs, difference with its interval, and the published difference."""
    measured = verdict.measured
    low, high = measured.get("low"), measured.get("high")
    return [
        code(measured["protocol"]),
        str(measured["pairs"]),
        signed(measured["difference"]),
        f"{signed(low)} to {signed(high)}" if low is not None and high is not None else NOTHING,
        f"{signed(published)} †",
    ]


def accuracy_figure(material: Material) -> dict[str, bytes]:
    """Our errors beside the published ones, SESN beside the CNN; empty without a measurement."""
    cells = material.select(Cell, "cell.mnist")
    if not any("mean" in material.verdict(cell).measured for cell in cells):
        return {}
    rankings = [
        claim
        for claim in material.select(Ranking, "ranking.mnist")
        if len(claim.worse) == 1 and claim.worse[0].startswith("cnn_")
    ]
    points = drawing.points(cells, rankings, material.verdicts, material.method_names)
    return render("accuracy", partial(drawing.draw, points), drawing.size(points))
