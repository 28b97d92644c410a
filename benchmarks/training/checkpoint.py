"""Checkpoints: one file per run, replaced as a whole, holding tensors and plain values only."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from benchmarks import CommandError
from verification.atomic_files import write_atomically

# torch.load reports a damaged file by any of these, depending on where the damage lies.
_DAMAGE = (
    RuntimeError, EOFError, KeyError, ValueError, pickle.UnpicklingError, zipfile.BadZipFile,
)  # fmt: skip


class CheckpointError(CommandError):
    """A checkpoint that cannot be continued from; the message names the file."""


def save_checkpoint(state: dict[str, Any], path: Path) -> None:
    """Put `state` at `path`: whoever reads there finds the old state or the new one, complete.

    Raises OSError (disk full, no permission) with the old file as it was.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, buffer.getbuffer())


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """Return the state at `path` with its tensors on the CPU, or None where there is no file.

    An optimiser puts them where it needs them: counts of steps on a GPU would be asked for one by
    one. Nothing but tensors and plain values is ever unpickled. Raises CheckpointError for a file
    that is damaged or holds anything else.
    """
    try:
        with zipfile.ZipFile(path) as file:
            if changed := file.testzip():  # torch itself does not look at the sums
                raise zipfile.BadZipFile(f"{changed} has changed")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        return None
    except _DAMAGE as error:
        raise CheckpointError(
            f"{path}: not a readable checkpoint ({type(error).__name__}); "
            "remove it to start this run from the beginning"
        ) from error
    if not isinstance(state, dict):
        raise CheckpointError(f"{path}: holds {type(state).__name__}, not the state of a run")
    return state


def steps_of(state: dict[str, Any]) -> int:
    """Steps of a run so far. Raises CheckpointError for a state that does not count them."""
    try:
        return len(state["progress"]["step_seconds"])
    except (KeyError, TypeError) as error:
        raise CheckpointError("not a checkpoint of this version of the program") from error


def is_uncommitted(state: dict[str, Any]) -> bool:
    """Whether sources that belong to no commit had a part in a run: it counts for nothing."""
    return any(session["dirty"] is not False for session in state["progress"].get("sessions", ()))


def remove_checkpoint(path: Path) -> None:
    """Remove the file at `path`, if there is one, and what killed processes left beside it.

    Nobody else may be writing it.
    """
    path.unlink(missing_ok=True)
    for leftover in path.parent.glob(f".{path.name}.*"):
        leftover.unlink(missing_ok=True)
