"""All methods of the paper side by side: what each promises, how far it keeps it, what it costs.

    equivariance errors   `errors`, of the responses defined in `responses`, over their `floor`
    own promises          `steps`: the same error along a method's own scale axis
    unchanged predictions `predictions`, of untrained networks
    costs                 `costs`: parameters, multiply-adds, time and memory

The same images, factors and seeds for all; weights are random, since what a method promises it
promises for all weights. Two records for each method, of kinds "equivariance" and "timing", and one
for the floor.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from benchmarks.comparison.costs import measure_costs
from benchmarks.comparison.equivariance import FLOOR, measure_floor, measure_method
from benchmarks.comparison.session import Session, command_of, complete
from benchmarks.comparison.settings import FACTORS, FULL, METHODS, QUICK, REFERENCE, Settings
from verification.claims.records import Record

__all__ = [
    "FACTORS",
    "FLOOR",
    "FULL",
    "METHODS",
    "PARTS",
    "QUICK",
    "REFERENCE",
    "Settings",
    "measure",
]

PARTS = ("errors", "costs")


def measure(
    seed: int,
    evidence: Path | None = None,
    settings: Settings = FULL,
    methods: Sequence[str] = METHODS,
    only: str | None = None,
) -> list[Record]:
    """Compare methods by their networks for 28×28 images; returns the records.

    seed: of all images and weights, at least 0. evidence: folder that the records are written to;
    None: nowhere. methods: some of `METHODS`. only: one of `PARTS`; None: both.

    Raises ValueError for a negative seed or an unknown method or part.
    """
    for method in methods:
        if method not in METHODS:
            raise ValueError(f"methods={method!r}: must be some of {', '.join(METHODS)}")
    if only not in (None, *PARTS):
        raise ValueError(f"only={only!r}: must be one of {', '.join(PARTS)}")
    protocol = "check" if complete(settings) else "smoke"
    session = Session(command_of(seed, settings, only), seed, settings, evidence, protocol)
    names = [f"{method}_28" for method in methods]
    steps = len(names) * (settings.repetitions + settings.rounds + 2)
    # disable=None: no bar where standard error is not a terminal.
    with tqdm(total=steps, desc="comparison", disable=None) as progress:
        if only != "costs":
            measure_floor(session)
            for name in names:
                progress.set_postfix_str(f"errors of {name}")
                measure_method(session, name, progress.update)
        if only != "errors":
            progress.set_postfix_str("costs")
            measure_costs(session, names, progress.update)
    return session.records
