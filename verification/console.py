"""What every command owes its caller: output that cannot fail, and an exit code that tells why.

0 and 1 are answers, 2 is a mistake of usage that is named on stderr, and `CRASH` is an error of the
program itself, with its traceback: no script takes a crash for a layer that failed.
"""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Callable

CRASH = 70  # EX_SOFTWARE of sysexits.h; Python itself would exit with 1


class Output(io.TextIOWrapper):
    """Standard output that never raises: what was asked for is decided by what was found.

    Characters that its encoding lacks (σ in cp1252) are written as escapes. When nobody reads on,
    or the disk is full, the rest is dropped, and stderr says so once.
    """

    def write(self, text: str) -> int:
        """Writes as much as can be written."""
        try:
            return super().write(text)
        except OSError as error:
            self._drop(error)
            return len(text)

    def flush(self) -> None:
        """Flushes as much as can be written."""
        try:
            super().flush()
        except OSError as error:
            self._drop(error)

    def _drop(self, error: OSError) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())  # also for what is still buffered
        os.close(nowhere)
        if not isinstance(error, BrokenPipeError):
            print(f"note: standard output cannot be written: {error}", file=sys.stderr)


def guarded(main: Callable[[], int]) -> int:
    """Runs a command line; its exit code, or `CRASH` for an exception that it did not expect."""
    old = sys.stdout
    if isinstance(old, io.TextIOWrapper):
        old.flush()
        sys.stdout = Output(
            old.buffer, old.encoding, "backslashreplace", line_buffering=old.line_buffering
        )
    try:
        return main()
    except Exception:
        traceback.print_exc()
        return CRASH
    finally:
        if sys.stdout is not None:
            sys.stdout.flush()
