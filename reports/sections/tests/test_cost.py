"""The section on cost, from invented records."""

from __future__ import annotations

import copy

import pytest

from reports.readers.material import Material
from reports.sections import cost, scaling
from reports.tests.synthetic import CLAIMS, choices, make, scalings, timings
from verification.claims.records import Record, RecordError


def text(records: list[Record]) -> str:
    return cost.write(Material.gather(CLAIMS, records)).text


def test_nothing_measured_is_said() -> None:
    section = cost.write(Material.gather(CLAIMS, []))
    assert "**Not run.** There is no record of times." in section.text
    assert scaling.NOT_MEASURED in section.text
    assert not section.figures


def test_speed_and_memory_are_told_where_measured() -> None:
    rows = [line for line in text(timings()).splitlines() if "`sesn_scalar_28`" in line]
    cells = [cell.strip() for row in rows for cell in row.split("|")]
    assert "42" in cells  # 41.5 % of a matrix product's speed
    assert "0.30" in cells  # 300 bytes over 1000
    older = [strip(record) for record in timings()]
    assert "| – | [record]" in text(older)
    assert "| 615.0 | – |" in text(older)


def strip(record: Record) -> Record:
    """The record as it was before speed and memory were measured."""
    numbers = {k: v for k, v in record.numbers.items() if k in ("seconds", "ratios")}
    return make(
        record.kind, record.subject, numbers, claims=record.claims,
        configuration=record.configuration, protocol="timing", seeds={},
    )  # fmt: skip


def test_growth_is_read_off_the_records() -> None:
    section = cost.write(Material.gather(CLAIMS, scalings()))
    assert "the layer is 2.0 to 8.0 times as fast as its textbook form" in section.text
    assert "1.50 \\[1.40, 1.60]" in section.text
    assert "direct, spectral" in section.text
    assert set(section.figures) == {"scaling.svg", "scaling.png"}


def test_how_often_the_faster_algorithm_is_chosen() -> None:
    assert "`python -m benchmarks choices` measures it" in text([])
    written = text([choices()])
    assert (
        "at 50 % of 2 sizes forward (at worst 3.0 times) and 50 % of 2 sizes with both gradients "
        "(at worst 2.5 times)"
    ) in written
    assert "| 128 | 32 → 63 | 7×7 | 14×14 | direct | 1.00 | 1.00 |" in written
    assert "| 16 | 3 → 16 | 15×15 | 64×64, stride 2 | spectral | 3.00 | 2.50 |" in written


def test_a_record_that_says_something_else_is_named() -> None:
    (record, _) = scalings()
    numbers = copy.deepcopy(dict(record.numbers))
    numbers["seconds"] = {"layer": [["fast"]]}
    broken = make("timing", "scaling_image", numbers, configuration=record.configuration,
                  protocol="timing", seeds={})  # fmt: skip
    with pytest.raises(RecordError, match="its numbers are not those of a finished timing"):
        text([broken])
