"""Options that several commands share, and the last lines that they print."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from verification.claims.records import Record

_SHARED: dict[str, dict[str, Any]] = {
    "evidence": {
        "type": Path, "default": Path("reports/evidence"), "help": "folder of the records",
    },
    "data-dir": {"type": Path, "help": "where data lie (or set SESN_DATA_DIR)"},
    "download": {"action": "store_true", "help": "fetch data that are missing"},
    "checkpoints": {
        "type": Path, "default": Path("runs"), "help": "folder to resume from (runs)",
    },
    "device": {"default": "cpu", "help": "cpu (default), cuda, cuda:1, …"},
}  # fmt: skip


def add_shared(parser: ArgumentParser, *names: str) -> None:
    """Add options by their names, without dashes."""
    for name in names:
        parser.add_argument(f"--{name}", **_SHARED[name])


def print_paths(evidence: Path, records: Iterable[Record]) -> None:
    """Say where records lie."""
    for record in records:
        print(evidence / record.filename)
