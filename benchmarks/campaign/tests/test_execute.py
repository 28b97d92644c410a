"""A campaign on Dask: workers and schedulers die, and in the end everything is there once."""

from __future__ import annotations

import os
import platform
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread
from typing import Any

import dask
import pytest
from distributed import Client

from benchmarks import __main__ as command_line
from benchmarks.campaign import command
from benchmarks.campaign import execute as execute_module
from benchmarks.campaign import work as work_module
from benchmarks.campaign.cluster import local_cluster
from benchmarks.campaign.execute import SchedulerError, execute
from benchmarks.campaign.ledger import finished
from benchmarks.campaign.plan import Task
from benchmarks.campaign.pool import cores, environments, threads_per_worker
from benchmarks.campaign.schedule import FAILURES_IN_A_ROW
from benchmarks.campaign.tests.conftest import TASK, make_provenance
from benchmarks.campaign.tests.processes import (
    SERVER,
    failing_work,
    kill,
    serve_scheduler,
    serve_worker,
    slow_work,
    start,
    tiny_everything,
    wait_for,
    waiting_work,
)
from benchmarks.campaign.tests.test_faults import make_settings
from benchmarks.campaign.work import Settings
from benchmarks.conftest import make_tiny
from benchmarks.training.lock import underway
from benchmarks.training.train import checkpoint_name, configuration_of
from verification.claims.records import read_records

TASKS = [replace(TASK, realisation=k) for k in range(5)]


@pytest.fixture(autouse=True)
def _tiny() -> Iterator[None]:
    with tiny_everything():
        yield


@contextmanager
def deployment(workers: int) -> Iterator[tuple[str, list[BaseProcess]]]:
    """A scheduler and workers, each in a process of its own: address, and processes in order."""
    ours, theirs = SERVER.Pipe()
    processes = [start(serve_scheduler, theirs)]
    address = ours.recv()
    processes += [start(serve_worker, address) for _ in range(workers)]
    try:
        yield address, processes
    finally:
        for process in processes:
            if process.is_alive():
                kill(process)


def run_in_background(
    settings: Settings,
    target: object,
    *,
    tasks: Sequence[Task] = TASKS,
    run: Callable[[Task, Settings], str] = slow_work,
) -> tuple[Thread, list[object]]:
    results: list[object] = []

    def campaign() -> None:
        try:
            results.append(execute(tasks, settings, target, run=run))
        except SchedulerError as error:
            results.append(error)

    thread = Thread(target=campaign)
    thread.start()
    return thread, results


def sessions(settings: Settings) -> list[int]:
    done = finished(settings.evidence, TASKS, clean=True)
    return [len(done[task].numbers["sessions"]) for task in TASKS]


def checkpoint_of(task: Task, settings: Settings) -> Path:
    identity = {
        "configuration": configuration_of(task.model, task.augmentation, task.data, task.protocol),
        "protocol": task.protocol,
        "data": make_tiny(task.data, task.realisation).identity,
        "seeds": {"realisation": task.realisation, "seed": task.seed},
    }
    return settings.checkpoints / checkpoint_name(task.model, identity)


def test_one_of_three_workers_is_killed(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    with deployment(3) as (address, _):
        thread, results = run_in_background(settings, address)
        pid = int(wait_for(settings.checkpoints / f"{TASK.name}.pid"))
        while not checkpoint_of(TASK, settings).exists():
            time.sleep(0.02)
        kill(pid)
        thread.join()
    assert results == [Counter(finished=len(TASKS))]
    assert len(read_records(settings.evidence)) == len(TASKS)
    assert sessions(settings) == [2, *[1] * (len(TASKS) - 1)]
    assert int(wait_for(settings.checkpoints / f"{TASK.name}.pid")) != pid


def test_the_command_itself_survives_the_death_of_a_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`campaign run --scheduler` with three workers, one of them killed within its run."""
    settings = make_settings(tmp_path)
    monkeypatch.setattr(execute_module, "execute", partial(execute, run=slow_work))
    monkeypatch.setattr(command, "current_provenance", make_provenance)
    options = ["--columns", "28", "--methods", "cnn", "--realisations", *"01234"]
    options += ["--evidence", str(settings.evidence), "--checkpoints", str(settings.checkpoints)]
    ends: list[int] = []
    with deployment(3) as (address, _):
        arguments = ["campaign", "run", *options, "--scheduler", address]
        thread = Thread(target=lambda: ends.append(command_line.main(arguments)))
        thread.start()
        pid = int(wait_for(settings.checkpoints / f"{TASK.name}.pid"))
        while not checkpoint_of(TASK, settings).exists():
            time.sleep(0.02)
        kill(pid)
        thread.join()
    assert ends == [0]
    assert "5 finished; 5 of 5 runs finished" in capsys.readouterr().out
    assert sessions(settings) == [2, 1, 1, 1, 1]


def test_what_another_campaign_is_at_is_asked_for_again(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    with deployment(1) as (address, _):
        with underway(settings.evidence, TASK.name):
            thread, results = run_in_background(settings, address)
            while len(read_records(settings.evidence)) < len(TASKS) - 1:
                time.sleep(0.1)
            assert results == []
        thread.join()
    assert results == [Counter(finished=len(TASKS))]
    assert len(read_records(settings.evidence)) == len(TASKS)


def test_nobody_is_waited_for_when_the_time_is_up(tmp_path: Path) -> None:
    """The only worker is gone, and with it who could say that the time is up."""
    with deployment(1) as (address, processes):
        settings = make_settings(tmp_path, deadline=time.time() + 3)
        thread, results = run_in_background(settings, address)
        wait_for(settings.checkpoints / f"{TASK.name}.pid")
        kill(processes[1])
        thread.join()
    assert results == [Counter(postponed=1)]
    assert time.time() >= (settings.deadline or 0)


def test_campaign_without_workers_ends_with_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute_module, "PATIENCE", 2)
    settings = make_settings(tmp_path)
    with deployment(1) as (address, processes):
        thread, results = run_in_background(settings, address)
        wait_for(settings.checkpoints / f"{TASK.name}.pid")
        kill(processes[1])
        thread.join()
    assert isinstance(results[0], SchedulerError)
    assert "has no workers (no worker for 2 seconds)" in str(results[0])


def test_scheduler_is_killed_and_the_same_campaign_goes_on(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    with deployment(2) as (address, processes):
        thread, results = run_in_background(settings, address)
        while not list(settings.checkpoints.glob("*.pt")):
            time.sleep(0.02)
        kill(processes[0])
        thread.join()
    assert isinstance(results[0], SchedulerError)
    assert f"scheduler {address}" in str(results[0])
    with deployment(2) as (address, _):
        outcomes = execute(TASKS, settings, address, run=slow_work)
    assert sum(outcomes.values()) == len(TASKS)
    assert len(read_records(settings.evidence)) == len(TASKS)
    assert max(sessions(settings)) == 2


def test_own_workers_restart_see_their_gpu_and_stop_in_time(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    with local_cluster(environments(None, gpus=2, per_gpu=1)) as own:
        thread, results = run_in_background(settings, own)
        kill(int(wait_for(settings.checkpoints / f"{TASK.name}.pid")))
        thread.join()
        assert results == [Counter(finished=len(TASKS))]
        told: list[str] = []
        outcomes = execute(
            TASKS, settings, own, run=failing_work, report=lambda *what: told.append(what[2])
        )
        assert FAILURES_IN_A_ROW <= outcomes["failed"] <= FAILURES_IN_A_ROW + 1
        assert told[0].startswith("ValueError: ")
        over = replace(settings, deadline=0.0)
        assert execute(TASKS, over, own, run=slow_work) == Counter()
    assert len(read_records(settings.evidence)) == len(TASKS)


def test_a_run_whose_worker_died_does_not_wait_behind_another(tmp_path: Path) -> None:
    """It is given to the one worker left, which is busy, and has to be taken over from there."""
    settings = make_settings(tmp_path)
    told = settings.checkpoints / f"{TASK.name}.pid"
    with local_cluster(environments(2)) as own:
        thread, results = run_in_background(settings, own, tasks=TASKS[:2], run=waiting_work)
        busy = wait_for(settings.checkpoints / f"{TASKS[1].name}.pid")
        first = wait_for(told)
        kill(int(first))
        end = time.monotonic() + 60
        while told.read_text(encoding="utf-8") in (first, "") and time.monotonic() < end:
            time.sleep(0.1)
        again = told.read_text(encoding="utf-8")
        (settings.checkpoints / "go").write_text("go")
        thread.join()
    assert results == [Counter(finished=2)]
    assert again not in (first, busy)


def variables_and_page_faults_of_a_worker() -> tuple[dict[str, str], int]:
    """Faults: at the second time that a block of 100 MiB is filled."""
    for _ in range(2):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        _ = b"x" * (100 << 20)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    return dict(os.environ), after - before


def test_own_workers_keep_their_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """By Dask's default malloc gives it back at once, which can double the time of a training."""
    name = "MALLOC_TRIM_THRESHOLD_"
    assert name in dask.config.get("distributed.nanny.pre-spawn-environ")
    monkeypatch.delenv(name, raising=False)
    with local_cluster([{"SESN_TEST": "1"}]) as own, Client(own) as client:
        found, faults = client.submit(variables_and_page_faults_of_a_worker).result()
    assert found["SESN_TEST"] == "1"
    assert name not in found
    if platform.libc_ver()[0] == "glibc":
        assert faults < 1000  # of 25,600 pages


def test_foreign_workers_are_told_to_keep_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[bool] = []
    monkeypatch.setattr(work_module, "keep_freed_memory", lambda: told.append(True))
    work_module.work(TASK, make_settings(tmp_path))
    assert told == [True]


def test_no_scheduler_there(tmp_path: Path) -> None:
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "0.2s"}),
        pytest.raises(SchedulerError, match=r"scheduler tcp://127\.0\.0\.1:9: cannot be reached"),
    ):
        execute(TASKS, make_settings(tmp_path), "tcp://127.0.0.1:9")


def test_environments_of_workers() -> None:
    assert environments(3) == [{}, {}, {}]
    assert len(environments(None)) == cores()
    pinned = environments(None, gpus=2, per_gpu=2)
    assert [variables["CUDA_VISIBLE_DEVICES"] for variables in pinned] == ["0", "0", "1", "1"]
    pinned = environments(None, gpus=2, visible="3,GPU-5,7")
    assert [variables["CUDA_VISIBLE_DEVICES"] for variables in pinned] == ["3", "GPU-5"]
    assert threads_per_worker(10**6) == 1
    assert threads_per_worker(1) == cores()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), "workers=0: must be 1 or more"),
        ((2, 1), "gpus=1, workers=2: give one of the two"),
        ((None, -1), "gpus=-1, workers=None"),
        ((None, 1, 0), "per_gpu=0: must be 1 or more"),
        ((None, 2, 1, "3"), "gpus=2: CUDA_VISIBLE_DEVICES=3 names 1"),
    ],
)
def test_impossible_workers(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        environments(*arguments)
