"""What every section of the report is made of."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar
from urllib.parse import quote

from reports.writing.markdown import anchor, plain
from reports.writing.wording import NOTHING, verdict_text
from verification.claims.claim import Cell, Claim
from verification.claims.judged import Judged
from verification.claims.records import Record
from verification.claims.rules import INCONCLUSIVE, NOT_RUN, Verdict

SHORTEST_LABEL = 7
OPEN = (NOT_RUN, INCONCLUSIVE)
"""Verdicts that more records may change."""
MARKED = {"unverified": " †", "secondary": " ‡"}
FOOTNOTE = (
    "† written down from memory, the paper not at hand: not checked against it. "
    "‡ read in a secondary source."
)

C = TypeVar("C", bound=Claim)


@dataclass(frozen=True)
class Material(Judged):
    """Claims, records in a fixed order, and the verdicts that follow from them.

    folder: path of the records as the report links it.
    """

    folder: str = "evidence"

    def select(self, kind: type[C], *prefixes: str) -> list[C]:
        """Return the claims of a kind whose id begins with one of the prefixes (none: all)."""
        return [
            claim
            for claim in self.claims
            if isinstance(claim, kind) and (not prefixes or claim.id.startswith(prefixes))
        ]

    def verdict(self, claim: Claim) -> Verdict:
        """Return the verdict on a claim."""
        return self.verdicts[claim.id]

    def statuses(self, claims: Iterable[Claim]) -> Counter[str]:
        """Count the verdicts on claims."""
        return Counter(self.verdict(claim).status for claim in claims)

    def with_status(self, claims: Iterable[C], *statuses: str) -> list[C]:
        """Return the claims with one of the verdicts."""
        return [claim for claim in claims if self.verdict(claim).status in statuses]

    def latest(self, kind: str, *, per_device: bool = False) -> list[Record]:
        """Return the newest finished record of each thing that was run."""
        return list(self._latest.get((kind, per_device), ()))

    @cached_property
    def _latest(self) -> Mapping[tuple[str, bool], tuple[Record, ...]]:
        newest: dict[tuple[str, bool], dict[tuple[str, str], Record]] = {}
        finished = (record for record in self.records if record.outcome == "finished")
        for record in sorted(finished, key=lambda r: (r.provenance.started, r.digest)):
            for per_device in (False, True):
                device = record.provenance.device if per_device else ""
                newest.setdefault((record.kind, per_device), {})[record.key, device] = record
        return {
            key: tuple(sorted(found.values(), key=lambda record: (record.subject, record.filename)))
            for key, found in newest.items()
        }

    def of_kind(self, kind: str) -> list[Record]:
        """Return all records of a kind, also those that did not finish."""
        return [record for record in self.records if record.kind == kind]

    def newest(self, kind: str) -> list[Record]:
        """Return the newest finished record of each subject, whatever its configuration."""
        ordered = sorted(self.latest(kind), key=lambda r: (r.provenance.started, r.digest))
        return list({record.subject: record for record in ordered}.values())

    @cached_property
    def superseded(self) -> frozenset[str]:
        """Digests of finished records of which the same thing was run again later."""
        kinds = {record.kind for record in self.records}
        newest = {r.digest for kind in kinds for r in self.latest(kind, per_device=True)}
        finished = {record.digest for record in self.records if record.outcome == "finished"}
        return frozenset(finished - newest)

    @cached_property
    def counted(self) -> Mapping[str, int]:
        """For how many claims each record was counted, by digest."""
        numbers = {record.digest: 0 for record in self.records}
        for verdict in self.verdicts.values():
            for digest in verdict.records:
                numbers[digest] += 1
        return numbers

    @cached_property
    def labels(self) -> Mapping[str, str]:
        """Short names of records: the beginning of their digest, as long as it must be."""
        digests = sorted(record.digest for record in self.records)
        length = SHORTEST_LABEL
        while len({digest[:length] for digest in digests}) < len(set(digests)):
            length += 1
        return {digest: digest[:length] for digest in digests}

    def judged(self, claim: Claim) -> str:
        """Return the verdict on a claim, linked to the row that says why."""
        return claim_link(claim, verdict_text(self.verdict(claim).status))

    def cite(self, *sources: Record | Claim) -> str:
        """Link the records given, or those that decided on a claim: many by one link."""
        if len(sources) == 1 and isinstance(claim := sources[0], Claim):
            digests = self.verdict(claim).records
            if len(digests) > 1:
                return f"[records](#{records_of(claim)})"
            return ", ".join(self.link(digest) for digest in digests) or NOTHING
        records = [source for source in sources if isinstance(source, Record)]
        groups = {(record.kind, record.subject) for record in records}
        if len(records) > 1 and len(groups) == 1:
            return f"[records](#{group_of(records[0])})"
        return ", ".join(self.link(record.digest) for record in records) or NOTHING

    def link(self, digest: str, text: str = "record") -> str:
        """Link to the file of a record."""
        return f"[{text}]({quote(self.folder)}/{self.files[digest]})"

    @cached_property
    def files(self) -> Mapping[str, str]:
        """Name of each record's file, by digest."""
        return {record.digest: record.filename for record in self.records}

    @cached_property
    def method_names(self) -> Mapping[str, str]:
        """The paper's name of each model."""
        return {claim.model: claim.method for claim in self._cells}

    def name(self, model: str) -> str:
        """The paper's name of a model, or its own where the paper has none, as Markdown."""
        return plain(self.method_names.get(model, model))

    @cached_property
    def columns(self) -> Mapping[tuple[str, bool | None], str]:
        """The column of the paper's tables for each model with and without augmentation."""
        return {(claim.model, claim.augmentation): claim.column for claim in self._cells}

    @property
    def _cells(self) -> list[Cell]:
        return self.select(Cell, "cell.mnist", "cell.stl10")


def claim_anchor(claim: Claim) -> str:
    """Return the target to which `claim_link` leads."""
    return anchor(claim.id.replace(".", "-"))


def claim_link(claim: Claim, text: str) -> str:
    """Link to the row of a claim in the table of all claims."""
    return f"[{text}](#{claim.id.replace('.', '-')})"


def records_of(claim: Claim) -> str:
    """Name of the target where the records that decided on a claim are listed."""
    return f"records-{claim.id.replace('.', '-')}"


def group_of(record: Record) -> str:
    """Name of the target where all records of the same kind and subject are listed."""
    return f"{record.kind}-of-{re.sub(r'[^a-z0-9_]', '-', record.subject.lower())}"


def mark(claim: Claim) -> str:
    """Return the footnote sign of a claim whose published text was not seen."""
    return MARKED.get(claim.transcription, "")
