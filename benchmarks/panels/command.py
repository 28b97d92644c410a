"""Options and action of `python -m benchmarks panels`."""

from __future__ import annotations

import argparse

from benchmarks.options import add_evidence
from benchmarks.panels import FULL, QUICK, SEEDS, measure


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds --seeds and --quick."""
    parser.set_defaults(run=run)
    add_evidence(parser)
    parser.add_argument(
        "--seeds", type=int, help=f"random networks ({SEEDS['full']}; quick: {SEEDS['quick']})"
    )
    parser.add_argument(
        "--quick", action="store_true", help="shorter stacks, smaller images: a first look"
    )


def run(options: argparse.Namespace) -> None:
    """Measures all panels and prints where the records lie."""
    chosen = SEEDS["quick" if options.quick else "full"]
    seeds = chosen if options.seeds is None else options.seeds
    for record in measure(seeds, options.evidence, QUICK if options.quick else FULL):
        print(options.evidence / record.filename)
