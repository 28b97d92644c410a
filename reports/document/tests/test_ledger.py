"""Every number of the report has a source, and one that has none is found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from reports.__main__ import main
from reports.document.ledger import CLAIMS as FROM_CLAIMS
from reports.document.ledger import (
    RECORDS,
    WORDING,
    Entry,
    claim_numbers,
    numbers_in,
    trace,
    unaccounted,
)
from reports.document.report import make_report
from reports.readers.material import Material
from reports.sections import theory
from reports.tests.synthetic import CLAIMS, budgets, counts, theorems
from verification.claims.records import Record

FEW = [*theorems()[:2], *counts()[:2], *budgets()[:2]]


def pages() -> dict[str, str]:
    files = make_report(CLAIMS, FEW).files
    return {name: content.decode() for name, content in files.items() if name.endswith(".md")}


def text() -> str:
    return pages()["pages/theory.md"]


def traced(records: Sequence[Record] = FEW) -> tuple[Entry, ...]:
    return trace(Material.gather(CLAIMS, records))


def missing(changed: str) -> list[str]:
    return unaccounted(traced(), {"pages/theory.md": changed})


def test_every_line_with_numbers_has_a_source() -> None:
    entries = traced()
    assert unaccounted(entries, pages()) == []
    assert {entry.source for entry in entries} == {RECORDS, FROM_CLAIMS, WORDING}
    names = {record.filename for record in FEW}
    for entry in entries:
        assert set(entry.records) <= names
        assert bool(entry.records) <= (entry.source == RECORDS)


def test_a_row_leads_to_its_record() -> None:
    entries = {entry.line: entry for entry in traced() if entry.page == "pages/theory.md"}
    theorem = FEW[0]
    row = next(
        number
        for number, line in enumerate(text().splitlines(), start=1)
        if line.startswith(f"| {CLAIMS[0].statement}"[:40])
    )
    assert entries[row].records == (theorem.filename,)


def test_a_number_from_nowhere_is_found() -> None:
    lines = text().splitlines()
    spot = next(k for k, line in enumerate(lines) if line.startswith("| ") and numbers_in(line))
    inserted = "\n".join([*lines[:spot], "It is 42.5 % better.", *lines[spot:]])
    assert any("42.5" in line for line in missing(inserted))
    edited = "\n".join([*lines[:spot], lines[spot] + " 42.5", *lines[spot + 1 :]])
    assert any("42.5" in line for line in missing(edited))


def test_a_constant_in_the_wording_is_told_from_a_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(theory, "INTRODUCTION", "The error is 77.7 %.")
    entries = traced(FEW[:1])
    (entry,) = (entry for entry in entries if "77.7" in entry.numbers)
    assert entry.source == WORDING
    assert "77.7" not in claim_numbers(CLAIMS)


def test_numbers_are_read_without_names_and_targets() -> None:
    line = "| `x_28` at 1,234 of −5.0e-3 [9a7d76a](evidence/a-12.json) [PNG](figures/a2.png) 6, 7 |"
    assert numbers_in(line) == ("1,234", "−5.0e-3", "6", "7")


def test_the_ledger_is_written_on_request(small: list[str], tmp_path: Path) -> None:
    assert main(small) == 0
    file = tmp_path / "numbers.json"
    assert main([*small, "--check", "--numbers", str(file)]) == 0
    ledger = json.loads(file.read_text(encoding="utf-8"))
    (name, digest) = next(iter(ledger["records"].items()))
    assert digest[:12] in name
    assert any(name in line["records"] for line in ledger["lines"])
