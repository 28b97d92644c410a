"""The report as a page: links resolve, tables have a shape, every claim is there."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from reports.document.pages import PAGES, REPORT
from reports.document.report import Report, write_report
from reports.tests.reading import (
    anchors,
    link_problems,
    report_link_problems,
    table_problems,
    tables,
    text_of,
)
from reports.tests.synthetic import CLAIMS
from reports.writing.markdown import clipped, code, plain, table


def test_every_link_leads_somewhere(written: Path, empty: Report, tmp_path: Path) -> None:
    assert "](../figures/budget.svg)" in (written / "pages/theory.md").read_text(encoding="utf-8")
    assert report_link_problems(written) == []
    write_report(empty, tmp_path)
    assert report_link_problems(tmp_path) == []


def test_a_lost_file_and_a_lost_anchor_are_noticed(written: Path, tmp_path: Path) -> None:
    shutil.copytree(written, tmp_path / "copy")
    claims = tmp_path / "copy" / "pages" / "claims.md"
    claims.write_text(claims.read_text(encoding="utf-8").replace('<a id="trend-depth">', ""))
    (tmp_path / "copy" / "figures" / "budget.svg").unlink()
    next((tmp_path / "copy" / "evidence").glob("theorem-*")).unlink()
    found = " ".join(report_link_problems(tmp_path / "copy"))
    assert "no anchor claims.md#trend-depth" in found
    assert "no file ../figures/budget.svg" in found
    assert "no file ../evidence/theorem-" in found
    assert link_problems("see [abc1234]", written) == ["undefined [abc1234]"]


def test_tables_have_as_many_cells_in_every_row(full: Report, empty: Report) -> None:
    for report in (full, empty):
        assert len(tables(text_of(report))) > 5
        assert table_problems(text_of(report)) == []


def test_no_table_is_wider_than_a_page() -> None:
    with pytest.raises(ValueError, match="at most 8 columns"):
        table(["a"] * 9, [])
    with pytest.raises(ValueError, match="at most 120 characters"):
        table("a", [["word " * 30]])
    assert table("a", [[f"[{'a' * 100}]({'b' * 100})"]])
    assert len(clipped("word " * 30)) <= 120
    assert clipped("two  words") == "two words"


def test_the_front_page_reads_in_five_minutes(full: Report) -> None:
    assert len(text_of(full, REPORT).splitlines()) <= 250
    for page in PAGES:
        if page.lead is not None:
            head = text_of(full, page.name).split("\n\n")
            assert head[1] == f"# {page.title}"
            assert not head[2].startswith(("#", "|", "!"))


def test_a_row_with_another_number_of_cells_is_noticed() -> None:
    good = table("a | b:", [["1|2", "3"]])
    assert table_problems(good) == []
    assert good.splitlines()[:2] == ["| a | b |", "| :-- | --: |"]
    assert table("a | :b:", []) == ""
    assert table_problems(good.replace("\\|", "|")) == ["3 cells: ['1', '2', '3']"]
    with pytest.raises(ValueError, match="has 1 cells, the header"):
        table("a | b:", [["1"]])


def test_every_claim_has_its_row_and_anchors_are_unique(full: Report, empty: Report) -> None:
    for report in (full, empty):
        text = text_of(report, "pages/claims.md")
        for claim in CLAIMS:
            assert f"`{claim.id}`" in text
            assert claim.id.replace(".", "-") in anchors(text)
        for page in PAGES:
            found = Counter(anchors(text_of(report, page.name)))
            assert [name for name, number in found.items() if number > 1] == []


def test_text_of_unknown_origin_is_no_markup() -> None:
    assert plain("a *b* [c](d) <e> `f` \\ & |\ng") == (
        "a \\*b\\* \\[c](d) \\<e> \\`f\\` \\\\ &amp; | g"
    )
    assert code("a `b`\nc") == "`` a `b` c ``"


def test_nothing_names_a_machine_or_a_time_that_no_record_names(full: Report) -> None:
    text = text_of(full)
    strange = r"/tmp|/home|/root|\bnan\b|\binf\b|\bTraceback\b|<class|object at"
    assert re.findall(strange, text) == []
