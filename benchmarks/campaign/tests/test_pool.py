"""A campaign on processes of the standard library: deaths, too little memory, end of the time."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import torch

from benchmarks.campaign import per_gpu, pool, schedule
from benchmarks.campaign import work as work_module
from benchmarks.campaign.plan import Task
from benchmarks.campaign.pool import Worker, start_method
from benchmarks.campaign.schedule import FAILURES_IN_A_ROW
from benchmarks.campaign.tests.conftest import TASK
from benchmarks.campaign.tests.processes import (
    SERVER,
    failing_work,
    kill,
    slow_work,
    start,
    tiny_everything,
    tiny_work,
    wait_for,
)
from benchmarks.campaign.tests.test_faults import make_settings
from benchmarks.campaign.work import Settings
from verification.claims.records import read_records

TASKS = [replace(TASK, realisation=k) for k in range(3)]
Said = list[tuple[str, str, str]]


@pytest.fixture(autouse=True)
def _tests_own_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fork from the server that has imported everything already."""
    monkeypatch.setattr(pool, "context_of_workers", lambda: SERVER)


def execute(
    tasks: list[Task], settings: Settings, workers: int, run: Callable[[Task, Settings], str]
) -> tuple[Counter[str], Said]:
    said: Said = []
    outcomes = pool.execute(
        tasks, settings, [{}] * workers, run=run,
        report=lambda task, outcome, problem: said.append((task.name, outcome, problem)),
    )  # fmt: skip
    return outcomes, said


def test_a_killed_worker_is_replaced_and_its_run_goes_on(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    results: list[Any] = []
    thread = Thread(target=lambda: results.append(execute(TASKS, settings, 2, slow_work)[0]))
    thread.start()
    pid = int(wait_for(settings.checkpoints / f"{TASK.name}.pid"))
    while not list(settings.checkpoints.glob("*.pt")):
        time.sleep(0.02)
    kill(pid)
    thread.join()
    assert results == [Counter(finished=len(TASKS))]
    assert len(read_records(settings.evidence)) == len(TASKS)


def hungry_work(task: Task, settings: Settings) -> str:
    """Finds too little memory as long as another process of its kind is there."""
    told = settings.checkpoints / f"{os.getpid()}.hungry"
    told.write_text("")
    time.sleep(0.2)
    alive = [int(path.stem) for path in settings.checkpoints.glob("*.hungry")]
    if sum(Path(f"/proc/{pid}").exists() for pid in alive) > 1:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate\nmore than there is")
    return tiny_work(task, settings)


def test_too_little_memory_means_fewer_processes(tmp_path: Path) -> None:
    outcomes, said = execute(TASKS, make_settings(tmp_path), 3, hungry_work)
    assert outcomes == Counter(finished=len(TASKS))
    fewer = [problem for _, outcome, problem in said if outcome == "begun again"]
    assert fewer[0].startswith("(OutOfMemoryError: CUDA out of memory. Tried to allocate); ")
    assert fewer[-1].endswith("1 processes on this machine from now on")


def always_hungry_work(task: Task, settings: Settings) -> str:
    raise torch.OutOfMemoryError("CUDA out of memory")


def test_the_last_process_that_finds_too_little_memory_fails(tmp_path: Path) -> None:
    outcomes, said = execute(TASKS, make_settings(tmp_path), 2, always_hungry_work)
    assert outcomes == Counter(failed=len(TASKS))
    assert [outcome for _, outcome, _ in said].count("begun again") in (1, 2)


def test_failures_in_a_row_end_it_and_are_told(tmp_path: Path) -> None:
    tasks = [replace(TASK, seed=k) for k in range(9)]
    outcomes, said = execute(tasks, make_settings(tmp_path), 1, failing_work)
    assert outcomes == Counter(failed=FAILURES_IN_A_ROW)
    assert said[0][1:] == ("failed", "ValueError: 0 does not work")


def deadly_work(task: Task, settings: Settings) -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def test_a_run_that_kills_every_worker_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "DEATHS", 2)
    outcomes, said = execute(TASKS[:1], make_settings(tmp_path), 1, deadly_work)
    assert outcomes == Counter(failed=1)
    assert said[0][2] == "2 workers died of it, the last with code -9"


def test_at_the_deadline_runs_are_left_in_checkpoints(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    over = replace(settings, deadline=time.time() + 0.8)
    outcomes, _ = execute(TASKS, over, 1, slow_work)
    assert outcomes["postponed"] == 1
    assert list(settings.checkpoints.glob("*.pt"))
    again, _ = execute(TASKS, settings, 1, slow_work)
    assert again["finished"] == len(TASKS) - outcomes["finished"]


def hanging_work(task: Task, settings: Settings) -> str:
    time.sleep(60)
    return "finished"


def test_a_worker_that_does_not_answer_ends_with_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "GRACE", 0.3)
    monkeypatch.setattr(schedule, "POLL", 0.1)
    over = replace(make_settings(tmp_path), deadline=time.time() + 0.3)
    outcomes, said = execute(TASKS, over, 1, hanging_work)
    assert outcomes == Counter(postponed=1)
    assert said == [(TASK.name, "postponed", "its worker did not answer")]


def campaign_of_its_own(settings: Settings) -> None:
    pool.execute(TASKS, settings, [{}], run=slow_work)


def test_workers_of_a_killed_campaign_leave_checkpoints_and_end(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    campaign = start(campaign_of_its_own, settings, daemon=False)
    pid = int(wait_for(settings.checkpoints / f"{TASK.name}.pid"))
    while not list(settings.checkpoints.glob("*.pt")):
        time.sleep(0.02)
    kill(campaign)
    end = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()
    assert execute(TASKS[:1], settings, 1, slow_work)[0] == Counter(finished=1)
    assert len(read_records(settings.evidence)) == 1


def test_a_worker_knows_its_gpu() -> None:
    worker = Worker({"CUDA_VISIBLE_DEVICES": "GPU-7"})
    worker.call(os.getenv, "CUDA_VISIBLE_DEVICES")
    answer = worker.answer()
    worker.close()
    worker.join(10)
    assert answer is not None
    assert (answer.result, worker.group) == ("GPU-7", "GPU-7")


@pytest.mark.parametrize("length", [10, 90])
def test_a_long_temporary_folder_starts_processes_without_a_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/" + "t" * length)
    assert start_method() == ("forkserver" if length < 60 else "spawn")


@pytest.mark.parametrize(
    ("paces", "best"),
    [
        ([10, 19, 20, 99], 2),
        ([10, 20, 40, 80], 8),
        ([10, 10.5], 1),
        ([10, 20, None], 2),
    ],
)
def test_processes_double_while_that_pays(paces: list[float | None], best: int) -> None:
    left, said = iter(paces), list[str]()
    assert per_gpu.best_count(lambda _: next(left), said.append) == best
    assert len(said) == min(len(paces), 3 if best == 2 else len(paces))


def tiny_begin(task: Task, settings: Settings) -> None:
    with tiny_everything() as patch:
        patch.setattr(per_gpu, "WARM_UP", 2)
        patch.setattr(per_gpu, "images", work_module.images)
        per_gpu.begin(task, settings)


def test_throughput_is_tried_in_real_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(per_gpu, "begin", tiny_begin)
    monkeypatch.setattr(per_gpu, "COUNTS", (1, 2))
    monkeypatch.setattr(per_gpu, "SECONDS", 0.1)
    said: list[str] = []
    assert per_gpu.best_number(TASK, make_settings(tmp_path), {}, said.append) in (1, 2)
    assert len(said) == 2
    assert all(line.endswith("steps/s") for line in said)
    assert read_records(tmp_path / "evidence") == [] if (tmp_path / "evidence").exists() else True
