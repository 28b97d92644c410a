"""The section on all methods side by side, from invented records."""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from reports.document.report import Report
from reports.drawings import comparison as comparison_plot
from reports.readers.comparison import FLOOR, read_comparison
from reports.readers.material import Material
from reports.sections.methods import comparison
from reports.tests.reading import table_problems, text_of
from reports.tests.synthetic import CLAIMS, COMPARED, provenance, trained
from reports.tests.synthetic import comparison as invented
from verification.claims.records import Record, RecordError


def _gather(records: list[Record]) -> Material:
    return Material.gather(CLAIMS, records)


def _write(records: list[Record]) -> str:
    return comparison.write(_gather(records)).text


def _row(text: str, model: str) -> list[str]:
    """Errors and then costs of a method, without the evidence."""
    lines = [line for line in text.splitlines() if line.startswith(f"| {model} |")]
    tables = [[cell.strip() for cell in line.split("|")[1:-2]] for line in lines]
    return [*tables[0], *(cell for row in tables[1:2] for cell in row[1:])]


def _renumbered(record: Record, **numbers: Any) -> Record:
    return dataclasses.replace(record, numbers={**record.numbers, **numbers})


def test_nothing_measured_is_said() -> None:
    section = comparison.write(_gather([]))
    assert comparison.NOT_MEASURED in section.text
    assert "`python -m benchmarks compare`" in section.text
    assert "[not run](#ranking-equivariance-sesn_scalar_best)" in section.text
    assert not section.figures
    assert table_problems(section.text) == []


def test_the_report_has_the_section_with_and_without_records(full: Report, empty: Report) -> None:
    for report, measured in ((full, True), (empty, False)):
        assert "# All methods side by side" in text_of(report, "pages/methods.md")
        assert (comparison.NOT_MEASURED in text_of(report)) is not measured
        assert ("figures/comparison.svg" in report.files) is measured


def test_one_table_of_errors_and_costs() -> None:
    text = _write(invented())
    assert table_problems(text) == []
    assert _row(text, "SESN scalar")[:12] == [
        "SESN scalar", "4.0 (5.0)", "4.0 (5.0)", "4.0 (5.0)", "4.0 (5.0)",
        "4.0 (5.0)", "50 (20)", "494,549", "420", "12.00 \\[11.40, 13.20]",
        "12.00 \\[11.40, 13.20]", "24.00 \\[23.76, 24.24]",
    ]  # fmt: skip
    assert _row(text, "CNN")[5] == "–"
    assert _row(text, "*floor*")[1:7] == ["8e-5 (1e-4)"] * 3 + ["–"] * 3
    names = _gather(invented()).method_names
    order = [text.index(f"| {names[model]} |") for model in COMPARED]
    assert order == sorted(order)
    assert text.index("*floor* |") > order[-1]
    assert "batches of 128 images, on cpu with 2 threads" in text
    assert "over 5 rounds" in text
    assert "Repeat by `python -m benchmarks compare --seed 0`." in text


def test_findings_follow_from_the_records() -> None:
    text = _write(invented())
    assert (
        "4 of 4 methods have a smaller error than the plain CNN, of 30 % of chance: "
        "least SESN scalar with 5.0 %, most SiCNN with 25 %."
    ) in text
    assert "own scale axis: least SESN scalar with 5.0 %, most SiCNN with 25 %." in text
    assert "costs 9.0 (SI-ConvNet) to 15.0 (SiCNN) times that of the plain CNN" in text
    assert "timed beside itself gives 1.00 \\[0.95, 1.10]" in text
    assert "a cheaper step than CNN, SI-ConvNet and SESN scalar." in text
    assert "shown to learn" not in text


def test_other_records_give_other_findings() -> None:
    """The negative control: nothing of the text is written beforehand."""
    records = invented()
    worst = next(r for r in records if r.subject == "sesn_scalar_28")
    rows = [
        {**row, "error": [[0.64] * len(row["factors"])] * 8} for row in worst.numbers["responses"]
    ]
    records[records.index(worst)] = _renumbered(worst, responses=rows)
    text = _write(records)
    assert "3 of 4 methods have a smaller error than the plain CNN" in text
    assert re.search(r"least SI-ConvNet with 10(\.0)? %, most SESN scalar with 80 %", text)


def test_smoke_trainings_show_that_methods_learn() -> None:
    smoke = [
        trained(model, error, protocol="smoke", data="digits")
        for model, error in (("cnn_28", 12.3), ("sicnn_28", 23.4))
    ]
    older = provenance(started="2024-01-01T00:00:00Z")
    smoke.append(trained("cnn_28", 77.0, 1, protocol="smoke", data="digits", provenance=older))
    others = [trained("dss_scalar_28", 50.0), trained("ss_cnn_28", 1, protocol="smoke")]
    text = _write([*invented(), *smoke, *others])
    assert "2 of 5 networks are shown to learn" in text
    assert "12 % (CNN) to 23 % (SiCNN), where guessing among ten digits gives 90 %" in text


def test_verdicts_stand_in_the_section() -> None:
    text = _write(invented())
    row = next(line for line in text.splitlines() if "sesn_scalar_28 has a smaller" in line)
    assert "over 8 paired runs of protocol check" in row
    assert "[✓ **supported**](#ranking-equivariance-sesn_scalar_over_cnn)" in row
    row = next(line for line in text.splitlines() if "step of SiCNN costs at most 3" in line)
    assert "**supported**](#cost-step-sicnn_over_si_convnet)" in row


@pytest.mark.parametrize(
    ("kept", "cells", "said"),
    [
        (lambda r: r.kind == "equivariance", [], "**Costs were not measured.**"),
        (lambda r: r.kind == "timing", ["494,549", "35"], "median \\[quartiles]"),
    ],
)
def test_half_the_records_give_half_the_table(
    kept: Callable[[Record], bool], cells: list[str], said: str
) -> None:
    section = comparison.write(_gather([record for record in invented() if kept(record)]))
    row = _row(section.text, "CNN")
    assert row[7 : 7 + len(cells)] == cells
    assert (row[1] == "–") is bool(cells)
    assert said in section.text
    assert table_problems(section.text) == []
    assert not section.figures
    assert "No other method" not in section.text


def test_a_single_record_is_enough() -> None:
    for record in invented():
        section = comparison.write(_gather([record]))
        assert table_problems(section.text) == []
        assert ("Not run" in section.text) is (record.subject == FLOOR)


def test_methods_without_costs_are_in_the_table_and_not_in_the_figure() -> None:
    material = _gather(invented())
    found = read_comparison(material)
    assert "dss_scalar_28" in found.methods
    points = comparison_plot.points_of(found, "probe", material.method_names)
    assert [point.name for point in points] == ["CNN", "SiCNN", "SI-ConvNet", "SESN scalar"]
    sesn = points[-1]
    assert sesn.x == pytest.approx((12.0, 11.4, 13.2))
    assert sesn.y == pytest.approx((0.05, 0.045, 0.055))


def test_the_figure_is_a_readable_picture() -> None:
    figures = comparison.write(_gather(invented())).figures
    with Image.open(io.BytesIO(figures["comparison.png"])) as image:
        assert 1500 <= image.width <= 2000


def test_labels_of_points_at_one_place_lie_apart() -> None:
    points = [
        comparison_plot.Point(name, (2.0, 1.9, 2.1), (0.1, 0.09, 0.11))
        for name in ("SEVF scalar", "SEVF vector", "SESN vector")
    ]
    limits = ((1.0, 4.0), (0.01, 1.0))
    places = comparison_plot._places(points, limits)
    middle = [side / 2 for side in comparison_plot._PANEL]
    boxes = [
        comparison_plot._box(
            middle[0] + x, middle[1] + y, comparison_plot._CHARACTER * len(point.name)
        )
        for point, (x, y) in zip(points, places, strict=True)
    ]
    for i, box in enumerate(boxes):
        assert comparison_plot._trouble(box, boxes[:i] + boxes[i + 1 :]) < 1e-9


def test_the_same_records_give_the_same_bytes() -> None:
    first, second = (
        comparison.write(_gather(records)) for records in (invented(), invented()[::-1])
    )
    assert first == second


def test_a_larger_run_goes_before_a_newer_one() -> None:
    small = [
        dataclasses.replace(
            record,
            command="python -m benchmarks compare --seed 0 --quick",
            configuration={
                **record.configuration,
                "sizes": {"repetitions": 2, "scenes": 16},
                "batch": 8,
            },
            provenance=provenance(started="2026-01-01T00:00:00Z"),
        )
        for record in invented()
    ]
    text = _write([*small, *invented()])
    assert "Repeat by `python -m benchmarks compare --seed 0`." in text
    assert "batches of 128" in text
    assert "--quick`." in _write(small)


def test_memory_that_was_not_told_is_left_open() -> None:
    records = invented()
    price = next(r for r in records if (r.kind, r.subject) == ("timing", "sicnn_28"))
    peaks = {"cnn_28": None, "sicnn_28": None}
    records[records.index(price)] = _renumbered(price, peak_bytes=peaks)
    assert _row(_write(records), "SiCNN")[11] == "–"


@pytest.mark.parametrize(
    ("kind", "numbers", "message"),
    [
        ("equivariance", {"responses": [{"part": "head"}]}, "KeyError"),
        ("equivariance", {"predictions": {"unchanged": [[0.1], []]}}, "rows of equal length"),
        ("equivariance", {"predictions": {"unchanged": [[-0.1]]}}, "not negative"),
        ("timing", {"step_ratio": {"median": 2}}, "KeyError"),
    ],
)
def test_a_damaged_record_is_named(kind: str, numbers: dict[str, Any], message: str) -> None:
    record = next(r for r in invented() if (r.kind, r.subject) == (kind, "cnn_28"))
    broken = dataclasses.replace(_renumbered(record, **numbers))
    with pytest.raises(RecordError, match=rf"{re.escape(broken.filename)}: .*{message}"):
        _write([broken])
