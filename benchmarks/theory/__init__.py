"""Measures what theory promises of `sesn_impl`, on many random cases, as records.

counts: parameters, ranks, supports. theorems: the exact probe and the checks. budgets: sampling and
truncation of every published configuration. raster: rescaled photographs, with floor and ceiling.
local: digits and photograph patches on one canvas, each at a scale of its own. scaling_field: local
scales that vary smoothly over the image.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from benchmarks.options import add_shared, print_paths
from benchmarks.theory.budgets import measure_budgets
from benchmarks.theory.counts import measure_counts
from benchmarks.theory.local import measure_local_objects
from benchmarks.theory.raster import measure_raster_warps
from benchmarks.theory.scaling_field import measure_scaling_field
from benchmarks.theory.session import Session
from benchmarks.theory.theorems import measure_theorems
from verification.claims.records import Record

__all__ = ["PARTS", "Session", "measure"]

PARTS: dict[str, Callable[[Session], None]] = {
    "counts": measure_counts,
    "theorems": measure_theorems,
    "budgets": measure_budgets,
    "raster": measure_raster_warps,
    "local": measure_local_objects,
    "scaling_field": measure_scaling_field,
}


def measure(cases: int, seed: int, evidence: Path, parts: Sequence[str] = ()) -> list[Record]:
    """Measure the parts named, or all, and write the records; returns them.

    cases: random cases of each theorem, at least 1. seed: of all random cases, at least 0.
    parts: some of `PARTS`. Raises ValueError for a number out of range or an unknown part.
    """
    for part in parts:
        if part not in PARTS:
            raise ValueError(f"parts={part!r}: must be some of {', '.join(PARTS)}")
    session = Session(cases, seed, evidence, parts)
    for part in (progress := tqdm(parts or PARTS, desc="theory", disable=None)):
        progress.set_postfix_str(part)
        PARTS[part](session)
    return session.records


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m benchmarks theory`: --cases, --seed and --parts."""
    add_shared(parser, "evidence")
    parser.add_argument("--cases", type=int, default=200, help="per theorem (200)")
    parser.add_argument("--seed", type=int, default=0, help="of all cases (0)")
    parser.add_argument("--parts", nargs="+", default=(), help=f"some of {', '.join(PARTS)} (all)")


def run(options: argparse.Namespace) -> None:
    """Measures the theory and prints where the records lie."""
    records = measure(options.cases, options.seed, options.evidence, options.parts)
    print_paths(options.evidence, records)
