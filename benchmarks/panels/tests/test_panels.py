"""The panels: what is compared with what, records that can be judged, and controls that fail."""

import argparse
from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks import __main__ as command_line
from benchmarks.panels import QUICK, Session, command, down_scaling, inter_scale, measure
from benchmarks.panels.comparing import Compared, compare
from benchmarks.panels.ideal import ideal_responses
from benchmarks.panels.networks import Stack
from benchmarks.panels.settings import Settings, basis_of, grid
from verification.claims import load_claims
from verification.correlation import correlate
from verification.errors import equivariance_error
from verification.evidence import read_records
from verification.probe import random_probe, responses
from verification.verdicts import NOT_RUN, judge_all
from verification.warps import rescale, valid_margin

TINY = replace(
    QUICK, depths=(1, 2), depth_channels=3, large_side=96, sides=(48, 24, 12), extents=(1, 2, 3),
    scales=4, channels=2, points=2,
)  # fmt: skip


def _stack(depth=2, extent=1):
    generator = torch.Generator().manual_seed(0)
    return Stack(basis_of(grid(3)), depth, 3, generator, extent)


def _patches(side=30):
    return torch.from_numpy(np.random.default_rng(0).standard_normal((2, 1, side, side)))


def _assert_close(found, expected, share):
    """Equal up to a share of the largest value."""
    assert found.shape == expected.shape
    assert (found - expected).abs().max() <= share * expected.abs().max()


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evidence")
    written = measure(2, folder, TINY)
    assert len(read_records(folder)) == len(written) == 6
    return {record.subject: record for record in written}


@pytest.mark.parametrize(
    ("panel", "claim", "curves"),
    [
        ("panel_depth", "trend.depth", {"interior", "centred", "floor", "ceiling", "coarse"}),
        ("panel_down_scaling", "trend.down_scaling", {"interior", "floor", "ceiling"}),
        ("panel_inter_scale", "trend.inter_scale", {"complete", "floor", "ceiling"}),
    ],
)
def test_each_panel_has_curves_of_all_networks(records, panel, claim, curves):
    raster, probe = records[panel], records[f"{panel}_probe"]
    assert (raster.claims, probe.claims) == ((claim,), ())
    assert raster.data["name"] == "photographs"
    assert set(raster.numbers) == {"x", "y", *curves}
    assert probe.numbers["x"] == raster.numbers["x"]
    for name in ("y", *curves):
        rows = np.array(raster.numbers[name])
        assert rows.shape == (2, len(raster.numbers["x"]))
        assert (rows > 0).all()


def test_the_floor_lies_below_the_layer_below_the_ceiling(records):
    for panel in ("panel_depth", "panel_down_scaling"):
        numbers = records[panel].numbers
        floor, error, ceiling = (np.mean(numbers[name]) for name in ("floor", "y", "ceiling"))
        assert floor < error < ceiling


def test_an_incomplete_scale_axis_is_seen_and_complete_scales_do_not_suffer(records):
    probe = records["panel_inter_scale_probe"].numbers
    grown = np.mean(probe["y"], axis=0)[-1] - np.mean(probe["complete"], axis=0)[-1]
    assert grown > 0.02


def test_records_are_judged(records):
    verdicts = {v.claim_id: v for v in judge_all(load_claims(), list(records.values()))}
    for name in ("depth", "inter_scale"):  # tiny images are not shrunk by the factors judged
        assert verdicts[f"trend.{name}"].status != NOT_RUN


@pytest.mark.parametrize("extent", [1, 2])
def test_responses_of_a_stack_have_unit_size_at_every_depth(extent):
    stack = _stack(depth=4, extent=extent)
    stack.calibrate(_patches())
    sizes = [float(y.square().mean()) for y in stack.responses(_patches())]
    assert sizes == pytest.approx([1.0] * 4, rel=1e-4)


def test_no_error_depends_on_the_size_of_the_coefficients():
    stack, large, small = _stack(depth=3), _patches(), _patches(side=20)
    errors = []
    for _ in range(2):
        *_, a = stack.responses(large)
        *_, b = stack.responses(small)
        errors.append(compare(a, b).whole)
        for layer in stack.layers:
            layer.weight.data *= 3.0
    assert errors[0] == pytest.approx(errors[1], rel=1e-4)


@pytest.mark.parametrize("extent", [1, 2])
def test_without_padding_the_centre_is_the_same(extent):
    stack = _stack(extent=extent)
    x = _patches(side=stack.window)
    *_, padded = stack.responses(x)
    *_, valid = stack.responses(x, valid=True)
    assert valid.shape[-1] == 1
    middle = stack.window // 2
    _assert_close(valid[..., 0, 0], padded[..., middle, middle], 1e-5)


def test_the_floor_is_the_stack_itself_where_its_filters_are_wide():
    """Only the cut-off differs: basis, coefficients and the order of scales are the stack's."""
    generator = torch.Generator().manual_seed(0)
    stack = Stack(basis_of(grid(3), support=8.0), 2, 3, generator, extent=2)
    for ours, theirs in zip(
        stack.responses(_patches()), ideal_responses(stack, _patches()), strict=True
    ):
        _assert_close(ours, theirs, 1e-3)


def test_the_second_panel_applies_the_layers_own_filters():
    layer = down_scaling.random_layer(np.random.default_rng(0), TINY)
    x = _patches(side=24)
    with torch.no_grad():
        expected = layer(x.float()).double()
    for scale, bank in enumerate(down_scaling.cut_filters(layer)):
        _assert_close(correlate(x, bank), expected[:, :, scale], 1e-5)


def test_a_response_that_depends_on_the_index_of_its_scale_is_found_out():
    """Negative control: every other scale with its sign turned is no longer equivariant."""
    rng = np.random.default_rng(0)
    target = inter_scale.as_target(inter_scale.random_stack(rng, TINY, 1), 1)
    signs = torch.tensor([1.0, -1.0, 1.0, -1.0])[:, None, None]
    broken = replace(target, layer=lambda x: target.layer(x) * signs)
    probe = random_probe(target, 0, 4)
    near, far = (responses(broken, p) for p in (probe, probe.rescaled(1.41, 1)))
    assert equivariance_error(near[..., :-1], far[..., 1:]) > 3.0


def test_centring_takes_away_what_a_constant_hides():
    a, b = torch.randn(2, 1, 2, 3, 9, 9, generator=torch.Generator().manual_seed(0)).double()
    plain, lifted = Compared(a, b), Compared(a + 10, b + 10)
    assert lifted.whole < plain.whole / 20
    assert lifted.centred == pytest.approx(plain.centred)


def test_the_margin_keeps_borders_out():
    margin = valid_margin(0.5, 3, 7)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 1, 64, 64, generator=generator).double()
    other = x.clone()
    other[..., 0, :] += 100.0
    fine, coarse = torch.randn(1, 1, 3, 3).double(), torch.randn(1, 1, 7, 7).double()

    def both(image):
        shrunk = rescale(image, 32).image
        return compare(correlate(image, coarse)[:, :, None], correlate(shrunk, fine)[:, :, None])

    for name in ("expected", "found"):
        first, second = (getattr(both(image), name) for image in (x, other))
        kept = slice(margin, 32 - margin)
        _assert_close(first[..., kept, kept], second[..., kept, kept], 1e-12)
        assert (first - second).abs().max() > 1.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depths": (2, 1)}, r"depths=\(2, 1\): must be in order"),
        ({"channels": 0}, "channels=0: must be at least 1"),
        ({"small_side": 90}, "side=141, small_side=90: must have the ratio 1.41"),
        ({"large_side": 100}, r"sides=\(208, .*: must be below large_side=100"),
        ({"extents": (1, 6)}, r"extents=\(1, 6\): must be below scales=6"),
    ],
)
def test_bad_settings_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        Settings(**changes)


def test_bad_calls_are_named(tmp_path):
    with pytest.raises(ValueError, match="seeds=0: must be at least 1"):
        measure(0, tmp_path)
    with pytest.raises(ValueError, match="depth=0: must be at least 1 layer"):
        _stack(depth=0)
    with pytest.raises(ValueError, match="margin=5: must be from 0 to below half of side=10"):
        Compared(torch.ones(1, 1, 1, 10, 10), torch.ones(1, 1, 1, 10, 10)).cropped(5)


def test_the_command_repeats_itself(tmp_path, monkeypatch, capsys):
    parser = argparse.ArgumentParser()
    command.add_options(parser)
    assert vars(parser.parse_args([])) == {"seeds": None, "quick": False}
    session = Session(4, tmp_path, QUICK)
    assert session.command == "python -m benchmarks panels --seeds 4 --quick"
    called = []

    def note(*arguments):
        called.append(arguments)
        return []

    monkeypatch.setattr(command, "measure", note)
    arguments = ["panels", "--quick", "--evidence", str(tmp_path)]
    assert command_line.main(arguments) == 0
    assert called == [(3, tmp_path, QUICK)]
    monkeypatch.undo()
    assert command_line.main([*arguments, "--seeds", "0"]) == 2
    assert "error: seeds=0: must be at least 1" in capsys.readouterr().err
