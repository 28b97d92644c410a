"""The layers against their textbook form, over the whole domain of their options."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from sesn_impl import (
    LiftingConv2d,
    ProjectedConv2d,
    ScaleConv1x1,
    ScaleConv2d,
    ScaleMaxProjection,
    SteerableBasis,
)
from sesn_impl.fast.cost import Algorithm
from sesn_impl.tests.against_textbook import (
    BASIS,
    Layer,
    LayerType,
    assert_same,
    computed_by,
    input_for,
    layers,
    randomise,
    response_and_gradients,
    seeds,
    ways,
)
from sesn_impl.textbook import TextbookLiftingConv2d, TextbookScaleConv2d, textbook_twin


@settings(deadline=None, derandomize=True, max_examples=200)
@given(layers(), ways, seeds, st.tuples(st.integers(0, 6), st.integers(0, 6)))
def test_response_and_gradients_are_the_textbook_ones(
    layer: Layer, way: Algorithm | None, seed: int, extra: tuple[int, int]
) -> None:
    x = input_for(layer, seed, extra)
    with computed_by(way):
        actual = response_and_gradients(layer, x, seed)
    assert_same(actual, response_and_gradients(textbook_twin(layer), x, seed))


@settings(deadline=None, derandomize=True, max_examples=50)
@given(layers(), ways, seeds)
def test_projected_convolution_is_a_projection_after_it(
    layer: Layer, way: Algorithm | None, seed: int
) -> None:
    x, network = input_for(layer, seed), ProjectedConv2d(layer)
    with computed_by(way):
        actual = response_and_gradients(network, x, seed)
    assert_same(actual, response_and_gradients(textbook_twin(network), x, seed))


def test_projection_keeps_what_is_not_a_number() -> None:
    layer = randomise(LiftingConv2d(1, 1, BASIS, padding=3), 0)
    x = input_for(layer, 0, (20, 20))
    x[0, 0, 3, 3] = torch.nan
    projected = ProjectedConv2d(layer)(x)
    assert torch.equal(projected.isnan(), ScaleMaxProjection()(layer(x)).isnan())
    assert projected.isnan().any()


def swap_axes(basis: SteerableBasis) -> Tensor:
    return basis.functions.transpose(-1, -2)


def flip_filters(basis: SteerableBasis) -> Tensor:
    return basis.functions.flip(-1, -2)


def normalise_each_scale(basis: SteerableBasis) -> Tensor:
    return torch.nn.functional.normalize(basis.functions.flatten(2), dim=2).view_as(basis.functions)


def shift_scales(basis: SteerableBasis) -> Tensor:
    return basis.functions.roll(1, dims=1)


@pytest.mark.parametrize("damage", [swap_axes, flip_filters, normalise_each_scale, shift_scales])
@pytest.mark.parametrize("layer_type", [LiftingConv2d, ScaleConv2d])
def test_comparison_rejects_a_layer_with_other_filters(
    layer_type: LayerType, damage: Callable[[SteerableBasis], Tensor]
) -> None:
    layer = randomise(layer_type(2, 3, BASIS, padding=3), 0)
    x = input_for(layer, 1)
    expected = response_and_gradients(textbook_twin(layer), x, 2)
    layer.functions = damage(BASIS).to(layer.functions)
    with pytest.raises(AssertionError):
        assert_same(response_and_gradients(layer, x, 2), expected)


def test_textbook_form_is_the_formula() -> None:
    """The oracle itself, at one output pixel, by the sums of its docstring."""
    lift = TextbookLiftingConv2d(2, 1, BASIS, stride=2, bias=False).double()
    conv = TextbookScaleConv2d(2, 1, BASIS, scale_extent=2, stride=2, bias=False).double()
    x = torch.randn(1, 2, 3, 9, 9, dtype=torch.float64)
    scale, psi = 1, BASIS.functions[:, 1]  # [N_b, V, V]
    lifted = mixed = torch.zeros((), dtype=torch.float64)
    for c, n in itertools.product(range(2), range(9)):
        # [V, V] under output pixel (1, 0) at stride 2, at this scale and at the one above
        here, above = x[0, c, scale, 2:9, :7], x[0, c, scale + 1, 2:9, :7]
        lifted = lifted + lift.weight[0, c, n] * (here * psi[n]).sum()
        mixed = mixed + conv.weight[0, c, 0, n] * (here * psi[n]).sum()
        mixed = mixed + conv.weight[0, c, 1, n] * (above * psi[n]).sum()
    torch.testing.assert_close(lift(x[:, :, scale])[0, 0, scale, 1, 0], lifted)
    torch.testing.assert_close(conv(x)[0, 0, scale, 1, 0], mixed)


@pytest.mark.parametrize("layer_type", [LiftingConv2d, ScaleConv2d])
def test_float64_layer_uses_the_float64_basis_whatever_it_was_before(layer_type: LayerType) -> None:
    layer = layer_type(1, 1, BASIS).bfloat16().float().double()
    assert torch.equal(layer.functions, BASIS.functions)
    widened = BASIS.functions.float().double()
    assert not torch.equal(widened, BASIS.functions)  # so the line above can fail


@pytest.mark.parametrize(
    "make",
    [
        lambda: LiftingConv2d(2, 3, BASIS),
        lambda: ScaleConv2d(2, 3, BASIS, scale_extent=2),
        lambda: ScaleConv1x1(2, 3),
    ],
    ids=["lifting", "scale", "1x1"],
)
def test_state_dict_round_trip(make: Callable[[], nn.Module]) -> None:
    """It holds what was learned, and nothing that follows from the configuration."""
    layer, other = make(), make()
    state = layer.state_dict()
    assert sorted(state.keys() - {"_extra_state"}) == ["bias", "weight"]
    assert not torch.equal(other.state_dict()["weight"], state["weight"])
    other.load_state_dict(state)
    assert all(torch.equal(other.state_dict()[name], tensor) for name, tensor in state.items())


@pytest.mark.parametrize("stride", [1, 2])
def test_scale_conv_1x1_mixes_channels_alike_at_every_scale(stride: int) -> None:
    mix = ScaleConv1x1(2, 3, stride=stride)
    assert mix.bias is not None
    nn.init.normal_(mix.bias)
    x = torch.randn(2, 2, 3, 5, 4)
    expected = torch.einsum("oc,bcshw->boshw", mix.weight, x[..., ::stride, ::stride])
    torch.testing.assert_close(mix(x), expected + mix.bias[:, None, None, None])


def test_max_projection_takes_the_largest_response_over_scale() -> None:
    x = torch.tensor([[1.0, -5.0], [3.0, -2.0], [2.0, -9.0]]).view(1, 1, 3, 1, 2)
    assert torch.equal(ScaleMaxProjection()(x), torch.tensor([3.0, -2.0]).view(1, 1, 1, 2))


@pytest.mark.parametrize("layer_type", [LiftingConv2d, ScaleConv2d])
@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((0, 1), {}, r"in_channels=0: must be at least 1"),
        ((1, -2), {}, r"out_channels=-2: must be at least 1"),
        ((1, 1), {"stride": 0}, r"stride=0: must be at least 1"),
        ((1, 1), {"padding": -1}, r"padding=-1: must be at least 0"),
    ],
)
def test_options_out_of_range(
    layer_type: LayerType, arguments: tuple[int, int], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        layer_type(*arguments, BASIS, **options)


@pytest.mark.parametrize("extent", [0, 4])
def test_scale_extent_out_of_range(extent: int) -> None:
    message = rf"scale_extent={extent}: must be between 1 and the number of scales, 3"
    with pytest.raises(ValueError, match=message):
        ScaleConv2d(1, 1, BASIS, scale_extent=extent)


@pytest.mark.parametrize("name", ["in_channels", "out_channels", "stride"])
def test_scale_conv_1x1_options_out_of_range(name: str) -> None:
    options: dict[str, Any] = {"in_channels": 1, "out_channels": 1, name: 0}
    with pytest.raises(ValueError, match=rf"{name}=0: must be at least 1"):
        ScaleConv1x1(**options)


@pytest.mark.parametrize("layer_type", [LiftingConv2d, ScaleConv2d, ScaleConv1x1])
def test_unknown_options_are_rejected(layer_type: Callable[..., nn.Module]) -> None:
    with pytest.raises(TypeError, match="dilation"):
        layer_type(1, 1, BASIS, dilation=2)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (LiftingConv2d(2, 1, BASIS), (1, 3, 9, 9), r"\(1, 3, 9, 9\): must be \[B, C_in=2, H, W\]"),
        (LiftingConv2d(2, 1, BASIS), (2, 9, 9), r"\(2, 9, 9\): must be \[B, C_in=2, H, W\]"),
        (LiftingConv2d(2, 1, BASIS), (1, 2, 9, 6), r"height and width must be at least 7"),
        (LiftingConv2d(2, 1, BASIS, padding=2), (1, 2, 2, 9), r"at least 3 .* padding=2"),
        (ScaleConv2d(2, 1, BASIS), (1, 2, 2, 9, 9), r"must be \[B, C_in=2, S=3, H, W\]"),
        (ScaleConv2d(2, 1, BASIS), (1, 2, 9, 9), r"must be \[B, C_in=2, S=3, H, W\]"),
        (ScaleConv2d(2, 1, BASIS), (1, 2, 3, 6, 9), r"height and width must be at least 7"),
        (ScaleConv1x1(2, 1), (1, 3, 3, 9, 9), r"must be \[B, C_in=2, S, H, W\]"),
        (ScaleMaxProjection(), (1, 3, 9, 9), r"must be \[B, C, S, H, W\]"),
    ],
)
def test_inputs_of_another_shape(layer: nn.Module, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layer(torch.zeros(shape))
