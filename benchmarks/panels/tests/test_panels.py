"""The panels: what is compared with what, records that can be judged, and controls that fail."""

import argparse
from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks import __main__ as command_line
from benchmarks.panels import GRIDS, QUICK, Session, command, down_scaling, measure
from benchmarks.panels.comparing import Compared, after_rescaling
from benchmarks.panels.mistakes import VARIANTS
from benchmarks.panels.networks import Stack, wide_functions
from benchmarks.panels.settings import MNIST, STL10, WIDE, Settings
from sesn_impl.networks.mnist import SESN_CONFIGURATIONS
from verification.claims.reading import load_claims
from verification.claims.records import read_records
from verification.claims.rules import NOT_RUN, verdicts_on
from verification.reference.correlation import correlate
from verification.reference.warps import rescale, valid_margin

TINY = replace(
    QUICK, depths=(1, 2), depth_channels=3, large_side=96, sides=(48, 24, 12), extents=(1, 2, 3),
    scales=4, channels=2,
)  # fmt: skip
SMALL_GRIDS = tuple(replace(grid, blocks=2) for grid in (STL10, WIDE))


def _stack(depth=2, extent=1, grid=STL10, functions=None):
    generator = torch.Generator().manual_seed(0)
    return Stack(grid.basis(grid.sigmas(3)), depth, 3, generator, extent, functions)


def _patches(side=30):
    return torch.from_numpy(np.random.default_rng(0).standard_normal((2, 1, side, side)))


def _assert_close(found, expected, share):
    """Equal up to a share of the largest value."""
    assert found.shape == expected.shape
    assert (found - expected).abs().max() <= share * expected.abs().max()


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evidence")
    written = measure(2, folder, TINY, SMALL_GRIDS)
    # Two of each panel of the paper, one of padding and stride, three of mistakes on one grid.
    assert len(read_records(folder)) == len(written) == 8 * len(SMALL_GRIDS) + 3
    return {record.subject: record for record in written}


@pytest.mark.parametrize(
    ("panel", "curves"),
    [
        ("depth", {"interior", "centred", "ceiling"}),
        ("down_scaling", {"ceiling"}),
        ("inter_scale", {"complete", "ceiling"}),
    ],
)
@pytest.mark.parametrize("grid", SMALL_GRIDS, ids=lambda grid: grid.name)
def test_each_panel_has_curves_of_all_networks(records, panel, curves, grid):
    raster, probe = (records[f"panel_{panel}_{grid.name}{end}"] for end in ("", "_probe"))
    assert [c.id for c in load_claims() if c.selects(raster)] == [
        f"trend.{panel}", f"trend.{panel}.{grid.name}",
    ]  # fmt: skip
    assert not any(claim.selects(probe) for claim in load_claims())
    assert raster.data["name"] == probe.data["name"] == "photographs"
    floors = {"floor"} if grid.cuts_off else set()
    assert set(raster.numbers) == {"x", "y", *curves, *floors}
    assert probe.numbers["x"] == raster.numbers["x"]
    for name in ("y", *curves):
        rows = np.array(raster.numbers[name])
        assert rows.shape == (2, len(raster.numbers["x"]))
        assert (rows > 0).all()


def test_the_floor_lies_below_the_layer_below_the_ceiling(records):
    for panel in ("depth", "down_scaling"):
        numbers = records[f"panel_{panel}_stl10"].numbers
        floor, error, ceiling = (np.mean(numbers[name]) for name in ("floor", "y", "ceiling"))
        assert floor < error < ceiling


def test_an_incomplete_scale_axis_is_seen_and_complete_scales_do_not_suffer(records):
    for grid in SMALL_GRIDS:
        probe = records[f"panel_inter_scale_{grid.name}_probe"].numbers
        grown = np.mean(probe["y"], axis=0)[-1] - np.mean(probe["complete"], axis=0)[-1]
        assert grown > 0.02


def test_where_nothing_is_cut_off_the_probe_finds_the_resamplings_share(records):
    """Nearly all of the wide grid's error on resampled photographs is not the layer's."""
    for panel in ("depth", "down_scaling"):
        seen, own = (records[f"panel_{panel}_wide{end}"].numbers["y"] for end in ("", "_probe"))
        assert np.mean(own, axis=0)[0] < np.mean(seen, axis=0)[0] / 10


def test_padding_stride_and_a_wide_support_of_narrow_filters_are_measured(records):
    """The wide grid, which nothing else disturbs, shows each of the two alone."""
    for panel, ends in (("zero_padding", ""), ("stride", "_probe")):
        for grid in SMALL_GRIDS:
            record = records[f"panel_{panel}_{grid.name}{ends}"]
            assert np.shape(record.numbers["y"]) == (2, 2)
            claims = [c.id for c in load_claims() if c.selects(record)]
            assert claims == (
                [f"trend.later.{panel.removeprefix('zero_')}"] if grid is SMALL_GRIDS[0] else []
            )
        first, last = np.mean(records[f"panel_{panel}_wide{ends}"].numbers["y"], axis=0)
        assert first < last


def test_mistakes_are_compared_network_by_network(records):
    errors = {
        name: np.array(records[f"panel_mistakes_{name}_stl10_probe"].numbers["equivariance_error"])
        for name in VARIANTS
    }
    assert {found.shape for found in errors.values()} == {(2,)}
    assert (errors["sesn"] < errors["sesn_fixed_kernel"]).all()
    assert (errors["sesn"] < errors["sesn_swapped_axes"]).all()
    verdicts = {v.claim_id: v for v in verdicts_on(load_claims(), list(records.values()))}
    assert verdicts["ranking.later.fixed_kernel"].measured["pairs"] == 2
    assert verdicts["ranking.later.swapped_axes"].measured["difference"] > 0


def test_records_are_judged(records):
    verdicts = {v.claim_id: v for v in verdicts_on(load_claims(), list(records.values()))}
    for name in ("depth", "inter_scale"):  # tiny images are not shrunk by the factors judged
        for end in ("", ".stl10", ".wide"):
            assert verdicts[f"trend.{name}{end}"].status != NOT_RUN
        assert verdicts[f"trend.{name}.mnist"].status == NOT_RUN


@pytest.mark.parametrize("extent", [1, 2])
@pytest.mark.parametrize("periodic", [False, True])
def test_responses_of_a_stack_have_unit_size_at_every_depth(extent, periodic):
    stack = _stack(depth=4, extent=extent)
    stack.calibrate(_patches(), periodic)
    sizes = [float(y.square().mean()) for y in stack.responses(_patches(), periodic)]
    assert sizes == pytest.approx([1.0] * 4, rel=1e-4)


def test_no_error_depends_on_the_size_of_the_coefficients():
    stack, large, small = _stack(depth=3), _patches(), _patches(side=20)
    errors = []
    for _ in range(2):
        *_, a = stack.responses(large)
        *_, b = stack.responses(small)
        errors.append(after_rescaling(a, b).whole)
        for layer in stack.layers:
            layer.weight.data *= 3.0
    assert errors[0] == pytest.approx(errors[1], rel=1e-4)


@pytest.mark.parametrize("extent", [1, 2])
@pytest.mark.parametrize("periodic", [False, True])
def test_by_transforms_a_stack_gives_the_responses_of_its_layers(extent, periodic):
    layers = _stack(depth=3, extent=extent)
    basis = layers.basis
    functions = [f.float() for f in wide_functions(basis, basis.kernel_size / basis.scales[-1])]
    transforms = _stack(depth=3, extent=extent, functions=functions)
    both = (stack.responses(_patches(), periodic) for stack in (layers, transforms))
    for ours, theirs in zip(*both, strict=True):
        _assert_close(ours, theirs, 1e-5)


@pytest.mark.parametrize("extent", [1, 2])
def test_periodic_responses_move_with_the_image(extent):
    stack = _stack(depth=3, extent=extent)
    *_, still = stack.responses(_patches(), periodic=True)
    *_, moved = stack.responses(_patches().roll((5, -9), (-2, -1)), periodic=True)
    _assert_close(moved, still.roll((5, -9), (-2, -1)), 1e-5)
    *_, padded = stack.responses(_patches().roll((5, -9), (-2, -1)))
    assert (padded - moved).abs().max() > 0.01 * moved.abs().max()


def test_the_floor_is_the_stack_itself_where_its_filters_are_wide():
    """Only the cut-off differs: basis, coefficients and the order of scales are the stack's."""
    stack = _stack(extent=2, grid=WIDE)
    both = (s.responses(_patches()) for s in (stack, stack.not_cut_off()))
    for ours, theirs in zip(*both, strict=True):
        _assert_close(ours, theirs, 1e-2)  # one support ends a pixel earlier
    cut = _stack(extent=2)
    *_, ours = cut.responses(_patches())
    *_, theirs = cut.not_cut_off().responses(_patches())
    assert (ours - theirs).abs().max() > 0.1 * theirs.abs().max()


def test_a_smaller_extent_keeps_the_coefficients_that_it_reaches():
    whole = _stack(depth=3, extent=3)
    part = whole.with_extent(2)
    assert torch.equal(part.layers[0].weight, whole.layers[0].weight)
    assert torch.equal(part.layers[2].weight, whole.layers[2].weight[:, :, :2])


def test_the_second_panel_applies_the_layers_own_filters():
    rng = np.random.default_rng(0)
    weight = down_scaling._random_weight(rng, STL10, TINY)
    stack = _stack(depth=1)
    basis = STL10.basis(down_scaling._sigmas(STL10, TINY))
    layer = Stack(basis, 1, TINY.channels, torch.Generator()).layers[0]
    layer.weight.data.copy_(weight)
    layer.padding = basis.kernel_size // 2
    with torch.no_grad():
        expected = layer(_patches(side=24).float()).double()
    for scale, filters in enumerate(down_scaling._bank(STL10, TINY, weight)):
        _assert_close(correlate(_patches(side=24), filters), expected[:, :, scale], 1e-5)
    assert stack.layers[0].weight.shape[1:] == weight.shape[1:]


def test_grids_are_the_published_ones():
    assert STL10.sigmas(3) == pytest.approx([0.9 * 1.41**i for i in range(3)], abs=0.005)
    assert STL10.basis(STL10.sigmas(3)).supports == (3, 5, 7)
    published = SESN_CONFIGURATIONS["sesn_scalar_28"].basis()
    ours = MNIST.basis(MNIST.sigmas(4))
    assert ours.scales == pytest.approx(published.scales, abs=0.03)
    assert ours.supports == published.supports
    assert ours.atoms == published.atoms
    assert [grid.cuts_off for grid in GRIDS] == [True, True, False]
    for grid in GRIDS:
        assert grid.sides[0] / grid.sides[1] == grid.ratio
        assert grid.ratio == pytest.approx(grid.sigmas(2)[1] / grid.smallest)


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
        return after_rescaling(
            correlate(image, coarse)[:, :, None], correlate(shrunk, fine)[:, :, None]
        )

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
        ({"large_side": 100}, r"sides=\(208, .*: must divide large_side=100"),
        ({"extents": (1, 6)}, r"extents=\(1, 6\): must be below scales=6"),
    ],
)
def test_bad_settings_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        Settings(**changes)


def test_bad_calls_are_named(tmp_path):
    with pytest.raises(ValueError, match="seeds=0: must be at least 1"):
        measure(0, tmp_path)
    with pytest.raises(ValueError, match="panels='length': must be some of depth"):
        measure(1, tmp_path, panels=("length",))
    with pytest.raises(ValueError, match="depth=0: must be at least 1 layer"):
        _stack(depth=0)
    with pytest.raises(ValueError, match="margin=5: must be from 0 to below half of side=10"):
        Compared(torch.ones(1, 1, 1, 10, 10), torch.ones(1, 1, 1, 10, 10)).cropped(5)


def test_the_command_repeats_itself(tmp_path, monkeypatch, capsys):
    parser = argparse.ArgumentParser()
    command.add_options(parser)
    options = parser.parse_args([])
    assert (options.seeds, options.quick) == (None, False)
    session = Session(4, tmp_path, QUICK)
    assert session.command == "python -m benchmarks panels --seeds 4 --quick"
    session = Session(4, tmp_path, QUICK, ["padding", "stride"])
    assert (
        session.command == "python -m benchmarks panels --seeds 4 --quick --panels padding stride"
    )
    called = []

    def note(*arguments, panels):
        called.append((*arguments, panels))
        return []

    monkeypatch.setattr(command, "measure", note)
    arguments = ["panels", "--quick", "--evidence", str(tmp_path), "--panels", "stride"]
    assert command_line.main(arguments) == 0
    assert called == [(3, tmp_path, QUICK, ["stride"])]
    monkeypatch.undo()
    assert command_line.main([*arguments, "--seeds", "0"]) == 2
    assert "error: seeds=0: must be at least 1" in capsys.readouterr().err
