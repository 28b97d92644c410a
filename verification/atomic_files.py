"""A file is written whole or not at all, and may be read by whom the user's umask admits."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

_BINARY: int = getattr(os, "O_BINARY", 0)  # Windows would write every \n as \r\n


def write_through(path: Path, content: bytes | memoryview) -> None:
    """Creates `path` and waits until its content is on the disk. Raises OSError if it exists."""
    # Not `tempfile`, whose files are for their owner alone whatever the umask.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomically(path: Path, content: bytes | memoryview) -> None:
    """Puts `content` at `path`: whoever reads there finds the old file or the new one, complete.

    Raises OSError (no such folder, no permission, disk full) with the old file as it was.
    """
    hidden = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        write_through(hidden, content)
        hidden.replace(path)
    except BaseException:
        hidden.unlink(missing_ok=True)
        raise
