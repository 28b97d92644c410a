"""The options of a campaign, and what it says at its ends."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import __main__ as command_line
from benchmarks import data
from benchmarks.campaign import cluster as cluster_module
from benchmarks.campaign import command, per_gpu, pool
from benchmarks.campaign import execute as execute_module
from benchmarks.campaign.execute import SchedulerError
from benchmarks.campaign.plan import Task
from benchmarks.campaign.tests.conftest import TASK, make_record
from benchmarks.campaign.work import Settings
from benchmarks.data import DataSet
from verification.claims.records import write_record


class Calls(list[Any]):
    """Workers that were asked for, and campaigns that were executed."""


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tiny: DataSet) -> Calls:
    """No cluster and no data; one run is finished and the next fails."""
    made = Calls()

    @contextmanager
    def cluster(variables: Sequence[dict[str, str]]) -> Iterator[str]:
        made.append(list(variables))
        yield "own"

    def execute(tasks: list[Task], settings: Settings, target: object, **rest: Any) -> Counter[str]:
        made.append((tasks, settings, target))
        write_record(make_record(tasks[0]), settings.evidence)
        rest["report"](tasks[0], "finished", "")
        if len(tasks) > 1:
            rest["report"](tasks[1], "failed", "OSError: disk full")
        return Counter(finished=1, failed=len(tasks) - 1)

    monkeypatch.setattr(cluster_module, "local_cluster", cluster)
    monkeypatch.setattr(execute_module, "execute", execute)
    monkeypatch.setattr(data, "load", lambda *_: tiny)
    monkeypatch.setattr(command, "current_provenance", lambda: make_record().provenance)
    return made


def run(tmp_path: Path, *options: str) -> int:
    chosen = ["--columns", "28", "--methods", "cnn", "--realisations", "0", "1"]
    folders = ["--evidence", str(tmp_path / "evidence"), "--checkpoints", str(tmp_path / "runs")]
    return command_line.main(["campaign", "run", *chosen, *folders, *options])


def test_runs_what_is_missing_and_says_what_failed(
    tmp_path: Path, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "--workers", "3") == 1
    said = capsys.readouterr().out
    assert f"{TASK.name}: finished\n" in said
    assert "failed OSError: disk full\n" in said
    assert said.splitlines()[-1].endswith("1 failed, 1 finished; 1 of 2 runs finished")
    variables, (tasks, settings, target) = calls
    assert (len(variables), len(tasks), target) == (3, 2, "own")
    assert (settings.device, settings.deadline) == ("cpu", None)
    assert settings.threads >= 1
    assert run(tmp_path) == 0  # only the other one is left
    assert [task.realisation for task in calls[3][0]] == [1]
    assert run(tmp_path) == 0
    assert len(calls) == 4
    assert "2 of 2 runs finished; nothing is missing" in capsys.readouterr().out


def test_budget_becomes_a_deadline(
    tmp_path: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    run(tmp_path, "--budget", "25m")
    assert calls[1][1].deadline == 1000 + 25 * 60


def test_without_time_no_worker_is_started(
    tmp_path: Path, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "--budget", "0s") == 0
    assert calls == []
    assert capsys.readouterr().out.endswith("0 s: nothing; 0 of 2 runs finished\n")


def test_scheduler_by_address_and_its_loss(
    tmp_path: Path,
    calls: Calls,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(tmp_path, "--scheduler", "tcp://host:8786")
    ((_, settings, target),) = calls
    assert (target, settings.threads) == ("tcp://host:8786", None)

    def lose(*_: object, **__: object) -> None:
        raise SchedulerError("scheduler tcp://host:8786: cannot be reached")

    monkeypatch.setattr(execute_module, "execute", lose)
    assert run(tmp_path, "--scheduler", "tcp://host:8786") == 2
    assert capsys.readouterr().err == "error: scheduler tcp://host:8786: cannot be reached\n"


def test_gpus(tmp_path: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    """With machines that claim to have GPUs."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    run(tmp_path, "--gpus", "2", "--per-gpu", "3")
    variables, (_, settings, _) = calls
    assert Counter(v["CUDA_VISIBLE_DEVICES"] for v in variables) == {"0": 3, "1": 3}
    assert settings.device == "cuda"


def test_as_many_processes_on_each_gpu_as_pay(
    tmp_path: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(per_gpu, "best_number", lambda *_, **__: 4)
    run(tmp_path, "--gpus", "2", "--per-gpu", "auto")
    assert Counter(v["CUDA_VISIBLE_DEVICES"] for v in calls[0]) == {"0": 4, "1": 4}


@pytest.mark.parametrize(
    "broken", ["ModuleNotFoundError: No module named 'dask'", "ValueError: yaml"]
)
def test_without_dask_it_says_so_and_goes_on(
    tmp_path: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch, broken: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    name, _, text = broken.partition(": ")

    class Broken:
        def find_spec(self, module: str, *_: object) -> None:
            if module == "dask":
                raise {"ModuleNotFoundError": ModuleNotFoundError, "ValueError": ValueError}[name](
                    text
                )

    for module in [m for m in sys.modules if m.partition(".")[0] in ("dask", "distributed")]:
        monkeypatch.delitem(sys.modules, module)
    for module in ("cluster", "execute"):
        monkeypatch.delitem(sys.modules, f"benchmarks.campaign.{module}")
        monkeypatch.delattr(f"benchmarks.campaign.{module}")
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    asked: list[object] = []

    def execute(tasks: list[Task], _: Settings, variables: object, **__: object) -> Counter[str]:
        asked.append((len(tasks), variables))
        return Counter(finished=len(tasks))

    monkeypatch.setattr(pool, "execute", execute)
    assert run(tmp_path, "--workers", "2") == 0
    assert asked == [(2, [{}, {}])]
    assert f"note: without Dask ({broken})" in capsys.readouterr().out
    assert run(tmp_path, "--scheduler", "tcp://host:8786") == 2
    assert "Dask cannot be imported" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--per-gpu", "auto"], "per_gpu='auto': give the number of GPUs as well"),
        (["--gpus", "1000"], "gpus=1000: torch finds"),
        (["--workers", "0"], "workers=0: must be 1 or more"),
        (["--threads", "0"], "threads=0: must be 1 or more"),
        (["--checkpoints", f"{__file__}/runs"], f"checkpoints={__file__}/runs: there is a file"),
    ],
)
def test_mistakes_are_named(
    tmp_path: Path, calls: Calls, capsys: pytest.CaptureFixture[str], options: list[str],
    message: str,
) -> None:  # fmt: skip
    assert run(tmp_path, *options) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")
    assert calls == []


@pytest.mark.parametrize(
    ("text", "value"), [("90s", 90), ("25m", 1500), ("2h", 7200), ("1h30m", 5400)]
)
def test_time_spans(text: str, value: float) -> None:
    assert command.seconds(text) == value


@pytest.mark.parametrize("text", ["", "25", "m25", "30m1h", "-5m"])
def test_no_time_spans(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no time span such as 90s"):
        command.seconds(text)
