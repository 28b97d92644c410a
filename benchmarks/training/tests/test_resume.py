"""A run that is stopped anywhere and started again ends as if nothing had happened."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.conftest import EPOCHS, STEPS
from benchmarks.data import DataSet
from benchmarks.training import run as run_module
from benchmarks.training import train as training
from benchmarks.training.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from benchmarks.training.run import Run
from benchmarks.training.step import Step
from benchmarks.training.train import train
from verification.claims.records import Postponed, Record, read_records

TIMED = {"step_seconds", "sessions"}


def outcome(record: Record) -> dict[str, Any]:
    """Everything that a run found out, but the times."""
    return {name: value for name, value in record.numbers.items() if name not in TIMED}


def interrupt_at(
    monkeypatch: pytest.MonkeyPatch, owner: object, name: str, call: int, *, after: bool = False
) -> None:
    """Raise KeyboardInterrupt before or after the `call`-th call (from 1) of a function."""
    original: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def interrupted(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call and not after:
            raise KeyboardInterrupt
        result = original(*arguments, **options)
        if calls == call:
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(owner, name, interrupted)


def run_to_interruption(data: DataSet, folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train("cnn_28", data, "paper", augmentation=True, checkpoint_dir=folder,
              checkpoint_seconds=0)  # fmt: skip


@pytest.fixture
def expected(tiny: DataSet) -> dict[str, Any]:
    """What the run finds out when nothing stops it."""
    found = outcome(train("cnn_28", tiny, "paper", augmentation=True))
    assert found["best_epoch"] < EPOCHS  # so that the best weights have to survive as well
    return found


@pytest.mark.parametrize(
    "where",
    [
        pytest.param((Step, "__call__", 1, False), id="before the first step"),
        pytest.param((Step, "__call__", 2, False), id="within an epoch"),
        pytest.param((Step, "__call__", 2, True), id="between a step and its checkpoint"),
        pytest.param(
            (Step, "__call__", STEPS, True), id="between an epoch's last step and validation"
        ),
        pytest.param((run_module, "mistakes", 1, False), id="in validation"),
        pytest.param(
            (training, "save_checkpoint", STEPS, False), id="before an epoch's checkpoint"
        ),
        pytest.param((training, "save_checkpoint", STEPS, True), id="after an epoch's checkpoint"),
        pytest.param((Step, "__call__", 2 * STEPS + 1, False), id="at the start of the last epoch"),
        pytest.param((run_module, "mistakes", EPOCHS + 1, False), id="before the test"),
        pytest.param((run_module, "mistakes", EPOCHS + 1, True), id="after the test"),
    ],
)
def test_interrupted_run_ends_bit_identical(
    tiny: DataSet, expected: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    where: tuple[object, str, int, bool],
) -> None:  # fmt: skip
    owner, name, call, after = where
    with monkeypatch.context() as patch:
        interrupt_at(patch, owner, name, call, after=after)
        run_to_interruption(tiny, tmp_path)
    record = train("cnn_28", tiny, "paper", augmentation=True, checkpoint_dir=tmp_path)
    assert outcome(record) == expected


def test_run_interrupted_again_and_again(
    tiny: DataSet, expected: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The third step of every start is the last, and is lost."""
    for _ in range(5):
        with monkeypatch.context() as patch:
            interrupt_at(patch, Step, "__call__", 3, after=True)
            run_to_interruption(tiny, tmp_path)
    record = train("cnn_28", tiny, "paper", augmentation=True, checkpoint_dir=tmp_path)
    assert outcome(record) == expected
    firsts = [session["first_step"] for session in record.numbers["sessions"]]
    assert firsts == [0, 2, 4, 6, 8, 10]


@pytest.mark.parametrize("forgotten", ["model", "optimiser", "progress"])
def test_comparison_notices_a_forgotten_part(
    tiny: DataSet, expected: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    forgotten: str,
) -> None:  # fmt: skip
    restore = Run.restore

    def forgetful(run: Run, state: dict[str, Any]) -> None:
        restore(run, state | {forgotten: run.state()[forgotten]})

    with monkeypatch.context() as patch:
        interrupt_at(patch, Step, "__call__", STEPS + 2)
        run_to_interruption(tiny, tmp_path)
    monkeypatch.setattr(Run, "restore", forgetful)
    record = train("cnn_28", tiny, "paper", augmentation=True, checkpoint_dir=tmp_path)
    assert outcome(record) != expected


@pytest.mark.parametrize("model_name", ["cnn_28", "sesn_scalar_28"])
def test_published_network_ends_bit_identical(
    model_name: str, tiny_data: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = train(model_name, tiny_data, "smoke")
    with monkeypatch.context() as patch:
        interrupt_at(patch, Step, "__call__", 3)
        with pytest.raises(KeyboardInterrupt):
            train(model_name, tiny_data, "smoke", checkpoint_dir=tmp_path, checkpoint_seconds=0)
    resumed = train(model_name, tiny_data, "smoke", checkpoint_dir=tmp_path)
    assert outcome(resumed) == outcome(straight)


def test_checkpoint_goes_once_the_record_is_there(
    tiny: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, evidence = tmp_path / "runs", tmp_path / "evidence"
    with monkeypatch.context() as patch:
        interrupt_at(patch, Step, "__call__", 3)
        with pytest.raises(KeyboardInterrupt):
            train("cnn_28", tiny, "smoke", checkpoint_dir=runs, checkpoint_seconds=0,
                  evidence=evidence)  # fmt: skip
    assert len(list(runs.iterdir())) == 1
    train("cnn_28", tiny, "smoke", checkpoint_dir=runs, evidence=evidence)
    assert list(runs.iterdir()) == []
    assert sorted(record.outcome for record in read_records(evidence)) == ["aborted", "finished"]


def test_checkpoints_come_with_time_and_at_the_end(
    tiny: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever an epoch takes, no more than a minute is lost: here each step takes 25 seconds."""
    saved: list[int] = []
    clock, ticking = itertools.count(step=25.0), False
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock) if ticking else 0.0)

    def save(state: dict[str, Any], _: Path) -> None:
        saved.append(STEPS * state["progress"]["epoch"] + state["progress"]["step"])

    monkeypatch.setattr(training, "save_checkpoint", save)
    steps = train("cnn_28", tiny, "smoke", checkpoint_dir=tmp_path).numbers["steps"]
    assert saved == [steps]
    saved.clear()
    ticking = True
    train("cnn_28", tiny, "smoke", checkpoint_dir=tmp_path)
    assert len(saved) >= 3
    assert saved[-1] == steps
    assert max(b - a for a, b in itertools.pairwise([0, *saved])) <= 2


def test_what_uncommitted_sources_left_is_not_gone_on_with(
    tiny: DataSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A commit later, the run would end as one that counts for nothing."""
    provenance = train("cnn_28", tiny, "smoke").provenance
    with monkeypatch.context() as patch:
        dirty = replace(provenance, dirty=True)
        patch.setattr(training, "current_provenance", lambda _="cpu": dirty)
        interrupt_at(patch, Step, "__call__", STEPS + 2)
        run_to_interruption(tiny, tmp_path)
    record = train("cnn_28", tiny, "paper", augmentation=True, checkpoint_dir=tmp_path)
    assert [s["first_step"] for s in record.numbers["sessions"]] == [0]
    assert "left by uncommitted sources" in capfd.readouterr().err


def test_time_may_be_up_in_the_test(tiny: DataSet, tmp_path: Path) -> None:
    """What is lost then is the test alone."""
    steps = train("cnn_28", tiny, "smoke").numbers["steps"]
    asked = itertools.count(1)
    with pytest.raises(Postponed, match=f"in the test after {steps} steps"):
        train("cnn_28", tiny, "smoke", checkpoint_dir=tmp_path, stop=lambda: next(asked) > steps)
    record = train("cnn_28", tiny, "smoke", checkpoint_dir=tmp_path)
    assert [s["first_step"] for s in record.numbers["sessions"]] == [0, steps]
    assert outcome(record) == outcome(train("cnn_28", tiny, "smoke"))


def test_other_runs_do_not_share_the_checkpoint(tiny: DataSet, tmp_path: Path) -> None:
    train("cnn_28", tiny, "smoke", checkpoint_dir=tmp_path)
    train("cnn_28", tiny, "smoke", seed=1, checkpoint_dir=tmp_path)
    train("cnn_28", tiny, "smoke", augmentation=True, checkpoint_dir=tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def test_checkpoint_of_another_program(tiny: DataSet, tmp_path: Path) -> None:
    train("cnn_28", tiny, "smoke", checkpoint_dir=tmp_path)
    (path,) = tmp_path.iterdir()
    run_state = load_checkpoint(path)
    assert run_state is not None
    del run_state["optimiser"]
    save_checkpoint(run_state, path)
    with pytest.raises(
        CheckpointError, match=rf"{path.name}: written by another version .* remove"
    ):
        train("cnn_28", tiny, "smoke", checkpoint_dir=tmp_path)


def test_checkpoint_of_another_run(tiny: DataSet, tmp_path: Path) -> None:
    for seed in (0, 1):
        train("cnn_28", tiny, "smoke", seed=seed, checkpoint_dir=tmp_path / f"{seed}")
    (own,), (other,) = ((tmp_path / f"{seed}").iterdir() for seed in (0, 1))
    other.replace(own)
    with pytest.raises(CheckpointError, match=rf"{own.name}: is of another run; remove it"):
        train("cnn_28", tiny, "smoke", checkpoint_dir=own.parent)
    state = load_checkpoint(own)
    assert state is not None
    del state["run"]  # as of earlier versions
    save_checkpoint(state, own)
    train("cnn_28", tiny, "smoke", checkpoint_dir=own.parent)
