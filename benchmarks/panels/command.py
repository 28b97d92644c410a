"""Options and action of `python -m benchmarks panels`."""

from __future__ import annotations

import argparse

from benchmarks.options import add_shared, print_paths
from benchmarks.panels import FULL, PANELS, QUICK, SEEDS, measure


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds --seeds, --quick and --panels."""
    add_shared(parser, "evidence")
    parser.add_argument(
        "--seeds", type=int, help=f"random networks ({SEEDS['full']}; quick: {SEEDS['quick']})"
    )
    parser.add_argument(
        "--quick", action="store_true", help="shorter stacks, smaller images: a first look"
    )
    parser.add_argument(
        "--panels", nargs="+", default=(), help=f"some of {', '.join(PANELS)} (all)"
    )


def run(options: argparse.Namespace) -> None:
    """Measures the panels and prints where the records lie."""
    chosen = SEEDS["quick" if options.quick else "full"]
    seeds = chosen if options.seeds is None else options.seeds
    settings = QUICK if options.quick else FULL
    records = measure(seeds, options.evidence, settings, panels=options.panels)
    print_paths(options.evidence, records)
