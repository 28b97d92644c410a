"""The section on broken layers, from invented records."""

from __future__ import annotations

import copy

import pytest

from reports.readers.material import Material
from reports.sections import broken_layers as mutants
from reports.tests import synthetic
from reports.tests.reading import tables
from reports.tests.synthetic import CLAIMS, make
from verification.claims.records import Record, RecordError


def text(records: list[Record]) -> str:
    return mutants.write(Material.gather(CLAIMS, records)).text


def test_nothing_measured_is_said() -> None:
    assert mutants.NOT_MEASURED in text([])


def test_the_finding_counts_who_is_rejected_and_who_is_named() -> None:
    found = text(synthetic.mutants())
    assert "2 mistakes in 2 broken layers: 2 rejected, 1 by a check that names the mistake" in found
    assert "The 1 intact modules pass every check." in found
    assert "✗ **refuted**" in found


def test_cells_say_what_a_check_makes_of_a_layer() -> None:
    found = text(synthetic.mutants())
    (matrix,) = tables(found)
    assert matrix[2] == ["`flipped`", "lifting", "2 of 3", "response 2.0e+06×"]
    assert matrix[3] == ["`shapeless`", "lifting", "1 of 3", "–"]
    assert "- `flipped`: How flipped | comes about. *Found:* its cause is told" in found
    assert "`shapeless`: How shapeless | comes about. *Found:* –" in found


def test_changes_without_effect_are_argued() -> None:
    assert "- `harmless`: Nothing changes." in text(synthetic.mutants())


def test_an_intact_module_that_fails_is_named() -> None:
    numbers = copy.deepcopy(dict(synthetic.mutants()[0].numbers))
    numbers["intact"]["lifting"]["failed"] = ["border"]
    assert "fail: lifting" in text([make("mutation", "mutants", numbers)])


def test_a_record_that_contradicts_itself_is_named() -> None:
    numbers = copy.deepcopy(dict(synthetic.mutants()[0].numbers))
    numbers["mutants"][0]["naming"] = ["magic"]
    with pytest.raises(RecordError, match="rejected by magic, which does not apply"):
        text([make("mutation", "mutants", numbers)])
