"""All that the convolutions promise, in seconds; one of the files that mutation testing runs."""

import copy
import math

import pytest
import torch

from sesn_impl import LiftingConv2d, ScaleConv1x1, ScaleConv2d, ScaleMaxProjection
from sesn_impl.layers import ProjectedConv2d
from verification.checks import check_follows_weights, check_max_projection, check_response
from verification.layer.probe import random_probe
from verification.layer.targets import describe
from verification.tests.contract import (
    BASIS,
    BUILDS,
    agree,
    expected,
    image_for,
    noise,
    randomised,
    refused,
)
from verification.tolerances import rounding_error

# --- Convolutions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BUILDS)
@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 4), (3, 1), (1, 7)])
def test_answers_are_those_of_padded_filters(name, stride, padding):
    layer = randomised(BUILDS[name](stride=stride, padding=padding))
    x = image_for(name)
    wanted = expected(layer, x)
    assert agree(layer(x), wanted)
    with torch.no_grad():
        assert agree(layer(x), wanted)
        assert agree(layer.projected(x), wanted.amax(2))
    assert agree(layer.projected(x), wanted.amax(2))
    target = describe(layer)
    check_response(target, random_probe(target, 0)).require()


@pytest.mark.parametrize("name", BUILDS)
def test_without_a_bias_nothing_is_added(name):
    layer = randomised(BUILDS[name](bias=False, padding=4))
    x = image_for(name)
    assert layer.bias is None
    assert "bias" not in layer.state_dict()
    assert agree(layer(x), expected(layer, x))
    assert agree(layer.projected(x), expected(layer, x).amax(2))
    assert not layer(torch.zeros_like(x)).any()


@pytest.mark.parametrize("name", BUILDS)
@pytest.mark.parametrize("side", [5, 21])
def test_gradients_are_those_of_the_documented_answers(name, side):
    """⟨∇, h⟩ along any h is the answer to h, since answers are linear in image and weights."""
    layer = randomised(BUILDS[name](padding=4))
    bias = layer.bias.detach()[:, None, None, None]
    x = image_for(name, side).requires_grad_()
    y = layer(x)
    seen = noise(*y.shape, seed=2)
    by_image, by_weight, by_bias = torch.autograd.grad(
        (y * seen).sum(), [x, layer.weight, layer.bias]
    )
    along = noise(*x.shape, seed=3)
    assert agree_as_sums(by_image * along, seen * (expected(layer, along) - bias))
    assert agree(by_bias, seen.sum((0, 2, 3, 4)))
    step = noise(*layer.weight.shape, seed=4)
    with torch.no_grad():
        layer.weight.copy_(step)
    wanted = expected(layer, x.detach()) - bias
    assert agree_as_sums(by_weight * step, seen * wanted)


def agree_as_sums(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Two sums of many terms, the rounding of each of which is of the size of the largest."""
    size = float(a.abs().sum() + b.abs().sum())
    return bool(abs(float(a.sum() - b.sum())) <= size * rounding_error(a.dtype) ** 0.5)


@pytest.mark.parametrize("name", BUILDS)
def test_answers_follow_the_weights(name):
    check_follows_weights(randomised(BUILDS[name](padding=4)), image_for(name, 5), name).require()


def test_shapes_of_parameters_and_options():
    layer = LiftingConv2d(2, 3, BASIS)
    assert (layer.stride, layer.padding, layer.weight.shape) == (1, 0, (3, 2, 9))
    assert layer.bias is not None
    assert (layer.in_channels, layer.out_channels, layer.bias.shape) == (2, 3, (3,))
    conv = ScaleConv2d(2, 3, BASIS)
    assert (conv.stride, conv.padding, conv.scale_extent) == (1, 0, 1)
    assert conv.weight.shape == (3, 2, 1, 9)
    assert ScaleConv2d(2, 3, BASIS, 3).weight.shape == (3, 2, 3, 9)
    assert list(conv.state_dict()) == ["weight", "bias", "_extra_state"]
    assert conv.functions.dtype == torch.float32
    assert "functions" in dict(conv.named_buffers())
    mix = ScaleConv1x1(2, 3)
    assert mix.bias is not None
    assert (mix.stride, mix.weight.shape, mix.bias.shape) == (1, (3, 2), (3,))
    assert (mix.in_channels, mix.out_channels) == (2, 3)
    assert ScaleConv1x1(2, 3, bias=False).bias is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LiftingConv2d(2, 0, BASIS), "out_channels=0: must be at least 1"),
        (lambda: LiftingConv2d(0, 2, BASIS), "in_channels=0: must be at least 1"),
        (lambda: LiftingConv2d(1, 1, BASIS, stride=0), "stride=0: must be at least 1"),
        (lambda: LiftingConv2d(1, 1, BASIS, padding=-1), "padding=-1: must be at least 0"),
        (lambda: ScaleConv2d(2, 0, BASIS), "out_channels=0: must be at least 1"),
        (
            lambda: ScaleConv2d(1, 1, BASIS, 0),
            "scale_extent=0: must be between 1 and the number of scales, 3",
        ),
        (
            lambda: ScaleConv2d(1, 1, BASIS, 4),
            "scale_extent=4: must be between 1 and the number of scales, 3",
        ),
        (lambda: ScaleConv1x1(0, 1), "in_channels=0: must be at least 1"),
        (lambda: ScaleConv1x1(1, 0), "out_channels=0: must be at least 1"),
        (lambda: ScaleConv1x1(1, 1, 0), "stride=0: must be at least 1"),
    ],
)
def test_options_out_of_range_are_named(make, message):
    refused(make, message)


@pytest.mark.parametrize(
    ("layer", "shape", "allowed"),
    [
        (LiftingConv2d(2, 1, BASIS), (1, 3, 9, 9), "must be [B, C_in=2, H, W]"),
        (LiftingConv2d(2, 1, BASIS), (2, 9, 9), "must be [B, C_in=2, H, W]"),
        (ScaleConv2d(2, 1, BASIS), (1, 2, 9, 9), "must be [B, C_in=2, S=3, H, W]"),
        (ScaleConv2d(2, 1, BASIS), (1, 2, 4, 9, 9), "must be [B, C_in=2, S=3, H, W]"),
        (ScaleConv2d(2, 1, BASIS), (1, 3, 3, 9, 9), "must be [B, C_in=2, S=3, H, W]"),
        (ScaleConv1x1(2, 1), (1, 2, 9, 9), "must be [B, C_in=2, S, H, W]"),
        (ScaleConv1x1(2, 1), (1, 3, 2, 9, 9), "must be [B, C_in=2, S, H, W]"),
        (ScaleMaxProjection(), (1, 2, 9, 9), "must be [B, C, S, H, W] with S > 0"),
        (ScaleMaxProjection(), (1, 2, 0, 9, 9), "must be [B, C, S, H, W] with S > 0"),
        (
            LiftingConv2d(2, 1, BASIS, padding=2),
            (1, 2, 4, 9),
            "height and width must be at least 5 for kernel_size=9 and padding=2",
        ),
        (
            ScaleConv2d(2, 1, BASIS, padding=1),
            (1, 2, 3, 9, 6),
            "height and width must be at least 7 for kernel_size=9 and padding=1",
        ),
    ],
)
def test_inputs_of_another_shape_are_named(layer, shape, allowed):
    refused(layer, f"x of shape {shape}: {allowed}", torch.zeros(shape))


def test_the_smallest_image_is_answered():
    assert LiftingConv2d(2, 1, BASIS, padding=2)(torch.zeros(1, 2, 5, 5)).shape == (1, 1, 3, 1, 1)


@pytest.mark.parametrize(
    ("layer", "fan_in"),
    [
        (LiftingConv2d(8, 40, BASIS), 72),
        (ScaleConv2d(8, 40, BASIS, 2), 144),
        (ScaleConv1x1(50, 60), 50),
    ],
)
def test_initial_weights_are_uniform_to_one_over_the_root_of_the_fan(layer, fan_in):
    bound = 1 / math.sqrt(fan_in)
    for _ in range(2):
        largest = float(layer.weight.detach().abs().max())
        assert 0.99 * bound < largest <= bound
        assert float(layer.weight.detach().std()) == pytest.approx(bound / math.sqrt(3), rel=0.1)
        assert not layer.bias.any()
        with torch.no_grad():
            layer.weight.fill_(7.0)
            layer.bias.fill_(7.0)
        layer.reset_parameters()


def test_a_float64_layer_uses_the_float64_basis():
    layer = LiftingConv2d(2, 3, BASIS).half().double()
    assert torch.equal(layer.functions, BASIS.functions)
    assert torch.equal(layer.float().functions, BASIS.functions.float())
    assert layer.double() is layer


def test_answers_follow_the_precision():
    layer = randomised(LiftingConv2d(2, 3, BASIS, padding=4))
    x = image_for("lifting")
    with torch.no_grad():
        before = layer(x)
        layer.float()(x.float())
        assert agree(layer.double()(x), expected(layer, x))
    assert before.dtype == torch.float64


def test_mixing_is_a_matrix_at_each_place():
    layer = randomised(ScaleConv1x1(2, 3, stride=2))
    x = noise(2, 2, 3, 5, 4)
    wanted = torch.einsum("oc,bcshw->boshw", layer.weight, x[..., ::2, ::2])
    assert agree(layer(x), wanted + layer.bias[:, None, None, None])


def test_printed_layers_name_their_options():
    told = "scales=(1.0, 1.5, 2.3), supports=(3, 5, 9), stride=2, padding=1, bias=False"
    told = f"2, 3, 9 HermiteFunction, {told}"
    assert repr(LiftingConv2d(2, 3, BASIS, 2, 1, False)) == f"LiftingConv2d({told})"
    scale = ScaleConv2d(2, 3, BASIS, 2, 2, 1, False)
    assert repr(scale) == f"ScaleConv2d({told}, scale_extent=2)"
    reflecting = LiftingConv2d(2, 3, BASIS, padding="same", padding_mode="reflect")
    assert "stride=1, padding=4, padding_mode=reflect, bias=True" in repr(reflecting)
    assert repr(ScaleConv1x1(2, 3, 2)) == "ScaleConv1x1(2, 3, stride=2, bias=True)"


# --- Projection -----------------------------------------------------------------------------------


def test_projection_is_the_maximum_over_scales():
    check_max_projection(ScaleMaxProjection(), noise(2, 3, 3, 4, 5), "projection").require()
    layer = randomised(LiftingConv2d(2, 3, BASIS, padding=4))
    assert torch.equal(
        ProjectedConv2d(layer)(image_for("lifting")), layer.projected(image_for("lifting"))
    )


def test_where_scales_tie_the_smallest_has_the_gradient():
    """A basis of one scale's functions, three times: all scales answer alike."""
    functions = BASIS.functions[:, 1:2].expand(-1, 3, -1, -1).clone()
    basis = copy.copy(BASIS)
    object.__setattr__(basis, "functions", functions)
    object.__setattr__(basis, "supports", (9, 9, 9))
    layer = randomised(ScaleConv2d(2, 3, basis, padding=4))
    x = image_for("scale_1")
    x = x[:, :, :1].expand(-1, -1, 3, -1, -1).clone().requires_grad_()
    layer.projected(x).sum().backward()
    assert x.grad is not None
    assert x.grad[:, :, 0].any()
    assert not x.grad[:, :, 1:].any()


def test_a_nan_at_any_scale_is_not_hidden():
    layer = randomised(ScaleConv2d(2, 3, BASIS, padding=4))
    for scale in range(3):
        x = image_for("scale_1")
        x[:, :, scale] = math.nan
        assert layer.projected(x).isnan().all()
