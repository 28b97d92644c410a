"""The report as a function of claims and records, and as files."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

from reports.document import report as report_module
from reports.document.pages import PAGES, REPORT
from reports.document.report import (
    FIGURE_NAMES,
    Report,
    differences,
    make_report,
    read_report,
    write_report,
)
from reports.readers.material import Material
from reports.tests.reading import text_of
from reports.tests.synthetic import CLAIMS, full_set, make, provenance, theorems, trained, write_all

CNN = "count.mnist.cnn"
WITHOUT_TORCH = """
import sys
from reports.__main__ import main
code = main(sys.argv[1:])
loaded = {"torch", "sesn_impl", "benchmarks", "kornia", "hypothesis"} & set(sys.modules)
sys.exit(f"loaded {sorted(loaded)}" if loaded else code)
"""


def test_another_process_writes_the_same_bytes_without_loading_a_network(
    written: Path, tmp_path: Path
) -> None:
    shutil.copytree(written / "evidence", tmp_path / "evidence")
    arguments = ["--evidence", str(tmp_path / "evidence"), "--output", str(tmp_path)]
    environment = os.environ | {"PYTHONHASHSEED": "17", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *arguments],
        check=True,
        env=environment,
        capture_output=True,
    )
    pages = [page.name for page in PAGES]
    for name in (*pages, *(f"figures/{name}.svg" for name in FIGURE_NAMES)):
        assert (tmp_path / name).read_bytes() == (written / name).read_bytes(), name
    for name in FIGURE_NAMES:
        path = f"figures/{name}.png"
        assert (tmp_path / path).read_bytes() == (written / path).read_bytes(), name


def test_the_order_of_records_says_nothing() -> None:
    records = full_set()
    shuffled = random.Random(1).sample(records, len(records))
    assert shuffled != records
    assert Material.gather(CLAIMS, shuffled) == Material.gather(CLAIMS, records)


def test_another_number_gives_another_report() -> None:
    texts = {
        text_of(make_report(CLAIMS, [make("count", "cnn_28", {"value": value}, claims=(CNN,))]))
        for value in (494_549, 494_550, 494_549)
    }
    assert len(texts) == 2


def test_without_records_everything_is_not_run(empty: Report) -> None:
    text = text_of(empty)
    assert sorted(empty.files) == sorted(page.name for page in PAGES)
    assert list(empty.files)[-1] == REPORT
    assert "## Is the theory sound?\n\nNothing measured yet." in text
    assert "none of the 49 published test errors was measured" in text
    assert "There are no records: nothing was run." in text
    read = sum(bool(getattr(claim, "read_at", ())) for claim in CLAIMS)
    assert f"| **All** | – | – | – | {read} | {len(CLAIMS) - read} | {len(CLAIMS)} |" in text


def test_every_record_is_listed_with_its_command_and_what_it_counted_for(full: Report) -> None:
    text = text_of(full, "pages/records.md")
    lines = text.splitlines()
    rows = {
        record.filename: next(line for line in lines if f"/{record.filename}) **" in line)
        for record in full_set()
    }
    for record in full_set():
        row = rows[record.filename]
        assert record.outcome in row
        assert record.command in row
        if record.outcome != "finished":
            assert f"nothing: {record.outcome}" in row
        elif record.protocol == "smoke":
            assert "context, no claim is about it" in row
    assert "nothing: trained from uncommitted or unknown sources" in text
    assert "unknown" in next(row for row in rows.values() if "failed" in row)


def test_tables_show_the_newest_run_of_the_same_thing(full: Report) -> None:
    text = text_of(full)
    assert "2.52 ± 0.17 (6)" in text  # with 2.20, the newest of realisation 0, and not 2.46
    older, newer = (
        trained("cnn_28", error, provenance=provenance(started=f"2025-01-0{day}T00:00:00Z"))
        for day, error in ((1, 7.0), (2, 8.0))
    )
    material = Material.gather(CLAIMS, [newer, older])
    assert material.latest("training") == [newer]
    assert material.superseded == {older.digest}
    assert [row for row in text.splitlines() if "| 2.46 |" in row and "| nothing |" in row]
    assert text.count("repeated later") == 1


def test_files_are_replaced_and_stale_figures_removed(empty: Report, tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    for name in ("budget.svg", "mine.svg"):
        (tmp_path / "figures" / name).write_text("old")
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "old.md").write_text("old")
    assert differences(empty, tmp_path)[-3:] == [
        f"{tmp_path / 'REPORT.md'}: missing",
        f"{tmp_path / 'figures' / 'budget.svg'}: no longer shown",
        f"{tmp_path / 'pages' / 'old.md'}: no longer shown",
    ]
    write_report(empty, tmp_path)
    assert differences(empty, tmp_path) == []
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert files == {*(page.name for page in PAGES), "figures/mine.svg"}


def test_every_figure_is_known_by_name(full: Report) -> None:
    names = {Path(name).stem for name in full.files if not name.endswith(".md")}
    assert names == set(FIGURE_NAMES)
    assert report_module.FIGURES == "figures"


def test_records_are_linked_from_wherever_the_report_lies(tmp_path: Path) -> None:
    evidence = write_all(theorems(), tmp_path / "some records")
    report = read_report(evidence, tmp_path / "a" / "b")
    assert "](../../../some%20records/theorem-" in text_of(report, "pages/records.md")
