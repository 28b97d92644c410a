"""Section on the theory: statements that hold for every input."""

from __future__ import annotations

from reports.readers.material import FOOTNOTE, Material, Section, mark
from reports.sections.claim_table import LONGEST
from reports.writing.markdown import clipped, paragraphs, plain, table
from reports.writing.wording import NOTHING, small
from verification.claims.claim import Theorem

INTRODUCTION = (
    "Scaling acts as f(t) → f(t/s). A layer is equivariant if it makes no difference whether the "
    "image is rescaled before it or its response after it. The error of a layer is the squared "
    "norm of that difference, relative to the squared norm of the response."
)


def write(material: Material) -> Section:
    """What equivariance means, and the table of theorems."""
    return Section(
        paragraphs(
            INTRODUCTION,
            "## Statements that must hold for every input",
            "Each is judged by trying to break it: random signals, filters and scales, in float64, "
            "with signals that are rescaled exactly and never interpolated. One error above the "
            "bound refutes the statement; the bound is what rounding explains.",
            _theorems(material),
            FOOTNOTE,
        )
    )


def _theorems(material: Material) -> str:
    rows = []
    for claim in material.select(Theorem):
        verdict = material.verdict(claim)
        measured = verdict.measured
        rows.append(
            [
                plain(clipped(claim.statement, LONGEST)) + mark(claim),
                f"{measured['cases']:,}" if "cases" in measured else NOTHING,
                small(measured["worst_error"]) if "worst_error" in measured else NOTHING,
                small(measured.get("bound", claim.bound)),
                material.judged(claim),
                material.cite(claim),
            ]
        )
    header = ["Statement", "Cases tried", "Worst error", "Bound", "Verdict", "Evidence"]
    return table(header, "lrrrll", rows)
