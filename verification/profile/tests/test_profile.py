"""Known answers: networks whose loss of scale, and its place, are known beforehand."""

import json
import math
from typing import Any, cast

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

from sesn_impl import create_model
from verification import profile_network
from verification.__main__ import main
from verification.profile.actions import REACH, Action, Axis, stencils
from verification.profile.images import analytic_images, sampled, velocity
from verification.profile.result import Profile

FAST: dict[str, Any] = {"raster": False, "images": 2}


def by_name(profile: Profile):
    return {unit.name: unit for unit in profile.units}


def gaussian(sigma: float, taps: int, stride: int = 1, padding: int = 0) -> nn.Conv2d:
    conv = nn.Conv2d(1, 1, taps, stride, padding, bias=False).double()
    u = torch.arange(taps) - taps // 2
    g = torch.exp(-(u.double() ** 2) / (2 * sigma**2))
    conv.weight.data[:] = (g[:, None] * g / g.sum() ** 2)[None, None]
    return conv


class Pointwise(nn.Module):
    """A 1×1 convolution and a square: they commute with every change of coordinates."""

    def __init__(self):
        super().__init__()
        self.mix = nn.Conv2d(2, 3, 1).double()

    def forward(self, x):
        return self.mix(x) ** 2


class Residual(nn.Module):
    """Strides, in-place functions, a branch, concatenation and functions between modules."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.norm = nn.BatchNorm2d(4)
        self.left = nn.Conv2d(4, 4, 3, padding=1)
        self.down = nn.Conv2d(8, 6, 3, stride=2, padding=1)
        self.head = nn.Linear(6, 5)

    def forward(self, x):
        x = self.relu(self.norm(self.first(x)))
        y = torch.nn.functional.gelu(self.left(x))
        y += x
        a, b = torch.cat([x, y], 1).chunk(2, 1)
        z = self.relu(self.down(torch.cat([b, a], 1)))
        return {"class": self.head(z.mean((2, 3))), "map": (z, 2 * z)}


@pytest.mark.parametrize("kind", ["rescaling", "translation"])
def test_closed_form_is_the_limit_of_small_amounts(kind):
    action, side, h = Action(kind, 20), 20, 1e-5
    (image,) = analytic_images(side, 2, 1, seed=3)
    ends = []
    for amount in (h, -h):
        moved = image.rescaled(math.exp(amount))
        if kind == "translation":
            moved = image.shifted((amount * action.direction[0], amount * action.direction[1]))
        ends.append(sampled(moved, side))
    quotient = (ends[0] - ends[1]) / (2 * h)
    torch.testing.assert_close(velocity(image, side, action), quotient, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", ["rescaling", "translation"])
def test_generator_is_the_limit_of_the_finite_action(kind):
    action = Action(kind, 24, scale_ratio=1.5)
    grid = (Axis(12, 0.5, 2), Axis(12, 0, 2))
    y = torch.randn(1, 2, 3, 12, 12, dtype=torch.float64)
    ends = [action.act(y, grid, amount)[0] for amount in (1e-6, -1e-6)]
    quotient = (ends[0] - ends[1]) / 2e-6
    inner = (..., slice(1, -1), slice(1, -1), slice(1, -1))
    torch.testing.assert_close(
        quotient[inner], action.generator(y, grid)[inner], rtol=1e-6, atol=1e-6
    )


def test_stencils_are_exact_on_polynomials_and_shift_by_whole_pixels():
    x = np.arange(15.0)
    for power in range(2 * REACH + 1):
        inner = stencils(15, derivative=True)[REACH:-REACH] @ x**power
        expected = power * x[REACH:-REACH] ** max(power - 1, 0)
        np.testing.assert_allclose(inner, expected, rtol=1e-7, atol=1e-7)
    places = tuple(x[:-2] + 2)
    np.testing.assert_allclose(stencils(15, places) @ x**3, (x[:-2] + 2) ** 3, atol=1e-8)


def test_a_network_that_acts_on_pixels_alone_loses_nothing_but_the_floor():
    profile = profile_network(Pointwise(), side=48, **FAST)
    for unit in profile.units[1:]:
        for key in ("analytic", "lie", "translation", "translation lie"):
            change = unit.changes[key]
            assert change.error < 2 * change.floor
            amount = math.log(1.01) if "lie" in key else 1
            assert change.relative * amount**2 < 1e-5, (unit.name, key)


def test_filters_that_span_no_distance_in_a_smooth_image_are_nearly_equivariant():
    """The defect of a blur is σ²Δ of the image: it falls with the fourth power of σ."""
    errors = []
    for sigma in (0.8, 1.6):
        profile = profile_network(gaussian(sigma, 17), side=64, **FAST)
        unit = profile.units[1]
        (contribution,) = unit.contributions["lie"]
        assert contribution.part == "filters"
        assert contribution.share == pytest.approx(1, abs=1e-3)
        errors.append(unit.changes["lie"].error)
    # of a bump image σ² is not small against 1/ω², so the power is a little less
    assert 8 < errors[1] / errors[0] <= 16


def test_the_layer_that_breaks_it_has_the_contribution():
    class Ramp(nn.Module):
        def forward(self, x):
            return x * torch.linspace(0, 1, x.shape[-1], dtype=x.dtype)

    layers = [nn.Conv2d(1, 2, 1), nn.Tanh(), Ramp(), nn.Conv2d(2, 2, 1), nn.Tanh()]
    profile = profile_network(nn.Sequential(*layers).double(), side=40, **FAST)
    shares = {unit.name: unit.share("translation lie") for unit in profile.units}
    assert 0.9 < shares["2"] < 1.1
    intact = profile_network(nn.Sequential(*layers[:2], *layers[3:]).double(), side=40, **FAST)
    assert intact.units[-1].changes["translation lie"].relative < 1e-4
    assert profile.units[-1].changes["translation lie"].relative > 1e-4


def test_photographs_change_by_their_warp_alone_until_a_layer_breaks_it():
    """A 1×1 convolution of one grey channel keeps every ratio; a blur changes with the scale."""
    mix = nn.Conv2d(1, 3, 1, bias=False).double()
    profile = profile_network(mix, side=48, channels=1, images=2, contributions=False)
    warp, mixed, _ = (unit.changes["raster"].relative for unit in profile.units)
    assert 0 < warp < 0.01
    assert mixed == pytest.approx(warp, rel=1e-9)
    blurred = []
    for sigma in (0.7, 2.0):
        profile = profile_network(gaussian(sigma, 17), side=64, images=2, contributions=False)
        raster, analytic = (
            profile.units[1].changes[key].relative for key in ("raster", "analytic")
        )
        blurred.append(raster)
        assert raster > analytic  # bumps of 2.5 pixels and more have less detail than photographs
    assert blurred[1] > 2 * blurred[0]


def test_a_stride_that_aliases_is_told_from_its_filter():
    strided = nn.Sequential(nn.Conv2d(1, 4, 3, stride=4, bias=False), nn.Conv2d(4, 2, 1)).double()
    shares = profile_network(strided, side=64, **FAST).by_part("translation lie")
    assert shares["stride"] > 0.95
    smooth = profile_network(gaussian(1.0, 7), side=64, **FAST)
    assert smooth.units[-1].changes["translation lie"].relative < 1e-4


def test_a_wave_that_is_aliased_errs_by_what_the_stencil_makes_of_its_alias():
    """ω = 2 at a stride of 2 becomes 4 − 2π per coarse pixel; its own derivative is 4."""
    omega, n = 2.0, 41
    x = torch.arange(2 * n, dtype=torch.float64)[::2]
    y = torch.exp(1j * omega * x)
    grid = (Axis(n, 0, 2), Axis(n, 0, 2))
    action = Action("translation", 2 * n, direction=(1.0, 0.0))
    flow = action.generator(y.real[:, None].expand(n, n)[None, None], grid)[0, 0, :, 0]
    inner = slice(REACH, -REACH)
    weights = stencils(n, derivative=True)[20, 16:25]
    symbol = float((weights * np.sin((2 * omega - 2 * np.pi) * np.arange(-4, 5))).sum())
    torch.testing.assert_close(flow[inner], (-symbol / 2 * -y.imag)[inner], rtol=1e-9, atol=1e-9)
    assert abs(omega - symbol / 2) > 2.5  # so the defect is larger than the derivative itself


def low_pass(cut: float, taps: int, stride: int) -> nn.Conv2d:
    """The ideal low-pass filter up to `cut` of the Nyquist frequency, cut off by a window."""
    conv = nn.Conv2d(1, 1, taps, stride, bias=False).double()
    u = np.arange(taps) - taps // 2
    row = np.sinc(cut * u) * np.kaiser(taps, 8)
    conv.weight.data[:] = torch.from_numpy(np.outer(row, row) / row.sum() ** 2)
    return conv


class Square(nn.Module):
    def forward(self, x):
        return x**2


def test_an_ideally_band_limited_stack_loses_no_translation():
    """The square doubles the band: the filter leaves an eighth of it, the stride half of that.

    Without the filter the stride loses more than the stencils err by.
    """
    limited = nn.Sequential(low_pass(0.1, 81, 2), Square())
    bare = nn.Sequential(low_pass(1, 1, 6), Square())
    for stack, loses in ((limited, False), (bare, True)):
        profile = profile_network(stack, side=128, **FAST)
        change = profile.units[-1].changes["translation lie"]
        assert (change.error > 2 * change.floor) == loses
        own = profile.units[1].changes["translation lie, own"]
        assert (own.error > 2 * own.floor) == loses
        assert loses or change.relative < 1e-4


def test_translation_by_the_stride_is_exact_and_by_less_is_not():
    conv = nn.Conv2d(1, 3, 3, stride=2).double()
    errors = {}
    for pixels in (1.0, 2.0):
        profile = profile_network(conv, side=41, shift=pixels * math.sqrt(2), **FAST)
        errors[pixels] = profile.units[1].changes["translation"].relative
    assert errors[2.0] < 1e-20 < 1e-6 < errors[1.0]


def test_the_finite_change_tends_to_the_lie_derivative():
    model = nn.Sequential(gaussian(1.5, 7, padding=3), nn.Tanh(), gaussian(1.5, 7)).double()
    gaps = []
    for factor in (1.1, 1.01, 1.001):
        profile = profile_network(model, side=40, factor=factor, contributions=False, **FAST)
        last = profile.units[-1].changes
        rate = math.sqrt(last["analytic"].error) / math.log(factor)
        gaps.append(abs(rate / math.sqrt(last["lie"].error) - 1))
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 0.01


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_contributions_sum_to_the_whole(dtype):
    torch.manual_seed(0)
    profile = profile_network(Residual().to(dtype), side=32, **FAST)
    bound = 1e-10 if dtype == torch.float64 else 1e-3
    for kind in ("lie", "translation lie"):
        assert abs(profile.remainder(kind)) < bound
        assert profile.by_part(kind).keys() >= {"stride", "border", "filters", "nonlinearity"}
    names = [unit.name for unit in profile.units]
    assert names[0] == "input"
    assert names[-1] == "output['class']"
    assert {"relu", "relu #2", "gelu", "add", "cat", "cat #2", "mean", "head"} <= set(names)


def test_contributions_sum_to_a_map_that_is_chosen_as_output():
    torch.manual_seed(0)
    profile = profile_network(Residual().double(), side=32, output="output['map'][1]", **FAST)
    assert profile.units[-1].shape == (6, 16, 16)
    assert abs(profile.remainder()) < 1e-10
    with pytest.raises(ValueError, match=r"output='no': must be one of \[\"output\['class'\]\""):
        profile_network(Residual(), side=32, output="no", **FAST)


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return 3 * x**2 * grad


class Cubed(nn.Module):
    def forward(self, x):
        return Cube.apply(x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_has_no_forward_derivative_is_differenced_and_said_to_be(dtype):
    class Power(nn.Module):
        def forward(self, x):
            return x**3

    torch.manual_seed(0)
    conv = nn.Conv2d(1, 2, 3)
    plain, custom = (
        profile_network(nn.Sequential(conv, last).to(dtype), side=24, **FAST)
        for last in (Power(), Cubed())
    )
    assert any("1: has no forward-mode derivative; by central differences in float64" in note
               for note in custom.notes)  # fmt: skip
    assert not any("differences" in note for note in plain.notes)
    first, second = (each.units[-1].changes["lie"].error for each in (plain, custom))
    assert second == pytest.approx(first, rel=1e-4)
    assert abs(custom.remainder()) < 1e-4


def test_a_network_is_left_as_it_was():
    model = Residual()
    model.train()
    model.norm.eval()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    profile_network(model, side=24, contributions=False, **FAST)
    assert model.training
    assert model.left.training
    assert not model.norm.training
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_functions_narrow_types_and_tokens():
    function = profile_network(lambda x: torch.relu(x).mean((2, 3)), side=24, **FAST)
    assert [unit.name for unit in function.units] == ["input", "relu", "mean", "output"]
    narrow = profile_network(nn.Conv2d(1, 1, 3).bfloat16(), side=24, **FAST)
    assert narrow.dtype == "float32"
    assert "float32 copy" in narrow.notes[0]

    class Tokens(nn.Module):
        def forward(self, x):
            return x.flatten(2).transpose(1, 2).mean(1)

    tokens = profile_network(Tokens(), side=24, channels=3, **FAST)
    assert "counted with the next unit: flatten, transpose" in tokens.notes[0]
    assert abs(tokens.remainder()) < 1e-3


class Borrowing(nn.Module):
    """Uses its child's weights without calling it, and does more the larger the batch."""

    def __init__(self):
        super().__init__()
        self.conv = nn.utils.parametrizations.weight_norm(nn.Conv2d(1, 2, 3, padding=1))

    def forward(self, x):
        parts = [nn.functional.conv2d(one, self.conv.weight, padding=1) for one in x.split(1)]
        return torch.cat(parts)


def test_a_module_that_calls_no_other_is_one_unit():
    model = nn.Sequential(Borrowing(), nn.Conv2d(2, 1, 1))
    profile = profile_network(model.double(), side=24, **FAST)
    assert [unit.name for unit in profile.units] == ["input", "0", "1", "output"]
    assert abs(profile.remainder()) < 1e-9


def test_a_sesn_and_its_scale_axis():
    torch.manual_seed(0)
    model = create_model("sesn_scalar_28")
    profile = profile_network(model, scale_ratio=1.44, contributions=False, raster=False)
    # A layer is one unit, whatever it does within: that may depend on the batch.
    assert [unit.name for unit in profile.units[1:13]] == [f"features.{i}" for i in range(12)]
    assert (profile.side, profile.channels) == (28, 1)
    assert profile.units[-1].shape == (10,)
    assert all(unit.changes for unit in profile.units)


def test_mistakes_are_named():
    for wrong, message in {
        "images": "images=1: must be a whole number of at least 2",
        "factor": "factor=1: must be positive and not 1",
        "scale_ratio": "scale_ratio=1: must be above 1",
    }.items():  # fmt: skip
        with pytest.raises(ValueError, match=message):
            profile_network(nn.Conv2d(1, 1, 1), **cast(Any, {wrong: 1}))
    with pytest.raises(ValueError, match=r"side=28, channels=3: the network takes no such square"):
        profile_network(nn.Conv2d(1, 1, 1), side=28, channels=3)
    broken = nn.Conv2d(1, 1, 1)
    broken.weight.data[:] = math.nan
    with pytest.raises(ValueError, match="unit 'Conv2d': its output is not finite"):
        profile_network(broken, side=28)
    with pytest.raises(ValueError, match=r"factor=0\.001 at 28 pixels: needs photographs of"):
        profile_network(nn.Conv2d(1, 1, 1), side=28, factor=1e-3)


def resnet():
    return torchvision.models.resnet18(num_classes=7)


def test_the_command_profiles_a_plain_resnet(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = [str(tmp_path / name) for name in ("p.json", "p.svg")]
    origin = f"{__name__}:resnet"
    assert main(["profile", origin, "--side", "32", "--no-contributions", "--json", files[0],
                 "--figure", files[1]]) == 0  # fmt: skip
    table = capsys.readouterr().out
    assert "resnet: 2 images of 3×32×32, float32" in table
    assert "layer4.1.conv2" in table
    numbers = json.loads((tmp_path / "p.json").read_text())
    assert numbers["version"] == 1
    units = {unit["name"]: unit for unit in numbers["units"]}
    assert units["conv1"]["changes"]["raster"]["error"] > 0
    assert units["layer4.1.conv2"]["shape"] == [512, 1, 1]
    assert (tmp_path / "p.svg").read_bytes().startswith(b"<?xml")
    assert main(["profile", origin, "--figure", "p.doc"]) == 2
    assert "must end in .svg or .png or .pdf" in capsys.readouterr().err
