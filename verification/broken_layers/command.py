"""Runs every broken layer against all checks, prints who rejects whom, and writes a record."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from verification.broken_layers import BROKEN_LAYERS, EQUIVALENT_LAYERS, GROUPS
from verification.broken_layers.intact_layers import BASIS, SPECIMENS
from verification.broken_layers.table import Row, judge, judge_all
from verification.claims.records import Record, measuring

COMMAND = "python -m verification mutants"
SUBJECT = "mutants"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m verification mutants`."""
    parser.set_defaults(run=run)
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help="judge these alone, and write no record"
    )
    parser.add_argument(
        "--evidence", type=Path, default=Path("reports/evidence"), help="folder of the record"
    )


def run(options: argparse.Namespace) -> None:
    """Judge all, print the table, write the record; of some alone, print their findings.

    Raises ValueError for a name that is no broken layer's.
    """
    if options.only:
        _print_some(options.only)
        return
    record = measure(options.evidence)
    print("\n".join(as_text(record)))


def measure(evidence: Path) -> Record:
    """Judge the intact modules and all broken layers, and write the record."""
    with measuring(
        "mutation",
        SUBJECT,
        command=COMMAND,
        configuration={"basis": repr(BASIS), "mutants": len(BROKEN_LAYERS)},
        folder=evidence,
    ) as measurement:
        total = len(SPECIMENS) + sum(len(broken.intact) for broken in BROKEN_LAYERS)
        rows = list(tqdm(judge_all(BROKEN_LAYERS), "mutants", total, disable=None))
        measurement.numbers.update(numbers_of(rows))
    assert measurement.record is not None
    return measurement.record


def numbers_of(rows: Sequence[Row]) -> dict[str, Any]:
    """What a record holds of the table.

    `value` counts the layers whose cause no check names, and the intact ones that some reject.
    """
    broken = [row for row in rows if row.broken is not None]
    return {
        "value": sum(
            not row.naming if row.broken else bool(row.verdict.complaints) for row in rows
        ),
        "killed": sum(bool(row.killers) for row in broken),
        "named": sum(bool(row.naming) for row in broken),
        "intact": {
            row.intact: {
                "checks": [outcome.check for outcome in row.outcomes],
                "failed": [outcome.check for outcome in row.verdict.complaints],
            }
            for row in rows
            if row.broken is None
        },
        "mutants": [_described(row) for row in broken],
        "equivalent": [{"name": each.name, "reason": each.reason} for each in EQUIVALENT_LAYERS],
    }


def as_text(record: Record) -> list[str]:
    """The table for a terminal: a line for each broken layer."""
    lines = []
    for name, intact in record.numbers["intact"].items():
        failed = ", ".join(intact["failed"]) or "none"
        lines.append(f"intact {name}: {len(intact['checks'])} checks, failed: {failed}")
    for each in record.numbers["mutants"]:
        naming = ", ".join(each["naming"]) or "NONE"
        others = ", ".join(name for name in each["killed_by"] if name not in each["naming"])
        lines.append(f"{each['name']} ({each['intact']}): named by {naming}; also {others or '–'}")
    numbers = record.numbers
    total = len(numbers["mutants"])
    lines.append(f"{total} broken modules: {numbers['killed']} killed, {numbers['named']} named")
    return lines


def _described(row: Row) -> dict[str, Any]:
    assert row.broken is not None
    return {
        "name": row.name,
        "group": next(name for name, group in GROUPS.items() if row.broken in group),
        "story": row.broken.story,
        "intact": row.intact,
        "checks": [outcome.check for outcome in row.outcomes],
        "killed_by": {
            outcome.check: {
                name: value if value is None or math.isfinite(value) else None
                for name, value in (("error", outcome.error), ("threshold", outcome.threshold))
            }
            for outcome in row.killers
        },
        "naming": [outcome.check for outcome in row.naming],
        "names": row.broken.cause,
        "findings": [outcome.reason for outcome in row.naming],
    }


def _print_some(names: Sequence[str]) -> None:
    known = {broken.name: broken for broken in BROKEN_LAYERS}
    for name in names:
        if name not in known:
            raise ValueError(f"--only {name!r}: must be one of {', '.join(known)}")
    for name in names:
        for intact in known[name].intact:
            row = judge(intact, known[name])
            print(f"{name} ({intact}): {known[name].story}")
            for outcome in row.killers:
                print(f"  {outcome.check}: {outcome.reason}")
