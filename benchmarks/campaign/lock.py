"""One lock per run, so that campaigns which share a folder of evidence do not train a run twice.

The operating system frees the lock of a process that dies, however it dies: nothing ever has to be
declared stale. The folder must lie on a file system that passes locks on (NFS does).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from benchmarks import CommandError
from benchmarks.campaign.plan import Task

FOLDER = ".underway"
"""Within the folder of evidence; hidden, so that it is no record."""

PATIENCE = 1.0  # seconds; whoever only looks holds a lock for much less


class UnderwayError(CommandError):
    """Another process is training this very run."""


@contextmanager
def underway(evidence: Path, name: str) -> Iterator[None]:
    """Hold the lock of the run called `name`; raises UnderwayError where another process does."""
    lock = FileLock(_path(evidence, name))
    lock_folder = evidence / FOLDER
    lock_folder.mkdir(parents=True, exist_ok=True)
    try:
        lock.acquire(timeout=PATIENCE)
    except Timeout:
        raise UnderwayError(f"{name}: another process is training this very run") from None
    try:
        yield
    finally:
        lock.release()


def locked(evidence: Path, tasks: Iterable[Task]) -> set[Task]:
    """Which tasks some process is training at this moment."""
    return {task for task in tasks if _is_locked(_path(evidence, task.name))}


def _path(evidence: Path, name: str) -> Path:
    return evidence / FOLDER / f"{name}.lock"


def _is_locked(path: Path) -> bool:
    if not path.exists():
        return False
    try:
        with FileLock(path).acquire(timeout=0):
            return False
    except Timeout:
        return True
