"""Options and action of `python -m benchmarks theory`."""

from __future__ import annotations

import argparse

from benchmarks import theory
from benchmarks.options import add_evidence


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds --cases, --seed and --parts."""
    parser.set_defaults(run=run)
    add_evidence(parser)
    parser.add_argument("--cases", type=int, default=200, help="per theorem (200)")
    parser.add_argument("--seed", type=int, default=0, help="of all cases (0)")
    parser.add_argument(
        "--parts", nargs="+", default=(), help=f"some of {', '.join(theory.PARTS)} (all)"
    )


def run(options: argparse.Namespace) -> None:
    """Measures the theory and prints where the records lie."""
    records = theory.measure(options.cases, options.seed, options.evidence, options.parts)
    for record in records:
        print(options.evidence / record.filename)
