"""Options, action and printed table of `python -m benchmarks compare`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from benchmarks.comparison import FULL, PARTS, QUICK, REFERENCE, measure
from benchmarks.options import add_shared, print_paths
from verification.claims.records import Record

ERRORS = (
    ("first_layer", "scenes"), ("first_layer", "digits"), ("first_layer", "photographs"),
    ("trunk", "scenes"), ("own_steps", "scenes"),
)  # fmt: skip
"""Part and images of each column of errors."""
NOTHING = "-"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds --seed, --batch, --rounds, --quick and --only."""
    add_shared(parser, "evidence")
    parser.add_argument("--seed", type=int, default=0, help="of images and weights (default 0)")
    for name in ("batch", "rounds"):
        full, quick = getattr(FULL, name), getattr(QUICK, name)
        parser.add_argument(f"--{name}", type=int, help=f"of timing ({full}; quick: {quick})")
    parser.add_argument("--quick", action="store_true", help="few images, small batches")
    parser.add_argument("--only", choices=PARTS, help="one part alone (both)")


def run(options: argparse.Namespace) -> None:
    """Compares all methods, prints a table and where the records lie."""
    base = QUICK if options.quick else FULL
    chosen = {name: getattr(options, name) for name in ("batch", "rounds")}
    settings = replace(base, **{name: n for name, n in chosen.items() if n is not None})
    records = measure(options.seed, options.evidence, settings, only=options.only)
    print(summary(records))
    print_paths(options.evidence, records)


def summary(records: Sequence[Record]) -> str:
    """Return a table: mean errors in %, mean share of unchanged predictions, costs over CNN's.

    Errors: first layer by probe, on digits and on photographs, trunk, own steps of the scale axis.
    """
    columns = [
        "method", "probe", "digits", "photos", "trunk", "steps", "kept", "params", "Mmacs",
        "forward", "step", "memory",
    ]  # fmt: skip
    parts = {
        kind: {record.subject: record for record in records if record.kind == kind}
        for kind in ("equivariance", "timing")
    }
    lines = ["".join(f"{name:>9}" if i else f"{name:18}" for i, name in enumerate(columns))]
    for name in dict.fromkeys(record.subject for record in records):
        errors, costs = (found.get(name) for found in parts.values())
        cells = _errors(errors) if errors else [NOTHING] * (len(ERRORS) + 1)
        cells += _costs(costs) if costs else []
        lines.append(f"{name:18}" + "".join(f"{cell:>9}" for cell in cells))
    return "\n".join(lines)


def _errors(record: Record) -> list[str]:
    errors = {(row["part"], row["images"]): row["error"] for row in record.numbers["responses"]}
    cells = [f"{100 * np.mean(errors[row]):.2f}" if row in errors else NOTHING for row in ERRORS]
    if "predictions" in record.numbers:
        cells.append(f"{100 * np.mean(record.numbers['predictions']['unchanged']):.1f}")
    return cells


def _costs(record: Record) -> list[str]:
    numbers, name = record.numbers, record.subject
    peaks = numbers["peak_bytes"]
    return [
        f"{numbers['parameters']}",
        f"{numbers['multiply_adds'] / 1e6:.1f}",
        f"{numbers['forward_ratio']['median']:.2f}",
        f"{numbers['step_ratio']['median']:.2f}",
        f"{np.median(peaks[name]) / np.median(peaks[REFERENCE]):.2f}" if peaks[name] else NOTHING,
    ]
