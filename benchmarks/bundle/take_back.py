"""Takes over what a bundle left: records that follow their protocol, and checkpoints."""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import CommandError
from benchmarks.bundle.archives import RESULTS, ArchiveError, archives, contents
from benchmarks.campaign.ledger import FINAL, final, run_of
from benchmarks.options import add_shared
from benchmarks.training.checkpoint import is_uncommitted, load_checkpoint, steps_of
from benchmarks.training.train import checkpoint_of
from verification.atomic_files import write_atomically
from verification.claims.records import (
    Record,
    RecordError,
    read_record,
    read_records,
    write_record,
)
from verification.claims.validity import objections, shared_faults


@dataclass
class Taken:
    """Names of what was taken, of what was here already, and of what was refused, with reasons."""

    records: list[str] = field(default_factory=list)
    checkpoints: list[str] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    here: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


def take_back(out: Path, evidence: Path, checkpoints: Path) -> Taken:
    """Check the archives in `out` and put what is sound into the two folders; logs beside `out`.

    Nothing is done about a record that is here already, nor about a checkpoint exactly as far as
    the one here: every archive of a scratch folder holds all of its results. A record is refused
    that is damaged, of uncommitted sources, breaks its protocol, or is of a run that another record
    finished here. A checkpoint is refused that is damaged, of uncommitted sources or of another run
    than its name says, or less far than the one here. Of a damaged archive, and where a file cannot
    be written, the rest is taken. ArchiveError where there is no archive.
    """
    found = archives(out)
    if not found:
        raise ArchiveError(f"{out}: holds no archive of a bundle ({RESULTS}, checkpoints-1.tar, …)")
    taken = Taken()
    present = read_records(evidence) if evidence.exists() else []

    def take(name: str, path: Path) -> None:
        kind, _, file = name.partition("/")
        if kind == "records":
            record = read_record(path)
            if record.digest in {other.digest for other in present}:
                taken.here.append(file)
                return
            _take_record(record, present, evidence)
            present.append(record)
            taken.records.append(file)
        elif kind == "checkpoints":
            new = _take_checkpoint(path, checkpoints)
            (taken.checkpoints if new else taken.here).append(file)
        else:
            write_atomically(out / file, path.read_bytes())
            taken.logs.append(file)

    with tempfile.TemporaryDirectory() as temporary:
        for archive in found:
            try:
                for name, content in contents(archive):
                    path = Path(temporary) / Path(name).name
                    path.write_bytes(content)
                    try:
                        take(name, path)
                    except Exception as error:  # checking what anybody may have made
                        text = str(error).replace(f"{temporary}/", "")
                        known = isinstance(error, CommandError | RecordError | OSError)
                        taken.refused[name] = text if known else f"{type(error).__name__}: {text}"
            except ArchiveError as error:
                taken.refused[archive.name] = str(error)
    return taken


class _RefusedError(CommandError):
    """What is not taken; the message says why."""


def _take_record(record: Record, present: list[Record], evidence: Path) -> None:
    if record.provenance.commit is None or record.provenance.dirty is not False:
        raise _RefusedError("made by uncommitted or unknown sources")
    if record.kind == "training" and record.outcome in FINAL:
        faults = objections(record)
        shared = shared_faults([*present, record]).get(record.digest)
        if faults or shared:
            raise _RefusedError("; ".join([*faults, *([shared] if shared else [])]))
        run = run_of(record)
        if any(run_of(other) == run and final(other, clean=True) for other in present):
            raise _RefusedError(f"the run {run} is finished here")
    write_record(record, evidence)


def _take_checkpoint(path: Path, checkpoints: Path) -> bool:
    """Whether it is further than the one here, and was taken."""
    target = checkpoints / path.name
    state = load_checkpoint(path) or {}
    new, old = steps_of(state), steps_of(load_checkpoint(target) or {}) if target.exists() else -1
    if is_uncommitted(state):
        raise _RefusedError("left by uncommitted or unknown sources")
    if checkpoint_of(state, path.name) != path.name:
        raise _RefusedError("is of another run than its name says")
    if new < old:
        raise _RefusedError(f"less far than the checkpoint here ({new} and {old} steps)")
    if new == old:
        return False
    checkpoints.mkdir(parents=True, exist_ok=True)
    write_atomically(target, path.read_bytes())
    return True


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m benchmarks unbundle`: the folder of archives, and where they go."""
    parser.add_argument("out", type=Path, metavar="OUT", help="what run.sh left")
    add_shared(parser, "evidence", "checkpoints")


def run(options: argparse.Namespace) -> int:
    """Takes records and checkpoints back; 1 where something was refused."""
    taken = take_back(options.out, options.evidence, options.checkpoints)
    for name in (*taken.records, *taken.checkpoints):
        print(f"taken: {name}")
    for name in taken.logs:
        print(f"log: {options.out / name}")
    for name, reason in taken.refused.items():
        print(f"refused: {name}: {reason}")
    print(
        f"{len(taken.records)} records, {len(taken.checkpoints)} checkpoints; "
        f"{len(taken.here)} already here, {len(taken.refused)} refused"
    )
    return 1 if taken.refused else 0
