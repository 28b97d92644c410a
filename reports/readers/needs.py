"""What open claims still need: runs, by their spread, and hours, by what was timed so far."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from scipy import stats

from reports.readers.comparison import REFERENCE, read_comparison
from reports.readers.material import OPEN, Material
from verification.claims.claim import Cell, Ranking
from verification.claims.records import Record
from verification.claims.rules.planning import pairs_for_ranking, runs_for_cell
from verification.claims.rules.verdict import LEVEL

PUBLISHED = 6
"""Data realisations behind the published tables."""


@dataclass(frozen=True)
class RunsNeeded:
    """Runs or pairs in all for a verdict (None: no number helps), and how many there are."""

    total: int | None
    there: int

    def __str__(self) -> str:
        """Return for example "6 (2)"."""
        return f"{'never' if self.total is None else self.total} ({self.there})"


def cell_need(material: Material, claim: Cell) -> RunsNeeded:
    """What a cell needs if the publication is right, or else if our runs so far are typical."""
    measured = material.verdict(claim).measured
    units = int(measured.get("units", 0))
    if claim.std is None or claim.runs is None:
        return RunsNeeded(None, units)
    own = units >= 2
    total = runs_for_cell(
        measured["std"] if own else claim.std,
        claim.std,
        claim.runs,
        claim.margin,
        measured["difference"] if own else 0.0,
    )
    return RunsNeeded(total, units)


def ranking_need(material: Material, claim: Ranking) -> RunsNeeded:
    """What a ranking needs against its hardest rival, as published or as measured so far.

    The published spreads take two models for independent, so that pairing is not reckoned with.
    """
    family = sum(other.family == claim.family for other in material.select(Ranking))
    measured = material.verdict(claim).measured
    pairs = int(measured.get("pairs", 0))
    if pairs >= 3 and measured["high"] > measured["low"]:
        half = (measured["high"] - measured["low"]) / 2
        std = half / float(stats.t.ppf(1 - LEVEL / 2, pairs - 1)) * math.sqrt(pairs)
        return RunsNeeded(pairs_for_ranking(-measured["difference"], std, family), pairs)
    cells = {
        cell.model: cell
        for cell in material.select(Cell)
        if (cell.data, cell.column) == (claim.data, claim.column)
    }
    mine = cells.get(claim.better)
    needs = [_published(mine, cells.get(name), family) for name in claim.worse]
    return RunsNeeded(None if None in needs else max(n for n in needs if n is not None), pairs)


def open_rankings(material: Material) -> tuple[list[Ranking], int]:
    """Rankings on MNIST-scale that are open, and how many need more than the published data."""
    claims = material.with_status(material.select(Ranking, "ranking.mnist"), *OPEN)
    needs = [ranking_need(material, claim).total for claim in claims]
    return claims, sum(total is None or total > PUBLISHED for total in needs)


def _published(mine: Cell | None, rival: Cell | None, family: int) -> int | None:
    if mine is None or rival is None or mine.std is None or rival.std is None:
        return None
    return pairs_for_ranking(rival.value - mine.value, math.hypot(mine.std, rival.std), family)


EPOCHS, REALISATIONS = 60, 6
"""Of one training on MNIST-scale under the published recipe."""
PIXELS = 4
"""Images of 56 pixels have four times as many pixels: without a timing, as many times the cost."""
CORES = 2


PAUSE = 600.0
"""Seconds without a start or an end that separate two campaigns on a GPU."""


@dataclass(frozen=True)
class Remaining:
    """Runs missing under the published recipe, and hours for those whose time is known.

    gpu_hours: on one GPU like `gpus`, on which `gpu_runs` trainings were made so far, side by side;
    None where there are none. untimed: runs with no timing at all.
    """

    runs: int
    trained: int
    hours: float
    gpu_hours: float | None
    gpu_runs: int
    gpus: tuple[str, ...]
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
    on_cpu = [r for r in _on_mnist_scale(material) if r.provenance.device == "cpu"]
    on_gpu = trainings_on_gpu(material)
    epoch = _by_model(material, list(missing), _seconds_per_epoch(on_cpu))
    known = {model: runs for model, runs in missing.items() if model in epoch}
    busy = sum(map(_seconds, on_gpu))
    gpu_hours = None
    if busy:
        fast = _by_model(material, list(missing), _seconds_per_epoch(on_gpu))
        # Runs go side by side: each takes its share of the time that all took together.
        share = _span(on_gpu) / busy
        gpu_hours = sum(missing[m] * EPOCHS * seconds for m, seconds in fast.items()) * share / 3600
    return Remaining(
        runs=sum(missing.values()),
        trained=trained,
        hours=sum(n * EPOCHS * epoch[model] for model, n in known.items()) / 3600 / CORES,
        gpu_hours=gpu_hours,
        gpu_runs=len(on_gpu),
        gpus=tuple(sorted({record.provenance.device for record in on_gpu})),
        untimed=sum(missing.values()) - sum(known.values()),
    )


def trainings_on_gpu(material: Material) -> list[Record]:
    """The newest trainings on MNIST-scale that a GPU made."""
    return [r for r in _on_mnist_scale(material) if r.provenance.device != "cpu"]


def _on_mnist_scale(material: Material) -> list[Record]:
    return [
        record for record in material.latest("training")
        if (record.data or {}).get("name") == "mnist_scale" and record.protocol != "smoke"
    ]  # fmt: skip


def _seconds(record: Record) -> float:
    """Spent on training, in all sessions together."""
    return float(sum(session.get("seconds", 0.0) for session in record.numbers["sessions"]))


def _span(records: Sequence[Record]) -> float:
    """Seconds from the first start to the last end of each campaign, together."""
    total, end = 0.0, -math.inf
    for record in sorted(records, key=lambda r: r.provenance.started):
        begin = datetime.fromisoformat(record.provenance.started).timestamp()
        stop = begin + record.provenance.wall_seconds
        total += max(0.0, stop - (begin if begin > end + PAUSE else end))
        end = max(end, stop)
    return total


def _seconds_per_epoch(records: Sequence[Record]) -> dict[str, float]:
    """Median over the trainings of each model under the heaviest protocol that it has."""
    result: dict[str, float] = {}
    for protocol in ("short", "paper"):
        found: dict[str, list[float]] = defaultdict(list)
        for record in records:
            if record.protocol == protocol and _seconds(record):
                found[record.subject].append(_seconds(record) / record.configuration["epochs"])
        result |= {model: statistics.median(times) for model, times in found.items()}
    return result


def _by_model(
    material: Material, models: Sequence[str], own: Mapping[str, float]
) -> dict[str, float]:
    """Times of models: own ones, else by pixels, else the plain CNN's times the ratio of a step."""
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
