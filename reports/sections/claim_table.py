"""The one table of claims: what is stated, what was found, the verdict, and the records."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from reports.readers.material import Material, mark
from reports.writing.markdown import clipped, plain, table
from verification.claims.claim import Claim

LONGEST = 112
"""Of a cell: escapes and the footnote sign must fit as well."""


def claim_table(
    material: Material, claims: Iterable[Claim], found: Callable[[Claim], str] | None = None
) -> str:
    """A row for each claim, long texts cut short: the verdict links to the whole of them.

    found: what to say was found, in place of the reason of the verdict.
    """
    say = found or (lambda claim: material.verdict(claim).reason)
    rows = [
        [
            plain(clipped(claim.statement, LONGEST)) + mark(claim),
            plain(clipped(say(claim), LONGEST)),
            material.judged(claim),
            material.cite(claim),
        ]
        for claim in claims
    ]
    return table("Statement | What was found | Verdict | Evidence", rows)
