"""Section on the theory: statements that hold for every input."""

from __future__ import annotations

from reports.readers.material import FOOTNOTE, Material, mark
from reports.sections.claim_table import LONGEST
from reports.writing.markdown import clipped, plain, table
from reports.writing.section import Section, section
from reports.writing.wording import known, small
from verification.claims.claim import Theorem

INTRODUCTION = (
    "Scaling acts as f(t) → f(t/s). A layer is equivariant if it makes no difference whether the "
    "image is rescaled before it or its response after it. The error of a layer is the squared "
    "norm of that difference, relative to the squared norm of the response."
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
