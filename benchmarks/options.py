"""Options that several commands share."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path


def add_evidence(parser: ArgumentParser) -> None:
    """Add --evidence."""
    parser.add_argument(
        "--evidence", type=Path, default=Path("reports/evidence"), help="folder of the records"
    )


def add_data_dir(parser: ArgumentParser) -> None:
    """Add --data-dir."""
    parser.add_argument("--data-dir", type=Path, help="where data lie (or set SESN_DATA_DIR)")


def add_download(parser: ArgumentParser) -> None:
    """Add --download."""
    parser.add_argument("--download", action="store_true", help="fetch data that are missing")


def add_checkpoints(parser: ArgumentParser) -> None:
    """Add --checkpoints."""
    parser.add_argument(
        "--checkpoints", type=Path, default=Path("runs"), help="folder to resume from (runs)"
    )


def add_device(parser: ArgumentParser) -> None:
    """Add --device."""
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, cuda:1, …")
