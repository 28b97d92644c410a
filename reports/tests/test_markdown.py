"""The report as a page: links resolve, tables have a shape, every claim is there."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from reports.document.report import Report
from reports.tests.conftest import text_of
from reports.tests.reading import anchors, link_problems, table_problems, tables
from reports.tests.synthetic import CLAIMS
from reports.writing.markdown import code, plain, table


def test_every_link_leads_somewhere(written: Path, empty: Report, tmp_path: Path) -> None:
    text = (written / "REPORT.md").read_text(encoding="utf-8")
    assert "](figures/budget.svg)" in text
    assert link_problems(text, written) == []
    assert link_problems(text_of(empty), tmp_path) == []


def test_a_lost_file_and_a_lost_anchor_are_noticed(written: Path, tmp_path: Path) -> None:
    text = (written / "REPORT.md").read_text(encoding="utf-8")
    assert any("no file figures/budget.svg" in line for line in link_problems(text, tmp_path))
    assert any("no file evidence/" in line for line in link_problems(text, tmp_path))
    broken = text.replace('<a id="trend-depth">', "").replace("## Cost", "## Costs")
    assert set(link_problems(broken, written)) == {"no anchor #trend-depth", "no anchor #cost"}
    assert link_problems("see [abc1234]", written) == ["undefined [abc1234]"]


def test_tables_have_as_many_cells_in_every_row(full: Report, empty: Report) -> None:
    for report in (full, empty):
        assert len(tables(text_of(report))) > 10
        assert table_problems(text_of(report)) == []


def test_a_row_with_another_number_of_cells_is_noticed() -> None:
    good = table(["a", "b"], "lr", [["1|2", "3"]])
    assert table_problems(good) == []
    assert table_problems(good.replace("\\|", "|")) == ["3 cells: ['1', '2', '3']"]
    with pytest.raises(ValueError, match="has 1 cells, the header"):
        table(["a", "b"], "lr", [["1"]])


def test_every_claim_has_its_row_and_anchors_are_unique(full: Report, empty: Report) -> None:
    for report in (full, empty):
        text = text_of(report)
        for claim in CLAIMS:
            assert f"`{claim.id}`" in text
            assert claim.id.replace(".", "-") in anchors(text)
        assert [name for name, number in Counter(anchors(text)).items() if number > 1] == []


def test_text_of_unknown_origin_is_no_markup() -> None:
    assert plain("a *b* [c](d) <e> `f` \\ & |\ng") == (
        "a \\*b\\* \\[c](d) \\<e> \\`f\\` \\\\ &amp; | g"
    )
    assert code("a `b`\nc") == "`` a `b` c ``"


def test_nothing_names_a_machine_or_a_time_that_no_record_names(full: Report) -> None:
    text = text_of(full)
    strange = r"/tmp|/home|/root|\bnan\b|\binf\b|\bTraceback\b|<class|object at"
    assert re.findall(strange, text) == []
