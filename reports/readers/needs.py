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

    hours: on CPU cores, `untimed` runs left out. gpu_hours: on one GPU like `gpus`, on which
    `gpu_runs` trainings were made so far, side by side; `gpu_untimed` runs left out. None where no
    time is known.
    """

    runs: int
    trained: int
    hours: float | None
    untimed: int
    gpu_hours: float | None
    gpu_untimed: int
    gpu_runs: int
    gpus: tuple[str, ...]


def remaining(material: Material) -> Remaining:
    """Count the missing trainings of the MNIST-scale table and add up what they would take."""
    cells = material.select(Cell, "cell.mnist")
    missing: dict[str, int] = defaultdict(int)
    trained = 0
    for cell in cells:
        there = min(REALISATIONS, int(material.verdict(cell).measured.get("units", 0)))
        missing[cell.model] += REALISATIONS - there
        trained += there
    on_gpu = _on_gpus(material.of_kind("training"))
    timed = _timed(material)
    serial, untimed = _hours(material, missing, [r for r in timed if _device(r) == "cpu"])
    gpu_hours, gpu_untimed = _hours(material, missing, _on_gpus(timed))
    if gpu_hours is not None:
        # Runs go side by side, whatever they train: each takes its share of the time of them all.
        gpus = {_device(record) for record in on_gpu}
        together = sum(_span([r for r in on_gpu if _device(r) == gpu]) for gpu in gpus)
        gpu_hours *= together / sum(map(_seconds, on_gpu))
    return Remaining(
        runs=sum(missing.values()),
        trained=trained,
        hours=None if serial is None else serial / CORES,
        untimed=untimed,
        gpu_hours=gpu_hours,
        gpu_untimed=gpu_untimed,
        gpu_runs=len(on_gpu),
        gpus=tuple(sorted({record.provenance.device for record in on_gpu})),
    )


def _hours(
    material: Material, missing: Mapping[str, int], records: Sequence[Record]
) -> tuple[float | None, int]:
    """Hours of the missing runs one after the other, and runs of unknown time."""
    epoch = _by_model(material, list(missing), _seconds_per_epoch(records))
    untimed = sum(runs for model, runs in missing.items() if model not in epoch)
    if not epoch:
        return None, untimed
    return sum(missing[m] * EPOCHS * s for m, s in epoch.items()) / 3600, untimed


def _timed(material: Material) -> list[Record]:
    """The newest trainings on MNIST-scale, whose times are those of the networks to be trained."""
    return [
        record for record in material.latest("training")
        if (record.data or {}).get("name") == "mnist_scale" and record.protocol != "smoke"
    ]  # fmt: skip


def _on_gpus(records: Sequence[Record]) -> list[Record]:
    return [record for record in records if _device(record) not in ("cpu", None)]


def _device(record: Record) -> str | None:
    """The device of all sessions of a training; None of one that went on elsewhere."""
    own = record.provenance.device
    devices = {session.get("device", own) for session in record.numbers.get("sessions", [])}
    return own if devices <= {own} else None


def _seconds(record: Record) -> float:
    """Spent on training, in all sessions together."""
    return float(sum(s.get("seconds", 0.0) for s in record.numbers.get("sessions", [])))


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
