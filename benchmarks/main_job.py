"""The main job: every measurement that a laptop makes in minutes, one after the other."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks import data, theory
from benchmarks.data.evidence import measure_data
from benchmarks.options import add_shared
from benchmarks.timing.measure import measure as measure_timing
from benchmarks.training.devices import find_device
from benchmarks.training.lock import run_name, underway
from benchmarks.training.train import train
from verification.broken_layers.command import measure as measure_mutants
from verification.claims.records import Record

MODELS = ("cnn_28", "sesn_scalar_28")
CASES = 100
ROUNDS = 5
BATCH = 128


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds --data, --data-dir and --checkpoints."""
    add_shared(parser, "evidence")
    parser.add_argument("--data", choices=data.NAMES[:2], default="digits")
    add_shared(parser, "data-dir", "checkpoints")


def run(options: argparse.Namespace) -> None:
    """Measures everything."""
    measure(options.data, options.data_dir, options.evidence, options.checkpoints)


def measure(
    data_name: str, data_dir: Path | None, evidence: Path, checkpoints: Path
) -> list[Record]:
    """Theory, broken layers, a smoke training of each of MODELS, timings; returns their records.

    With MNIST-scale also the hashes of all its realisations.

    data_name: "digits", which ships inside scikit-learn, or "mnist_scale", which needs MNIST.
    Raises DataError if the data are missing or damaged, before anything is measured; UnderwayError
    if somebody else is at one of the trainings.
    """
    device = find_device("cpu")
    images = data.load(data_name, 0, data_dir)

    def trained(model: str) -> list[Record]:
        with underway(evidence, run_name(model, False, data_name, "smoke", 0, 0)):
            return [
                train(
                    model, images, "smoke", device=device, checkpoint_dir=checkpoints,
                    evidence=evidence,
                )
            ]  # fmt: skip

    parts: dict[str, Callable[[], list[Record]]] = {
        "theory": lambda: theory.measure(CASES, 0, evidence),
        "broken layers": lambda: [measure_mutants(evidence)],
    }
    if data_name == "mnist_scale":
        parts["six realisations of MNIST-scale"] = lambda: measure_data(data_dir, evidence)
    for model in MODELS:
        parts[f"training of {model} on {data_name}"] = partial(trained, model)
    parts["timing"] = lambda: measure_timing(
        rounds=ROUNDS, batch=BATCH, device=device, evidence=evidence
    )
    records = []
    for part, measured in parts.items():
        begin = time.perf_counter()
        made = measured()
        print(f"{part}: {len(made)} records in {time.perf_counter() - begin:.0f} s", flush=True)
        records += made
    return records
