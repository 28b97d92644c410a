"""Padding, strides and what follows from them; the winning scale; one-liners of torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sesn_impl import (
    LiftingConv2d,
    ScaleConv1x1,
    ScaleConv2d,
    ScaleMaxProjection,
    hermite_basis_a,
)
from sesn_impl.fast.cost import Algorithm
from sesn_impl.tests.against_textbook import computed_by, randomise

BASIS = hermite_basis_a(7, (1.0, 1.5, 2.0), 3)  # supports 3, 5, 7
MODES = ["zeros", "circular", "reflect", "replicate"]


def by_plain_convolution(layer: LiftingConv2d, x: Tensor, padding: Any) -> Tensor:
    """What the options mean, by F.pad and F.conv2d on the full V×V filters."""
    rows, columns = padding
    if layer.padding_mode != "zeros":
        x = F.pad(x, (columns, columns, rows, rows), mode=layer.padding_mode)
        padding = 0
    filters = torch.einsum("ocn,nsyx->socyx", layer.weight, BASIS.functions.to(layer.weight))
    answers = [F.conv2d(x, f, layer.bias, layer.stride, padding) for f in filters]
    return torch.stack(answers, 2)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("way", ["direct", "spectral"])
@pytest.mark.parametrize(
    ("stride", "padding", "pair"),
    [
        (1, "same", (3, 3)),
        ((2, 1), 2, (2, 2)),
        ((1, 3), (4, 1), (4, 1)),
        (2, (0, 5), (0, 5)),
        ([2, 2], [1, 0], (1, 0)),
    ],
)
def test_options_mean_what_they_mean_in_torch(
    mode: str, way: Algorithm, stride: Any, padding: Any, pair: tuple[int, int]
) -> None:
    layer = LiftingConv2d(2, 3, BASIS, stride, padding, padding_mode=mode)
    randomise(layer.double(), 0)
    x = torch.randn(2, 2, 9, 11, dtype=torch.float64)
    with computed_by(way):
        torch.testing.assert_close(layer(x), by_plain_convolution(layer, x, pair))
        conv = ScaleConv2d(2, 3, BASIS, 1, stride, padding, padding_mode=mode).double()
        conv.load_state_dict({"weight": layer.weight[:, :, None], "bias": layer.bias})
        stacked = conv(x[:, :, None].expand(-1, -1, 3, -1, -1))
    torch.testing.assert_close(stacked, layer(x))


def test_same_keeps_the_size() -> None:
    layer = LiftingConv2d(1, 1, BASIS, padding="same")
    assert layer.padding == 3
    assert layer(torch.zeros(1, 1, 4, 13)).shape == (1, 1, 3, 4, 13)


@pytest.mark.parametrize(("mode", "smallest"), [("circular", 3), ("reflect", 4)])
def test_an_image_that_padding_cannot_continue_is_refused(mode: str, smallest: int) -> None:
    layer = LiftingConv2d(1, 1, BASIS, padding="same", padding_mode=mode)
    assert layer(torch.zeros(1, 1, smallest, smallest)).shape[-2:] == (smallest, smallest)
    with pytest.raises(ValueError, match=f"height and width must be at least {smallest} for"):
        layer(torch.zeros(1, 1, smallest - 1, 9))


def test_mixing_takes_a_pair_of_strides() -> None:
    mix = ScaleConv1x1(2, 3, stride=(1, 2), bias=False)
    x = torch.randn(1, 2, 3, 5, 6)
    expected = torch.einsum("oc,bcshw->boshw", mix.weight, x[..., ::2])
    torch.testing.assert_close(mix(x), expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"padding": "valid"}, "padding='valid': must be pixels or \"same\""),
        ({"padding": "same", "stride": 2}, 'padding="same" with stride=2: the stride must be 1'),
        ({"stride": (1, 2, 3)}, r"stride=\(1, 2, 3\): must be one number, or one for rows and"),
        ({"stride": 1.5}, "stride=1.5: must be an integer"),
        ({"stride": "2"}, "stride='2': must be an integer"),
        ({"stride": (1, 0)}, "stride=0: must be at least 1"),
        ({"padding": (-1, 0)}, "padding=-1: must be at least 0"),
        ({"padding_mode": "wrap"}, "padding_mode='wrap': must be one of zeros, circular, reflect"),
    ],
)
def test_options_out_of_range(options: dict[str, Any], message: str) -> None:
    for make in (LiftingConv2d, ScaleConv2d):
        with pytest.raises(ValueError, match=message):
            make(1, 1, BASIS, **options)
    with pytest.raises(TypeError, match="dilation"):
        LiftingConv2d(1, 1, BASIS, dilation=2)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "layer",
    [
        LiftingConv2d(1, 1, BASIS),
        ScaleConv2d(1, 1, BASIS),
        ScaleConv1x1(1, 1),
        ScaleMaxProjection(),
    ],
)
def test_arrays_of_numpy_are_refused_with_a_sentence(layer: nn.Module) -> None:
    with pytest.raises(TypeError, match=r"x of type ndarray: must be a torch\.Tensor \[B, "):
        layer(np.zeros((1, 1, 9, 9)))


def image_in_a_plane(background: float) -> tuple[Tensor, Tensor]:
    """A plane of one value around something, [1, 1, 40, 40], and its middle [1, 1, 16, 16]."""
    plane = torch.full((1, 1, 40, 40), background, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, 1, 8, 8, dtype=torch.float64, generator=generator)
    plane[..., 16:24, 16:24] += noise
    return plane, plane[..., 12:28, 12:28]


def lifting(mode: str) -> LiftingConv2d:
    layer = LiftingConv2d(1, 2, BASIS, padding="same", bias=False, padding_mode=mode)
    randomise(layer.double(), 1)
    return layer


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("background", [0.0, 1.0])
def test_where_padding_continues_the_image_the_layer_is_that_of_the_plane(
    mode: str, background: float
) -> None:
    """Then, and then only, its relation between scales holds up to the border.

    Zeros continue a background of zeros alone; the others that of any value.
    """
    layer = lifting(mode)
    plane, middle = image_in_a_plane(background)
    error = (layer(middle) - layer(plane)[..., 12:28, 12:28]).abs().amax((0, 1, 3, 4))
    if mode == "zeros" and background:
        assert (error > 0.01).all()
    else:
        assert (error < 1e-12).all()


def test_what_padding_changes_reaches_half_a_support() -> None:
    """Pixel by pixel: all modes agree beyond it, and differ within it, at every scale."""
    x = torch.randn(1, 1, 20, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    answers = torch.stack([lifting(mode)(x) for mode in MODES])
    differ = (answers - answers[0]).abs().amax((0, 1, 2)) > 1e-12  # [S, H, W]
    for scale, support in enumerate(BASIS.supports):
        reach = support // 2
        inside = slice(reach, 20 - reach)
        assert not differ[scale, inside, inside].any()
        assert differ[scale, reach - 1].all()


@pytest.mark.parametrize("mode", MODES)
def test_circular_padding_alone_keeps_every_shift(mode: str) -> None:
    layer, x = lifting(mode), torch.randn(1, 1, 12, 12, dtype=torch.float64)
    error = (layer(x.roll((5, -3), (-2, -1))) - layer(x).roll((5, -3), (-2, -1))).abs().max()
    assert (error < 1e-12) == (mode == "circular")


def test_the_scale_that_wins() -> None:
    x = torch.tensor([[3.0, 1, 2, 5], [3, 4, 2, float("nan")], [1, 4, 0, 9]])[None, None, :, None]
    y, scale = ScaleMaxProjection(return_scale=True)(x)
    assert scale.tolist() == [[[[0, 1, 0, 1]]]]  # the smallest of equals; NaN wins
    torch.testing.assert_close(y, ScaleMaxProjection()(x), equal_nan=True)
    torch.testing.assert_close(y, x.gather(2, scale[:, :, None])[:, :, 0], equal_nan=True)
    assert scale.dtype == torch.int64


def test_pooling_and_up_sampling_by_torch_act_on_each_scale_alone() -> None:
    x = torch.randn(2, 3, 4, 8, 6)
    for stacked, flat in (
        (nn.MaxPool3d((1, 2, 2)), nn.MaxPool2d(2)),
        (nn.AvgPool3d((1, 2, 2)), nn.AvgPool2d(2)),
        (nn.Upsample(scale_factor=(1, 2, 2)), nn.Upsample(scale_factor=2)),
        (
            nn.Upsample(scale_factor=(1, 2, 2), mode="trilinear"),
            nn.Upsample(scale_factor=2, mode="bilinear"),
        ),
    ):
        expected = torch.stack([flat(scale) for scale in x.unbind(2)], 2)
        torch.testing.assert_close(stacked(x), expected)
