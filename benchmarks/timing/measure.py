"""Runs the timing suite and turns what pytest-benchmark reports into records."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.devices import device_name
from benchmarks.timing import (
    BATCH_VARIABLE,
    DEVICE_VARIABLE,
    REFERENCE,
    ROUNDS_VARIABLE,
)
from verification.claims import Cost, load_claims
from verification.evidence import Record, write_record
from verification.provenance import Provenance, current_provenance

SUITE = Path(__file__).parent


class TimingError(RuntimeError):
    """The suite did not run to its end."""


def measure(
    *,
    rounds: int,
    batch: int,
    device: torch.device,
    evidence: Path | None = None,
    suite: Path = SUITE,
) -> list[Record]:
    """Run the suite; return (and write to `evidence`) a record per model and kind of work.

    rounds: timed rounds, at least 1; batch: images per batch, at least 2.

    A record's numbers: `seconds`: for the model, the plain CNN and the textbook form the time of
    each round; `ratios`: for each of the other two the time of the model over its time, paired by
    rounds, as median and quartiles.

    Raises ValueError for a number out of range, TimingError where a benchmark fails.
    """
    if rounds < 1:
        raise ValueError(f"rounds={rounds!r}: must be at least 1")
    if batch < 2:
        raise ValueError(f"batch={batch!r}: must be at least 2, for batch normalisation")
    blank, begin = current_provenance(device_name(device)), time.perf_counter()
    report = _run_suite(
        suite, {BATCH_VARIABLE: batch, ROUNDS_VARIABLE: rounds, DEVICE_VARIABLE: device}
    )
    provenance = replace(blank, wall_seconds=time.perf_counter() - begin)
    command = f"python -m benchmarks time --rounds {rounds} --batch {batch} --device {device}"
    records = [
        record_of(benchmark, batch, command, provenance) for benchmark in report["benchmarks"]
    ]
    if evidence is not None:
        for record in records:
            write_record(record, evidence)
    return records


def record_of(
    benchmark: dict[str, Any], batch: int, command: str, provenance: Provenance
) -> Record:
    """Make the record of one entry of pytest-benchmark's report."""
    info = benchmark["extra_info"]
    model, work, rivals = info["model"], info["work"], info["rivals"]
    own = benchmark["stats"]["data"]
    # The plain CNN beside itself shows the noise; its times go by the name of the model.
    seconds = {**rivals, model: own}
    return Record(
        kind="timing",
        subject=model,
        claims=_claims(model) if work == "step" else (),
        numbers={
            "seconds": seconds,
            "ratios": {rival: ratio_of(own, times) for rival, times in rivals.items()},
        },
        configuration={"model": model, "work": work, "batch": batch, "rounds": len(own)},
        protocol="timing",
        data=None,
        seeds={},
        command=command,
        outcome="finished",
        provenance=provenance,
    )


def ratio_of(own: Sequence[float], other: Sequence[float]) -> dict[str, float]:
    """Time over time, paired by rounds: median and quartiles (all equal for a single round)."""
    ratios = [a / b for a, b in zip(own, other, strict=True)]
    lower, median, upper = statistics.quantiles(ratios * 2 if len(ratios) == 1 else ratios, n=4)
    return {"median": median, "lower_quartile": lower, "upper_quartile": upper}


def summary(records: Sequence[Record]) -> str:
    """Return a table of the records: milliseconds, and ratios as median [lower, upper quartile]."""
    lines = [f"{'model':16}{'work':9}{'ms':>8}  ratios"]
    for record in records:
        model, ratios = record.subject, record.numbers["ratios"]
        milliseconds = 1000 * statistics.median(record.numbers["seconds"][model])
        parts = [
            f"{ratio['median']:.2f} [{ratio['lower_quartile']:.2f}, {ratio['upper_quartile']:.2f}]"
            f" × {rival}"
            for rival, ratio in ratios.items()
        ]
        work = record.configuration["work"]
        lines.append(f"{model:16}{work:9}{milliseconds:8.1f}  {', '.join(parts)}")
    return "\n".join(lines)


def _run_suite(suite: Path, variables: dict[str, Any]) -> dict[str, Any]:
    """Run the suite in a process of its own, telling on stderr how far it is; return its report."""
    # A suite started from inside pytest must not take itself for one of its parallel workers,
    # which measure nothing.
    own = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
    environment = own | {name: str(value) for name, value in variables.items()}
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        options = ["-v", "--benchmark-enable", "--benchmark-quiet", f"--benchmark-json={report}"]
        run = subprocess.run(
            [sys.executable, "-m", "pytest", str(suite), *options],
            env=environment,
            stdout=sys.stderr.fileno(),
            check=False,
        )
        if run.returncode != 0 or not report.is_file():
            raise TimingError(
                f"the timing suite stopped with exit code {run.returncode}; see its output above"
            )
        parsed: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
        return parsed


def _claims(model: str) -> tuple[str, ...]:
    return tuple(
        claim.id
        for claim in load_claims()
        if isinstance(claim, Cost) and (claim.numerator, claim.denominator) == (model, REFERENCE)
    )
