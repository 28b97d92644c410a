"""Trainings that may be compared, and their errors by object scale."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from reports.readers import measurements
from reports.readers.material import Material
from reports.readers.measurements import Bin, Training
from verification.claims.claim import Ranking
from verification.claims.records import Record
from verification.claims.validity import check

DATA = {"mnist_scale": "MNIST-scale", "stl10": "STL-10", "digits": "digits"}
TRAININGS = {"paper": "published training", "short": "short training", "smoke": "smoke test"}


@dataclass(frozen=True)
class Curve:
    """Errors by object scale of one model, pooled over its runs; bins in ascending order."""

    model: str
    bins: tuple[Bin, ...]
    runs: int

    def error_outside(self, scales: tuple[float, ...]) -> float | None:
        """Test error in percent at the object scales that do not lie in a range; None if none."""
        low, high = scales
        bins = [item for item in self.bins if item.stop <= low or item.start >= high]
        images = sum(item.images for item in bins)
        return 100 * sum(item.errors for item in bins) / images if images else None


@dataclass(frozen=True)
class ScaleCurves:
    """Curves that may be compared: same data, column of the paper's table, and protocol.

    trained: the object scales in training, where they are not those of the test.
    """

    data: str
    column: str
    protocol: str
    curves: tuple[Curve, ...]
    records: tuple[Record, ...]
    trained: tuple[float, ...] = ()

    @property
    def title(self) -> str:
        """Say what the curves have in common."""
        if self.trained:
            return self.column
        what = f"{DATA.get(self.data, self.data)} {self.column}".strip()
        return f"{what}, {TRAININGS.get(self.protocol, self.protocol)}"


def by_scale(material: Material) -> list[ScaleCurves]:
    """Pool the newest finished runs of each model that know the scales of their test images.

    What supports nothing comes last.
    """
    groups = {
        group: [run for run in runs if run.by_scale]
        for group, runs in runs_by_group(material).items()
    }
    return [
        ScaleCurves(*group, _curves(runs), tuple(run.record for run in runs))
        for group, runs in groups.items()
        if runs
    ]


def runs_by_group(material: Material) -> dict[tuple[str, str, str], list[Training]]:
    """Runs that may be compared, by data, column of the paper's table and protocol.

    Without those of the studies beyond the paper, of other bases and restricted training scales.
    """
    groups: dict[tuple[str, str, str], list[Training]] = defaultdict(list)
    for run in _accepted(material):
        if "basis" in run.record.configuration or run.data in _trained(material):
            continue
        column = material.columns.get((run.model, run.augmentation), "")
        groups[run.data, column, run.record.protocol].append(run)
    order = sorted(groups, key=lambda group: (group[2] == "smoke", *group))
    return {group: groups[group] for group in order}


def unseen_scales(material: Material) -> list[ScaleCurves]:
    """Runs with restricted training scales, pooled as in `by_scale`, augmented ones by themselves.

    Under the heaviest protocol that each data set has; none that supports nothing.
    """
    panels = []
    runs = [run for run in _accepted(material) if run.by_scale]
    for data, trained in _trained(material).items():
        for protocol in ("paper", "short"):
            mine = [r for r in runs if (r.data, r.record.protocol) == (data, protocol)]
            if mine:
                title = f"trained on {trained[0]:g} to {trained[1]:g}"
                records = tuple(run.record for run in mine)
                named = [replace(r, model=f"{r.model}{'+' * r.augmentation}") for r in mine]
                panels.append(ScaleCurves(data, title, protocol, _curves(named), records, trained))
                break
    return panels


def hours(records: Iterable[Record]) -> tuple[float, float]:
    """Core-hours of trainings on CPUs, and hours of processes that shared a GPU."""
    on_cpu = on_gpu = 0.0
    for record in records:
        for session in record.numbers.get("sessions", []):  # a run may go on elsewhere
            spent = session.get("seconds", 0.0) / 3600
            if session.get("device", record.provenance.device) == "cpu":
                on_cpu += spent * record.provenance.threads
            else:
                on_gpu += spent
    return on_cpu, on_gpu


def _trained(material: Material) -> dict[str, tuple[float, ...]]:
    """Object scales in training, of the data sets on which they are restricted."""
    return {claim.data: claim.trained for claim in material.select(Ranking) if claim.trained}


def _accepted(material: Material) -> list[Training]:
    """Runs but those that the checker rejects, of other recipes than their protocol's."""
    latest = material.latest("training")
    rejected = {record.digest for record, _ in check(latest).rejected}
    accepted = [record for record in latest if record.digest not in rejected]
    return measurements.read(accepted, "test_error", measurements.training)


def _curves(runs: list[Training]) -> tuple[Curve, ...]:
    curves = []
    for model in sorted({run.model for run in runs}):
        sums: dict[tuple[float, float], list[int]] = defaultdict(lambda: [0, 0])
        mine = [run for run in runs if run.model == model]
        for item in (item for run in mine for item in run.by_scale):
            sums[item.start, item.stop][0] += item.images
            sums[item.start, item.stop][1] += item.errors
        bins = tuple(Bin(*ends, *sums[ends]) for ends in sorted(sums))
        curves.append(Curve(model, bins, len(mine)))
    return tuple(curves)
