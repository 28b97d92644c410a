"""What every invented record is made of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from verification.claims.reading import load_claims
from verification.claims.records import Provenance, Record, write_record

CLAIMS = load_claims()
VERSIONS = {"python": "3.11.7", "numpy": "2.1", "torch": "2.6"}


def provenance(**changes: Any) -> Provenance:
    values: dict[str, Any] = {
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "dirty": False,
        "versions": VERSIONS,
        "device": "cpu",
        "threads": 2,
        "started": "2025-01-01T00:00:00Z",
        "wall_seconds": 12.5,
    }
    return Provenance(**values | changes)


def make(kind: str, subject: str, numbers: dict[str, Any], **changes: Any) -> Record:
    values: dict[str, Any] = {
        "configuration": {},
        "protocol": "check",
        "data": None,
        "seeds": {"seed": 0},
        "command": "python -m benchmarks theory --cases 100 --seed 0",
        "outcome": "finished",
        "provenance": provenance(),
    }
    return Record(kind=kind, subject=subject, numbers=numbers, **values | changes)


def write_all(records: Sequence[Record], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for record in records:
        write_record(record, folder)
    return folder


def day(number: int) -> str:
    return f"2025-01-{number:02d}T00:00:00Z"
