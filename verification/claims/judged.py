"""Records with what follows from them: one call from a folder to the verdict on every claim."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from verification.claims.claim import Claim, Ranking
from verification.claims.reading import load_claims
from verification.claims.records import Record, read_records
from verification.claims.rules import Verdict, verdict_on, verdicts_on
from verification.claims.validity import shared_faults


@dataclass(frozen=True)
class Judged:
    """Claims, records in the order of their file names, and the verdict on each claim by its id."""

    claims: tuple[Claim, ...]
    records: tuple[Record, ...]
    verdicts: Mapping[str, Verdict]

    @classmethod
    def gather(cls, claims: Sequence[Claim], records: Iterable[Record]) -> Self:
        """Judge all claims by the records."""
        ordered = tuple(sorted(records, key=lambda record: record.filename))
        verdicts = {verdict.claim_id: verdict for verdict in verdicts_on(claims, ordered)}
        return cls(tuple(claims), ordered, verdicts)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Judge the package's own claims by a folder of records.

        Raises RecordError or ClaimError, naming the file of what cannot be trusted.
        """
        return cls.gather(load_claims(), read_records(folder))

    def without(self, record: Record) -> Self:
        """The same as gathered anew without a record; only what it can change is judged again."""
        rest = tuple(other for other in self.records if other is not record)
        touched = [claim for claim in self.claims if claim.selects(record)]
        if record.kind == "training" and shared_faults(self.records):
            touched = list(self.claims)
        families = {claim.family for claim in touched if isinstance(claim, Ranking)}
        names = {claim.id for claim in touched}
        again = [
            claim
            for claim in self.claims
            if claim.id in names or (isinstance(claim, Ranking) and claim.family in families)
        ]
        verdicts = {claim.id: verdict_on(claim, rest, self.claims) for claim in again}
        return replace(self, records=rest, verdicts={**self.verdicts, **verdicts})

    def under(self, claim: Claim, protocol: str) -> Verdict:
        """The verdict on a claim if only records of this protocol, or a heavier one, counted."""
        return verdict_on(replace(claim, protocol=protocol), self.records, self.claims)
