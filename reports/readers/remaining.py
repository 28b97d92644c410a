"""What the trainings that are still missing would take, by what was timed so far."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from reports.readers.comparison import REFERENCE, read_comparison
from reports.readers.material import Material
from verification.claims.claim import Cell

EPOCHS, REALISATIONS = 60, 6
"""Of one training on MNIST-scale under the published recipe."""
PIXELS = 4
"""Images of 56 pixels have four times as many pixels: without a timing, as many times the cost."""
CORES = 2


@dataclass(frozen=True)
class Remaining:
    """Runs missing under the published recipe, and hours for those whose time is known.

    on_gpu: wall seconds of each training on an H100 so far; untimed: runs with no timing at all.
    """

    runs: int
    trained: int
    hours: float
    on_gpu: tuple[float, ...]
    untimed: int


def remaining(material: Material) -> Remaining:
    """Count the missing trainings of the MNIST-scale table and add up what they would take."""
    cells = material.select(Cell, "cell.mnist")
    missing: dict[str, int] = defaultdict(int)
    trained = 0
    for cell in cells:
        there = min(REALISATIONS, int(material.verdict(cell).measured.get("units", 0)))
        missing[cell.model] += REALISATIONS - there
        trained += there
    seconds = _seconds_per_epoch(material, list(missing))
    known = {model: runs for model, runs in missing.items() if model in seconds}
    hours = sum(runs * EPOCHS * seconds[model] for model, runs in known.items()) / 3600 / CORES
    return Remaining(
        runs=sum(missing.values()),
        trained=trained,
        hours=hours,
        on_gpu=_on_gpu(material),
        untimed=sum(missing.values()) - sum(known.values()),
    )


def _seconds_per_epoch(material: Material, models: list[str]) -> Mapping[str, float]:
    """Median of own trainings on one core, or else the plain CNN's times the ratio of a step."""
    found: dict[str, list[float]] = defaultdict(list)
    for record in material.latest("training"):
        on_scale = (record.data or {}).get("name") == "mnist_scale"
        if on_scale and record.protocol != "smoke" and record.provenance.device == "cpu":
            sessions = record.numbers.get("sessions", [])
            spent = sum(session.get("seconds", 0.0) for session in sessions)
            if spent:
                found[record.subject].append(spent / record.configuration["epochs"])
    own = {model: statistics.median(times) for model, times in found.items()}
    ratios = read_comparison(material).prices
    result: dict[str, float] = {}
    for model in models:
        small = model.replace("_56", "_28")
        plain, factor = small.removesuffix("p"), PIXELS if small != model else 1
        if model in own:
            result[model] = own[model]
        elif small in own or plain in own:
            result[model] = factor * own.get(small, own.get(plain, 0.0))
        elif plain in ratios and REFERENCE in own:
            result[model] = factor * own[REFERENCE] * ratios[plain].step.median
    return result


def _on_gpu(material: Material) -> tuple[float, ...]:
    """Wall seconds of the trainings under the published recipe that an H100 made."""
    return tuple(
        record.provenance.wall_seconds
        for record in material.latest("training")
        if record.protocol == "paper" and "H100" in record.provenance.device
    )
