"""A checkpoint is there whole or not at all, and never runs code."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest
import torch

from benchmarks.training.checkpoint import CheckpointError, load_checkpoint, save_checkpoint

OLD = {"epoch": 1, "weights": {"a": torch.arange(3.0)}}
NEW = {"epoch": 2, "weights": {"a": torch.arange(4.0)}}


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "run.pt"
    save_checkpoint(OLD, path)
    save_checkpoint(NEW, path)
    state = load_checkpoint(path)
    assert state is not None
    assert state["epoch"] == 2
    assert torch.equal(state["weights"]["a"], torch.arange(4.0))
    assert [item.name for item in path.parent.iterdir()] == ["run.pt"]


def test_no_checkpoint(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path / "run.pt") is None


def test_disk_full_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.pt"
    save_checkpoint(OLD, path)

    def full(_: int) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(NEW, path)
    state = load_checkpoint(path)
    assert state is not None
    assert state["epoch"] == 1
    assert [item.name for item in tmp_path.iterdir()] == ["run.pt"]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_cut_off_file(tmp_path: Path, share: float) -> None:
    path = tmp_path / "run.pt"
    save_checkpoint(OLD, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match=r"run\.pt: not a readable checkpoint .* remove it"):
        load_checkpoint(path)


class Trap:
    sprung = False

    def __reduce__(self) -> tuple[object, ...]:
        return setattr, (Trap, "sprung", True)


def test_pickled_code_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    torch.save({"epoch": Trap()}, path)
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        load_checkpoint(path)
    assert not Trap.sprung


def test_file_that_holds_something_else(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    torch.save(torch.zeros(3), path)
    with pytest.raises(CheckpointError, match=r"run\.pt: holds Tensor, not the state of a run"):
        load_checkpoint(path)


def test_one_changed_byte_of_a_tensor(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    save_checkpoint({"weights": torch.full((1000,), 1.5)}, path)
    content = path.read_bytes()
    place = content.index(torch.full((9,), 1.5).numpy().tobytes()) + 400
    path.write_bytes(content[:place] + b"\x07" + content[place + 1 :])
    with pytest.raises(CheckpointError, match=r"run\.pt: not a readable checkpoint \(BadZipFile"):
        load_checkpoint(path)
