"""Assembles the report, writes it whole or not at all, and tells whether it is up to date."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reports.readers.material import Material
from reports.sections import (
    accuracy,
    budget,
    comparison,
    cost,
    facts,
    findings,
    networks,
    panels,
    rankings,
    raster,
    rejects,
    rules,
    theory,
    trainings,
)
from reports.sections import broken_layers as mutants
from reports.sections import claims as claims_table
from reports.sections import front as summary
from reports.sections import records as provenance
from reports.writing.markdown import paragraphs
from verification.claims.claim import Claim
from verification.claims.reading import load_claims
from verification.claims.records import Record, read_records
from verification.files import write_through

REPORT = "REPORT.md"
FIGURES = "figures"
SECTIONS = (
    summary,
    theory,
    budget,
    raster,
    panels,
    networks,
    facts,
    mutants,
    accuracy,
    trainings,
    rejects,
    rankings,
    comparison,
    cost,
    findings,
    rules,
    claims_table,
    provenance,
)
FIGURE_NAMES = (
    "power",
    "budget",
    "budget_layer",
    "budget_supports",
    "raster",
    "panels",
    "cells",
    "by_scale",
    "comparison",
    "scaling",
)
"""All figures there can be: what a newer report no longer shows is removed, and nothing else."""


@dataclass(frozen=True)
class Report:
    """The files of a report by their path under the output folder."""

    files: Mapping[str, bytes]
    material: Material


def make_report(
    claims: Sequence[Claim], records: Iterable[Record], folder: str = "evidence"
) -> Report:
    """Make the report of claims and records; `folder` is how it links the records.

    Raises RecordError, naming the file of the record.
    """
    material = Material.gather(claims, records, folder)
    sections = [module.write(material) for module in SECTIONS]
    text = paragraphs(*(part.text for part in sections), provenance.link_definitions(material))
    files = {
        f"{FIGURES}/{name}": content for part in sections for name, content in part.figures.items()
    }
    return Report({**files, REPORT: f"{text}\n".encode()}, material)


def read_report(evidence: Path, output: Path) -> Report:
    """Make the report of the package's claims and a folder of records, for a folder of output.

    Raises RecordError or ClaimError for what cannot be trusted.
    """
    folder = Path(os.path.relpath(evidence, output)).as_posix()
    return make_report(load_claims(), read_records(evidence), folder)


def write_report(report: Report, output: Path) -> None:
    """Write all files, REPORT.md last; raises OSError with the old report left as it was."""
    output.mkdir(parents=True, exist_ok=True)
    hidden = Path(tempfile.mkdtemp(prefix=".report-", dir=output))
    try:
        for name, content in report.files.items():
            (hidden / name).parent.mkdir(exist_ok=True)
            write_through(hidden / name, content)
        for name in report.files:
            (output / name).parent.mkdir(exist_ok=True)
            (hidden / name).replace(output / name)
    finally:
        shutil.rmtree(hidden)
    for name in _stale(report, output):
        (output / name).unlink()


def differences(report: Report, output: Path) -> list[str]:
    """Say for each file in which way it is not what claims and records give; empty if all is."""
    found = []
    for name, content in report.files.items():
        path = output / name
        if not path.is_file():
            found.append(f"{path}: missing")
        elif (old := _as_written(path)) != content:
            found.append(f"{path}: {_difference(name, old, content)}")
    return [*found, *(f"{output / name}: no longer shown" for name in _stale(report, output))]


def _as_written(path: Path) -> bytes:
    """The bytes of a file; of text, without the line ends that a checkout may have given it."""
    content = path.read_bytes()
    return content if path.suffix == ".png" else content.replace(b"\r\n", b"\n")


def _stale(report: Report, output: Path) -> list[str]:
    possible = [f"{FIGURES}/{name}.{suffix}" for name in FIGURE_NAMES for suffix in ("svg", "png")]
    return [name for name in possible if name not in report.files and (output / name).is_file()]


def _difference(name: str, old: bytes, new: bytes) -> str:
    if not name.endswith(".md"):
        return "differs (other records, or drawn by another version of matplotlib)"
    old_lines, new_lines = old.splitlines(), new.splitlines()
    same = sum(1 for _ in _common(old_lines, new_lines))
    return f"line {same + 1} is not what claims and records give"


def _common(old: list[bytes], new: list[bytes]) -> Iterable[bytes]:
    for a, b in zip(old, new, strict=False):
        if a != b:
            return
        yield a
