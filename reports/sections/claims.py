"""Every claim with its verdict and reason, and those on the published code or of others since."""

from __future__ import annotations

from reports.readers.material import FOOTNOTE, Material, claim_anchor, mark
from reports.sections.claim_table import claim_table
from reports.writing.markdown import bullets, code, plain
from reports.writing.section import Section, section
from reports.writing.wording import verdict_text
from verification.claims.claim import Claim
from verification.claims.reading import KINDS

HEADINGS = {
    "theorem": "All theorems",
    "count": "All counts",
    "cell": "All table cells",
    "ranking": "All rankings",
    "trend": "All trends",
    "correlation": "All correlations",
    "cost": "All costs",
}
EXPLANATION = (
    "All statements with their ids, as in `verification/claims/claims.toml`, which also holds the "
    "numbers that each is judged by and what would refute it."
)


ORIGINS = {
    "paper": "stated in the paper",
    "code": "in or about the released code and data",
    "reading": "our reading of a published statement",
    "own": "our own expectation or aim",
    "later": "measured later by others",
}


def write(material: Material) -> Section:
    """All claims by kind, each with everything that is said of it."""
    parts = []
    for kind in KINDS:
        claims = [claim for claim in material.claims if claim.kind == kind]
        if claims:
            parts += [f"## {HEADINGS[kind]}", bullets([_item(material, c) for c in claims])]
    return section(EXPLANATION, *parts, FOOTNOTE)


def _item(material: Material, claim: Claim) -> str:
    verdict = material.verdict(claim)
    parts = [
        f"{claim_anchor(claim)}{code(claim.id)} {verdict_text(verdict.status)}: "
        f"{plain(claim.statement)}{mark(claim)}",
        f"*Found:* {plain(verdict.reason)}.",
        f"*Source:* {plain(claim.source)} ({ORIGINS[claim.origin]}).",
        f"*Needs:* protocol {code(claim.protocol)}.",
    ]
    if verdict.records:
        parts.append(f"*Evidence:* {material.cite(claim)}.")
    return " ".join(parts)


ABOUT_CODE = (
    "“By reading” means that nothing was run: the statement can be verified in the released code "
    "(github.com/ISosnovik/sesn) at the files and lines given."
)
ABOUT_LATER = (
    "They are quoted in order to be tested; most need data or models that are not available here."
)


def on_code(material: Material) -> Section:
    """Findings about the published code, data and bases."""
    prefixes = ("count.finding", "trend.finding", "count.basis.rank", "count.data")
    claims = material.select(Claim, *prefixes)
    return section(ABOUT_CODE, claim_table(material, claims), FOOTNOTE)


def by_others(material: Material) -> Section:
    """What others measured later."""
    claims = [claim for claim in material.claims if claim.origin == "later"]
    return section(ABOUT_LATER, claim_table(material, claims), FOOTNOTE)
