"""Sections on the trainings that were run, what of them is rejected, and errors by object scale."""

from __future__ import annotations

import statistics
from collections import defaultdict
from functools import partial

from reports.drawings import results as plots
from reports.readers.material import Material
from reports.readers.trainings import ScaleCurves, by_scale, hours, runs_by_group
from reports.writing.markdown import clipped, code, paragraphs, plain, table
from reports.writing.section import Section, picture, section
from reports.writing.wording import NOTHING, known, mean_and_spread, plural
from verification.claims.records import Record
from verification.claims.validity import Checked, check

EXPLANATION = (
    "Test errors of the same networks by the size of the object: the true scale at which each test "
    "image was made. Runs of the same model, data set and protocol are pooled. Panels follow the "
    "columns of the paper's table. Bars: 95 % Wilson intervals, as if all images were independent; "
    "where there are many methods, only for those of the question, SESN and CNN."
)


def write(material: Material) -> Section:
    """List every training, then the errors by object scale where they are known."""
    records = sorted(
        material.of_kind("training"),
        key=lambda r: (r.protocol, (r.data or {}).get("name", ""), r.subject, _seeds(r), r.digest),
    )
    title = "## Trainings that were run"
    if not records:
        return section(title, "None.")
    head = section(
        title,
        _protocols(records),
        _means(material),
        _hours(material),
        _list(material, records),
    )
    panels = [panel for panel in by_scale(material) if panel.protocol != "smoke"]
    if not panels:
        return head
    return section(
        head,
        "## Errors by object scale",
        EXPLANATION,
        picture(
            "by_scale",
            "Test error against the true object scale, one panel for each data set, column of the "
            "paper's table and protocol",
            "Test error against object scale (size as placed over size in the source).",
            partial(plots.by_scale, panels, material.method_names),
        ),
        *(_table(material, panel) for panel in panels),
    )


def _means(material: Material) -> str:
    """One row for each model, data set, column and protocol; empty if all runs are smoke runs."""
    rows = []
    for (data, column, protocol), runs in runs_by_group(material).items():
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
    header = "Model | Data | Column | Protocol | Runs: | Test error, %: | From … to, %: | Evidence"
    return table(header, rows)


def _hours(material: Material) -> str:
    """Core-hours and GPU-hours of each method, by protocol, sessions that were cut off included."""
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in material.of_kind("training"):
        for name in (material.name(record.subject), "**All**"):
            groups[name].append(record)
    groups["**All**"] = groups.pop("**All**")  # the last row
    spent = {
        name: {
            (protocol, kind): time
            for protocol in ("paper", "short", "smoke")
            for kind, time in zip(
                ("core", "process"), hours(r for r in mine if r.protocol == protocol), strict=True
            )
        }
        for name, mine in groups.items()
    }
    shown = [place for place, time in spent["**All**"].items() if time]
    rows = [
        [name, str(len(mine)), *(known(spent[name][place] or None) for place in shown)]
        for name, mine in groups.items()
    ]
    heads = [f"{protocol}, {kind}-hours:" for protocol, kind in shown]
    return paragraphs(
        "**Time spent on them**: core-hours on CPUs, and hours of processes that shared a GPU.",
        table(["Method", "Runs:", *heads], rows),
    )


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
        shown = f"{error:.2f}" if isinstance(error, int | float) else NOTHING
        extra = " +" if record.configuration.get("augmentation") else ""
        seeds = [str(record.seeds.get(name, NOTHING)) for name in ("realisation", "seed")]
        rows.append(
            [
                code(str(record.configuration.get("model", record.subject))),
                plain((record.data or {}).get("name", NOTHING)) + extra,
                "/".join(seeds),
                record.protocol,
                str(record.configuration.get("epochs", NOTHING)),
                shown if record.outcome == "finished" else record.outcome,
                plural(number, "claim") if number else "nothing",
                material.cite(record),
            ]
        )
    header = (
        "Model | Data (+ extra scaling) | Realisation/seed | Protocol: | Epochs: | Test error, %: "
        "| Counted for | Evidence"
    )
    return table(header, rows, fold=True)


def _seeds(record: Record) -> tuple[int, int]:
    return record.seeds.get("realisation", -1), record.seeds.get("seed", -1)


def _table(material: Material, panel: ScaleCurves) -> str:
    """A row for each method, a column for each range of sizes."""
    ends = sorted({(item.start, item.stop) for curve in panel.curves for item in curve.bins})
    rows = []
    for curve in panel.curves:
        errors = {(b.start, b.stop): 100 * b.errors / b.images for b in curve.bins}
        cells = [known(errors.get(place), "{:.1f}".format) for place in ends]
        rows.append([f"{code(curve.model)}, {plural(curve.runs, 'run')}", *cells])
    sources = [
        material.cite(*(record for record in panel.records if record.subject == name))
        for name in dict.fromkeys(record.subject for record in panel.records)
    ]
    return paragraphs(
        f"### By scale: {panel.title}",
        table(["Errors, %", *(f"{start:.1f} to {stop:.1f}:" for start, stop in ends)], rows),
        f"Evidence: {', '.join(sources)}",
    )


REJECTS = "## What the checker of trainings rejects"
CHECKED = (
    "A finished training must have the settings, the data and all the epochs of its protocol, come "
    "from committed sources, be there once for each realisation and seed, and its numbers must "
    "agree with each other. What is rejected counts for no verdict; of runs recorded repeatedly, "
    "the newest counts."
)


def rejects(material: Material) -> Section:
    """Tables of rejected records and of missing seeds; nothing where nothing was trained."""
    finished = [r for r in material.of_kind("training") if r.outcome == "finished"]
    if not finished:
        return Section("")
    found = check(finished)
    number, all_of_them = len(found.rejected), plural(len(finished), "finished training")
    some = f"{number} of {all_of_them} {'is' if number == 1 else 'are'} rejected."
    return section(
        REJECTS,
        CHECKED,
        some if number else f"None of {all_of_them} is rejected.",
        _rejected(material, found),
        _missing(found),
    )


def _rejected(material: Material, found: Checked) -> str:
    rows = [
        [
            code(str(record.configuration.get("model", record.subject))),
            plain((record.data or {}).get("name", NOTHING)),
            "+" if record.configuration.get("augmentation") else "",
            str(record.seeds.get("realisation", NOTHING)),
            str(record.seeds.get("seed", NOTHING)),
            record.protocol,
            plain(clipped("; ".join(reasons), 110)),
            material.cite(record),
        ]
        for record, reasons in found.rejected
    ]
    header = "Model | Data | :Extra scaling: | Realisation: | Seed: | Protocol | Why | Evidence"
    return table(header, rows, fold=True)


def _missing(found: Checked) -> str:
    rows = [
        [
            code(cell.model),
            plain(cell.data),
            "+" if cell.augmentation else "",
            cell.protocol,
            clipped(", ".join(f"{realisation}/{seed}" for realisation, seed in lacking)),
        ]
        for cell, lacking in found.missing.items()
    ]
    header = "Model | Data | :Extra scaling: | Protocol | Missing (realisation/seed)"
    title = "Begun, but without all realisations:" if rows else ""
    return paragraphs(title, table(header, rows, fold=True))
