"""The section on where networks lose scale, from invented records."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest

from reports.readers.material import Material
from reports.sections.methods import by_layer
from reports.tests import synthetic
from reports.tests.reading import tables
from reports.tests.synthetic import CLAIMS
from verification.claims.records import Record, RecordError


def text(records: list[Record]) -> str:
    return by_layer.write(Material.gather(CLAIMS, records)).text


def test_nothing_measured_is_reported() -> None:
    assert by_layer.NOT_MEASURED in text([])


def test_shares_before_and_after_training_are_told() -> None:
    found = text(synthetic.profiles())
    assert "`cnn_28`: untrained stride 80 % and filters 20 %" in found
    assert "trained filters 70 % and stride 30 %" in found
    (rows,) = tables(found)
    assert rows[0] == ["Share, %", "`cnn_28`"]
    assert rows[2:4] == [["filters", "20.0 → 70.0"], ["stride", "80.0 → 30.0"]]


def test_shares_that_are_no_whole_are_named() -> None:
    (record,) = synthetic.profiles()
    numbers = copy.deepcopy(dict(record.numbers))
    numbers["profiles"]["trained"]["by_part"]["stride"] = 0.9
    with pytest.raises(RecordError, match=r"shares sum to 1\.6"):
        text([replace(record, numbers=numbers)])
