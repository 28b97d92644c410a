"""Options, action and printed table of `python -m benchmarks networks`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from benchmarks.networks.by_layer import measure_by_layer
from benchmarks.networks.states import MODELS, PROTOCOL, SETTINGS, STATES, measure
from benchmarks.options import add_shared, print_paths
from benchmarks.training.recipes import PROTOCOLS
from verification.claims.records import Record


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds --models, --seed, --trainings, --by-layer and --protocol."""
    add_shared(parser, "evidence")
    parser.add_argument(
        "--models", nargs="+", default=MODELS, help=f"networks (default {' '.join(MODELS)})"
    )
    parser.add_argument("--seed", type=int, default=0, help="of images and trainings (default 0)")
    parser.add_argument(
        "--trainings", type=int, default=SETTINGS.repetitions,
        help=f"of each network, on digits (default {SETTINGS.repetitions})",
    )  # fmt: skip
    parser.add_argument(
        "--by-layer", action="store_true",
        help="one training of each, and where which layer loses scale before and after it",
    )  # fmt: skip
    parser.add_argument(
        "--protocol", choices=PROTOCOLS, default=PROTOCOL, help=f"of the trainings ({PROTOCOL})"
    )


def run(options: argparse.Namespace) -> None:
    """Trains and measures the networks, prints a table and where the records lie."""
    if options.by_layer:
        made = measure_by_layer(options.seed, options.evidence, options.models, options.protocol)
        print(
            "\n".join(f"{shares(record)}\n{options.evidence / record.filename}" for record in made)
        )
        return
    settings = replace(SETTINGS, repetitions=options.trainings)
    records = measure(options.seed, options.evidence, options.models, settings, options.protocol)
    print(summary(records))
    print_paths(options.evidence, records)


def shares(record: Record) -> str:
    """What each part loses before and after training, in % of the output's Lie derivative."""
    lines = []
    for state in STATES:
        profile = record.numbers["profiles"][state]
        told = ", ".join(
            f"{part} {100 * share:+.0f} %" for part, share in profile["by_part"].items()
        )
        lines.append(f"{record.subject}, {state}: {told}")
    return "\n".join(lines)


def summary(records: Sequence[Record]) -> str:
    """Return a table: Δ as a share of chance by block and own step, predictions, all in %."""
    columns = ["block 1", "block 2", "block 3", "steps", "kept", "wrong"]
    lines = [f"{'network':16}{'state':11}" + "".join(f"{name:>9}" for name in columns)]
    for record in records:
        for state in STATES:
            found = record.numbers["states"][state]
            parts = [*found["blocks"], found["own_steps"]]
            shares = [np.divide(part["error"], part["chance"]) for part in parts]
            cells = [f"{100 * share.mean():.2f}" if share.size else "-" for share in shares]
            cells.append(f"{100 * np.mean(found['unchanged']):.1f}")
            cells.append(f"{100 * np.mean(found['wrong']):.1f}")
            lines.append(f"{record.subject:16}{state:11}" + "".join(f"{c:>9}" for c in cells))
    return "\n".join(lines)
