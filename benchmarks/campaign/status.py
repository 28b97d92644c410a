"""What a campaign has, what it lacks, and how long that will take."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.campaign.ledger import finished
from benchmarks.campaign.plan import Task
from benchmarks.training.lock import is_underway
from verification.claims.protocols import load_protocols
from verification.claims.records import Record, read_records

_LATEST = 3
"""So many of the newest records tell how long a step takes."""


@dataclass(frozen=True)
class Status:
    """Where every task stands.

    seconds: what one run of a cell takes, by cell, as far as records tell. devices: those that
    these records were made on.
    """

    tasks: tuple[Task, ...]
    finished: Mapping[Task, Record]
    underway: frozenset[Task]
    seconds: Mapping[tuple[str, str], float]
    devices: tuple[str, ...] = ()

    @property
    def missing(self) -> list[Task]:
        """Tasks without a record, best first; those under way too."""
        return [task for task in self.tasks if task not in self.finished]

    @property
    def remaining_seconds(self) -> float:
        """Computing time of the missing runs, without those that nothing is known about."""
        return sum(self.seconds.get(task.cell, 0.0) for task in self.missing)

    @property
    def untimed(self) -> int:
        """How many missing runs are of networks that were never timed."""
        return sum(task.cell not in self.seconds for task in self.missing)


def status(tasks: Sequence[Task], evidence: Path, *, clean: bool, device: str = "cpu") -> Status:
    """Read where the tasks stand; `clean`: whether only records of committed sources count.

    device: what the runs to come are made on, "cpu" or a GPU's name. CPUs and GPUs, which are 10
    to 30 times faster, tell nothing of each other; of GPUs that GPU tells, or else any.

    Raises RecordError for a folder of evidence that holds anything but intact records.
    """
    records = read_records(evidence) if evidence.exists() else []
    timed = [r for r in records if (r.provenance.device == "cpu") is (device == "cpu")]
    done = finished(evidence, tasks, clean=clean)
    now = {t for t in tasks if t not in done and is_underway(evidence, t.name)}
    alike = {task.cell: _alike(task, timed, device) for task in tasks}
    times = {task.cell: _seconds(task, alike[task.cell]) for task in tasks if alike[task.cell]}
    devices = {r.provenance.device for found in alike.values() for r in found}
    return Status(tuple(tasks), done, frozenset(now), times, tuple(sorted(devices)))


def table(state: Status, workers: int = 1) -> str:
    """One line for each cell, and a summary with the time that remains on so many workers."""
    first, second = (
        max([least, *(len(task.cell[place]) + 2 for task in state.tasks)])
        for place, least in ((0, 8), (1, 20))
    )
    head = f"{'finished':>9}{'underway':>9}{'missing':>9}{'one run':>10}"
    lines = [f"{'column':{first}}{'model':{second}}{head}"]
    for cell in dict.fromkeys(task.cell for task in state.tasks):
        tasks = [task for task in state.tasks if task.cell == cell]
        done = sum(task in state.finished for task in tasks)
        now = sum(task in state.underway for task in tasks)
        time = duration(state.seconds[cell]) if cell in state.seconds else "?"
        left = len(tasks) - done - now
        lines.append(f"{cell[0]:{first}}{cell[1]:{second}}{done:9}{now:9}{left:9}{time:>10}")
    return "\n".join([*lines, _summary(state, workers)])


def duration(seconds: float) -> str:
    """Seconds in the unit a person would choose."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _summary(state: Status, workers: int) -> str:
    total, done = len(state.tasks), len(state.finished)
    diverged = sum(record.outcome == "diverged" for record in state.finished.values())
    text = f"{done} of {total} runs finished"
    if diverged:
        text += f" ({diverged} of them diverged)"
    if done == total:
        return f"{text}; nothing is missing"
    untimed = f"{state.untimed} runs never timed here"
    if state.untimed == len(state.missing):
        return f"{text}; {untimed}"
    text += f"; about {duration(state.remaining_seconds / workers)} remain on {workers} "
    text += "worker" if workers == 1 else "workers"
    if gpus := [name for name in state.devices if name != "cpu"]:
        text += f" by the times on {' and '.join(gpus)}"
    return text + (f", besides {untimed}" if state.untimed else "")


def _alike(task: Task, records: Sequence[Record], device: str) -> list[Record]:
    """Those that tell best how long a task takes: finished runs of the same network.

    Those of the same augmentation before others, then those on the same device, then those of the
    same data; of them the newest few, for programs and machines change.
    """
    timed = [record for record in records if _is_of_network(record, task)]
    closest = max((_likeness(record, task, device) for record in timed), default=())
    alike = [record for record in timed if _likeness(record, task, device) == closest]
    alike.sort(key=lambda record: (record.provenance.started, record.digest))
    return alike[-_LATEST:]


def _seconds(task: Task, alike: Sequence[Record]) -> float:
    """Seconds of a whole run, its test included; the time of a step has its share of validation."""
    demands = load_protocols()[task.protocol, task.data]
    step = statistics.median(map(_step_seconds, alike))
    test = statistics.median(map(_test_seconds, alike))
    return demands.steps * step + demands.test * test


def _likeness(record: Record, task: Task, device: str) -> tuple[bool, ...]:
    configuration = record.configuration
    return (
        configuration.get("augmentation") is task.augmentation,
        record.provenance.device == device,
        configuration.get("data") == task.data,
    )


def _is_of_network(record: Record, task: Task) -> bool:
    return (
        record.kind == "training"
        and record.outcome == "finished"
        and record.configuration.get("model") == task.model
    )


def _step_seconds(record: Record) -> float:
    numbers = record.numbers
    seconds = float(sum(session["seconds"] for session in numbers["sessions"]))
    return seconds / int(numbers["steps"])


def _test_seconds(record: Record) -> float:
    """Seconds for each test image: what the last session took besides its steps."""
    last = record.numbers["sessions"][-1]
    images = load_protocols()[record.protocol, record.configuration["data"]].test
    return max(0.0, record.provenance.wall_seconds - float(last["seconds"])) / images
