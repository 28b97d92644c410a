"""What the sections say, for records whose meaning is known."""

from __future__ import annotations

import dataclasses

import pytest

from reports.document.report import Report, make_report
from reports.readers.budgets import budget
from reports.readers.material import Material
from reports.readers.measurements import read, training
from reports.readers.trainings import by_scale
from reports.sections.accuracy.trainings import rejects
from reports.sections.accuracy.trainings import write as write_trainings
from reports.sections.budget.findings import findings
from reports.sections.front.answers import on_experiments, on_theory
from reports.tests.reading import text_of
from reports.tests.synthetic import (
    CLAIMS,
    budgets,
    full_set,
    make,
    provenance,
    theorems,
    trained,
    trainings,
)
from reports.writing.wording import duration, listing, percent, signed, small
from verification.claims.records import Record, RecordError


def _gather(records: list[Record]) -> Material:
    return Material.gather(CLAIMS, records)


def test_a_sound_theory_is_called_sound_as_far_as_it_was_tried() -> None:
    answer = on_theory(_gather(theorems()))
    assert answer.startswith("Yes, as far as tests can show. We tried to break 14 statements")
    assert "with 1,300 different random cases" in answer
    assert "13 held, none was refuted" in answer
    assert "error is 3e-26, where rounding explains up to 1e-25" in answer
    assert answer.endswith("Open: 1 (`theorem.pooling`).")


def test_one_counterexample_is_enough() -> None:
    wrong = make(
        "theorem",
        "scale_shift",
        {"cases": 1, "worst_error": 1e-3, "bound": 1e-25},
    )
    answer = on_theory(_gather([*theorems(), wrong]))
    assert answer.startswith("Not as stated. 1 of 14 statements refuted: `theorem.scale_shift`.")


def test_smoke_runs_answer_nothing() -> None:
    smoke = [trained("cnn_28", 2.56, k, protocol="smoke") for k in range(6)]
    answer = on_experiments(_gather(smoke))
    assert answer.startswith("Not known yet: none of the 49 published test errors was measured")
    assert "only smoke runs, 6 of them, which support nothing" in answer
    text = text_of(make_report(CLAIMS, smoke))
    assert "**support nothing**. Their errors must not be compared" in text
    assert "✓ **supported**" not in text


def test_full_trainings_decide_cells() -> None:
    answer = on_experiments(_gather(trainings()))
    assert "2 of 49 published test errors were measured under the published recipe" in answer
    assert "1 agree within ±0.2 points and 1 do not agree" in answer
    assert "refuted: SESN scalar in column 28 (2.60 instead of 2.10)" in answer


def test_accuracy_shows_published_rerun_ours_and_difference(full: Report) -> None:
    row = next(line for line in text_of(full).splitlines() if line.startswith("| SESN scalar `ses"))
    assert "2.10 ± 0.10 (6) † | 2.09 ± 0.15 (6) | 2.60 ± 0.07 (6) | +0.50 \\[+0.37, +0.63]" in row
    assert "[✗ **refuted**](claims.md#cell-mnist-sesn_scalar-28)" in row
    assert "[records](records.md#records-cell-mnist-sesn_scalar-28)" in row


def test_findings_name_the_best_the_worst_and_what_limits() -> None:
    found = [budget(record) for record in budgets()[:4]]
    totals = {pair.total: (item, pair) for item in found for pair in item.pairs}
    text = " ".join(findings(found))
    for total in (min(totals), max(totals)):
        item, pair = totals[total]
        assert f"{percent(total)} (`{item.name}`, {pair.name})" in text
    for item in found:
        limits = max(item.pairs, key=lambda pair: pair.total)
        part = "sampling" if limits.sampling > limits.truncation else "truncation"
        listed = text.split(f"{part} in ")[1].split(")")[0]
        assert f"`{item.name}`" in listed
    assert "`sesn_scalar_28` 25 of 49" in text
    assert findings([]) == []


def test_only_published_configurations_count_as_such(full: Report) -> None:
    line = next(line for line in text_of(full).splitlines() if line.startswith("- Over "))
    assert line.startswith("- Over 4 published configurations and 9 pairs")
    assert "`wide_support`" in text_of(full)


def test_runs_of_one_model_are_pooled_by_object_scale() -> None:
    panels = by_scale(_gather(trainings()))
    assert [panel.protocol for panel in panels] == ["paper", "short", "smoke"]
    curve = panels[0].curves[0]
    assert (curve.model, curve.runs) == ("cnn_28", 6)
    assert {item.images for item in curve.bins} == {6 * 1428, 6 * 1432}


def test_means_of_the_runs_that_may_be_compared() -> None:
    text = write_trainings(_gather(trainings())).text
    rows = [line for line in text.splitlines() if line.startswith("| `") and " to " in line]
    cells = [[cell.strip() for cell in row.split("|")[1:-2]] for row in rows]
    assert ["`sesn_vector_28`", "mnist_scale", "28", "short", "3", "3.10 ± 0.10",
            "3.00 to 3.20"] in cells  # fmt: skip
    assert [row[0] for row in cells if row[3] == "paper"] == ["`cnn_28`", "`sesn_scalar_28`"]
    assert not [row for row in cells if row[3] == "smoke"]


def test_times_are_shown_for_each_device(full: Report) -> None:
    rows = [
        line
        for line in text_of(full).splitlines()
        if line.startswith("| `sesn_scalar_28` | step") and "[record]" in line
    ]
    assert len(rows) == 2
    assert "| 6.00 \\[5.90, 6.10] | 6.00 \\[5.90, 6.10] |" in rows[0]


def test_a_damaged_measurement_is_named() -> None:
    record = trained("cnn_28", 2.5)
    broken = dataclasses.replace(record, numbers={"test_error": 2.5})
    with pytest.raises(RecordError, match=rf"{broken.filename}: its numbers .*'by_scale'"):
        read([broken], "test_error", training)
    assert read([broken], "pairs", budget) == []


def test_labels_grow_until_they_differ() -> None:
    material = _gather(full_set())
    assert len(set(material.labels.values())) == len(material.records)
    assert all(digest.startswith(label) for digest, label in material.labels.items())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (percent(0.48), "48 %"),
        (percent(0.0072), "0.72 %"),
        (percent(3e-9), "3e-7 %"),
        (percent(0.0), "0 %"),
        (small(1e-25), "1e-25"),
        (small(0.0), "0"),
        (signed(-0.314), "−0.31"),
        (signed(0.314), "+0.31"),
        (signed(-0.001), "±0.00"),
        (duration(3.21), "3.2 s"),
        (duration(720), "12 min"),
        (duration(11_000), "3.1 h"),
        (listing(["a"]), "a"),
        (listing(["a", "b", "c"]), "a, b and c"),
    ],
)
def test_numbers_in_words(text: str, expected: str) -> None:
    assert text == expected


def test_tables_by_scale_have_a_row_for_each_method_and_none_of_smoke_runs(full: Report) -> None:
    tables = text_of(full).split("### By scale: ")[1:]
    assert [text.split(", ")[1].split()[0] for text in tables] == ["published", "short"]
    for text in tables:
        header, _, *rows = [
            line for line in text.split("Evidence:")[0].splitlines() if line.startswith("|")
        ]
        assert header.count("|") == 9
        assert rows
        assert all(row.startswith("| `") and " run" in row for row in rows)


def test_rejected_trainings_and_missing_seeds_are_listed() -> None:
    assert rejects(_gather(theorems())).text == ""
    fine = [trained("cnn_28", 2.5, k) for k in range(6)]
    text = rejects(_gather(fine)).text
    assert "None of 6 finished trainings is rejected." in text
    assert "Missing" not in text
    wrong = dataclasses.replace(fine[3], data={"name": "mnist_scale", "hash": "00"})
    again = trained("cnn_28", 2.4, 2, provenance=provenance(started="2025-02-01T00:00:00Z"))
    text = rejects(_gather([*fine[:3], wrong, *fine[4:], again])).text
    assert "2 of 7 finished trainings are rejected." in text
    assert "| `cnn_28` | mnist_scale |  | 3 | 0 | paper | on data with a wrong hash |" in text
    assert "| 2 | 0 | paper | recorded again later, with other weights" in text
    assert "| `cnn_28` | mnist_scale |  | paper | 3/0 |" in text
