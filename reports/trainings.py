"""Section on the trainings that were run, and on their errors by object scale."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass
from functools import partial

from reports import measurements, plots
from reports.figures import render
from reports.markdown import code, folded, paragraphs, picture, plain, table
from reports.material import Material, Section
from reports.measurements import Bin, Training
from reports.wording import NOTHING, mean_and_spread, plural
from verification.claims.records import Record
from verification.claims.validity import check

EXPLANATION = (
    "Test errors of the same networks by the size of the object: the true scale at which each test "
    "image was made. Runs of the same model, data set and protocol are pooled. Panels follow the "
    "columns of the paper's table. Bars: 95 % Wilson intervals, as if all images were independent; "
    "where there are many methods, only for those of the question, SESN and CNN."
)


@dataclass(frozen=True)
class Curve:
    """Errors by object scale of one model, pooled over its runs; bins in ascending order."""

    model: str
    bins: tuple[Bin, ...]
    runs: int


@dataclass(frozen=True)
class Panel:
    """Curves that may be compared: same data, column of the paper's table, and protocol."""

    data: str
    column: str
    protocol: str
    curves: tuple[Curve, ...]
    records: tuple[Record, ...]

    @property
    def title(self) -> str:
        """Say what the curves have in common."""
        what = f"{self.data} {self.column}".strip()
        worth = " (supports nothing)" if self.protocol == "smoke" else ""
        return f"{what}, protocol {self.protocol}{worth}"


def write(material: Material) -> Section:
    """List every training, then the errors by object scale where they are known."""
    records = sorted(
        (record for record in material.records if record.kind == "training"),
        key=lambda r: (r.protocol, (r.data or {}).get("name", ""), r.subject, _seeds(r), r.digest),
    )
    title = "### Trainings that were run"
    if not records:
        return Section(paragraphs(title, "None."))
    head = paragraphs(
        title,
        _protocols(records),
        _means(material),
        folded(len(records), _list(material, records)),
    )
    panels = by_scale(material)
    if not panels:
        return Section(head)
    text = paragraphs(
        head,
        "### Errors by object scale",
        EXPLANATION,
        picture(
            "by_scale",
            "Test error against the true object scale, one panel for each data set, column of the "
            "paper's table and protocol",
            "Test error against object scale (size as placed over size in the source).",
        ),
        *(_table(material, panel) for panel in panels),
    )
    drawing = partial(plots.by_scale, panels, material.method_names)
    return Section(text, render("by_scale", drawing, plots.by_scale_size(panels)))


def by_scale(material: Material) -> list[Panel]:
    """Pool the newest finished runs of each model that know the scales of their test images.

    What supports nothing comes last.
    """
    groups = {
        group: [run for run in runs if run.by_scale] for group, runs in _groups(material).items()
    }
    return [
        Panel(*group, _curves(runs), tuple(run.record for run in runs))
        for group, runs in groups.items()
        if runs
    ]


def _groups(material: Material) -> dict[tuple[str, str, str], list[Training]]:
    """Runs that may be compared, by data, column of the paper's table and protocol.

    Runs that the checker rejects stay out: they have other recipes than their protocol's.
    """
    latest = material.latest("training")
    rejected = {record.digest for record, _ in check(latest).rejected}
    accepted = [record for record in latest if record.digest not in rejected]
    groups: dict[tuple[str, str, str], list[Training]] = defaultdict(list)
    for run in measurements.read(accepted, "test_error", measurements.training):
        column = material.columns.get((run.model, run.augmentation), "")
        groups[run.data, column, run.record.protocol].append(run)
    order = sorted(groups, key=lambda group: (group[2] == "smoke", *group))
    return {group: groups[group] for group in order}


def _means(material: Material) -> str:
    """One row for each model, data set, column and protocol; empty if all runs are smoke runs."""
    rows = []
    for (data, column, protocol), runs in _groups(material).items():
        if protocol == "smoke":
            continue
        for model in sorted({run.model for run in runs}):
            mine = [run for run in runs if run.model == model]
            errors = [run.test_error for run in mine]
            spread = statistics.stdev(errors) if len(errors) > 1 else None
            ends = f"{min(errors):.2f} to {max(errors):.2f}"
            cited = material.cite(*(run.record for run in mine))
            mean = mean_and_spread(statistics.mean(errors), spread)
            rows.append([code(model), data, column, protocol, str(len(mine)), mean, ends, cited])
    header = [
        "Model", "Data", "Column", "Protocol", "Runs", "Test error, %", "From … to, %", "Evidence",
    ]  # fmt: skip
    return table(header, "llllrrrl", rows) if rows else ""


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


def _protocols(records: list[Record]) -> str:
    smoke = sum(record.protocol == "smoke" for record in records)
    if smoke == len(records):
        return (
            "All of them are smoke runs: they show that training works from end to end and "
            "**support nothing**. Their errors must not be compared with the published ones."
        )
    if smoke:
        return f"{smoke} of {len(records)} are smoke runs: these **support nothing**."
    return ""


def _list(material: Material, records: list[Record]) -> str:
    rows = []
    for record in records:
        error, number = record.numbers.get("test_error"), material.counted[record.digest]
        rows.append(
            [
                code(str(record.configuration.get("model", record.subject))),
                plain((record.data or {}).get("name", NOTHING)),
                "+" if record.configuration.get("augmentation") else "",
                str(record.seeds.get("realisation", NOTHING)),
                str(record.seeds.get("seed", NOTHING)),
                record.protocol,
                str(record.configuration.get("epochs", NOTHING)),
                f"{error:.2f}" if isinstance(error, int | float) else NOTHING,
                record.outcome,
                plural(number, "claim") if number else "nothing",
                material.cite(record),
            ]
        )
    header = [
        "Model", "Data", "Extra scaling", "Realisation", "Seed", "Protocol", "Epochs",
        "Test error, %", "Outcome", "Counted for", "Evidence",
    ]  # fmt: skip
    return table(header, "llcrrlrrlll", rows)


def _seeds(record: Record) -> tuple[int, int]:
    return record.seeds.get("realisation", -1), record.seeds.get("seed", -1)


def _table(material: Material, panel: Panel) -> str:
    ends = sorted({(item.start, item.stop) for curve in panel.curves for item in curve.bins})
    rows = []
    for start, stop in ends:
        cells = []
        for curve in panel.curves:
            here = [item for item in curve.bins if (item.start, item.stop) == (start, stop)]
            cells.append(
                f"{100 * here[0].errors / here[0].images:.1f} ({here[0].errors}/{here[0].images})"
                if here
                else NOTHING
            )
        rows.append([f"{start:.1f} to {stop:.1f}", panel.protocol, *cells])
    names = [
        f"{code(curve.model)}, {plural(curve.runs, 'run')}: % (errors/images)"
        for curve in panel.curves
    ]
    return paragraphs(
        f"#### By scale: {panel.title}",
        table(["Object scale", "Protocol", *names], "ll" + "r" * len(names), rows),
        f"Evidence: {material.cite(*panel.records)}",
    )
