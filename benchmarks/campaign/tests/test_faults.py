"""Runs that are killed, disks that are full, two campaigns at once: nothing lost or done twice."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.campaign.ledger import finished
from benchmarks.campaign.tests.conftest import TASK
from benchmarks.campaign.tests.processes import (
    SERVER,
    all_of,
    kill,
    killed_at,
    on_a_full_disk,
    start,
    tiny_everything,
    tiny_work,
)
from benchmarks.campaign.work import ALREADY, POSTPONED, Settings
from verification.claims.records import Record, RecordError, read_records

KILLS = 20
TASKS = [replace(TASK, realisation=k) for k in range(3)]


@pytest.fixture(autouse=True)
def _tiny() -> Iterator[None]:
    with tiny_everything():
        yield


def make_settings(folder: Path, **changes: Any) -> Settings:
    settings = Settings(folder / "evidence", folder / "runs", "0" * 40, clean=True, threads=1)
    settings.checkpoints.mkdir(parents=True, exist_ok=True)
    return replace(settings, **changes)


def outcome(record: Record) -> dict[str, Any]:
    """Everything that a run found out, but the times."""
    return {k: v for k, v in record.numbers.items() if k not in ("step_seconds", "sessions")}


def test_run_killed_anywhere_ends_bit_identical_and_counts_once(tmp_path: Path) -> None:
    straight = make_settings(tmp_path / "straight")
    process = start(killed_at, 0, TASK, straight)
    process.join()
    assert process.exitcode == 0
    (expected,) = read_records(straight.evidence)
    lines = int((straight.checkpoints / "lines").read_text(encoding="utf-8"))
    points = random.Random(0).sample(range(1, lines + 1), KILLS)
    processes = []
    for point in points:
        settings = make_settings(tmp_path / str(point))
        processes.append((start(killed_at, point, TASK, settings), settings))
    resumed = 0
    for process, settings in processes:
        process.join()
        assert process.exitcode == -9
        assert tiny_work(TASK, settings) in ("finished", ALREADY)
        (record,) = read_records(settings.evidence)
        assert (record.key, record.outcome) == (expected.key, "finished")
        assert outcome(record) == outcome(expected)
        resumed += len(record.numbers["sessions"]) > 1
    assert resumed > KILLS / 2  # so that the comparison is one of resumed runs


@pytest.mark.parametrize(
    ("largest", "left"),
    [
        pytest.param(50_000, ["failed"], id="no room for a checkpoint"),
        pytest.param(500, [], id="no room for a record either"),
    ],
)
def test_full_disk(tmp_path: Path, largest: int, left: list[str]) -> None:
    settings = make_settings(tmp_path)
    ours, theirs = SERVER.Pipe()
    process = start(on_a_full_disk, largest, TASK, settings, theirs)
    assert "File too large" in ours.recv()
    process.join()
    found = read_records(settings.evidence)
    assert [record.outcome for record in found] == left
    assert list(settings.checkpoints.iterdir()) == []
    assert finished(settings.evidence, [TASK], clean=True) == {}
    assert tiny_work(TASK, settings) == "finished"
    assert len(read_records(settings.evidence)) == len(left) + 1


def test_two_campaigns_at_once_train_everything_once(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    pipes = [SERVER.Pipe() for _ in range(2)]
    processes = [start(all_of, TASKS, settings, theirs) for _, theirs in pipes]
    outcomes = [ours.recv() for ours, _ in pipes]
    for process in processes:
        process.join()
    assert len(read_records(settings.evidence)) == len(TASKS)
    assert sum(ends.count("finished") for ends in outcomes) == len(TASKS)


def test_killed_campaign_keeps_nothing_locked(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    ours, theirs = SERVER.Pipe()
    process = start(all_of, TASKS, settings, theirs)
    while not list(settings.checkpoints.glob("*.pt")):
        assert process.is_alive()
    kill(process)
    assert not ours.poll()
    assert [tiny_work(task, settings) for task in TASKS] == ["finished"] * 3
    first = finished(settings.evidence, TASKS, clean=True)[TASK]
    assert len(first.numbers["sessions"]) == 2


def test_time_that_is_up_postpones_without_a_record(tmp_path: Path) -> None:
    assert tiny_work(TASK, make_settings(tmp_path, deadline=0.0)) == POSTPONED
    assert not (tmp_path / "evidence").exists()


def test_stopped_run_goes_on_and_ends_bit_identical(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight, stopped = make_settings(tmp_path / "a"), make_settings(tmp_path / "b")
    assert tiny_work(TASK, straight) == "finished"
    left = iter(range(6))
    monkeypatch.setattr(Settings, "over", property(lambda _: next(left, None) is None))
    assert tiny_work(TASK, stopped) == POSTPONED
    monkeypatch.undo()
    assert read_records(stopped.evidence) == []
    assert tiny_work(TASK, stopped) == "finished"
    (expected,), (record,) = read_records(straight.evidence), read_records(stopped.evidence)
    assert outcome(record) == outcome(expected)
    # Within an epoch: asked once before the run and then after each step, five were enough.
    assert [session["first_step"] for session in record.numbers["sessions"]] == [0, 6]


def test_finished_run_leaves_no_checkpoint_however_it_ended(tmp_path: Path) -> None:
    """Killed between record and removal, it would be "repeated" later without a single step."""
    settings = make_settings(tmp_path)
    assert tiny_work(TASK, settings) == "finished"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchmarks.training.train.remove_checkpoint", lambda _: None)
        assert tiny_work(replace(TASK, realisation=1), settings) == "finished"
    assert len(list(settings.checkpoints.iterdir())) == 1
    assert tiny_work(replace(TASK, realisation=1), settings) == ALREADY
    assert list(settings.checkpoints.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"commit": "1" * 40}, "sources are 0000000, the campaign's are 1111111: start workers"),
        ({"clean": False}, "sources are 0000000, the campaign's are 0000000 with changes"),
        ({"commit": None, "clean": False}, "the campaign's are no checkout with changes"),
    ],
)
def test_worker_of_other_sources_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    """Its runs would be those of a program that the campaign does not know."""
    with pytest.raises(ValueError, match=message):
        tiny_work(TASK, make_settings(tmp_path, **changes))
    assert not (tmp_path / "evidence").exists()


def test_damaged_record_is_named_and_not_trained_over(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    tiny_work(TASK, settings)
    (path,) = settings.evidence.glob("*.json")
    path.write_text(path.read_text(encoding="utf-8").replace('"finished"', '"diverged"'))
    with pytest.raises(RecordError, match=rf"{path.name}: the name does not match the content"):
        tiny_work(TASK, settings)
