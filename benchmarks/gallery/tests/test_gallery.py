"""The gallery: its probe, its entries, what a record of it holds, and correct layers at random."""

import json
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given

from benchmarks import __main__ as command_line
from benchmarks.gallery import ENTRIES, command, power
from benchmarks.gallery.command import as_text, measure, numbers_of
from benchmarks.gallery.entry import Entry, Truth
from benchmarks.gallery.judging import counted, judged, mistaken
from benchmarks.gallery.random_layers import random_layer
from benchmarks.gallery.steerable import columns, filters_of_columns
from benchmarks.gallery.truth import SMALL, Confirmation, confirm
from benchmarks.gallery.work import Kept, Plan, carried_out
from sesn_impl.baselines import ColumnLiftingConv2d
from verification.broken_layers.user_layers import USER_LAYERS
from verification.claims.records import read_records
from verification.tests.tools.profiles import cases, deep_only
from verification.tests.tools.strategies import seeds

BY_NAME = {entry.name: entry for entry in ENTRIES}
CHEAP = ("dilated_kernel", "random_filters", "box_means", "plain_convolution", "gain_per_scale",
         "scale_conv_1x1", "ratio_off_by_2_percent", "flip_and_cumsum")  # fmt: skip


def test_the_gallery_is_as_large_as_promised_and_no_entry_is_there_twice():
    assert len(BY_NAME) == len(ENTRIES) >= 40
    assert sum(not entry.truth.holds for entry in ENTRIES) >= 15
    with pytest.raises(ValueError, match="nameless: derivation, reach and scales"):
        replace(ENTRIES[0], name="nameless", derivation="")


@pytest.mark.parametrize("name", CHEAP)
def test_the_probe_confirms_the_truth(name):
    found = confirm(BY_NAME[name])
    assert found.agrees, found


@pytest.mark.parametrize("name", CHEAP)
def test_the_probe_refuses_the_opposite_truth(name):
    """Its negative control: the errors of one kind of family are not those of the other."""
    entry = BY_NAME[name]
    opposite = Truth.NOT_EQUIVARIANT if entry.truth.holds else Truth.EQUIVARIANT
    assert not confirm(replace(entry, truth=opposite)).agrees


def test_errors_that_stay_are_no_sampling_and_small_ones_no_proof_of_a_mistake():
    assert Confirmation(Truth.EQUIVARIANT, (0.1, 0.001)).agrees
    assert not Confirmation(Truth.EQUIVARIANT, (0.1, 0.09)).agrees
    assert not Confirmation(Truth.EXACT, (1e-12, 1e-12)).agrees
    assert Confirmation(Truth.NOT_EQUIVARIANT, (0.1, 0.09)).agrees
    assert not Confirmation(Truth.NOT_EQUIVARIANT, (1e-5, 1e-5)).agrees


def test_the_probe_sees_a_layer_in_any_layout():
    """One bank of kernels as a tensor, with scales first, and as a list: the same error."""
    entry = BY_NAME["random_filters"]

    def as_list(seed, fineness):
        bank = entry.make(seed, fineness)
        return lambda x: list(bank(x).unbind(2))

    def scales_first(seed, fineness):
        bank = entry.make(seed, fineness)
        return lambda x: bank(x).transpose(1, 2)

    errors = {
        confirm(each).errors
        for each in (
            entry,
            replace(entry, make=as_list, layout="list"),
            replace(entry, make=scales_first, layout="BSCHW"),
        )
    }
    assert len(errors) == 1


def one(name="dilated_kernel", **changes):
    return judged(replace(BY_NAME[name], **changes), [0])


def test_a_row_says_what_was_found_and_a_wrong_verdict_counts():
    row = one()
    (verdict,) = row["verdicts"]
    assert verdict["answer"] == "PASSED"
    assert row["agrees"]
    assert counted([row]) == {
        "layers": 1, "not_equivariant": 0, "verdicts": 1, "wrong_pass": 0, "wrong_fail": 0,
        "undecided": 0, "undecided_beyond_a_fifth": 0, "unconfirmed": 0,
    }  # fmt: skip
    false = one(truth=Truth.NOT_EQUIVARIANT)
    numbers = numbers_of([false], [], [], [])
    assert numbers["wrong_pass"] == numbers["unconfirmed"] == 1


def test_a_mistake_that_is_given_another_name_counts_as_unnamed():
    layer = next(layer for layer in USER_LAYERS if layer.name == "mirrored_at_one_scale")
    found = [mistaken(each, [0]) for each in (layer, replace(layer, causes=("support",)))]
    assert [row["verdicts"][0]["named"] for row in found] == [True, False]
    assert {row["verdicts"][0]["answer"] for row in found} == {"FAILED"}
    assert numbers_of([], found, [], [])["unnamed"] == 1


def test_a_mistake_is_found_with_its_cause():
    (verdict,) = one("gain_per_scale")["verdicts"]
    assert verdict["answer"] == "FAILED"
    assert verdict["cause"].startswith("amplitude")


@pytest.fixture
def small(monkeypatch):
    def absent(seed, fineness):
        raise ImportError("no module named never_heard_of")

    missing = replace(ENTRIES[0], name="absent", package="never_heard_of", make=absent)
    monkeypatch.setattr(power, "KINDS", {"amplitude": power.KINDS["amplitude"]})
    monkeypatch.setattr(power, "SIZES", (0.003, 0.3))
    return [BY_NAME["dilated_kernel"], missing]


def test_one_record_holds_rows_absent_libraries_random_layers_and_power(tmp_path, small):
    evidence = tmp_path / "evidence"
    plan = Plan(1, 1, small, (), (2.0,), power.SIZES)
    measure(plan, evidence, Kept(tmp_path / "kept"))
    (record,) = read_records(evidence)
    numbers = record.numbers
    assert record.kind == "gallery"
    assert record.configuration["scope"] == "part"
    assert numbers["random_failed"] == len(numbers["random"]["failed"])
    assert [row["name"] for row in numbers["rows"]] == ["dilated_kernel"]
    assert numbers["absent"] == [
        {"name": "absent", "package": "never_heard_of", "why": "no module named never_heard_of"}
    ]
    assert numbers["random"]["layers"] == 1
    (curve,) = numbers["power"]["curves"]
    assert curve["least"]["scaled_copies"] == 0.3
    text = "\n".join(as_text(record))
    assert "right: dilated_kernel" in text
    assert "absent: not judged: no module named never_heard_of" in text


def test_workers_make_no_layers_but_the_gallery_s_own(tmp_path, small):
    with pytest.raises(ValueError, match="workers=2: layers that are not the gallery's need one"):
        carried_out(Plan(1, 1, small), Kept(tmp_path), workers=2)


@deep_only  # processes start with all libraries
def test_workers_measure_what_is_not_kept_yet(tmp_path):
    kept = Kept(tmp_path)
    kept.folder = tmp_path
    plan = Plan(1, 2)
    for group, name in plan.tasks():  # all but one were measured before
        if (group, name) != ("random", "1"):
            suffix = "-1" if group in {"layer", "mistake"} else ""
            (tmp_path / f"{group}-{name}{suffix}.json").write_text(f'{{"name": "{name}"}}')
    found = carried_out(plan, kept, workers=2)
    assert [row["name"] for row in found["layer"]] == [entry.name for entry in ENTRIES]
    assert found["random"][0] == {"name": "0"}
    assert found["random"][1]["seed"] == 1


def test_what_committed_sources_have_measured_is_not_measured_again(tmp_path):
    kept, calls = Kept(tmp_path), []
    kept.folder = tmp_path  # as of committed sources

    def measured():
        calls.append(1)
        return {"a": 1}

    assert kept.get("x", measured) == kept.get("x", measured) == {"a": 1}
    assert len(calls) == 1
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": 1}
    kept.folder = None  # sources that are not committed, or unknown
    kept.get("x", measured)
    assert len(calls) == 2


def test_mistakes_on_the_command_line_are_named(capsys):
    assert command_line.main(["gallery", "--only", "magic"]) == 2
    assert "--only 'magic': must be one of kornia_gaussian_blur" in capsys.readouterr().err
    assert command_line.main(["gallery", "--seeds", "0"]) == 2
    assert "--seeds 0: must be at least 1" in capsys.readouterr().err
    assert command_line.main(["gallery", "--only", "dilated_kernel", "--seeds", "1"]) == 0
    assert capsys.readouterr().out.startswith("right: dilated_kernel: exact on pixels")


def test_a_wrong_verdict_is_the_exit_code(monkeypatch, capsys):
    false = replace(BY_NAME["dilated_kernel"], name="false", truth=Truth.NOT_EQUIVARIANT)
    monkeypatch.setattr(command, "ENTRIES", (false,))
    assert command_line.main(["gallery", "--only", "false", "--seeds", "1"]) == 1
    assert "WRONG: false" in capsys.readouterr().out


@given(seeds())
@cases(0.04)
def test_correct_layers_of_any_make_never_fail(seed):
    (verdict,) = judged(random_layer(seed), [seed % 1000])["verdicts"]
    # A block whose ReLU passes nothing of the judge's images has no error, and fails for that.
    assume(verdict["error"] is not None)
    assert verdict["answer"] != "FAILED", verdict


@given(seeds())
@cases(0.05)
def test_random_correct_layers_are_correct(seed):
    """Confirmed by the probe, at the sampling that the judge sees and at a finer one."""
    assert confirm(random_layer(seed)).errors[-1] <= SMALL


def test_larger_mistakes_are_rejected_and_none_where_there_is_none():
    assert not any(power.rejecting("amplitude", 2.0, 0.0, 0).values())
    assert power.rejecting("amplitude", 2.0, 0.3, 0)["scaled_copies"]


def test_the_filters_of_a_column_are_those_of_the_layer():
    layer = columns(0, 1)
    assert isinstance(layer, ColumnLiftingConv2d)
    x = torch.randn(1, 1, 40, 40, dtype=torch.float64)
    torch.testing.assert_close(filters_of_columns(layer)(x), layer(x), rtol=0, atol=1e-12)


def test_an_entry_is_any_family():
    """A user's own, as the documentation of `Entry` has it."""
    own = Entry(
        "own", "here", Truth.NOT_EQUIVARIANT, "one kernel",
        lambda seed, fineness: lambda x: torch.stack([F.avg_pool2d(x, 3, 1, 1)] * 2, dim=2),
        (1.0, 2.0), 3, 1.0, finest=1,
    )  # fmt: skip
    assert confirm(own).agrees
