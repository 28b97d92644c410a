"""The section on layers of known truth, from invented records."""

from __future__ import annotations

import copy

import pytest

from reports.readers.material import Material
from reports.sections import gallery
from reports.tests import synthetic
from reports.tests.reading import tables
from reports.tests.synthetic import CLAIMS, make
from verification.claims.records import Record, RecordError


def text(records: list[Record]) -> str:
    return gallery.write(Material.gather(CLAIMS, records)).text


def test_nothing_measured_is_reported() -> None:
    assert gallery.NOT_MEASURED in text([])


def test_the_finding_counts_wrong_and_open_verdicts() -> None:
    found = text([synthetic.gallery()])
    assert "2 layers, of which 1 are not equivariant" in found
    assert "of 4 verdicts 1 pass and 0 fail wrongly, 1 are undecided" in found
    assert "Of 3 random correct layers 0 fail and 1 are undecided" in found
    assert "`scattering`: no module named far" in found


def test_rows_name_verdicts_errors_and_causes() -> None:
    (rows,) = tables(text([synthetic.gallery()]))
    right, wrong = rows[2:]
    assert right == [
        "`blur`", "yes", "1 passed, 1 undecided", "open", "1.0e-03", "1.0e-01, 1.0e-03", "0.5", "–",
    ]  # fmt: skip
    assert wrong[1:4] == ["no", "1 failed, 1 passed", "✗"]
    assert wrong[-1].startswith("one")


def test_a_record_whose_counts_are_not_those_of_its_rows_is_named() -> None:
    numbers = copy.deepcopy(dict(synthetic.gallery().numbers))
    numbers["counts"]["layers"] = 3
    with pytest.raises(RecordError, match="counts of 3 layers beside 2 rows"):
        text([make("gallery", "gallery", numbers)])
