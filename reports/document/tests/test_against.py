"""What changed between two sets of records."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from reports.__main__ import main
from reports.document.against import changes_between
from reports.readers.material import Material
from reports.tests.reading import table_problems
from reports.tests.synthetic import CLAIMS, counts, theorems, trainings, write_all
from verification.claims.records import Record


def text_of(old: list[Record], new: list[Record]) -> str:
    text = changes_between(Material.gather(CLAIMS, old), Material.gather(CLAIMS, new))
    assert table_problems(text) == []
    return text


def test_nothing_changes_between_a_set_and_itself() -> None:
    records = [*theorems(), *counts(), *trainings()]
    text = text_of(records, records[::-1])
    assert "No verdict changed." in text
    assert "None that both sets measured differs." in text
    assert f"{len({r.key for r in records})} things run in both, 0 of them" in text
    assert "Nothing was run in one set alone." in text


def test_a_verdict_that_changes_is_named_with_its_reason() -> None:
    good = next(record for record in theorems() if record.numbers["bound"])
    bad = dataclasses.replace(good, numbers={**good.numbers, "worst_error": 1.0})
    text = text_of([good], [bad])
    row = next(line for line in text.splitlines() if line.startswith(f"| `theorem.{good.subject}`"))
    assert "✓ **supported** | ✗ **refuted**" in row
    assert "above its bound" in row
    number = next(line for line in text.splitlines() if "| worst_error |" in line)
    assert "| 3e-26 | 1 |" in number
    assert "1 thing run in both, 1 of them with other numbers" in text


def test_what_was_run_in_one_set_alone_is_listed() -> None:
    first, second = theorems()[:2]
    text = text_of([first], [second])
    assert f"| – | finished, {second.filename} |" in text
    assert f"| finished, {first.filename} | – |" in text
    failed = dataclasses.replace(first, outcome="failed")
    assert f"| finished, {first.filename} | failed, {failed.filename} |" in text_of(
        [first], [failed]
    )


def test_the_command_compares_two_folders(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = write_all(theorems()[:1], tmp_path / "old")
    new = write_all(theorems()[:2], tmp_path / "new")
    assert main(["--evidence", str(new), "--against", str(old)]) == 0
    assert "From 1 record to 2 records." in capsys.readouterr().out
    assert main(["--evidence", str(new), "--against", str(tmp_path / "none")]) == 2
    assert "no such folder of records" in capsys.readouterr().err
