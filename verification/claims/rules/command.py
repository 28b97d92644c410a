"""Judges the verdict rules by simulation over known truths, and writes a record of it."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from verification.claims.claim import Cell, Claim
from verification.claims.reading import load_claims
from verification.claims.records import measuring
from verification.claims.rules.simulation import is_wrong, simulate
from verification.claims.rules.verdict import LEVEL, REFUTED, SUPPORTED

SUBJECT = "verdict_rules"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m verification simulate`."""
    parser.set_defaults(run=run)
    parser.add_argument("--repetitions", type=int, default=10_000, help="of each condition (10000)")
    parser.add_argument("--seed", type=int, default=0, help="of all draws (0)")
    parser.add_argument(
        "--evidence", type=Path, default=Path("reports/evidence"), help="folder of the record"
    )


def run(options: argparse.Namespace) -> None:
    """Simulate, print the largest rates, write the record.

    Raises ValueError unless there is at least one repetition.
    """
    if options.repetitions < 1:
        raise ValueError(f"--repetitions must be at least 1, got {options.repetitions}")
    spreads = published_spreads(load_claims())
    with measuring(
        "simulation",
        SUBJECT,
        command=(
            f"python -m verification simulate --repetitions {options.repetitions} "
            f"--seed {options.seed}"
        ),
        configuration={
            "repetitions": options.repetitions,
            "level": LEVEL,
            "spreads": dict(zip(("usual", "small", "large"), spreads, strict=True)),
        },
        seeds={"seed": options.seed},
        folder=options.evidence,
    ) as measurement:
        measurement.numbers = dict(simulate(options.repetitions, options.seed, spreads))
    for line in largest_rates(measurement.numbers):
        print(line)
    print(measurement.path)


def published_spreads(claims: Iterable[Claim]) -> tuple[float, float, float]:
    """Median, smallest and largest standard deviation over runs in the MNIST-scale table."""
    stds = [
        claim.std
        for claim in claims
        if isinstance(claim, Cell) and claim.table == "mnist" and claim.std is not None
    ]
    return float(np.median(stds)), min(stds), max(stds)


def largest_rates(numbers: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """Say for each rule how often at most it was wrong."""
    lines = []
    for rule, conditions in numbers.items():
        for status in (SUPPORTED, REFUTED):
            rates = [c[status] / c["repetitions"] for c in conditions if is_wrong(rule, c, status)]
            lines.append(f"{rule}: wrongly {status} in at most {100 * max(rates):.1f} %")
    return lines
