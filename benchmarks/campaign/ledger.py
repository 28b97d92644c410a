"""Which tasks are finished: the records in the folder of evidence say so, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from benchmarks.campaign.plan import Task
from benchmarks.training.lock import run_name
from benchmarks.training.train import configuration_of
from verification.claims.records import Record, read_record, read_records
from verification.claims.validity import UNCOMMITTED, objections

FINAL = ("finished", "diverged")


def finished(evidence: Path, tasks: Iterable[Task], *, clean: bool) -> dict[Task, Record]:
    """Return the record of every task that need not be run, the newest where there are several.

    clean: whether only records of committed sources will do.
    Raises RecordError for a folder that holds anything but intact records.
    """
    return _newest(read_records(evidence) if evidence.exists() else [], tasks, clean)


def finished_record(evidence: Path, task: Task, *, clean: bool) -> Record | None:
    """Return the record of one task if it need not be run; reads trainings alone.

    Raises RecordError for one that is damaged.
    """
    return _newest(map(read_record, evidence.glob("training-*.json")), [task], clean).get(task)


def _newest(records: Iterable[Record], tasks: Iterable[Task], clean: bool) -> dict[Task, Record]:
    wanted = {_identity_of_task(task): task for task in tasks}
    found = {}
    for record in sorted(records, key=lambda r: (r.provenance.started, r.digest)):
        task = wanted.get(_identity(record))
        if task and final(record, clean=clean):
            found[task] = record
    return found


def final(record: Record, *, clean: bool) -> bool:
    """Whether a record ends its run: by the very rules that later decide whether it counts.

    clean: whether only records of committed sources do.
    """
    faults = [fault for fault in objections(record) if clean or fault != UNCOMMITTED]
    return record.outcome in FINAL and not faults


def run_of(record: Record) -> str:
    """Return the name of the run that a training's record is of; empty for other records."""
    if record.kind != "training":
        return ""
    found, seeds = record.configuration, record.seeds
    what = (str(found.get("model")), bool(found.get("augmentation")))
    data = (record.data or {}).get("name", "")
    return run_name(
        *what, data, record.protocol, seeds.get("realisation", -1), seeds.get("seed", -1)
    )


def _identity(record: Record) -> str:
    data = (record.data or {}).get("name")
    seeds = (record.seeds.get("realisation"), record.seeds.get("seed"))
    return _text(record.kind, record.protocol, data, seeds, record.configuration)


def _identity_of_task(task: Task) -> str:
    configuration = configuration_of(task.model, task.augmentation, task.data, task.protocol)
    seeds = (task.realisation, task.seed)
    return _text("training", task.protocol, task.data, seeds, configuration)


def _text(*parts: object) -> str:
    return json.dumps(parts, sort_keys=True)
