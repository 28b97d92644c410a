"""The compared methods' layers, each against its own plain reference."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from sesn_impl.baselines import (
    ColumnBatchNorm2d,
    ColumnConv2d,
    ColumnLiftingConv2d,
    DilatedScaleConv2d,
    GaussianScaleSpace,
    LogRadialConv2d,
    MagnitudeConv2d,
    ScaleInvariantConv2d,
    VectorBatchNorm2d,
    VectorConv2d,
    VectorLiftingConv2d,
    VectorMaxPool2d,
)
from sesn_impl.baselines.dss import discrete_gaussian
from sesn_impl.baselines.sevf import magnitude
from sesn_impl.baselines.tests import references as reference
from sesn_impl.baselines.tests.references import assert_same, noise

SEVEN = (0.3, 0.45, 0.67, 1.0, 1.49, 2.23, 3.33)
STEPS = tuple(range(-4, 4))


# --- SiCNN ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(6, 9), (14, 13), (28, 25)])
@pytest.mark.parametrize(("kernel_size", "scales"), [(7, SEVEN), (3, (0.67, 1.0, 1.5))])
def test_sicnn_column_is_a_convolution_with_the_resized_filter(
    kernel_size: int, scales: tuple[float, ...], size: tuple[int, int], stride: int
) -> None:
    layer = ColumnConv2d(2, 3, kernel_size, scales, stride).double()
    x = noise(1, 2, len(scales), *size)
    assert_same(layer(x), reference.sicnn(x, layer.weight, scales, stride))


def test_sicnn_lifting_hands_the_image_to_every_column() -> None:
    lifting, columns = ColumnLiftingConv2d(2, 3, 7, SEVEN), ColumnConv2d(2, 3, 7, SEVEN)
    columns.load_state_dict(lifting.state_dict())
    x = noise(1, 2, 9, 9).float()
    assert torch.equal(lifting(x), columns(x[:, :, None].expand(-1, -1, 7, -1, -1)))


def test_sicnn_gradient_is_that_of_the_reference() -> None:
    layer = ColumnConv2d(2, 3, 7, SEVEN).double()
    x = noise(1, 2, 7, 14, 14).requires_grad_()
    cotangent = noise(1, 3, 7, 14, 14, seed=1)
    inputs = [x, layer.weight]
    actual = torch.autograd.grad(layer(x), inputs, cotangent)
    expected = torch.autograd.grad(reference.sicnn(x, layer.weight, SEVEN, 1), inputs, cotangent)
    for a, e in zip(actual, expected, strict=True):
        assert_same(a, e)


def test_sicnn_filters_keep_their_l1_norm() -> None:
    weight = noise(3, 2, 7, 7)
    norms = [reference.sicnn_filters(weight, s, 3.33).abs().sum(dim=(2, 3)) for s in SEVEN]
    for norm in norms:
        assert_same(norm, weight.abs().sum(dim=(2, 3)))


def test_sicnn_survives_a_filter_of_zeros() -> None:
    layer = ColumnLiftingConv2d(1, 1, 7, SEVEN)
    nn.init.zeros_(layer.weight)
    y = layer(torch.ones(1, 1, 9, 9))
    y.sum().backward()
    assert not y.any()
    assert layer.weight.grad is not None
    assert layer.weight.grad.isfinite().all()


def test_sicnn_columns_are_normalised_one_by_one() -> None:
    norm = ColumnBatchNorm2d(2, 3).double()
    scale = torch.tensor([1.0, 10.0, 100.0], dtype=torch.float64)[:, None, None]
    y = norm(noise(8, 2, 3, 5, 5) * scale)
    assert_same(y.var(dim=(0, 3, 4), correction=0).round(decimals=3), torch.ones(2, 3).double())


# --- SI-ConvNet ----------------------------------------------------------------------------------


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("size", [(7, 9), (14, 14), (28, 25)])
@pytest.mark.parametrize(
    ("kernel_size", "scales", "stride"),
    [(7, SEVEN, 1), (3, (0.5, 1.0, 2.0), 1), (3, (0.5, 1.0, 2.0), 2)],
)
def test_si_convnet_is_resize_convolve_resize_and_maximum(
    kernel_size: int, scales: tuple[float, ...], stride: int, size: tuple[int, int], bias: bool
) -> None:
    padding = kernel_size // 2
    layer = ScaleInvariantConv2d(2, 3, kernel_size, scales, stride, padding, bias).double()
    x = noise(1, 2, *size)
    expected = reference.si_convnet(x, layer.weight, layer.bias, scales, stride, padding)
    assert_same(layer(x), expected)


def test_si_convnet_without_other_scales_is_a_plain_convolution() -> None:
    layer = ScaleInvariantConv2d(2, 3, 7, (1.0,), padding=3).double()
    x = noise(1, 2, 9, 9)
    assert_same(layer(x), nn.functional.conv2d(x, layer.weight, layer.bias, padding=3))


# --- SEVF ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(7, 9), (14, 13), (28, 28)])
def test_sevf_lifting_writes_the_winning_scale_as_an_angle(size: tuple[int, int]) -> None:
    layer = VectorLiftingConv2d(2, 3, 7, padding=3).double()
    x = noise(1, 2, *size)
    responses = reference.sevf_responses(x, [layer.weight] * 8, STEPS, 1.26, 3)
    assert_same(layer.responses(x), responses)
    assert_same(layer(x), reference.sevf_vectors(responses, STEPS))


@pytest.mark.parametrize("turn", [1, -1])
def test_sevf_vector_turns_its_filters(turn: int) -> None:
    layer = VectorConv2d(2, 3, 7, padding=3, turn=turn).double()
    field = noise(1, 2, 2, 14, 13)
    delta = turn * (2 * math.pi / 3) / 7
    filters = [reference.turned(layer.weight, k * delta).flatten(1, 2) for k in STEPS]
    responses = reference.sevf_responses(field.flatten(1, 2), filters, STEPS, 1.26, 3)
    assert_same(layer(field), reference.sevf_vectors(responses, STEPS))


def test_sevf_scalar_is_the_length_of_the_vector() -> None:
    scalar = MagnitudeConv2d(2, 3, 7, padding=3).double()
    vector = VectorLiftingConv2d(2, 3, 7, padding=3).double()
    vector.load_state_dict(scalar.state_dict())
    x = noise(1, 2, 14, 14)
    assert_same(scalar(x), magnitude(vector(x)))


def test_sevf_pool_takes_the_longest_vector() -> None:
    field = noise(2, 3, 2, 8, 6)
    pooled = VectorMaxPool2d(2)(field)
    assert_same(magnitude(pooled), nn.functional.max_pool2d(magnitude(field), 2))
    present = {tuple(v) for v in field.movedim(2, -1).reshape(-1, 2).tolist()}
    assert {tuple(v) for v in pooled.movedim(2, -1).reshape(-1, 2).tolist()} <= present


def test_sevf_pool_ignores_its_padding() -> None:
    pooled = VectorMaxPool2d(4, padding=2)(torch.zeros(1, 1, 2, 7, 7))
    assert pooled.shape == (1, 1, 2, 2, 2)


def test_sevf_norm_divides_by_the_deviation_of_the_magnitude() -> None:
    norm = VectorBatchNorm2d(3).double()
    field = noise(4, 3, 2, 5, 5) * torch.tensor([1.0, 5.0, 25.0])[:, None, None, None]
    deviation = magnitude(field).movedim(1, 0).flatten(1).var(dim=1, correction=0)
    expected = field / (deviation + 1e-5).sqrt()[:, None, None, None]
    assert_same(norm(field), expected)
    unbiased = magnitude(field).movedim(1, 0).flatten(1).var(dim=1)
    assert_same(norm.running_var, 0.5 + 0.5 * unbiased)  # momentum 0.5, from ones
    expected = field / (norm.running_var + 1e-5).sqrt()[:, None, None, None]
    assert_same(norm.eval()(field), expected)


def test_sevf_norm_applies_its_gain() -> None:
    norm = VectorBatchNorm2d(2).double()
    field = noise(4, 2, 2, 5, 5)
    once = norm(field)
    with torch.no_grad():
        norm.weight.mul_(torch.tensor([2.0, 3.0]))
    assert_same(norm(field), once * torch.tensor([2.0, 3.0])[:, None, None, None])


def test_sevf_has_finite_gradients_where_a_field_vanishes() -> None:
    """The square root of 0 has no derivative; black backgrounds have many of them."""
    norm = VectorBatchNorm2d(1)
    field = torch.zeros(1, 1, 2, 4, 4)
    field[..., 0] = 1.0
    field.requires_grad_()
    (norm(field).square().sum() + magnitude(field).sum()).backward()
    assert field.grad is not None
    assert field.grad.isfinite().all()


# --- DSS -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variance", "half_width"), [(0.1875, 4), (0.75, 4), (15.75, 16), (60, 99)]
)
def test_dss_blur_is_lindebergs(variance: float, half_width: int) -> None:
    expected = reference.discrete_gaussian(variance, half_width)
    # Two ways to Bessel functions, which may differ by a hundred roundings.
    torch.testing.assert_close(
        discrete_gaussian(variance, half_width), expected, rtol=0, atol=1e-14
    )


@pytest.mark.parametrize(("num_scales", "zero_scale"), [(2, 0.25), (4, 0.5), (1, 0.5)])
def test_dss_stack(num_scales: int, zero_scale: float) -> None:
    lift = GaussianScaleSpace(num_scales, zero_scale).double()
    x = noise(2, 3, 12, 9)
    assert_same(lift(x), reference.dss_stack(x, num_scales, zero_scale))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("scale_extent", [1, 2])
@pytest.mark.parametrize(("num_scales", "kernel_size"), [(3, 3), (2, 7), (2, 1)])
def test_dss_convolution(num_scales: int, kernel_size: int, scale_extent: int, stride: int) -> None:
    layer = DilatedScaleConv2d(2, 3, kernel_size, num_scales, scale_extent, stride).double()
    x = noise(1, 2, 3, 12, 9)
    expected = reference.dss_convolution(x, layer.weight, num_scales, stride)
    assert_same(layer(x), expected)


def test_dss_he_start() -> None:
    torch.manual_seed(0)
    layer = DilatedScaleConv2d(30, 200, 7, 3, scale_extent=2)
    deviation = float(layer.weight.detach().std())
    assert deviation == pytest.approx(math.sqrt(2 / (30 * 2 * 49)), rel=0.01)


def test_dss_delta_start_hands_channels_through() -> None:
    layer = DilatedScaleConv2d(4, 6, 3, 2, scale_extent=2, initialisation="delta")
    centre = layer.weight.detach()[:, :, :, 1, 1]  # [6, 4, 2]; the greatest common divisor is 2
    same_half = torch.tensor([[True, True, False, False]] * 3 + [[False, False, True, True]] * 3)
    assert (centre[same_half] == 2 / 6).all()
    assert (centre[~same_half].abs() <= 0.01).all()
    rest = layer.weight.detach().flatten(3)[..., [0, 1, 2, 3, 5, 6, 7, 8]]
    assert 0 < rest.abs().max() <= 0.01


# --- SS-CNN --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "reference_size", "orders"),
    [((5, 7, 9, 11, 13), 11, (0.5, 1, 2)), ((3, 5, 7), 3, (1,)), ((3,), 3, (1,))],
)
def test_ss_cnn_filters_are_steered_harmonics(
    sizes: tuple[int, ...], reference_size: int, orders: tuple[float, ...]
) -> None:
    layer = LogRadialConv2d(2, 2, sizes, reference_size, orders).double()
    nn.init.normal_(layer.centre)
    for size in sizes:
        expected = reference.log_radial_filters(
            layer.weight.detach(), layer.centre.detach(), size, sizes[-1], reference_size, orders
        )
        assert_same(layer.filters(size), expected)


@pytest.mark.parametrize("stride", [1, 2])
def test_ss_cnn_takes_the_best_size(stride: int) -> None:
    layer = LogRadialConv2d(2, 3, (3, 5, 7), 5, stride=stride).double()
    x = noise(1, 2, 12, 9)
    responses = [
        nn.functional.conv2d(x, layer.filters(n), stride=stride, padding=n // 2) for n in (3, 5, 7)
    ]
    assert_same(layer(x), torch.stack(responses).amax(dim=0))


def test_ss_cnn_centre_tap_starts_at_zero_and_learns() -> None:
    layer = LogRadialConv2d(2, 3, (3, 5), 5).double()
    assert not layer.centre.any()
    layer(noise(1, 2, 9, 9)).square().sum().backward()
    assert layer.centre.grad is not None
    assert layer.centre.grad.all()
