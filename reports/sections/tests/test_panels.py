"""The section on the three panels, from invented records."""

from __future__ import annotations

import dataclasses
import io

import pytest
from PIL import Image

from reports.document.report import Report
from reports.readers.material import Material
from reports.readers.panels import read_panels
from reports.sections import panels
from reports.tests.reading import text_of
from reports.tests.synthetic import CLAIMS
from reports.tests.synthetic import panels as invented
from verification.claims.records import Record, RecordError


def _gather(records: list[Record]) -> Material:
    return Material.gather(CLAIMS, records)


def test_nothing_measured_is_said() -> None:
    section = panels.write(_gather([]))
    assert panels.NOT_MEASURED in section.text
    assert "`python -m benchmarks panels`" in section.text
    assert not section.figures


def test_the_report_says_with_and_without_records_what_is_not_known(
    full: Report, empty: Report
) -> None:
    for report, measured in ((full, True), (empty, False)):
        text = text_of(report)
        assert panels.SETTING in text
        assert (panels.NOT_MEASURED not in text) is measured
        assert (panels.EXPLANATION in text) is measured
        assert ("figures/panels.svg" in report.files) is measured


def test_panels_on_each_grid_with_medians_bands_and_verdicts() -> None:
    section = panels.write(_gather(invented()))
    row = next(line for line in section.text.splitlines() if "| layers 1 |" in line)
    assert "2.0 \\[1.6, 2.6] | 1.5 | 0.20 | 20 | – |" in row
    assert "#trend-depth-stl10" in row
    assert row.count("[") == 4  # the grid with its verdict, the band, two records
    assert "3 random networks" in section.text
    with Image.open(io.BytesIO(section.figures["panels.png"])) as image:
        assert 1200 <= image.width <= 2000


def test_published_statements_are_judged_by_their_readings() -> None:
    """Three invented networks decide nothing, and that is said reading by reading."""
    text = panels.write(_gather(invented())).text
    row = next(line for line in text.splitlines() if "#trend-depth)" in line)
    assert "published STL-10 grid: inconclusive" in row
    assert "wide grid: inconclusive" in row
    assert "STL-10 grid, layers 50: 8.0 % on resampled photographs, 6.0 % by exact probe" in text


def test_the_same_records_give_the_same_bytes() -> None:
    first, second = (panels.write(_gather(records)) for records in (invented(), invented()[::-1]))
    assert first == second


def test_a_probe_of_other_points_is_left_out() -> None:
    records = invented()
    numbers = {"x": [1, 2], "y": [[0.01, 0.02]]}
    records[1] = dataclasses.replace(records[1], numbers=numbers)
    assert "probe" not in read_panels(_gather(records))[0].rows


def test_a_damaged_record_is_named() -> None:
    record = invented()[0]
    broken = dataclasses.replace(record, numbers={"x": [1, 2], "y": [[0.1]]})
    with pytest.raises(RecordError, match=rf"{broken.filename}: .*y must have rows of 2 numbers"):
        panels.write(_gather([broken]))
