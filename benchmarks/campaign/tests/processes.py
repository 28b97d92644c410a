"""Campaign parts in processes of their own, on runs so small that they take a fraction of a second.

All processes are forked by one server that has imported everything, so that they start at once.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch
from distributed import Scheduler, Worker
from torch import nn

from benchmarks import data
from benchmarks.campaign import ledger
from benchmarks.campaign import work as work_module
from benchmarks.campaign.cluster import PRELOADED
from benchmarks.campaign.plan import Task
from benchmarks.campaign.work import Settings, work
from benchmarks.conftest import BATCH, give_recipe, make_tiny, make_tiny_network
from benchmarks.data.stl10 import BinaryFile
from benchmarks.training import recipes, run
from benchmarks.training import train as training
from benchmarks.training.step import Step
from verification.claims import records as evidence
from verification.claims.provenance import Provenance

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload([*PRELOADED, __name__])
TRACED = ("benchmarks/training/run.py", "benchmarks/training/train.py",
          "benchmarks/training/checkpoint.py",
          "benchmarks/campaign/work.py", "verification/claims/records.py")  # fmt: skip
_CLEAN = Provenance(
    commit="0" * 40, dirty=False, versions={}, device="cpu", threads=1,
    started="2026-01-01T00:00:00Z", wall_seconds=0.0,
)  # fmt: skip


def make_everything_tiny(patch: pytest.MonkeyPatch) -> None:
    """Whatever is called digits becomes noise, every network a small one; 3 epochs of 4 steps."""
    recipe = replace(recipes.MNIST_SCALE, batch=BATCH)
    give_recipe(patch, "digits", recipe, 3)
    patch.setattr(run, "create_network", make_tiny_network)
    patch.setattr(training, "CHECKPOINT_SECONDS", 0.0)  # a whole run takes less than a second
    patch.setattr(data, "load", lambda name, realisation, *_: make_tiny(name, realisation))
    patch.setattr(ledger, "objections", lambda _: [])
    for module in (training, evidence, work_module):
        patch.setattr(module, "current_provenance", lambda _="cpu": _CLEAN)
    work_module.images.cache_clear()


@contextmanager
def tiny_everything() -> Iterator[pytest.MonkeyPatch]:
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        make_everything_tiny(patch)
        yield patch
    work_module.images.cache_clear()


def slow_down(patch: pytest.MonkeyPatch, pause: float) -> None:
    """So many seconds more for each step of a run."""
    step = Step.__call__

    def slow(*arguments: Any) -> None:
        time.sleep(pause)
        step(*arguments)

    patch.setattr(Step, "__call__", slow)


def tiny_work(task: Task, settings: Settings) -> str:
    """`work` on something tiny."""
    with tiny_everything():
        return work(task, settings)


def slow_work(task: Task, settings: Settings) -> str:
    """The same at some 10 steps per second, after it has said which process does it."""
    (settings.checkpoints / f"{task.name}.pid").write_text(str(os.getpid()))
    with tiny_everything() as patch:
        slow_down(patch, 0.1)
        return work(task, settings)


def stl10_work(
    files: Mapping[str, BinaryFile], pause: float, task: Task, settings: Settings
) -> str:
    """`work` on the given files in the place of STL-10's, two epochs of a small network."""
    (settings.checkpoints / f"{task.name}.pid").write_text(str(os.getpid()))
    with tiny_everything() as patch:
        patch.setattr(data, "load", lambda name, _, folder: _stl10(name, folder, files))
        give_recipe(patch, "stl10", replace(recipes.STL10, batch=2))
        patch.setattr(run, "create_network", _make_colour_network)
        slow_down(patch, pause)
        return work(task, settings)


def _stl10(name: str, folder: Path | None, files: Mapping[str, BinaryFile]) -> data.DataSet:
    assert name == "stl10"
    return data.stl10.stl10(folder, files=files)


def _make_colour_network(name: str) -> nn.Module:
    """[B, 3, 96, 96] -> logits [B, 10]."""
    assert name.startswith("wrn_16_8")
    return nn.Sequential(
        nn.AvgPool2d(24), nn.Flatten(), nn.Linear(48, 16), nn.BatchNorm1d(16), nn.ReLU(),
        nn.Dropout(), nn.Linear(16, 10),
    )  # fmt: skip


def waiting_work(task: Task, settings: Settings) -> str:
    """The first run of a campaign hangs when it is begun; the others wait for a word to end."""
    told = settings.checkpoints / f"{task.name}.pid"
    again = told.exists()
    told.write_text(str(os.getpid()))
    wait_for(settings.checkpoints / ("go" if task.realisation or again else "never"), timeout=90)
    return "finished"


def failing_work(task: Task, settings: Settings) -> str:
    raise ValueError(f"{task.realisation} does not work")


def killed_at(event: int, task: Task, settings: Settings) -> None:
    """Do a task, and be killed at the given line (from 1) of those that make up a run."""
    seen = 0

    def trace(frame: FrameType, what: str, _: object) -> Any:
        nonlocal seen
        if not frame.f_code.co_filename.endswith(TRACED):
            return None
        if what == "line":
            seen += 1
            if seen == event:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    with tiny_everything():
        sys.settrace(trace)
        work(task, settings)
        sys.settrace(None)
    (settings.checkpoints / "lines").write_text(str(seen))


def on_a_full_disk(largest: int, task: Task, settings: Settings, pipe: Connection) -> None:
    """Do a task where no file may have more bytes than `largest`; tell what happened."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # an OSError instead
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    try:
        pipe.send(tiny_work(task, settings))
    except OSError as error:
        pipe.send(str(error))


def all_of(tasks: list[Task], settings: Settings, pipe: Connection) -> None:
    """A campaign without Dask."""
    pipe.send([slow_work(task, settings) for task in tasks])


def serve_scheduler(pipe: Connection) -> None:
    async def serve() -> None:
        async with Scheduler(host="127.0.0.1", dashboard=False, dashboard_address=":0") as server:
            pipe.send(server.address)
            await server.finished()

    asyncio.run(serve())


def serve_worker(address: str) -> None:
    async def serve() -> None:
        async with Worker(address, nthreads=1, memory_limit=0, dashboard_address=":0") as server:
            await server.finished()

    asyncio.run(serve())


def start(target: Any, *arguments: Any, daemon: bool = True) -> BaseProcess:
    process = SERVER.Process(target=target, args=arguments, daemon=daemon)
    process.start()
    return process


def kill(process: BaseProcess | int) -> None:
    pid = process if isinstance(process, int) else process.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    if not isinstance(process, int):
        process.join()


def wait_for(path: Path, timeout: float = 60) -> str:
    """What a file says, as soon as it says anything."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if path.exists() and (text := path.read_text(encoding="utf-8")):
            return text
        time.sleep(0.02)
    raise TimeoutError(f"{path} was not written within {timeout} s")
