"""Options and action of `python -m benchmarks time`."""

from __future__ import annotations

import argparse

from benchmarks.options import add_shared, print_paths
from benchmarks.timing import MODELS
from benchmarks.timing.measure import measure, summary
from benchmarks.training.devices import find_device


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds --rounds, --batch, --models, --memory and --device."""
    add_shared(parser, "evidence")
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds (default 5)")
    parser.add_argument("--batch", type=int, default=128, help="images per batch (default 128)")
    parser.add_argument(
        "--models", nargs="+", default=MODELS, help=f"networks (default {' '.join(MODELS)})"
    )
    parser.add_argument("--memory", action="store_true", help="also the peak memory of a step")
    add_shared(parser, "device")


def run(options: argparse.Namespace) -> None:
    """Times the networks, prints a table and where the records lie."""
    records = measure(
        rounds=options.rounds,
        batch=options.batch,
        device=find_device(options.device),
        evidence=options.evidence,
        models=options.models,
        memory=options.memory,
    )
    print(summary(records))
    print_paths(options.evidence, records)
