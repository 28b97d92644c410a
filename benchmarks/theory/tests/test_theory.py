"""Theory measurements: records that decide their claims, and refute them if a layer is broken."""

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import theory
from benchmarks.theory import (
    Session,
    budgets,
    cases,
    counts,
    local,
    raster,
    scaling_field,
    theorems,
)
from sesn_impl import LiftingConv2d
from verification.claims.reading import load_claims
from verification.claims.records import Record, read_records
from verification.claims.rules import REFUTED, SUPPORTED, verdicts_on

_ALL_CONFIGURATIONS = budgets.configurations()


def _few_configurations() -> list[budgets.Configuration]:
    """One that no support helps, the one with interaction between scales, and the wide one."""
    names = ("sesn_scalar_28p", "stl10_sesn_c", "wide_support")
    return [found for found in _ALL_CONFIGURATIONS if found.name in names]


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    """Two cases of each theorem, two models, one warp and canvas: enough to see the shapes."""
    folder = tmp_path_factory.mktemp("evidence")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counts, "list_models", lambda: ["cnn_28", "sesn_scalar_28"])
        patch.setattr(budgets, "SEEDS", 2)
        patch.setattr(budgets, "configurations", _few_configurations)
        patch.setattr(raster, "KINDS", {kind: warps[-1:] for kind, warps in raster.KINDS.items()})
        patch.setattr(raster, "PATCHES", 1)
        patch.setattr(local, "REPETITIONS", 1)
        patch.setattr(scaling_field, "LAYERS", 3)
        patch.setattr(local, "OBJECTS", {"digits": local.OBJECTS["digits"]})
        written = theory.measure(cases=2, seed=0, evidence=folder)
    assert sorted(record.digest for record in read_records(folder)) == sorted(
        record.digest for record in written
    )
    return written


def test_every_theorem_that_is_tried_is_supported(records):
    claims = load_claims()
    verdicts = {verdict.claim_id: verdict for verdict in verdicts_on(claims, records)}
    theorems_status = {k: v.status for k, v in verdicts.items() if k.startswith("theorem.")}
    assert set(theorems_status.values()) == {SUPPORTED}
    assert verdicts["count.basis.rank_5x5"].status == SUPPORTED
    assert verdicts["count.scale_axis_end"].status == SUPPORTED


def test_records_name_the_command_that_repeats_them(records):
    assert {record.command for record in records} == {
        "python -m benchmarks theory --cases 2 --seed 0"
    }


def test_some_parts_may_be_measured(tmp_path):
    (counts,) = {r.kind for r in theory.measure(2, 0, tmp_path, ["counts"])}
    assert counts == "count"
    assert Session(2, 0, tmp_path, ["counts"]).command.endswith("--seed 0 --parts counts")
    with pytest.raises(ValueError, match="parts='all': must be some of counts"):
        theory.measure(2, 0, tmp_path, ["all"])


def test_a_broken_layer_refutes(tmp_path: Path, monkeypatch):
    """The negative control of the whole chain: layer, probe, record, verdict."""

    class Sheared(LiftingConv2d):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = super().forward(x)
            return y + 1e-9 * y.roll(1, dims=2)

    monkeypatch.setattr(cases, "LiftingConv2d", Sheared)
    session = Session(2, 0, tmp_path)
    theorems.measure_theorems(session)
    verdicts = {v.claim_id: v for v in verdicts_on(load_claims(), session.records)}
    assert verdicts["theorem.lifting_equivariance"].status == REFUTED
    assert verdicts["theorem.local_scale_invariance"].status == REFUTED
    assert verdicts["theorem.pooling"].status == SUPPORTED


def test_budget_records_hold_every_pair(records):
    budget = next(record for record in records if record.subject == "sesn_scalar_28p")
    assert budget.numbers["x"] == [0, 1, 2]
    assert len(budget.numbers["y"]) == 2
    for pair, mean in zip(
        budget.numbers["pairs"], zip(*budget.numbers["y"], strict=True), strict=True
    ):
        assert pair["total"] == pytest.approx(sum(mean) / 2)
        assert pair["total"] <= pair["bound"] * (1 + 1e-9)


def test_budget_records_hold_every_part_and_the_support_that_is_needed(records):
    published = {r.subject: r.numbers for r in records if "layer" in r.numbers}
    assert set(published) == {"sesn_scalar_28p", "stl10_sesn_c"}
    for numbers in published.values():
        layer = numbers["layer"]
        for pair, bfloat16 in zip(layer["pairs"], layer["bfloat16_precision"], strict=True):
            assert sum(pair["contributions"].values()) == pytest.approx(pair["total"])
            assert pair["total"] <= pair["bound"] * (1 + 1e-9)
            assert pair["border"] > 0
            assert 0 < pair["precision"] < 1e-10 < bfloat16 < 1e-3
        assert np.shape(numbers["share"]) == (budgets.LAYER_SEEDS, len(layer["pairs"]))
        # What the border takes of the error, the filters do not.
        assert all(0 < share < 1 for row in numbers["share"] for share in row)
        tried = numbers["supports_tried"]
        worst = dict(zip(tried["kernel_sizes"], tried["errors"], strict=True))
        assert worst[numbers["supports"][-1]] == pytest.approx(
            max(pair["total"] for pair in numbers["pairs"])
        )
        assert tried["best"]["error"] == min(
            error for size, error in worst.items() if size <= numbers["supports"][-1]
        )
    ends = [pair["scale_axis"] for pair in published["stl10_sesn_c"]["layer"]["pairs"]]
    assert ends[0] == 0 < 0.01 < ends[1]
    assert published["sesn_scalar_28p"]["layer"]["image_size"] == 28
    first, second = published["sesn_scalar_28p"]["supports_tried"]["recommendations"]
    assert first["wanted"] == 0.01
    assert {choice["change"] for choice in second["choices"]} == {"wider", "milder"}
    assert all(choice["error"] <= 0.001 for choice in second["choices"])
    wide = next(r.numbers for r in records if r.subject == "wide_support")
    assert "supports_tried" not in wide


def test_all_published_configurations_are_measured():
    found = {item.name: item for item in _ALL_CONFIGURATIONS}
    assert len(found) == 13
    for name, item in found.items():
        assert item.basis().supports == item.arguments.supports
        assert item.published is (name not in ("wide_support", "basis_a_21"))
    assert found["sesn_vector_56p"].image_size == 56
    assert [found[f"stl10_sesn_{x}"].scale_extent for x in "abc"] == [0, 0, 2]


def test_raster_floor_is_reached_by_wide_supports(records):
    found = {r.subject: r.numbers["warps"] for r in records if "warps" in r.numbers}
    wide, cut = (
        {warp["kind"]: warp for warp in found[f"lifting_raster_{name}"]} for name in ("wide", "cut")
    )
    for kind in ("up", "translated"):
        assert wide[kind]["floor"] < 1.2 * wide[kind]["error"] < cut[kind]["error"]
        assert wide[kind]["error"] < wide[kind]["ceiling"] / 10
    for kind in ("down", "up", "translated"):
        for warp in (wide[kind], cut[kind]):
            assert warp["error"] <= warp["bound"] * (1 + 1e-9)
    assert wide["anisotropic"]["error"] > 10 * wide["anisotropic"]["bound"]


def test_the_order_under_a_smooth_field_is_one(records):
    numbers = next(record for record in records if record.subject == "scaling_field").numbers
    assert numbers["x"] == list(scaling_field.PRODUCTS)
    for order, error, first in zip(*(numbers[n] for n in ("y", "error", "first")), strict=True):
        assert order == pytest.approx([1.0] * len(order), abs=0.1)
        assert error == pytest.approx(first, rel=0.1)


def test_local_floor_is_reached_by_wide_supports(records):
    record = next(record for record in records if record.subject == "local_raster")
    wide, cut = ({c["support"]: c for c in record.numbers["canvases"]}[s] for s in ("wide", "cut"))
    assert wide["steps"] == [1, -1, 0]
    assert wide["floor"] < 1.2 * wide["error"] < cut["error"] < cut["ceiling"] / 2
    assert wide["winner_shift"] > cut["winner_shift"]


@pytest.mark.parametrize(
    ("cases_", "seed", "message"),
    [(0, 0, "cases=0: must be at least 1"), (1, -1, "seed=-1: must be at least 0")],
)
def test_bad_sessions_are_named(cases_, seed, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        theory.measure(cases_, seed, tmp_path)


def test_cases_differ_and_repeat():
    draws = [cases.random_rng(0, "x", case).integers(2**62) for case in (0, 1, 0)]
    assert draws[0] != draws[1]
    assert draws[0] == draws[2]
    assert cases.random_rng(1, "x").integers(2**62) != draws[0]
