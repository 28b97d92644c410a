"""Assembles the report, writes it whole or not at all, and tells whether it is up to date."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reports.document.pages import FOLDER, connected, written
from reports.readers.material import Material
from reports.writing.markdown import paragraphs
from reports.writing.section import Section
from verification.atomic_files import write_through
from verification.claims.claim import Claim
from verification.claims.records import Record

FIGURES = "figures"
FIGURE_NAMES = (
    "accuracy",
    "budget_front",
    "power",
    "budget",
    "budget_layer",
    "budget_supports",
    "raster",
    "panels",
    "cells",
    "by_scale",
    "bases",
    "unseen_scales",
    "comparison",
    "scaling",
    "gallery_power",
    "by_layer",
)
"""All figures there can be: what a newer report no longer shows is removed, and nothing else."""


@dataclass(frozen=True)
class Report:
    """The files of a report by their path under the output folder."""

    files: Mapping[str, bytes]
    material: Material


def make_report(claims: Sequence[Claim], records: Iterable[Record]) -> Report:
    """Make the report of claims and records.

    Raises RecordError, naming the file of the record.
    """
    return report_of(Material.gather(claims, records))


def report_of(material: Material) -> Report:
    """Write all pages in memory."""
    return Report(files_of(written(material)), material)


def files_of(sections: Mapping[str, Sequence[Section]]) -> dict[str, bytes]:
    """The files of the sections of every page: figures, and pages with their links resolved."""
    texts = {name: f"{paragraphs(*(p.text for p in s))}\n" for name, s in sections.items()}
    figures = {
        f"{FIGURES}/{name}": content
        for parts in sections.values()
        for part in parts
        for name, content in part.figures.items()
    }
    pages = {name: text.encode() for name, text in connected(texts).items()}
    # The front page comes last: it is the old one until all that it links is there.
    return {**figures, **dict(reversed(pages.items()))}


def read_report(evidence: Path, output: Path) -> Report:
    """Make the report of the package's claims and a folder of records, for a folder of output.

    Raises RecordError or ClaimError for what cannot be trusted.
    """
    folder = Path(os.path.relpath(evidence, output)).as_posix()
    return report_of(replace(Material.read(evidence), folder=folder))


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
    figures = [f"{FIGURES}/{name}.{suffix}" for name in FIGURE_NAMES for suffix in ("svg", "png")]
    pages = [f"{FOLDER}/{path.name}" for path in sorted((output / FOLDER).glob("*.md"))]
    possible = [*figures, *pages]
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
