"""Measures a random sample of records again, by their own commands, and compares.

A command that measures many things is run once.  Trainings are repeated for one epoch, of which
only the beginning of the learning curve is compared.  Everything is written to a folder of its own.
"""

from __future__ import annotations

import json
import math
import os
import random
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reports.document.consistency import options_of
from reports.readers.material import Material
from reports.writing.markdown import table
from reports.writing.wording import duration
from verification.claims.records import Record, RecordError, read_records

SAME, DIFFERS, FAILED, SKIPPED = "same", "differs", "failed", "skipped"
PROGRAMS = ("benchmarks", "verification")
SLACK, START = 4.0, 300.0
"""A command is stopped after so many times its recorded duration and so many seconds."""


@dataclass(frozen=True)
class Result:
    """What came of one record of the sample; `text` says why it is not the same."""

    record: Record
    status: str
    text: str = ""


Runner = Callable[[Sequence[str], int | None, float], str]


def candidates(material: Material) -> list[Record]:
    """Finished records that no later run replaced."""
    return [
        record
        for record in material.records
        if record.outcome == "finished" and record.digest not in material.superseded
    ]


def within(
    material: Material, records: Sequence[Record], limit: float, *, full: bool = False
) -> list[Record]:
    """Those records whose command takes at most `limit` seconds, by what it took before."""
    return [r for r in records if _expected_seconds(material, r, full=full) <= limit]


def sample(records: Sequence[Record], size: int, seed: int) -> list[Record]:
    """Draw records at random; all of them if there are not as many."""
    return random.Random(seed).sample(records, min(size, len(records)))


def audit(
    material: Material,
    drawn: Sequence[Record],
    *,
    limit: float,
    full: bool = False,
    run: Runner | None = None,
) -> Iterator[Result]:
    """Measure the drawn records again, one command after the other, and yield what came of each.

    limit: seconds; a command that took longer in its records is not repeated.  full: repeat
    trainings to their end.  run: what starts a command (arguments after the interpreter, threads,
    seconds) and returns its output; for tests.
    """
    runner = run or start
    for command in dict.fromkeys(record.command for record in drawn):
        mine = [record for record in drawn if record.command == command]
        begun = mine[0].kind == "training" and not full
        expected = _expected_seconds(material, mine[0], full=full)
        if expected > limit:
            reason = f"takes about {duration(expected)}, above the limit of {duration(limit)}"
            yield from (Result(record, SKIPPED, reason) for record in mine)
            continue
        try:
            if begun:
                yield from _first_epochs(mine, runner, expected)
            else:
                yield from _measured_again(mine, runner, expected)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            reason = str(error).strip().splitlines()[-1] if str(error).strip() else repr(error)
            yield from (Result(record, FAILED, reason) for record in mine)


def report(results: Sequence[Result]) -> str:
    """Say what came of each record, as a table."""
    rows = [
        [
            result.record.filename,
            result.record.subject,
            result.status,
            result.text or TOLERANCES.get(result.record.kind, ""),
        ]
        for result in sorted(results, key=lambda item: (item.status, item.record.filename))
    ]
    return table("Record | Subject | Result | Tolerance, or what is amiss", rows)


def arguments_of(command: str) -> list[str]:
    """Arguments after the interpreter; ValueError unless it is one of this project's programs."""
    words = shlex.split(command)
    if words[:2] != ["python", "-m"] or words[2:3] == [] or words[2] not in PROGRAMS:
        raise ValueError(f"not a command of this project: {command!r}")
    if {"evidence", "checkpoints"} & options_of(command).keys():
        raise ValueError(f"writes to a folder of its own choice: {command!r}")
    return words[1:]


def start(arguments: Sequence[str], threads: int | None, seconds: float) -> str:
    """Run a Python program and return what it printed; raises SubprocessError or ValueError.

    threads: of the CPU; None: as many as the caller has.
    """
    given = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
        env=os.environ | given,
    )
    if done.returncode:
        raise ValueError(done.stderr.strip() or f"exit code {done.returncode}")
    return done.stdout


def _first_epochs(records: Sequence[Record], run: Runner, expected: float) -> Iterator[Result]:
    arguments = [*arguments_of(records[0].command), "--first-epoch"]
    printed = run(arguments, None, SLACK * expected + START)
    begun = json.loads(printed.strip().splitlines()[-1])
    for record in records:
        found = loss_deviations(record, begun)
        yield Result(record, DIFFERS if found else SAME, "; ".join(found))


def _measured_again(records: Sequence[Record], run: Runner, expected: float) -> Iterator[Result]:
    with tempfile.TemporaryDirectory(prefix="audit-") as folder:
        evidence = Path(folder) / "evidence"
        evidence.mkdir()
        arguments = [*arguments_of(records[0].command), "--evidence", str(evidence)]
        if records[0].kind == "training":
            arguments += ["--checkpoints", str(Path(folder) / "runs")]
        # Times depend on the threads; other numbers only by rounding.
        threads = records[0].provenance.threads if records[0].kind == "timing" else None
        run(arguments, threads, SLACK * expected + START)
        again = {record.key: record for record in _read(evidence)}
    for record in records:
        if record.key not in again:
            text = "its command does not measure this: other settings, data or seeds"
            yield Result(record, DIFFERS, text)
            continue
        found = deviations(record, again[record.key])
        more = f"; and {len(found) - 3} more" if len(found) > 3 else ""
        yield Result(record, DIFFERS if found else SAME, "; ".join(found[:3]) + more)


def _read(folder: Path) -> list[Record]:
    try:
        return read_records(folder)
    except RecordError as error:
        raise ValueError(f"the command left no readable record: {error}") from error


def _expected_seconds(material: Material, record: Record, *, full: bool) -> float:
    """How long the record's command took for all that it measures, or a training for one epoch."""
    if record.kind == "training" and not full:
        return record.provenance.wall_seconds / max(1, int(record.configuration["epochs"]))
    newest = {
        (other.kind, other.subject): other
        for other in sorted(material.records, key=lambda r: r.provenance.started)
        if other.command == record.command
    }
    return sum(other.provenance.wall_seconds for other in newest.values())


FLOAT = 1e-4
"""Relative difference of errors computed again: float32 sums in another order leave about 1e-6 of
an error and threads change that order; a hundred times as much is allowed for."""
NOISE = 1e-10
"""Below this a relative squared error is rounding itself (float32: (1e-6)² and its growth through a
layer), of which only the size can repeat: within a factor of ten."""
LOSS = 0.01
"""Relative difference of the mean loss of a first epoch.  Between one and two threads and between
versions of the layers it moved by up to 0.3 %, since training enlarges rounding; another seed moves
it by some percent."""
TIMES = 2.0
"""Factor between ratios of times: other machines, and other load on the same one."""

TOLERANCES = {
    "count": "exact",
    "theorem": "same cases and bound; the worst error, which is rounding, within its bound",
    "budget": f"{FLOAT:g} relative; below {NOISE:g} a factor of 10",
    "equivariance": f"{FLOAT:g} relative; below {NOISE:g} a factor of 10",
    "simulation": "exact",
    "training": f"mean loss of the first epoch, {100 * LOSS:g} % relative",
    "timing": f"ratios of median times, a factor of {TIMES:g}",
}


def deviations(old: Record, new: Record) -> list[str]:
    """Say which numbers of a record were not found again within the tolerance of its kind."""
    if new.outcome != old.outcome:
        return [f"ended as {new.outcome}, not {old.outcome}"]
    if old.kind == "theorem":
        return list(_theorem(old.numbers, new.numbers))
    if old.kind == "timing":
        return list(_times(old.numbers["seconds"], new.numbers["seconds"]))
    exact = old.kind in ("count", "simulation")
    return list(_differences("", old.numbers, new.numbers, exact=exact))


def loss_deviations(old: Record, begun: Mapping[str, float]) -> list[str]:
    """Say whether the learning curves of a training begin otherwise than its first epoch again."""
    before = old.numbers["curves"]["train_loss"][0]
    after = begun.get("train_loss", math.nan)
    if math.isclose(before, after, rel_tol=LOSS):
        return []
    return [f"mean loss of the first epoch {after:.4f}, recorded {before:.4f}"]


def _theorem(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for name in ("cases", "bound"):
        if old[name] != new[name]:
            yield f"{name} {new[name]}, recorded {old[name]}"
    # An error above its bound refutes, and then the two must agree on that.
    if (old["worst_error"] > old["bound"]) is not (new["worst_error"] > new["bound"]):
        yield f"worst error {new['worst_error']:.2e}, recorded {old['worst_error']:.2e}"


def _times(old: Mapping[str, list[float]], new: Mapping[str, list[float]]) -> Iterator[str]:
    if set(old) != set(new):
        yield f"timed {', '.join(sorted(new))}, recorded {', '.join(sorted(old))}"
        return
    medians = [{name: statistics.median(side[name]) for name in side} for side in (old, new)]
    first = min(old)
    for name in sorted(old):
        before, after = (side[name] / side[first] for side in medians)
        if not 1 / TIMES <= after / before <= TIMES:
            yield f"{name} over {first} {after:.2f}, recorded {before:.2f}"


def _differences(where: str, old: object, new: object, *, exact: bool) -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in sorted(old.keys() | new.keys()):
            if name in old and name in new:
                yield from _differences(f"{where}.{name}", old[name], new[name], exact=exact)
            elif name in old:
                yield f"{where}.{name}".removeprefix(".") + " is no longer measured"
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for k, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from _differences(f"{where}[{k}]", a, b, exact=exact)
    elif not _agree(old, new, exact=exact):
        yield f"{where.removeprefix('.')} {new!r}, recorded {old!r}"


def _agree(old: object, new: object, *, exact: bool) -> bool:
    if exact or not (isinstance(old, float) and isinstance(new, int | float)):
        return old == new
    if max(abs(old), abs(new)) < NOISE:
        return max(abs(old), abs(new)) <= 10 * min(abs(old), abs(new)) or min(old, new) < 1e-25
    return math.isclose(old, new, rel_tol=FLOAT)
