"""The folder of evidence says what is finished; locks say what is under way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as command_line
from benchmarks.campaign.ledger import finished, finished_record
from benchmarks.campaign.plan import Task, plan
from benchmarks.campaign.status import status, table
from benchmarks.campaign.tests.conftest import TASK, make_provenance, make_record
from benchmarks.data import DataSet
from benchmarks.training.lock import underway
from benchmarks.training.train import train
from verification.claims.reading import load_claims
from verification.claims.records import RecordError, write_record

TASKS = plan(
    load_claims(), data="digits", protocol="smoke", columns=["28", "28+"],
    methods=["cnn", "sesn_scalar"], realisations=[0, 1],
)  # fmt: skip


def test_a_run_of_the_plain_command_counts(
    tmp_path: Path, tiny: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = [replace(TASK, data="tiny")]
    monkeypatch.setattr("benchmarks.campaign.ledger.objections", lambda _: [])
    assert finished(tmp_path, tasks, clean=True) == {}
    record = train("cnn_28", tiny, "smoke", evidence=tmp_path)
    assert finished(tmp_path, tasks, clean=True) == {tasks[0]: record}
    assert finished_record(tmp_path, tasks[0], clean=True) == record


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({}, True),
        ({"outcome": "diverged"}, True),
        ({"outcome": "failed"}, False),
        ({"outcome": "aborted"}, False),
        ({"protocol": "short"}, False),
        ({"seeds": {"realisation": 1, "seed": 0}}, False),
        ({"data": {"name": "digits", "hash": "other"}}, False),
        ({"provenance": make_provenance(dirty=True)}, False),
        ({"provenance": make_provenance(commit=None, dirty=None)}, False),
        ({"configuration": dict(make_record().configuration) | {"epochs": 7}}, False),
    ],
)
def test_what_finishes_a_run(tmp_path: Path, changes: dict[str, Any], counts: bool) -> None:
    write_record(make_record(**changes), tmp_path)
    assert (TASK in finished(tmp_path, [TASK], clean=True)) == counts
    assert (finished_record(tmp_path, TASK, clean=True) is not None) == counts


def test_uncommitted_sources_count_only_for_themselves(tmp_path: Path) -> None:
    numbers = dict(make_record().numbers)
    sessions = [{"dirty": True, "seconds": 1.0}, {"dirty": False, "seconds": 1.0}]
    for record in (
        make_record(provenance=make_provenance(dirty=True)),
        make_record(numbers=numbers | {"sessions": sessions}),
    ):
        folder = tmp_path / record.digest
        write_record(record, folder)
        assert finished(folder, [TASK], clean=True) == {}
        assert finished(folder, [TASK], clean=False) == {TASK: record}


def test_foreign_file_is_named(tmp_path: Path) -> None:
    write_record(make_record(), tmp_path)
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(RecordError, match=r"notes\.txt: not a record"):
        status(TASKS, tmp_path, clean=True)


def test_counts_and_remaining_time(tmp_path: Path) -> None:
    write_record(make_record(), tmp_path)
    with underway(tmp_path, TASKS[1].name):
        state = status(TASKS, tmp_path, clean=True)
    assert set(state.finished) == {TASK}
    assert state.underway == {TASKS[1]}
    assert len(state.missing) == len(TASKS) - 1
    # 80 steps of 2 s each; known are the other realisation and both with augmentation.
    assert state.remaining_seconds == pytest.approx(3 * 160)
    assert state.untimed == len(TASKS) - 4
    lines = table(state, workers=2).splitlines()
    assert lines[1].split() == ["28", "cnn_28", "1", "0", "1", "3", "min"]
    assert lines[-1] == (
        "1 of 8 runs finished; about 4 min remain on 2 workers, besides 4 runs never timed here"
    )


def test_other_data_tell_the_time_too(tmp_path: Path) -> None:
    write_record(make_record(), tmp_path)
    tasks = [replace(TASK, data="mnist_scale", protocol="short")]
    assert status(tasks, tmp_path, clean=True).remaining_seconds == pytest.approx(5 * 79 * 2.0)
    write_record(make_record(tasks[0], outcome="diverged"), tmp_path)
    assert table(status(tasks, tmp_path, clean=True)).endswith(
        "1 of 1 runs finished (1 of them diverged); nothing is missing"
    )


def test_the_newest_of_the_most_alike_tell_the_time(tmp_path: Path) -> None:
    def remaining() -> float:
        return status([replace(TASK, realisation=5)], tmp_path, clean=True).remaining_seconds

    def finish(task: Task, step: float, day: int) -> None:
        session = {"commit": "0" * 40, "dirty": False, "first_step": 0, "seconds": step * 80}
        numbers = dict(make_record(task).numbers) | {"sessions": [session]}
        made = make_provenance(started=f"2026-01-{day:02d}T00:00:00Z")
        write_record(make_record(task, numbers=numbers, provenance=made), tmp_path)

    augmented = next(task for task in TASKS if task.model == "cnn_28" and task.augmentation)
    finish(augmented, step=9.0, day=20)
    assert remaining() == pytest.approx(80 * 9.0)
    for day, step in enumerate((8.0, 4.0, 3.0, 1.0), start=1):
        finish(replace(TASK, realisation=day), step, day)
    assert remaining() == pytest.approx(80 * 3.0)
    tested = make_provenance(started="2026-02-01T00:00:00Z", wall_seconds=80 * 3.0 + 40.0)
    for day in range(2):
        numbers = dict(make_record(TASK).numbers) | {"weights": f"{day}"}
        session = {"commit": "0" * 40, "dirty": False, "first_step": 0, "seconds": 80 * 3.0}
        record = make_record(TASK, numbers=numbers | {"sessions": [session]}, provenance=tested)
        write_record(record, tmp_path)
    assert remaining() == pytest.approx(80 * 3.0 + 40.0)


def test_a_gpu_and_a_cpu_tell_nothing_of_each_other_and_a_gpu_of_itself(tmp_path: Path) -> None:
    def write(device: str, step: float, task: Task = TASK) -> None:
        session = {"commit": "0" * 40, "dirty": False, "first_step": 0, "seconds": 80 * step}
        numbers = dict(make_record(task).numbers) | {"sessions": [session]}
        provenance = make_provenance(device=device, started=f"2026-03-{len(device)}T00:00:00Z")
        write_record(make_record(task, numbers=numbers, provenance=provenance), tmp_path)

    def remaining(device: str) -> tuple[float, tuple[str, ...]]:
        state = status([replace(TASK, realisation=5)], tmp_path, clean=True, device=device)
        return round(state.remaining_seconds / 80, 9), state.devices

    write_record(make_record(), tmp_path)
    assert remaining("cpu") == (2.0, ("cpu",))
    assert remaining("NVIDIA H200") == (0.0, ())
    write("NVIDIA H100", 0.1)
    assert remaining("NVIDIA H200") == (0.1, ("NVIDIA H100",))
    write("NVIDIA H200", 0.05)
    write("NVIDIA A100-PCIE", 0.4)  # later
    assert remaining("NVIDIA H200") == (0.05, ("NVIDIA H200",))
    assert remaining("NVIDIA L4")[0] == 0.1  # the middle one of all
    assert remaining("cpu") == (2.0, ("cpu",))
    state = status([replace(TASK, realisation=5)], tmp_path, clean=True, device="NVIDIA H200")
    last = table(state).splitlines()[-1]
    assert last.endswith("about 4 s remain on 1 worker by the times on NVIDIA H200")
    augmented = replace(TASK, augmentation=True, column="28+", realisation=5)
    write("NVIDIA H100", 0.3, augmented)
    state = status([replace(augmented, realisation=4)], tmp_path, clean=True, device="NVIDIA H200")
    assert state.devices == ("NVIDIA H100",)


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--evidence", str(tmp_path / "evidence"), "--columns", "28", "--methods", "cnn"]
    assert command_line.main(["campaign", "status", *options]) == 0
    assert "0 of 6 runs finished" in capsys.readouterr().out
    assert command_line.main(["campaign", "status", *options, "--columns", "29"]) == 2
    assert capsys.readouterr().err.startswith("error: columns: 29 unknown here")
    assert list(tmp_path.iterdir()) == []


def test_check_names_what_breaks_the_rules(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def check(*options: str) -> int:
        chosen = ["--columns", "28", "--methods", "cnn", "--realisations", "0", "1"]
        folder = ["--evidence", str(tmp_path)]
        return command_line.main(["campaign", "check", *folder, *chosen, *options])

    write_record(make_record(), tmp_path)
    write_record(make_record(replace(TASK, protocol="short"), outcome="failed"), tmp_path)
    assert check() == 0
    assert capsys.readouterr().out == (
        "1 of 2 runs are there and follow the protocol, 1 are missing; 0 records rejected\n"
    )
    assert check("--complete") == 1
    assert "realisation1-seed0: missing" in capsys.readouterr().out
    wrong = make_record(replace(TASK, realisation=1), data={"name": "digits", "hash": "other"})
    path = write_record(wrong, tmp_path)
    assert check() == 1
    assert f"{path.name}: cnn_28-digits-smoke-realisation1-seed0: on data with a wrong hash" in (
        capsys.readouterr().out
    )


def test_no_time_is_made_up_where_nothing_was_timed(tmp_path: Path) -> None:
    last = table(status(TASKS, tmp_path, clean=True)).splitlines()[-1]
    assert last == "0 of 8 runs finished; 8 runs never timed here"
