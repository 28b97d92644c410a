"""Section with one row for every claim: where all links to claims lead."""

from __future__ import annotations

from reports.readers.material import FOOTNOTE, Material, Section, claim_anchor, mark
from reports.writing.markdown import code, paragraphs, plain, table
from reports.writing.wording import verdict_text
from verification.claims.claim import Claim
from verification.claims.reading import KINDS

HEADINGS = {
    "theorem": "All theorems",
    "count": "All counts",
    "cell": "All table cells",
    "ranking": "All rankings",
    "trend": "All trends",
    "cost": "All costs",
}
EXPLANATION = (
    "All statements with their ids, as written in `verification/claims/claims.toml`; there stand "
    "also the numbers that each is judged by, and what would refute it."
)


def write(material: Material) -> Section:
    """Tables of all claims by kind."""
    parts = []
    for kind in KINDS:
        claims = [claim for claim in material.claims if claim.kind == kind]
        if claims:
            parts += [f"### {HEADINGS[kind]}", _table(material, claims)]
    return Section(paragraphs("## Every claim", EXPLANATION, *parts, FOOTNOTE))


def _table(material: Material, claims: list[Claim]) -> str:
    rows = []
    for claim in claims:
        verdict = material.verdict(claim)
        rows.append(
            [
                f"{claim_anchor(claim)}{code(claim.id)}",
                plain(claim.statement) + mark(claim),
                plain(claim.source),
                claim.protocol,
                verdict_text(verdict.status),
                plain(verdict.reason),
                material.cite(claim),
            ]
        )
    header = ["Claim", "Statement", "Source", "Needs", "Verdict", "Why", "Evidence"]
    return table(header, "lllllll", rows)
