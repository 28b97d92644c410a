"""From claims and records to verdicts, by one small rule for each kind of claim.

The rules are fixed in code and take every parameter from the claim, so that nothing about them can
be chosen after the data is seen.  Where a rule tests, a wrong "supported" and a wrong "refuted"
each have a probability of at most 5 %; that no difference was found never supports anything.
"""

from __future__ import annotations

from collections.abc import Sequence

from verification.claims.claim import (
    Cell,
    Claim,
    Correlation,
    Cost,
    Count,
    Ranking,
    Theorem,
    Trend,
)
from verification.claims.records import Record
from verification.claims.rules.admission import select_records
from verification.claims.rules.cells import judge_cell
from verification.claims.rules.correlations import judge_correlation
from verification.claims.rules.costs import judge_cost
from verification.claims.rules.exact import judge_count, judge_theorem
from verification.claims.rules.rankings import judge_ranking
from verification.claims.rules.trends import judge_trend
from verification.claims.rules.verdict import (
    BY_READING,
    INCONCLUSIVE,
    LEVEL,
    NOT_RUN,
    REFUTED,
    STATUSES,
    SUPPORTED,
    Verdict,
)

__all__ = [
    "BY_READING",
    "INCONCLUSIVE",
    "LEVEL",
    "NOT_RUN",
    "REFUTED",
    "STATUSES",
    "SUPPORTED",
    "Verdict",
    "verdict_on",
    "verdicts_on",
]


def verdict_on(  # noqa: PLR0911 (one for each kind)
    claim: Claim, records: Sequence[Record], claims: Sequence[Claim]
) -> Verdict:
    """Judge one claim by the records that bear on it.

    `claims` are all claims: a ranking is corrected for its family, and readings are claims.
    """
    findings = select_records(claim, records)
    match claim:
        case Theorem():
            return judge_theorem(claim, findings)
        case Count():
            return judge_count(claim, findings)
        case Cell():
            return judge_cell(claim, findings)
        case Ranking():
            return judge_ranking(claim, findings, records, claims)
        case Trend():
            return judge_trend(claim, findings, claims)
        case Correlation():
            return judge_correlation(claim, findings)
        case Cost():
            return judge_cost(claim, findings)
        case _:
            raise TypeError(f"claim {claim.id!r}: no rule for a {type(claim).__name__}")


def verdicts_on(claims: Sequence[Claim], records: Sequence[Record]) -> tuple[Verdict, ...]:
    """Judge every claim, in their order."""
    return tuple(verdict_on(claim, records, claims) for claim in claims)
