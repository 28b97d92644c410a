"""The claims file against a second copy of the published tables, and what the loader refuses."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from pathlib import Path

import pytest

from verification.claims.claim import (
    Cell,
    Claim,
    Correlation,
    Cost,
    Count,
    Ranking,
    Rerun,
    Theorem,
    Trend,
    models_of,
)
from verification.claims.reading import ClaimError, load_claims
from verification.claims.tests.records import trainings

CLAIMS = load_claims()
BY_ID = {claim.id: claim for claim in CLAIMS}
COLUMNS = ("28", "28plus", "56", "56plus")

# Row: model, then value ± std of the four columns, then the number of parameters.
MNIST = """
cnn          2.56 0.04  1.96 0.07  2.02 0.07  1.60 0.09  494549
sicnn        2.40 0.03  1.86 0.10  2.02 0.14  1.59 0.03  496639
si_convnet   2.40 0.12  1.94 0.07  1.82 0.11  1.59 0.10  494549
sevf_scalar  2.30 0.06  1.96 0.07  1.87 0.09  1.62 0.07  494425
sevf_vector  2.63 0.09  2.23 0.09  2.12 0.13  1.81 0.09  475475
dss_scalar   2.53 0.10  2.04 0.08  1.92 0.08  1.57 0.08  494359
dss_vector   2.58 0.11  1.95 0.07  1.97 0.08  1.57 0.09  494359
ss_cnn       2.32 0.15  2.10 0.15  1.84 0.10  1.76 0.07  493688
sesn_scalar  2.10 0.10  1.79 0.09  1.74 0.09  1.50 0.07  494549
sesn_vector  2.08 0.09  1.76 0.08  1.68 0.06  1.42 0.07  494549
"""
RERUN = """
sesn_scalar  2.092 0.146 6  1.864 0.094 6  1.762 0.092 6  1.535 0.086 6
sesn_vector  2.168 0.121 6  1.810 0.063 5  1.739 0.054 6  1.430 0.073 5
"""
STL10 = """
wrn         wrn_16_8             11.48  10961370
sicnn       wrn_16_8_sicnn       11.62  10975770
si_convnet  wrn_16_8_si_convnet  12.48  10961370
dss         wrn_16_8_dss         11.28  10939482
ss_cnn      wrn_16_8_ss_cnn      25.47  10846835
sesn_a      wrn_16_8_sesn_a      10.83  10961370
sesn_b      wrn_16_8_sesn_b       8.51  10961370
sesn_c      wrn_16_8_sesn_c      14.08  10979802
"""
RIVALS = [line.split()[0] for line in MNIST.strip().splitlines()[:8]]


def rows(table: str) -> list[list[str]]:
    return [line.split() for line in table.strip().splitlines()]


def model_of(method: str, column: str) -> str:
    p = "p" if method.startswith("sesn") and column.endswith("plus") else ""
    return f"{method}_{column.removesuffix('plus')}{p}"


def find(identifier: str) -> Claim:
    return BY_ID[identifier]


@pytest.mark.parametrize("row", rows(MNIST), ids=lambda row: row[0])
def test_mnist_cells_are_the_published_ones(row: list[str]) -> None:
    method, numbers = row[0], row[1:9]
    for column, value, std in zip(COLUMNS, numbers[::2], numbers[1::2], strict=True):
        cell = find(f"cell.mnist.{method}.{column}")
        assert isinstance(cell, Cell)
        assert (cell.value, cell.std, cell.runs) == (float(value), float(std), 6)
        assert (cell.margin, cell.unit, cell.protocol) == (0.2, "%", "paper")
        assert cell.transcription == "unverified"
        assert cell.column == column.replace("plus", "+")


@pytest.mark.parametrize("row", rows(MNIST), ids=lambda row: row[0])
def test_the_plus_column_of_sesn_is_the_p_configuration(row: list[str]) -> None:
    for column in COLUMNS:
        cell = find(f"cell.mnist.{row[0]}.{column}")
        assert isinstance(cell, Cell)
        assert cell.model == model_of(row[0], column)
        assert cell.augmentation is column.endswith("plus")
        assert cell.data == "mnist_scale"


def test_reruns_are_the_reported_ones_and_only_of_sesn() -> None:
    expected = {
        f"cell.mnist.{row[0]}.{column}": Rerun(
            mean=float(row[3 * k + 1]), std=float(row[3 * k + 2]), runs=int(row[3 * k + 3])
        )
        for row in rows(RERUN)
        for k, column in enumerate(COLUMNS)
    }
    found = {c.id: c.rerun for c in CLAIMS if isinstance(c, Cell) and c.rerun is not None}
    assert found == expected


@pytest.mark.parametrize("row", rows(STL10), ids=lambda row: row[0])
def test_stl10_cells_are_single_runs_whose_defect_is_noted(row: list[str]) -> None:
    cell = find(f"cell.stl10.{row[0]}")
    assert isinstance(cell, Cell)
    assert (cell.model, cell.value) == (row[1], float(row[2]))
    assert (cell.std, cell.runs, cell.transcription) == (None, 1, "unverified")
    assert "test set is watched" in cell.note


def test_parameter_counts_of_every_model() -> None:
    expected = {row[1]: int(row[3]) for row in rows(STL10)}
    for row in rows(MNIST):
        sizes = ("28", "56", "28p", "56p") if row[0].startswith("sesn") else ("28", "56")
        expected |= {f"{row[0]}_{size}": int(row[9]) for size in sizes}
    found: dict[str, object] = {}
    for claim in CLAIMS:
        if isinstance(claim, Count) and claim.quantity == "trainable parameters":
            assert claim.transcription == "code"
            found.update(claim.expected)
    assert found == expected


def test_rank_facts() -> None:
    ranks: dict[str, object] = {}
    for name in ("5x5", "7x7", "above"):
        claim = find(f"count.basis.rank_{name}")
        assert isinstance(claim, Count)
        ranks.update(claim.expected)
    assert ranks == {
        "basis_b_5x5": 25,
        "basis_b_7x7": 45,
        "basis_b_11x11": 49,
        "basis_b_15x15": 49,
    }


def test_both_sesn_models_are_ranked_against_every_rival_in_every_column() -> None:
    for column in COLUMNS:
        for rival in RIVALS:
            for sesn in ("sesn_scalar", "sesn_vector"):
                claim = find(f"ranking.mnist.{column}.{sesn}_over_{rival}")
                assert isinstance(claim, Ranking)
                assert claim.better == model_of(sesn, column)
                assert claim.worse == (model_of(rival, column),)
                assert claim.augmentation is column.endswith("plus")
                assert claim.family == f"mnist.{column}.{rival}"
                assert claim.worse[0] in claim.statement
        best = find(f"ranking.mnist.{column}.best")
        assert isinstance(best, Ranking)
        assert models_of(best) == tuple(model_of(name, column) for name in ("sesn_vector", *RIVALS))


def test_every_family_can_be_decided_by_six_realisations() -> None:
    sizes = Counter(claim.family for claim in CLAIMS if isinstance(claim, Ranking))
    assert max(sizes.values()) / 2**6 <= 0.05


def test_every_kind_has_its_claims_and_every_claim_its_words() -> None:
    kinds = {type(claim) for claim in CLAIMS}
    assert kinds == {Theorem, Count, Cell, Ranking, Trend, Correlation, Cost}
    assert sum(isinstance(c, Cell) and c.table == "mnist" for c in CLAIMS) == 40
    for claim in CLAIMS:
        assert claim.statement.endswith("."), claim.id
        assert claim.refuted_by.endswith("."), claim.id
        assert not re.search(r"[{}\[\]]", claim.statement + claim.refuted_by), claim.id


def test_no_published_figure_claims_to_be_checked_against_the_paper() -> None:
    for claim in CLAIMS:
        other = claim.id.split(".")[1] in ("later", "equivariance", "bases", "unseen")
        published = isinstance(claim, Cell | Ranking) and not other
        if published and claim.id != "cell.stl10.harm_wrn":
            assert claim.transcription == "unverified", claim.id
    figure = {"trend.depth", "trend.down_scaling", "trend.inter_scale"}
    assert {find(name).transcription for name in figure} == {"unverified"}


def test_the_per_epoch_table_that_was_not_recovered_is_not_encoded() -> None:
    costs = [claim for claim in CLAIMS if isinstance(claim, Cost)]
    assert {claim.transcription for claim in costs} == {"ours", "code", "secondary"}
    assert [c.id for c in costs if c.transcription == "code"] == ["cost.campaign"]


def test_claims_select_trainings_by_what_was_trained() -> None:
    (record,) = trainings("cnn_28", [2.0], augmentation=True, claims=("cell.of.old",))
    assert [claim.id for claim in CLAIMS if claim.selects(record)] == [
        "cell.mnist.cnn.28plus",
        "ranking.mnist.28plus.sesn_scalar_over_cnn",
        "ranking.mnist.28plus.sesn_vector_over_cnn",
        "ranking.mnist.28plus.best",
    ]
    other_data = dataclasses.replace(record, data={"name": "digits"})
    (other_model,) = trainings("sesn_scalar_28p", [2.0])
    assert not any(claim.selects(r) for claim in CLAIMS for r in (other_data, other_model))


COUNT = """
[[claim]]
id = "count.a"
kind = "count"
statement = "There are three."
source = "somewhere"
transcription = "ours"
origin = "own"
protocol = "check"
refuted_by = "Another number."
quantity = "things"
expected = { a = 3 }
"""
CELL = """
[[group]]
kind = "cell"
table = "t"
column = "c"
data = "d"
quantity = "test_error"
unit = "%"
margin = 0.2
runs = 6
protocol = "paper"
transcription = "unverified"
origin = "paper"
source = "table"
statement = "{method} has {value:.2f}."
refuted_by = "More than ±{margin}."
rows = [
  { id = "cell.a", method = "A", model = "a", augmentation = false, value = 2.5, std = 0.1 },
]
"""
TREND = """
[[claim]]
id = "trend.a"
kind = "trend"
statement = "It grows."
source = "figure"
transcription = "unverified"
origin = "paper"
protocol = "check"
refuted_by = "It shrinks."
variable = "depth"
quantity = "error"
direction = "grows"
start = 1
stop = 5
change = 0.1
"""
_OTHER = 'stop = 6\nreadings = ["trend.a"]'


def load(tmp_path: Path, text: str) -> tuple[Claim, ...]:
    path = tmp_path / "claims.toml"
    path.write_text(text, encoding="utf-8")
    return load_claims(path)


def test_rows_of_a_group_share_its_fields_and_fill_in_its_texts(tmp_path: Path) -> None:
    (claim,) = load(tmp_path, CELL)
    assert isinstance(claim, Cell)
    assert (claim.statement, claim.refuted_by) == ("A has 2.50.", "More than ±0.2.")
    assert (claim.value, claim.std, claim.rerun) == (2.5, 0.1, None)


@pytest.mark.parametrize(
    ("text", "old", "new", "message"),
    [
        (COUNT, 'id = "count.a"', 'id = "Count A"', "id must be lower-case words .* 'Count A'"),
        (COUNT, 'id = "count.a"', 'id = "cell.a"', "'cell.a': id must begin with its kind 'count'"),
        (COUNT, 'kind = "count"', 'kind = "guess"', "'count.a': kind must be one of .* 'guess'"),
        (COUNT, 'source = "somewhere"', "", "'count.a' lacks the field source"),
        (COUNT, "quantity", 'mood = "good"\nquantity', "'count.a' has the unknown field mood"),
        (COUNT, '"ours"', '"paper"', "'count.a': transcription must be one of code, .* 'paper'"),
        (COUNT, '"check"', '"smoke"', "'count.a': protocol must be one of check, got 'smoke'"),
        (COUNT, "{ a = 3 }", "{ a = 3.5 }", "'count.a': expected must hold integers"),
        (COUNT, "{ a = 3 }", "{}", "'count.a': expected must give a value"),
        (COUNT, '"There are three."', '" "', "'count.a': statement must be text"),
        (COUNT, COUNT, COUNT + COUNT, "'count.a' is given twice"),
        (COUNT, "[[claim]]", "[[claims]]", "the file has the unknown field claims"),
        (COUNT, "[[claim]]", "[claim]", "claim must be an array of tables"),
        (CELL, "{method}", "{methods}", "'cell.a': cannot fill in .*methods"),
        (CELL, "value = 2.5", 'value = "2.5"', "'cell.a': cannot fill in .*value"),
        (CELL, "margin = 0.2", "margin = true", "'cell.a': margin must be a positive number"),
        (CELL, "value = 2.5", "value = nan", "'cell.a': value must be a finite number"),
        (CELL, "std = 0.1", "std = 0", "'cell.a': std must be a positive number, got 0"),
        (CELL, "runs = 6", "runs = 1", "'cell.a': a single run has no std"),
        (CELL, "runs = 6", "runs = 2.5", "'cell.a': runs must be a positive integer"),
        (CELL, '"paper"', '"short"', "'cell.a': protocol must be one of paper, got 'short'"),
        (CELL, "= false", '= "no"', "'cell.a': augmentation must be true, false or"),
        (
            CELL,
            "runs = 6",
            "runs = 6\nrerun = { mean = 1 }",
            "'cell.a': rerun .*lacks .* runs, std",
        ),
        (CELL, "margin = 0.2\n", "", "'cell.a': cannot fill in .*margin"),
        (TREND, '"grows"', '"falls"', "'trend.a': direction must be one of grows"),
        (TREND, '"grows"', '"stays"', "'trend.a': direction 'stays' needs lower or upper"),
        (TREND, "change = 0.1", "upper = 1", "'trend.a': direction 'grows' needs change"),
        (TREND, "start = 1", "start = 9", "'trend.a': start 9.0 must not exceed stop 5.0"),
        (
            TREND,
            "stop = 5",
            'stop = 5\nreadings = ["trend.b"]',
            "'trend.b' must be a trend without",
        ),
        (
            TREND,
            TREND,
            TREND + TREND.replace("trend.a", "trend.b").replace("stop = 5", _OTHER),
            "'trend.b': reading 'trend.a' must have its stop 6.0, got 5.0",
        ),
    ],
)
def test_a_wrong_claim_is_refused_by_name(
    tmp_path: Path, text: str, old: str, new: str, message: str
) -> None:
    assert load(tmp_path, text)
    with pytest.raises(ClaimError, match=rf"claims\.toml: .*{message}"):
        load(tmp_path, text.replace(old, new, 1))


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClaimError, match=r"claims\.toml: "):
        load(tmp_path, "[[claim")
