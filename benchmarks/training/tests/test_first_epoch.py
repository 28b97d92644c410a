"""The first epoch again: the learning curves of the whole run begin with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.data import DataSet
from benchmarks.training.first_epoch import first_epoch
from benchmarks.training.train import train


def test_it_is_how_the_learning_curves_of_the_run_begin(tiny: DataSet) -> None:
    begun = first_epoch("cnn_28", tiny, "paper", augmentation=True, seed=3)
    record = train("cnn_28", tiny, "paper", augmentation=True, seed=3)
    assert begun == {name: curve[0] for name, curve in record.numbers["curves"].items()}
    assert first_epoch("cnn_28", tiny, "paper", augmentation=True, seed=4) != begun


def test_the_command_prints_it_and_writes_nothing(
    tiny: DataSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("benchmarks.data.load", lambda *_: tiny)
    command = "train --model cnn_28 --protocol paper --first-epoch --evidence"
    assert main([*command.split(), str(tmp_path / "none")]) == 0
    begun = json.loads(capsys.readouterr().out)
    assert set(begun) == {"train_loss", "train_error", "validation_error"}
    assert not (tmp_path / "none").exists()
