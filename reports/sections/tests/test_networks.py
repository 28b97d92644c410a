"""The section on networks before and after training, from invented records."""

from __future__ import annotations

import copy

import pytest

from reports.readers.material import Material
from reports.sections.methods import networks
from reports.tests import synthetic
from reports.tests.reading import tables
from reports.tests.synthetic import CLAIMS, make
from verification.claims.records import Record, RecordError


def text(records: list[Record]) -> str:
    return networks.write(Material.gather(CLAIMS, records)).text


def test_nothing_measured_is_said() -> None:
    assert networks.NOT_MEASURED in text([])


def test_figures_and_finding_are_those_of_the_records() -> None:
    found = text(synthetic.networks())
    assert (
        "`cnn_28`, trained: first layer grows to 2.00 times, last block grows to 2.00 times"
        in found
    )
    assert "`sesn_scalar_28`, trained: first layer stays (1.00 times)" in found
    (rows,) = tables(found)
    plain, trained = rows[2], rows[3]
    assert plain[:7] == ["`cnn_28`, untrained", "10", "20", "40", "–", "60 (10)", "5 (30)"]
    assert trained[1:4] == ["20", "40", "80"]
    assert rows[4][4] == "5"


def test_a_record_that_says_something_else_is_named() -> None:
    record = synthetic.networks()[0]
    numbers = copy.deepcopy(dict(record.numbers))
    numbers["states"]["trained"]["blocks"] = []
    broken = make("equivariance", "cnn_28", numbers, configuration=record.configuration)
    with pytest.raises(RecordError, match="every block must have errors"):
        text([broken])
