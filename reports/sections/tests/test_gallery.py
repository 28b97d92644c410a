"""The section on layers of known truth, from invented records."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest

from reports.readers.material import Material
from reports.sections import gallery
from reports.tests import synthetic
from reports.tests.reading import tables
from reports.tests.synthetic import CLAIMS, make
from verification.claims.claim import Count
from verification.claims.records import Record, RecordError
from verification.claims.rules import NOT_RUN, REFUTED, SUPPORTED


def text(records: list[Record]) -> str:
    return gallery.write(Material.gather(CLAIMS, records)).text


def test_nothing_measured_is_reported() -> None:
    assert gallery.NOT_MEASURED in text([])
    assert text([]).count("not run") == 6


def test_the_finding_counts_wrong_and_open_verdicts() -> None:
    found = text([synthetic.gallery()])
    assert "2 layers, of which 1 are not equivariant" in found
    assert "of 4 verdicts 1 pass and 0 fail wrongly, 1 are undecided" in found
    assert "Of 3 random correct layers 0 fail and 1 are undecided" in found
    assert "`scattering`: no module named far" in found


def test_rows_name_verdicts_errors_and_causes() -> None:
    rows, mistakes = tables(text([synthetic.gallery()]))
    right, wrong = rows[2:]
    assert right == [
        "`blur`", "yes", "1 passed, 1 undecided", "open", "1.0e-03", "1.0e-01, 1.0e-03", "0.5", "–",
    ]  # fmt: skip
    assert wrong[1:4] == ["no", "1 failed, 1 passed", "✗"]
    assert wrong[-1].startswith("one")
    assert [row[2] for row in mistakes[2:]] == ["1 of 1", "0 of 1"]


def test_each_statement_is_decided_by_the_record() -> None:
    found = Material.gather(CLAIMS, [synthetic.gallery()])
    claims = found.select(Count, "count.gallery")
    statuses = {claim.number: found.verdict(claim).status for claim in claims}
    assert statuses == {
        "wrong_pass": REFUTED, "wrong_fail": SUPPORTED, "undecided_beyond_a_fifth": REFUTED,
        "random_failed": SUPPORTED, "unnamed": REFUTED, "unconfirmed": SUPPORTED,
    }  # fmt: skip


def test_a_part_of_the_gallery_decides_nothing() -> None:
    part = replace(synthetic.gallery(), configuration={"scope": "part"})
    found = Material.gather(CLAIMS, [part])
    assert {found.verdict(c).status for c in found.select(Count, "count.gallery")} == {NOT_RUN}


def test_a_record_whose_counts_are_not_those_of_its_rows_is_named() -> None:
    numbers = copy.deepcopy(dict(synthetic.gallery().numbers))
    numbers["layers"] = 3
    with pytest.raises(RecordError, match="counts of 3 layers beside 2 rows"):
        text([make("gallery", "gallery", numbers)])
