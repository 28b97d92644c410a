"""Options and action of `python -m benchmarks scaling`."""

from __future__ import annotations

import argparse

from benchmarks.options import add_shared, print_paths
from benchmarks.timing.scaling import measure_scaling, summary


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds --rounds."""
    parser.set_defaults(run=run)
    add_shared(parser, "evidence")
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds (default 5)")


def run(options: argparse.Namespace) -> None:
    """Times one layer at growing sizes, prints the exponents and where the records lie."""
    records = measure_scaling(rounds=options.rounds, evidence=options.evidence)
    print(summary(records))
    print_paths(options.evidence, records)
