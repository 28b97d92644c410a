"""The five verdicts, and what a rule hands back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from verification.claims.claim import Claim
from verification.claims.records import Record

SUPPORTED = "supported"
REFUTED = "refuted"
INCONCLUSIVE = "inconclusive"
BY_READING = "by reading"
NOT_RUN = "not run"
STATUSES = (SUPPORTED, REFUTED, INCONCLUSIVE, BY_READING, NOT_RUN)

LEVEL = 0.05
"""Largest rate of a wrong "supported", and of a wrong "refuted", for every rule that tests."""


@dataclass(frozen=True)
class Verdict:
    """Judgement of one claim.

    `reason` says in words what decided; `measured` holds the numbers behind it, by name; `records`
    the digests of the records that were counted.
    """

    claim_id: str
    status: str
    reason: str
    measured: Mapping[str, Any] = field(default_factory=dict)
    records: tuple[str, ...] = ()


@dataclass
class Findings:
    """What a rule has gathered: the records it counts and remarks on those it does not."""

    claim: Claim
    counted: list[Record]
    remarks: list[str] = field(default_factory=list)

    def verdict(
        self, status: str, reason: str, measured: Mapping[str, Any] | None = None
    ) -> Verdict:
        """Give the verdict, with every remark appended to its reason."""
        digests = tuple(sorted(record.digest for record in self.counted))
        text = "; ".join([reason, *self.remarks])
        return Verdict(self.claim.id, status, text, measured or {}, digests)

    def not_run(self, reason: str = "no record counts for it") -> Verdict:
        """Give the verdict of a claim about which nothing was measured."""
        self.counted = []
        return self.verdict(NOT_RUN, reason)

    def keep(self, usable: Sequence[Record], lack: str) -> None:
        """Count only `usable` records; remark on the others, which lack what the rule needs."""
        if dropped := len(self.counted) - len(usable):
            self.remarks.append(f"not counted: {dropped} without {lack}")
        self.counted = list(usable)


def plural(number: int, noun: str) -> str:
    """Write a number with its noun: "1 record", "2 records"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
