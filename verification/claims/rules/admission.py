"""Which records may speak about a claim.

Claims select records: by kind, subject, protocol, data and what was measured.  The ids that older
records name decide nothing.  A record counts if it bears on the claim, has a protocol that is not
lighter than the claim's, and ended as "finished".  Timings must be of the claim's batch and number
of threads, where it names them.  Trainings must also be runs of their protocol as `validity` has it
(recipe, data, epochs, a clean commit), share their weights with no other run, and count once for
each data realisation and seed.  Checks and timings from uncommitted sources count, with a remark.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from verification.claims.claim import Claim, Cost
from verification.claims.records import Record
from verification.claims.rules.verdict import Findings, plural
from verification.claims.validity import objections, run_of, shared_faults

T = TypeVar("T")
TRAINING_PROTOCOLS = ("smoke", "short", "paper")


def select_records(claim: Claim, records: Iterable[Record]) -> Findings:
    """Select the records that count for a claim, with remarks on those that do not."""
    left_out: Counter[str] = Counter()
    counted = []
    records = list(records)
    bearing = [record for record in records if claim.selects(record)]
    trained = any(record.kind == "training" for record in bearing)
    faults = shared_faults(records) if trained else {}
    for record in bearing:
        if objection := _objection(record, claim) or faults.get(record.digest, ""):
            left_out[objection] += 1
        else:
            counted.append(record)
    unique = newest(counted) if claim.kind not in ("theorem", "count") else counted
    findings = Findings(claim, unique)
    if left_out:
        parts = [f"{number} {text}" for text, number in sorted(left_out.items())]
        findings.remarks.append("not counted: " + ", ".join(parts))
    if repeated := len(counted) - len(unique):
        findings.remarks.append(f"{plural(repeated, 'repeated run')} counted once")
    unclean = sum(record.provenance.dirty is not False for record in unique)
    if unclean:
        findings.remarks.append(f"{plural(unclean, 'record')} not from a clean commit")
    return findings


def heavy_enough(protocol: str, needed: str) -> bool:
    """Whether a record of `protocol` may count where `needed` is the lightest that does."""
    if protocol in TRAINING_PROTOCOLS and needed in TRAINING_PROTOCOLS:
        return TRAINING_PROTOCOLS.index(protocol) >= TRAINING_PROTOCOLS.index(needed)
    return protocol == needed


def by_richest_protocol(
    records: Sequence[Record], needed: str, measure: Callable[[list[Record]], T],
    size: Callable[[T], int],
) -> tuple[str, T] | None:  # fmt: skip
    """What is measured under the protocol that has most of it, among equals the heaviest.

    measure: of the records of one protocol; size: 0 where there is nothing. None: nowhere anything.
    """
    found = [
        (protocol, measure([record for record in records if record.protocol == protocol]))
        for protocol in ("check", *TRAINING_PROTOCOLS)
        if heavy_enough(protocol, needed)
    ]
    protocol, most = max(reversed(found), key=lambda item: size(item[1]))
    return (protocol, most) if size(most) else None


def newest(records: Sequence[Record]) -> list[Record]:
    """Keep the newest of the records that are runs of the same thing, in a stable order."""
    latest: dict[tuple[Any, ...] | str, Record] = {}
    for record in sorted(records, key=lambda item: (item.provenance.started, item.digest)):
        latest[run_of(record) if record.kind == "training" else record.key] = record
    return sorted(latest.values(), key=lambda item: item.filename)


def _objection(record: Record, claim: Claim) -> str:
    """Say why a record does not count for a claim; empty if it does."""
    if not heavy_enough(record.protocol, claim.protocol):
        return f"of protocol {record.protocol} (needs {claim.protocol})"
    if isinstance(claim, Cost) and (condition := _other_condition(record, claim)):
        return condition
    if record.outcome != "finished":
        return record.outcome
    return next(iter(objections(record)), "") if record.kind == "training" else ""


def _other_condition(record: Record, claim: Cost) -> str:
    """Say what was timed otherwise than the claim says; empty if nothing was."""
    batch, origin = record.configuration.get("batch"), record.provenance
    if claim.batch not in (None, batch):
        return f"with batches of {batch} (needs {claim.batch})"
    if claim.threads is None or (origin.device, origin.threads) == ("cpu", claim.threads):
        return ""
    return f"on {origin.device} with {plural(origin.threads, 'thread')} (needs {claim.threads})"
