"""Takes over what a bundle left: records that follow their protocol, and checkpoints."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import CommandError
from benchmarks.bundle.archives import ArchiveError, archives, contents
from benchmarks.campaign.ledger import FINAL, final, run_of
from benchmarks.training.checkpoint import CheckpointError, load_checkpoint
from verification.claims.records import (
    Record,
    RecordError,
    read_record,
    read_records,
    write_record,
)
from verification.claims.validity import objections, shared_faults
from verification.files import write_atomically


@dataclass
class Taken:
    """Names of what was taken, and of what was not with the reason."""

    records: list[str] = field(default_factory=list)
    checkpoints: list[str] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


def take_back(out: Path, evidence: Path, checkpoints: Path) -> Taken:
    """Check the archives in `out` and put what is sound into the two folders; logs beside `out`.

    A record is refused that is damaged, of uncommitted sources, breaks its protocol, or is of a run
    that is finished here. A checkpoint is refused that is damaged, or not further than the one
    here. Raises ArchiveError where there is no archive, or one is damaged: then what was read
    before it has been taken.
    """
    found = archives(out)
    if not found:
        raise ArchiveError(f"{out}: holds no archive of a bundle ({', '.join(_expected())})")
    taken = Taken()
    present = read_records(evidence) if evidence.exists() else []
    with tempfile.TemporaryDirectory() as temporary:
        for archive in found:
            for name, content in contents(archive):
                kind, _, file = name.partition("/")
                path = Path(temporary) / file
                path.write_bytes(content)
                try:
                    if kind == "records":
                        present.append(_take_record(path, present, evidence))
                        taken.records.append(file)
                    elif kind == "checkpoints":
                        _take_checkpoint(path, checkpoints)
                        taken.checkpoints.append(file)
                    else:
                        write_atomically(out / file, content)
                        taken.logs.append(file)
                except (_RefusedError, RecordError, CheckpointError) as error:
                    taken.refused[name] = str(error).replace(f"{temporary}/", "")
    return taken


class _RefusedError(CommandError):
    """What is not taken; the message says why."""


def _take_record(path: Path, present: list[Record], evidence: Path) -> Record:
    record = read_record(path)
    if record.digest in {other.digest for other in present}:
        raise _RefusedError("is here already")
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
    return record


def _take_checkpoint(path: Path, checkpoints: Path) -> None:
    target = checkpoints / path.name
    new, old = _position(load_checkpoint(path)), -1
    if target.exists():
        old = _position(load_checkpoint(target))
    if new <= old:
        raise _RefusedError(f"not further than the checkpoint here ({new} and {old} steps)")
    checkpoints.mkdir(parents=True, exist_ok=True)
    write_atomically(target, path.read_bytes())


def _position(state: object) -> int:
    """Steps of a run so far, as its checkpoint counts them."""
    try:
        return len(state["progress"]["step_seconds"])  # type: ignore[index]
    except (KeyError, TypeError):
        raise _RefusedError("not a checkpoint of this version of the program") from None


def _expected() -> list[str]:
    return ["results.tar.gz", "checkpoints-1.tar", "…"]
