"""Which records may speak about a claim.

A record counts if it names the claim (a training record that names any claim also counts for the
rankings of its model), has the kind the claim's rule reads, a protocol that is not lighter than the
claim's, and ended as "finished".  Timings must be of the claim's batch and number of threads,
where it names them.  Trainings must also be of the claim's model, augmentation and data, be runs
of their protocol as `compliance` has it (recipe, data, epochs, a clean commit), share their weights
with no other run, and count once for each data realisation and seed.  Checks and timings from
uncommitted sources count, with a remark.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from verification.claims.claim import Cell, Claim, Cost, Ranking, models_of
from verification.claims.records import Record
from verification.claims.rules.verdict import Findings, plural
from verification.claims.validity import objections, shared_faults

TRAINING_PROTOCOLS = ("smoke", "short", "paper")
_KINDS = {
    "theorem": ("theorem",),
    "count": ("count", "mutation"),
    "cell": ("training",),
    "ranking": ("training", "equivariance"),
    "trend": ("equivariance", "budget", "training"),
    "cost": ("timing",),
}


def admit(claim: Claim, records: Iterable[Record]) -> Findings:
    """Select the records that count for a claim, with remarks on those that do not."""
    left_out: Counter[str] = Counter()
    counted = []
    records = list(records)
    bearing = [record for record in records if bears_on(record, claim)]
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


def bears_on(record: Record, claim: Claim) -> bool:
    """Whether a record speaks about a claim at all."""
    if claim.id in record.claims:
        return True
    is_training = record.kind == "training" and bool(record.claims)
    return isinstance(claim, Ranking) and is_training and _matches(record, claim)


def heavy_enough(protocol: str, needed: str) -> bool:
    """Whether a record of `protocol` may count where `needed` is the lightest that does."""
    if protocol in TRAINING_PROTOCOLS and needed in TRAINING_PROTOCOLS:
        return TRAINING_PROTOCOLS.index(protocol) >= TRAINING_PROTOCOLS.index(needed)
    return protocol == needed


def newest(records: Sequence[Record]) -> list[Record]:
    """Keep the newest of the records that are runs of the same thing, in a stable order."""
    latest: dict[tuple[Any, ...] | str, Record] = {}
    for record in sorted(records, key=lambda item: (item.provenance.started, item.digest)):
        latest[_identity(record)] = record
    return sorted(latest.values(), key=lambda item: item.filename)


def _identity(record: Record) -> tuple[Any, ...] | str:
    if record.kind != "training":
        return record.key
    setting = record.configuration.get("model"), record.configuration.get("augmentation")
    seeds = record.seeds.get("realisation"), record.seeds.get("seed")
    return (*setting, *seeds, record.protocol, (record.data or {}).get("name"))


def _objection(record: Record, claim: Claim) -> str:
    """Say why a record does not count for a claim; empty if it does."""
    if record.kind not in _KINDS[claim.kind]:
        return f"of kind {record.kind}"
    if not heavy_enough(record.protocol, claim.protocol):
        return f"of protocol {record.protocol} (needs {claim.protocol})"
    if mismatch := _mismatch(record, claim):
        return mismatch
    if record.outcome != "finished":
        return record.outcome
    return next(iter(objections(record)), "") if record.kind == "training" else ""


def _matches(record: Record, claim: Cell | Ranking) -> bool:
    """Whether a training is of a model, augmentation and data set that the claim speaks about."""
    return (
        record.configuration.get("model") in models_of(claim)
        and record.configuration.get("augmentation") is claim.augmentation
        and (record.data or {}).get("name") == claim.data
    )


def _mismatch(record: Record, claim: Claim) -> str:
    """Say in what a record is not of the kind that its claim speaks about; empty if in nothing."""
    if isinstance(claim, Cell | Ranking) and not _matches(record, claim):
        return "of another model, augmentation or data set"
    if isinstance(claim, Cost):
        return _other_condition(record, claim)
    return ""


def _other_condition(record: Record, claim: Cost) -> str:
    """Say what was timed otherwise than the claim says; empty if nothing was."""
    batch, origin = record.configuration.get("batch"), record.provenance
    if claim.batch not in (None, batch):
        return f"with batches of {batch} (needs {claim.batch})"
    if claim.threads is None or (origin.device, origin.threads) == ("cpu", claim.threads):
        return ""
    return f"on {origin.device} with {plural(origin.threads, 'thread')} (needs {claim.threads})"
