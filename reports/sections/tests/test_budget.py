"""The section on the error budget, from invented records old and new."""

from __future__ import annotations

import dataclasses

import pytest

from reports.document.report import Report
from reports.readers import budgets as budget_records
from reports.readers.budgets import Budget, budgets
from reports.readers.material import Material
from reports.readers.measurements import read
from reports.sections.budget import filters as budget
from reports.sections.budget import layers as budget_layer
from reports.sections.budget import supports as budget_supports
from reports.sections.budget.findings import findings
from reports.tests import synthetic
from reports.tests.reading import text_of
from reports.tests.synthetic import CLAIMS, OLD_BUDGET
from verification.claims.records import Record, RecordError


def _read(records: list[Record]) -> list[Budget]:
    return budgets(Material.gather(CLAIMS, records))


def _published() -> list[Budget]:
    return [item for item in _read(synthetic.budgets()) if item.published]


def _old() -> list[Record]:
    return [record for record in synthetic.budgets() if record.subject == OLD_BUDGET]


def test_old_records_lack_what_was_not_measured() -> None:
    (old,) = _read(_old())
    assert (old.layer, old.supports, old.taps, old.kernel_size) == (None, None, None, None)
    assert {(pair.rank, pair.cut_off) for pair in old.pairs} == {(None, None)}
    section = budget.write(Material.gather(CLAIMS, _old()))
    assert set(section.figures) == {"budget.svg", "budget.png"}
    assert "In the network" not in section.text
    assert "The support that an error needs" not in section.text
    assert "rank loss makes" not in section.text
    row = next(line for line in section.text.splitlines() if line.startswith(f"| `{OLD_BUDGET}`"))
    assert "–" not in row
    assert section.text.count("| – | – |") == len(old.pairs)
    assert len(findings([old])) == 3


def test_new_records_show_all_parts(full: Report) -> None:
    text = text_of(full)
    for heading in ("### In the network", "### The support that an error needs"):
        assert heading in text
    for name in ("budget", "budget_layer", "budget_supports"):
        assert f"figures/{name}.png" in full.files
    assert "Rank loss, %" in text


def test_rank_loss_is_a_share_of_the_finest_pairs_error() -> None:
    text = " ".join(findings(_published()))
    assert "Of the finest pair this rank loss makes 30 % of the error with rank 25." in text


def test_what_is_left_of_a_cut_is_named_with_the_multiples_of_sigma() -> None:
    item = _published()[0]
    first, *others = item.pairs
    assert first.cut_off is not None
    assert first.multiples == pytest.approx((5 / 1.7, 7 / 2.45))
    clear = dataclasses.replace(first, truncation=1e-3 * first.cut_off)
    text = " ".join(findings([dataclasses.replace(item, pairs=(clear, *others))]))
    assert f"(`{item.name}`, 1.7 → 2.45, supports of 2.94 and 2.86 σ), most" in text
    assert "rank correlation" not in text  # of three pairs


def test_the_rank_correlation_is_that_of_the_pairs() -> None:
    item = _published()[0]
    for sign, expected in ((1, "1.00"), (-1, "-1.00")):
        pairs = tuple(
            dataclasses.replace(
                item.pairs[0], fine=1.0, coarse=1.0, supports=(100, 100 + n), cut_off=1.0,
                truncation=0.5 + 0.01 * sign * n,
            )
            for n in range(12)
        )  # fmt: skip
        (text,) = (
            line
            for line in findings([dataclasses.replace(item, pairs=pairs)])
            if "correlation" in line
        )
        assert "Over 12 different pairs the share that is left" in text
        assert text.endswith(f"have a rank correlation of {expected}.")
        # The same pairs once more, as of a second network with this basis, change nothing.
        twice = [dataclasses.replace(item, pairs=pairs)] * 2
        assert text in findings(twice)


def test_what_reaches_a_wanted_error_is_named_with_its_cost() -> None:
    found = [item for item in _published() if item.supports is not None]
    (text,) = (
        line for line in findings(found) if line.startswith("The error of the worst pair is")
    )
    for item in found:
        assert item.kernel_size is not None
        if item.worst.total > 2e-3:
            assert f"`{item.name}` V = {item.kernel_size + 4} (× 2)" in text
    assert "at most 0.01 % in 3 with no support" in text


def test_supports_that_cost_nothing_and_those_that_are_worse() -> None:
    text = " ".join(findings(_published()))
    assert "by more than a tenth in 3 of 3 configurations: " in text
    assert "with rank 9 instead of 25 at the finest scale" in text
    assert "two more pixels would raise the worst pair's error in 3 configurations" in text
    item = next(item for item in _published() if item.supports is not None)
    assert item.supports is not None
    best = dataclasses.replace(item.supports.best, error=0.95 * item.worst.total)
    unmoved = dataclasses.replace(item.supports, best=best, errors={})
    text = " ".join(findings([dataclasses.replace(item, supports=unmoved)]))
    assert "in 0 of 1 configuration." in text
    assert "two more pixels" not in text


def test_the_support_table_tells_what_has_to_change() -> None:
    found = [item for item in _published() if item.supports is not None]
    text = budget_supports.write(found).text
    assert "| At most 0.2 % | At most 0.01 % |" in text
    assert "scales × 1.25, V = 21 (× 2) or mult 1.5, V = 21 (× 2) |" in text
    supports = found[0].supports
    assert supports is not None
    hopeless = dataclasses.replace(supports, recommended={1e-4: ()})
    text = budget_supports.write([dataclasses.replace(found[0], supports=hopeless)]).text
    assert "nothing that was tried" in text


def test_the_layer_tells_border_scale_axis_and_precision() -> None:
    layers = [(item.name, item.layer) for item in _published() if item.layer is not None]
    border, ends, precision = budget_layer.findings(layers)
    pairs = sum(len(layer.pairs) for _, layer in layers)
    assert border.startswith(
        "Inside a network the image border is the largest part of the error in "
        f"{pairs - 3} of {pairs} pairs"
    )
    assert "3 pairs only" in ends
    assert "is the largest part: 40 %" in ends
    assert "at most in float32 and 0.0010 % in bfloat16" in precision
    calm = [
        (
            name,
            dataclasses.replace(
                layer,
                pairs=tuple(
                    dataclasses.replace(pair, parts={**pair.parts, "scale_axis": 0.0})
                    for pair in layer.pairs
                ),
            ),
        )
        for name, layer in layers
    ]
    assert "costs nothing" in budget_layer.findings(calm)[1]


@pytest.mark.parametrize("lost", ["layer", "supports_tried"])
def test_a_damaged_part_is_named(lost: str) -> None:
    record = next(record for record in synthetic.budgets() if record.subject != OLD_BUDGET)
    broken = dataclasses.replace(record, numbers={**record.numbers, lost: {}})
    with pytest.raises(RecordError, match=rf"{broken.filename}: its numbers"):
        read([broken], "pairs", budget_records.budget)
