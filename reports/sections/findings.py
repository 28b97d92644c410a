"""Section on findings: the published code and data, and what others measured later."""

from __future__ import annotations

from collections.abc import Sequence

from reports.readers.material import FOOTNOTE, Material, Section, mark
from reports.writing.markdown import paragraphs, plain, table
from verification.claims.claim import Claim

ABOUT_CODE = (
    "Each is a claim like the published ones, with its own verdict. Where it is not run, it "
    "rests on reading alone."
)
ABOUT_LATER = "They are quoted to be tested; most need data or models that are not part of this."


def write(material: Material) -> Section:
    """Tables of findings about the published code and data, and of later measurements."""
    findings = material.select(
        Claim, "count.finding", "trend.finding", "count.basis.rank", "count.data"
    )
    later = [claim for claim in material.claims if ".later." in claim.id]
    return Section(
        paragraphs(
            "## Findings about the published code and data",
            ABOUT_CODE,
            _table(material, findings),
            "## Later measurements by others",
            ABOUT_LATER,
            _table(material, later),
            FOOTNOTE,
        )
    )


def _table(material: Material, claims: Sequence[Claim]) -> str:
    rows = []
    for claim in claims:
        verdict = material.verdict(claim)
        rows.append(
            [
                plain(claim.statement) + mark(claim),
                plain(claim.source),
                plain(verdict.reason),
                material.judged(claim),
                material.cite(claim),
            ]
        )
    header = ["Statement", "Source", "What was found", "Verdict", "Evidence"]
    return table(header, "lllll", rows)
