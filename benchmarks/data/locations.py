"""Where data lie, and where generated data are kept."""

import os
import stat
from pathlib import Path

from benchmarks.data.dataset import DataError

DATA_DIR_VARIABLE = "SESN_DATA_DIR"
CACHE_DIR_VARIABLE = "SESN_CACHE_DIR"


def given_data_dir(data_dir: str | Path | None) -> Path | None:
    """Return the data directory by argument, else by the variable SESN_DATA_DIR, else None."""
    chosen = data_dir or os.environ.get(DATA_DIR_VARIABLE)
    return Path(chosen).expanduser() if chosen else None


def required_data_dir(data_dir: str | Path | None, what: str) -> Path:
    """Return the data directory in which `what` is to be found.

    Raises DataError where neither the argument nor SESN_DATA_DIR names one.
    """
    folder = given_data_dir(data_dir)
    if folder is None:
        raise DataError(
            f"{what} needs a data directory: give data_dir or set {DATA_DIR_VARIABLE} "
            "to the directory that holds the published files"
        )
    return folder


def cache_folders(data_dir: Path | None, cache_dir: str | Path | None, name: str) -> list[Path]:
    """Folders that may hold the generated data set `name`, first choice first.

    `cache_dir`, else SESN_CACHE_DIR, is the only choice where it is given. Otherwise the data
    directory itself, then the user's cache: $XDG_CACHE_HOME/sesn or ~/.cache/sesn.
    """
    chosen = cache_dir or os.environ.get(CACHE_DIR_VARIABLE)
    if chosen:
        return [Path(chosen).expanduser() / name]
    return [folder / name for folder in (data_dir, _users_cache()) if folder is not None]


def _users_cache() -> Path | None:
    """None for a user without a home, as in many containers."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "sesn"
    except RuntimeError:
        return None


def first_writable(folders: list[Path]) -> Path:
    """Return the first folder that may be written or created; the last one where none may."""
    return next((folder for folder in folders if may_write(folder)), folders[-1])


def may_write(folder: Path) -> bool:
    """Whether `folder` (or, if it does not exist, its nearest existing parent) may be written.

    A folder without any write bit counts as read-only even for the superuser, whom the system
    would let through: someone who cleared the bits meant it.
    """
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    bits = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
    return folder.is_dir() and bool(folder.stat().st_mode & bits) and os.access(folder, os.W_OK)
