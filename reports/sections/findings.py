"""Section on findings: the published code and data, and what others measured later."""

from __future__ import annotations

from reports.readers.material import FOOTNOTE, Material
from reports.sections.claim_table import claim_table
from reports.writing.section import Section, section
from verification.claims.claim import Claim

ABOUT_CODE = (
    "“By reading” means: nothing was run; the statement can be read at the files and lines "
    "named, in the released code (github.com/ISosnovik/sesn)."
)
ABOUT_LATER = "They are quoted to be tested; most need data or models that are not part of this."


def on_code(material: Material) -> Section:
    """Findings about the published code, data and bases."""
    prefixes = ("count.finding", "trend.finding", "count.basis.rank", "count.data")
    claims = material.select(Claim, *prefixes)
    return section(ABOUT_CODE, claim_table(material, claims), FOOTNOTE)


def by_others(material: Material) -> Section:
    """What others measured later."""
    claims = [claim for claim in material.claims if claim.origin == "later"]
    return section(ABOUT_LATER, claim_table(material, claims), FOOTNOTE)
