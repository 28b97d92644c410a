"""Records measured again: what counts as the same, and what is found."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from reports.__main__ import main
from reports.document.audit import (
    DIFFERS,
    FAILED,
    SAME,
    SKIPPED,
    TOLERANCES,
    Result,
    arguments_of,
    audit,
    candidates,
    deviations,
    loss_deviations,
    sample,
    start,
    within,
)
from reports.document.audit import report as table_of
from reports.readers.material import Material
from reports.tests.synthetic import (
    CLAIMS,
    budgets,
    counts,
    make,
    theorems,
    timings,
    trained,
    write_all,
)
from verification.__main__ import main as verify
from verification.claims.records import KINDS, Record, read_records, write_record

LOSSES = {"curves": {"train_loss": [1.8, 1.0]}}
TRAINING = dataclasses.replace(
    trained("cnn_28", 2.5),
    numbers=LOSSES,
    command="python -m benchmarks train --model cnn_28 --seed 0",
    configuration={"model": "cnn_28", "epochs": 2},
)


def material(records: Sequence[Record]) -> Material:
    return Material.gather(CLAIMS, records)


class Again:
    """Stands for the commands: writes the given records, or prints the first epoch."""

    def __init__(self, records: Sequence[Record] = (), loss: float = 1.8) -> None:
        self.records, self.loss = records, loss
        self.calls: list[Sequence[str]] = []

    def __call__(self, arguments: Sequence[str], threads: int | None, seconds: float) -> str:
        self.calls.append(arguments)
        assert threads in (None, 2)  # only timings ask for theirs
        assert seconds > 300
        if "--first-epoch" in arguments:
            return f"note\n{json.dumps({'train_loss': self.loss})}\n"
        folder = Path(arguments[arguments.index("--evidence") + 1])
        for record in self.records:
            write_record(record, folder)
        return ""


def audited(drawn: Sequence[Record], again: Again, **options: object) -> list[Result]:
    settings: dict[str, object] = {"limit": 1e6, **options}
    return list(audit(material(drawn), drawn, run=again, **settings))  # type: ignore[arg-type]


def test_records_measured_the_same_are_the_same_and_one_run_serves_a_command() -> None:
    drawn = [*theorems()[:2], *budgets()[:2], *counts()[:2]]
    again = Again(drawn)
    assert {result.status for result in audited(drawn, again)} == {SAME}
    assert len(again.calls) == len({record.command for record in drawn})


def _with(record: Record, **numbers: object) -> Record:
    return dataclasses.replace(record, numbers={**record.numbers, **numbers})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (counts()[0], _with(counts()[0], value=1)),
        (theorems()[0], _with(theorems()[0], worst_error=1.0)),
        (theorems()[0], _with(theorems()[0], cases=99)),
        (budgets()[0], _with(budgets()[0], y=[[0.1, 0.1, 0.1]] * 3)),
        (timings()[1], _with(timings()[1], seconds={"cnn_28": [0.1] * 6})),
        (
            make("timing", "x", {"seconds": {"a": [1.0] * 5, "b": [2.0] * 5}}),
            make("timing", "x", {"seconds": {"a": [1.0] * 5, "b": [5.0] * 5}}),
        ),
        (counts()[0], dataclasses.replace(counts()[0], outcome="failed")),
    ],
)
def test_another_measurement_is_found(old: Record, new: Record) -> None:
    assert deviations(old, old) == []
    assert deviations(old, new)
    (result,) = audited([old], Again([new]))
    assert result.status == DIFFERS
    assert result.text


def test_rounding_and_other_machines_are_no_difference() -> None:
    rows = [[value * (1 + 1e-6) for value in row] for row in budgets()[0].numbers["y"]]
    for old, new in (
        (budgets()[0], _with(budgets()[0], y=rows)),
        (make("budget", "x", {"e": 3e-14}), make("budget", "x", {"e": 8e-14})),
        (theorems()[0], _with(theorems()[0], worst_error=0.9 * theorems()[0].numbers["bound"])),
        (
            make("timing", "x", {"seconds": {"a": [1.0] * 5, "b": [2.0] * 5}}),
            make("timing", "x", {"seconds": {"a": [3.0] * 5, "b": [8.0] * 5}}),
        ),
    ):  # fmt: skip
        assert deviations(old, new) == []
    assert deviations(make("budget", "x", {"e": 3e-14}), make("budget", "x", {"e": 8e-12}))


def test_trainings_are_compared_by_their_first_epoch() -> None:
    again = Again(loss=1.801)
    (result,) = audited([TRAINING], again)
    assert (result.status, again.calls[0][-1]) == (SAME, "--first-epoch")
    (other,) = audited([TRAINING], Again(loss=1.9))
    assert other.status == DIFFERS
    assert "mean loss of the first epoch 1.9000, recorded 1.8000" in other.text
    assert loss_deviations(TRAINING, {})  # diverged within the epoch
    (full,) = audited([TRAINING], Again([TRAINING]), full=True)
    assert full.status == SAME


def test_a_command_that_does_not_measure_the_record_is_found() -> None:
    """Somebody gave the record another seed than its command."""
    record = theorems()[0]
    (result,) = audited([dataclasses.replace(record, seeds={"seed": 3})], Again([record]))
    assert result.status == DIFFERS
    assert "does not measure this" in result.text


def test_long_commands_are_left_out_and_said() -> None:
    again = Again(theorems()[:1])
    (result,) = audited(theorems()[:1], again, limit=1.0)
    assert result.status == SKIPPED
    assert "takes about 12 s, above the limit of 1.0 s" in result.text
    assert again.calls == []


@pytest.mark.parametrize(
    "command",
    [
        "rm -r folder",
        "python -c 'print()'",
        "python -m pip install x",
        "python -m benchmarks theory --evidence elsewhere",
    ],
)
def test_only_commands_of_the_project_are_run(command: str) -> None:
    with pytest.raises(ValueError, match=r"project|of its own choice"):
        arguments_of(command)
    again = Again()
    (result,) = audited([dataclasses.replace(theorems()[0], command=command)], again)
    assert (result.status, again.calls) == (FAILED, [])


def test_a_command_that_fails_is_reported() -> None:
    with pytest.raises(ValueError, match="no such data"):
        start(["-c", "raise SystemExit('no such data')"], 1, 60.0)
    assert start(["-c", "import os; print(os.environ['OMP_NUM_THREADS'])"], 3, 60.0) == "3\n"


def test_samples_are_random_repeatable_and_of_what_still_counts() -> None:
    old = theorems()[0]
    newer = dataclasses.replace(
        old, provenance=dataclasses.replace(old.provenance, started="2025-02-01T00:00:00Z")
    )
    everything = candidates(material([old, newer, *counts()]))
    drawn = sample(everything, 5, 1)
    assert drawn == sample(everything, 5, 1) != sample(everything, 5, 2)
    assert len(sample(everything, 10**6, 0)) == len(everything) == 1 + len(counts())
    assert old not in everything


def test_only_what_the_limit_allows_is_drawn_and_nothing_is_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command takes as long as all its records together; a training one of its two epochs."""
    records = [*theorems()[:2], TRAINING]
    known = material(records)
    assert within(known, records, 7.0) == [TRAINING]
    assert within(known, records, 7.0, full=True) == []
    assert within(known, records, 25.0) == records
    write_all(theorems()[:2], tmp_path)
    assert main(["--evidence", str(tmp_path), "--audit", "--limit", "1"]) == 1
    printed = capsys.readouterr()
    assert "Drawn from 0 of 2 records" in printed.out
    assert "nothing was measured again" in printed.err


def test_every_kind_has_a_tolerance_that_the_table_names() -> None:
    assert set(TOLERANCES) >= set(KINDS) - {"mutation", "gallery"}
    text = table_of([Result(counts()[0], SAME), Result(counts()[1], FAILED, "why | not")])
    assert "| exact |" in text
    assert "why \\| not" in text


def test_a_changed_record_is_found_by_its_very_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The simulation of the rules with few repetitions, whose counts repeat exactly."""
    honest, tampered = tmp_path / "honest", tmp_path / "tampered"
    verify(["simulate", "--repetitions", "2", "--evidence", str(honest)])
    (record,) = read_records(honest)
    numbers = json.loads(json.dumps(record.numbers))
    first = next(c for c in numbers["cells"] if c["supported"])
    first["supported"] -= 1
    first["inconclusive"] += 1
    write_record(dataclasses.replace(record, numbers=numbers), tampered)
    capsys.readouterr()
    options = ["--audit", "--sample", "1"]

    def here(arguments: Sequence[str], threads: int | None, seconds: float) -> str:
        assert verify(arguments[2:]) == 0
        return ""

    monkeypatch.setattr("reports.document.audit.start", here)
    assert main(["--evidence", str(tampered), *options]) == 1
    assert "recorded" in capsys.readouterr().out
    assert main(["--evidence", str(honest), *options]) == 0
    assert "1 record drawn with seed 0: 1 same, 0 differs" in capsys.readouterr().out
