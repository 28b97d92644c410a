"""Runs the timing suite and turns what pytest-benchmark reports into records."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks import CommandError
from benchmarks.timing import (
    BATCH_VARIABLE,
    DEVICE_VARIABLE,
    MATRIX,
    MATRIX_SIDE,
    MODELS,
    MODELS_VARIABLE,
    ROUNDS_VARIABLE,
    TEXTBOOK,
)
from benchmarks.timing.memory import peak_memory
from benchmarks.training.devices import device_name
from sesn_impl import list_models
from verification.claims.provenance import Provenance, current_provenance
from verification.claims.records import Record, write_record

SUITE = Path(__file__).parent


class TimingError(CommandError):
    """The suite did not run to its end."""


def measure(
    *,
    rounds: int,
    batch: int,
    device: torch.device,
    evidence: Path | None = None,
    suite: Path = SUITE,
    models: Sequence[str] = MODELS,
    memory: bool = False,
) -> list[Record]:
    """Run the suite; return (and write to `evidence`) a record per model and kind of work.

    rounds: timed rounds, at least 1; batch: images per batch, at least 2; memory: whether to
    measure the peak of a training step as well, on a CPU.

    A record's numbers: `seconds`: for the model, the plain CNN, the textbook form and a matrix
    product the time of each round; `ratios`: the time of the model over that of the plain CNN and
    of the textbook form, paired by rounds, as median and quartiles; `multiply_adds` of one call and
    `throughput`, the share of the matrix product's products per second that it reaches;
    `peak_bytes` of a step of each, where measured.

    Raises ValueError for a number or model out of range, TimingError where a benchmark fails.
    """
    if rounds < 1:
        raise ValueError(f"rounds={rounds!r}: must be at least 1")
    if batch < 2:
        raise ValueError(f"batch={batch!r}: must be at least 2, for batch normalisation")
    for model in models:
        if not model.startswith(("cnn_", "sesn_")) or model not in list_models():
            raise ValueError(f"models={model!r}: must be plain or SESN networks of MNIST-scale")
    blank, begin = current_provenance(device_name(device)), time.perf_counter()
    variables = {
        MODELS_VARIABLE: ",".join(models), BATCH_VARIABLE: batch, ROUNDS_VARIABLE: rounds,
        DEVICE_VARIABLE: device,
    }  # fmt: skip
    report = _run_suite(suite, variables)
    peaks = _peaks(report, batch) if memory and device.type == "cpu" else {}
    provenance = replace(blank, wall_seconds=time.perf_counter() - begin)
    command = f"python -m benchmarks time --rounds {rounds} --batch {batch} --device {device}"
    command += f" --models {' '.join(models)}" if tuple(models) != MODELS else ""
    command += " --memory" if memory else ""
    records = [
        record_of(benchmark, batch, command, provenance, peaks)
        for benchmark in report["benchmarks"]
    ]
    if evidence is not None:
        for record in records:
            write_record(record, evidence)
    return records


def record_of(
    benchmark: dict[str, Any],
    batch: int,
    command: str,
    provenance: Provenance,
    peaks: Mapping[tuple[str, str], int],
) -> Record:
    """Make the record of one entry of pytest-benchmark's report.

    peaks: bytes of a step by model and form, as far as they were measured.
    """
    info = benchmark["extra_info"]
    model, work, rivals = info["model"], info["work"], info["rivals"]
    own = benchmark["stats"]["data"]
    # The plain CNN beside itself shows the noise; its times go by the name of the model.
    seconds = {**rivals, model: own}
    numbers = {
        "seconds": seconds,
        "ratios": {
            rival: ratio_of(own, times) for rival, times in rivals.items() if rival != MATRIX
        },
        "multiply_adds": info["multiply_adds"],
        "throughput": _throughput(info["multiply_adds"], own, rivals[MATRIX]),
    }
    held = {rival: peaks.get(_form(model, rival)) for rival in (model, *numbers["ratios"])}
    if work == "step" and all(held.values()):
        numbers["peak_bytes"] = held
    return Record(
        kind="timing",
        subject=model,
        numbers=numbers,
        configuration={"model": model, "work": work, "batch": batch, "rounds": len(own)},
        protocol="timing",
        data=None,
        seeds={},
        command=command,
        outcome="finished",
        provenance=provenance,
    )


def _throughput(products: int, own: Sequence[float], matrix: Sequence[float]) -> float:
    """Products per second over those of the matrix product: median over rounds."""
    shares = [(products / a) / (MATRIX_SIDE**3 / b) for a, b in zip(own, matrix, strict=True)]
    return statistics.median(shares)


def _form(model: str, rival: str) -> tuple[str, str]:
    """What a rival of a model is: a network by name and the form of its layers."""
    return (model, TEXTBOOK) if rival == TEXTBOOK else (rival, "")


def _peaks(report: dict[str, Any], batch: int) -> dict[tuple[str, str], int]:
    """Bytes that one step of each network takes, in each form that was timed."""
    infos = [benchmark["extra_info"] for benchmark in report["benchmarks"]]
    forms = {
        _form(info["model"], rival)
        for info in infos
        for rival in (info["model"], *info["rivals"])
        if rival != MATRIX
    }
    peaks = {form: peak_memory(form[0], batch, textbook=form[1] == TEXTBOOK) for form in forms}
    return {form: round(statistics.median(peak)) for form, peak in peaks.items() if peak}


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
