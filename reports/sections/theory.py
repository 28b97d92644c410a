"""Sections on the theory, on how the error behaves, and on exact facts about networks and bases."""

from __future__ import annotations

from reports.readers.material import FOOTNOTE, Material, mark
from reports.sections.claim_table import LONGEST, claim_table
from reports.writing.markdown import clipped, code, plain, table
from reports.writing.section import Section, section
from reports.writing.wording import NOTHING, known, small
from verification.claims.claim import Count, Exact, Theorem, Trend

INTRODUCTION = (
    "Scaling acts as f(t) → f(t/s). A layer is equivariant if it makes no difference whether "
    "one rescales the image before the layer or the response after it. The error of a "
    "layer is the squared norm of that difference, relative to the squared norm of the response."
)


def write(material: Material) -> Section:
    """What equivariance means, and the table of theorems."""
    return section(
        INTRODUCTION,
        "## Statements that must hold for every input",
        "Each is judged by trying to break it: random signals, filters and scales, in float64, "
        "with signals that are rescaled exactly and never interpolated. One error above the "
        "bound refutes the statement; the bound is what rounding explains.",
        _theorems(material),
        FOOTNOTE,
    )


def _theorems(material: Material) -> str:
    rows = []
    for claim in material.select(Theorem):
        verdict = material.verdict(claim)
        measured = verdict.measured
        rows.append(
            [
                plain(clipped(claim.statement, LONGEST)) + mark(claim),
                known(measured.get("cases"), "{:,}".format),
                known(measured.get("worst_error"), small),
                small(measured.get("bound", claim.bound)),
                material.judged(claim),
                material.cite(claim),
            ]
        )
    header = "Statement | Cases tried: | Worst error: | Bound: | Verdict | Evidence"
    return table(header, rows)


def facts(material: Material) -> Section:
    """Tables of the trends of the equivariance error, and of exact counts."""
    trends = [c for c in material.select(Trend) if c.origin != "later" and not c.trained]
    return section(
        "## How the error behaves",
        "Statements about medians over random draws: a trend is supported if tests confirm it at "
        "every point, jointly at 95 %, and refuted if one of them contradicts it.",
        claim_table(material, trends),
        "## Exact facts",
        "Trainable parameters of every network, and what follows from the published bases.",
        _counts(material),
        FOOTNOTE,
    )


def _counts(material: Material) -> str:
    groups = ("count.mnist", "count.stl10", "count.basis", "count.scale_axis")
    rows = []
    for claim in material.select(Count, *groups):
        verdict = material.verdict(claim)
        subjects = ", ".join(map(code, claim.expected))
        rows.append(
            [
                plain(claim.quantity) + mark(claim),
                subjects,
                _values([claim.expected[name] for name in claim.expected]),
                _values([verdict.measured.get(name) for name in claim.expected]),
                material.judged(claim),
                material.cite(claim),
            ]
        )
    return table("Quantity | Of | Stated: | Measured: | Verdict | Evidence", rows)


def _values(values: list[Exact | None]) -> str:
    """Write values of several subjects, once where they are all the same."""
    texts = [_value(value) for value in values]
    return texts[0] if len(set(texts)) == 1 else "; ".join(texts)


def _value(value: Exact | None) -> str:
    if value is None:
        return NOTHING
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else plain(value)
