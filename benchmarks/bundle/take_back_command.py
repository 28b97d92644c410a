"""Options and action of `python -m benchmarks unbundle`."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.bundle.take_back import take_back
from benchmarks.options import add_checkpoints, add_evidence


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the folder of archives, --evidence and --checkpoints."""
    parser.set_defaults(run=run)
    parser.add_argument("out", type=Path, metavar="OUT", help="what run.sh left")
    add_evidence(parser)
    add_checkpoints(parser)


def run(options: argparse.Namespace) -> int:
    """Takes records and checkpoints back; 1 where something was refused."""
    taken = take_back(options.out, options.evidence, options.checkpoints)
    for name in (*taken.records, *taken.checkpoints):
        print(f"taken: {name}")
    for name in taken.logs:
        print(f"log: {options.out / name}")
    for name, reason in taken.refused.items():
        print(f"refused: {name}: {reason}")
    print(
        f"{len(taken.records)} records, {len(taken.checkpoints)} checkpoints; "
        f"{len(taken.refused)} refused"
    )
    return 1 if taken.refused else 0
