"""One lock per run, so that campaigns which share a folder of evidence do not train a run twice.

The operating system frees the lock of a process that dies, however it dies: nothing ever has to be
declared stale. Where the folder lies on a file system that has no locks, or has them on one machine
alone and says so, a file takes their place that its owner renews: it lapses when that stops.
"""

from __future__ import annotations

import errno
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

try:
    import fcntl
except ImportError:  # Windows has other locks, on all its file systems
    fcntl = None  # type: ignore[assignment]

from benchmarks import CommandError

FOLDER = ".underway"
"""Within the folder of evidence; hidden, so that it is no record."""

PATIENCE = 1.0  # seconds; whoever only looks holds a lock for much less

RENEWAL, LAPSE = 20.0, 120.0
"""Seconds between two signs of life of a run without a lock, and after which it counts as dead."""

_NO_LOCKS = (errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.ENOSYS)


class UnderwayError(CommandError):
    """Another process is training this very run."""


def run_name(
    model: str, augmentation: bool, data: str, protocol: str, realisation: int, seed: int
) -> str:
    """Return a name that no other run has, fit for a file."""
    plus = "+" if augmentation else ""
    return f"{model}{plus}-{data}-{protocol}-realisation{realisation}-seed{seed}"


@contextmanager
def underway(evidence: Path, name: str) -> Iterator[None]:
    """Hold the lock of the run called `name`; raises UnderwayError where another process does.

    Raises OSError where the folder cannot be written.
    """
    path = _path(evidence, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _lock(path, name) if _has_locks(path) else _lease(_lease_path(path), name):
        yield


def is_underway(evidence: Path, name: str) -> bool:
    """Whether some process is training this run at this moment, as far as this one may see."""
    path = _path(evidence, name)
    with suppress(OSError):  # no such file
        if time.time() - _lease_path(path).stat().st_mtime < LAPSE:
            return True
    if not path.exists():
        return False
    try:
        with FileLock(path).acquire(timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # no locks here, or not for us: who only looks at a folder may not write it
        return False


def _path(evidence: Path, name: str) -> Path:
    return evidence / FOLDER / f"{name}.lock"


def _lease_path(path: Path) -> Path:
    return path.with_suffix(".lease")


def _has_locks(path: Path) -> bool:
    """Whether the file system keeps locks; raises OSError where the file cannot be made."""
    if fcntl is None:
        return True
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _NO_LOCKS
    finally:
        os.close(handle)
    return True


@contextmanager
def _lock(path: Path, name: str) -> Iterator[None]:
    lock = FileLock(path)
    try:
        lock.acquire(timeout=PATIENCE)
    except Timeout:
        raise UnderwayError(f"{name}: another process is training this very run") from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _lease(path: Path, name: str) -> Iterator[None]:
    """A file that one process makes, and touches as long as it lives."""
    own = f"{socket.gethostname()}, process {os.getpid()}, {secrets.token_hex(8)}"
    while not _make(path, own):
        if time.time() - _renewed(path) < LAPSE:
            raise UnderwayError(f"{name}: {_owner(path)} is training this very run")
        # Only one of those who see that it has lapsed can rename it.
        dead = path.with_name(f".{secrets.token_hex(8)}")
        with suppress(FileNotFoundError):
            path.rename(dead)
            dead.unlink()
    over = threading.Event()

    def renew() -> None:
        while not over.wait(RENEWAL):
            with suppress(OSError):
                os.utime(path)

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        with suppress(OSError):
            if path.read_text(encoding="utf-8") == own:
                path.unlink()


def _make(path: Path, own: str) -> bool:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(own)
    except FileExistsError:
        return False
    return True


def _renewed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _owner(path: Path) -> str:
    with suppress(OSError):
        return path.read_text(encoding="utf-8").rpartition(", ")[0] or "another process"
    return "another process"
