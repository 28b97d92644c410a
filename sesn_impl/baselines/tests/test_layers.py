"""What all layers of the compared methods have in common: states, devices, precision, errors."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sesn_impl.baselines import (
    ColumnBatchNorm2d,
    ColumnConv2d,
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
from sesn_impl.baselines.tests.references import assert_same, noise
from sesn_impl.tests.every_layer import BASELINES, image_for

SEVEN = (0.3, 0.45, 0.67, 1.0, 1.49, 2.23, 3.33)
each_layer = pytest.mark.parametrize("name", BASELINES)


def made(name: str) -> tuple[nn.Module, Tensor]:
    """A layer in float64, and an image for it."""
    torch.manual_seed(0)
    return BASELINES[name]().double(), image_for(name).double()


@each_layer
def test_state_dict_holds_what_is_learned(name: str) -> None:
    layer, _ = made(name)
    assert all(p.requires_grad for p in layer.parameters())
    others = {"running_mean", "running_var", "num_batches_tracked", "_extra_state"}
    assert set(layer.state_dict()) - others == {n for n, _ in layer.named_parameters()}


@each_layer
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_other_precisions(name: str, dtype: torch.dtype) -> None:
    layer, x = made(name)
    expected = layer(x).detach()
    actual = copy.deepcopy(layer).to(dtype)(x.to(dtype))
    assert actual.dtype == dtype
    if dtype == torch.float32 and not isinstance(layer, VectorConv2d | VectorLiftingConv2d):
        tolerance = 1e-5 * float(expected.abs().max())
        torch.testing.assert_close(actual.double(), expected, rtol=0, atol=tolerance)


@each_layer
def test_follows_its_device(name: str) -> None:
    """The meta device stands for any other one: mixing devices is an error."""
    layer, x = made(name)
    assert layer.to("meta")(x.to("meta")).device.type == "meta"


@each_layer
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an accelerator")
def test_same_on_an_accelerator(name: str) -> None:
    layer, x = made(name)
    assert_same(copy.deepcopy(layer).cuda()(x.cuda()).cpu(), layer(x))


@each_layer
def test_float64_after_float32_loses_nothing(name: str) -> None:
    layer, x = made(name)
    there_and_back = copy.deepcopy(layer).float().double()
    there_and_back.load_state_dict(layer.state_dict())
    assert torch.equal(there_and_back(x), layer(x))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ColumnConv2d(0, 1, 7, SEVEN), "in_channels=0: must be at least 1"),
        (lambda: ColumnConv2d(1, 1, 6, SEVEN), "kernel_size=6: must be odd and positive"),
        (lambda: ColumnConv2d(1, 1, 7, (0.5, 0.9)), "the largest must be at least 1"),
        (lambda: ColumnConv2d(1, 1, 7, ()), r"scales=\(\): must be one or more finite positive"),
        (lambda: ColumnConv2d(1, 1, 7, (2, 1)), "must grow from first to last"),
        (lambda: ColumnConv2d(1, 1, 3, (0.01, 1)), "at 0.01 nothing is left of a 3×3 filter"),
        (lambda: ColumnConv2d(1, 1, 7, SEVEN, stride=0), "stride=0: must be at least 1"),
        (lambda: ColumnBatchNorm2d(1, 0), "num_columns=0: must be at least 1"),
        (lambda: ScaleInvariantConv2d(1, 1, 0, SEVEN), "kernel_size=0: must be at least 1"),
        (lambda: ScaleInvariantConv2d(1, 1, 7, (math.nan,)), r"scales=\(nan,\): must be one"),
        (lambda: ScaleInvariantConv2d(1, 1, 7, SEVEN, padding=-1), "padding=-1: must be"),
        (lambda: VectorConv2d(1, 0, 7), "out_channels=0: must be at least 1"),
        (lambda: VectorConv2d(1, 1, 7, turn=2), "turn=2: must be 1 or -1"),
        (lambda: VectorConv2d(1, 1, 7, padding=-1), "padding=-1: must be at least 0"),
        (lambda: VectorLiftingConv2d(1, 1, 7, steps=(0, 2)), r"steps=\(0, 2\): must be two or"),
        (lambda: VectorLiftingConv2d(1, 1, 7, base=1.0), "base=1.0: must be a finite number"),
        (lambda: MagnitudeConv2d(1, 1, 7, angle_range=4), r"angle_range=4: must be in \(0, π\]"),
        (lambda: VectorMaxPool2d(0), "kernel_size=0: must be at least 1"),
        (lambda: VectorMaxPool2d(2, padding=2), "padding=2: must be from 0 to half"),
        (lambda: VectorBatchNorm2d(1, momentum=0), r"momentum=0: must be in \(0, 1\]"),
        (lambda: GaussianScaleSpace(0, 0.5), "num_scales=0: must be at least 1"),
        (lambda: GaussianScaleSpace(2, 0), "zero_scale=0: must be a finite positive number"),
        (lambda: GaussianScaleSpace(2, 0.5, base=1), "base=1: must be at least 2"),
        (lambda: DilatedScaleConv2d(1, 1, 4, 2), "kernel_size=4: must be odd and positive"),
        (lambda: DilatedScaleConv2d(1, 1, 3, 2, 3), "scale_extent=3: must be between 1 and"),
        (lambda: DilatedScaleConv2d(1, 1, 3, 2, base=0), "base=0: must be at least 2"),
        (
            lambda: DilatedScaleConv2d(1, 1, 3, 2, initialisation="dirac"),
            "initialisation='dirac': must be 'he' or 'delta'",
        ),
        (lambda: LogRadialConv2d(1, 1, (4,), 3), r"sizes=\(4,\): must be one or more odd"),
        (lambda: LogRadialConv2d(1, 1, (5, 3), 3), r"sizes=\(5, 3\): must grow"),
        (lambda: LogRadialConv2d(1, 1, (3,), 0), "reference_size=0: must be a finite positive"),
        (lambda: LogRadialConv2d(1, 1, (3,), 3, orders=(0,)), r"orders=\(0,\): must be one or"),
        (lambda: LogRadialConv2d(1, 1, (3,), 3, num_angles=0), "num_angles=0: must be at least"),
    ],
)  # fmt: skip
def test_bad_options(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


@each_layer
def test_unknown_options(name: str) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        type(BASELINES[name]())(1, 1, no_such_option=1)


@each_layer
def test_bad_shapes(name: str) -> None:
    layer, x = made(name)
    with pytest.raises(ValueError, match=r"of shape \(3, 3\): must be \["):
        layer(noise(3, 3))
    if not isinstance(layer, GaussianScaleSpace | VectorMaxPool2d):
        with pytest.raises(ValueError, match=r"of shape .*: must (be \[B|have C)"):
            layer(torch.cat([x, x[:, :1]], dim=1))


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (ScaleInvariantConv2d(1, 1, 7, SEVEN, padding=3), (1, 1, 3, 9), "for kernel_size=7"),
        (ScaleInvariantConv2d(1, 1, 7, SEVEN), (1, 1, 8, 9), "at least one pixel must be left"),
        (VectorLiftingConv2d(1, 1, 7), (1, 1, 15, 20), "smaller than kernel_size=7"),
        (VectorConv2d(1, 1, 7), (1, 1, 2, 15, 20), "smaller than kernel_size=7"),
        (VectorBatchNorm2d(1), (1, 1, 2, 1, 1), "one value per channel"),
    ],
)  # fmt: skip
def test_images_that_are_too_small(layer: nn.Module, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layer(torch.zeros(shape))
