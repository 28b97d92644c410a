"""No run is trained by two processes at once, and a dead process keeps nothing locked."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import re
import signal
import socket
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from benchmarks import __main__ as command_line
from benchmarks import data
from benchmarks.data import DataSet
from benchmarks.training import lock
from benchmarks.training.lock import UnderwayError, is_underway, run_name, underway

NAME = run_name("cnn_28", False, "digits", "smoke", 0, 0)
FORK = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "PATIENCE", 0.05)


def hold(evidence: Path, name: str, pipe: Connection) -> None:
    with underway(evidence, name):
        pipe.send("locked")
        pipe.recv()


def test_second_process_is_refused_until_the_first_dies(tmp_path: Path) -> None:
    ours, theirs = FORK.Pipe()
    process = FORK.Process(target=hold, args=(tmp_path, NAME, theirs))
    process.start()
    assert ours.recv() == "locked"
    assert is_underway(tmp_path, NAME)
    with (
        pytest.raises(UnderwayError, match=f"{NAME}: another process"),
        underway(tmp_path, NAME),
    ):
        pass
    with underway(tmp_path, "another run"):
        pass
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert not is_underway(tmp_path, NAME)
    with underway(tmp_path, NAME):
        assert is_underway(tmp_path, NAME)
    assert not is_underway(tmp_path, NAME)


def test_plain_command_respects_the_lock(
    tmp_path: Path, tiny: DataSet, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(data, "load", lambda *_: tiny)
    command = ["train", "--model", "cnn_28", "--evidence", str(tmp_path)]
    with underway(tmp_path, NAME):
        assert command_line.main([*command, "--checkpoints", str(tmp_path / "runs")]) == 2
    assert "another process is training this very run" in capsys.readouterr().err


@pytest.fixture
def _no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system such as that of many clusters."""

    def flock(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", flock)


@pytest.mark.usefixtures("_no_locks")
def test_without_locks_a_file_takes_their_place_and_lapses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = re.escape(socket.gethostname())
    with underway(tmp_path, NAME):
        assert is_underway(tmp_path, NAME)
        with (
            pytest.raises(UnderwayError, match=f"{host}, process {os.getpid()} is training"),
            underway(tmp_path, NAME),
        ):
            pass
    assert not is_underway(tmp_path, NAME)
    lease = tmp_path / lock.FOLDER / f"{NAME}.lease"
    lease.write_text("another host, process 7, x")  # killed long ago
    os.utime(lease, (0, 0))
    assert not is_underway(tmp_path, NAME)
    with underway(tmp_path, NAME):
        assert is_underway(tmp_path, NAME)
    assert not lease.exists()


@pytest.mark.usefixtures("_no_locks")
def test_a_run_without_a_lock_gives_signs_of_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "RENEWAL", 0.01)
    lease = tmp_path / lock.FOLDER / f"{NAME}.lease"
    with underway(tmp_path, NAME):
        os.utime(lease, (0, 0))
        end = time.monotonic() + 20
        while not is_underway(tmp_path, NAME) and time.monotonic() < end:
            time.sleep(0.01)
        assert is_underway(tmp_path, NAME)


def test_who_only_looks_need_not_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with underway(tmp_path, NAME):
        pass

    def refuse(path: object, *_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)
    assert not is_underway(tmp_path, NAME)
    with pytest.raises(PermissionError, match="lock"), underway(tmp_path, NAME):
        pass
