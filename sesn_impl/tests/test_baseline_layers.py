"""What all layers of the compared methods have in common: states, devices, precision, errors."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

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
from sesn_impl.tests.baseline_references import assert_same, noise

SEVEN = (0.3, 0.45, 0.67, 1.0, 1.49, 2.23, 3.33)

LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "sicnn lifting": (lambda: ColumnLiftingConv2d(2, 3, 7, SEVEN), (2, 2, 11, 11)),
    "sicnn": (lambda: ColumnConv2d(2, 3, 7, SEVEN), (2, 2, 7, 11, 11)),
    "sicnn norm": (lambda: ColumnBatchNorm2d(2, 3), (2, 2, 3, 5, 5)),
    "si_convnet": (lambda: ScaleInvariantConv2d(2, 3, 7, SEVEN, padding=3), (2, 2, 11, 11)),
    "sevf scalar": (lambda: MagnitudeConv2d(2, 3, 7, padding=3), (2, 2, 11, 11)),
    "sevf lifting": (lambda: VectorLiftingConv2d(2, 3, 7, padding=3), (2, 2, 11, 11)),
    "sevf vector": (lambda: VectorConv2d(2, 3, 7, padding=3), (2, 2, 2, 11, 11)),
    "sevf pool": (lambda: VectorMaxPool2d(2), (2, 2, 2, 6, 6)),
    "sevf norm": (lambda: VectorBatchNorm2d(2), (2, 2, 2, 6, 6)),
    "dss lifting": (lambda: GaussianScaleSpace(3, 0.5), (2, 2, 11, 11)),
    "dss": (lambda: DilatedScaleConv2d(2, 3, 3, 2, scale_extent=2), (2, 2, 3, 11, 11)),
    "ss_cnn": (lambda: LogRadialConv2d(2, 3, (3, 5, 7), 5), (2, 2, 11, 11)),
}
each_layer = pytest.mark.parametrize(("build", "shape"), LAYERS.values(), ids=LAYERS)


@each_layer
def test_state_dict_holds_what_is_learned(
    build: Callable[[], nn.Module], shape: tuple[int, ...]
) -> None:
    layer, other = build().double(), build().double()
    assert all(p.requires_grad for p in layer.parameters())
    others = {"running_mean", "running_var", "num_batches_tracked", "_extra_state"}
    assert set(layer.state_dict()) - others == {n for n, _ in layer.named_parameters()}
    layer(noise(*shape))
    other.load_state_dict(layer.state_dict())
    assert torch.equal(layer.eval()(noise(*shape)), other.eval()(noise(*shape)))


@each_layer
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_other_precisions(
    build: Callable[[], nn.Module], shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    layer = build().double().eval()
    expected = layer(noise(*shape)).detach()
    actual = copy.deepcopy(layer).to(dtype)(noise(*shape).to(dtype))
    assert actual.dtype == dtype
    if dtype == torch.float32 and not isinstance(layer, VectorConv2d | VectorLiftingConv2d):
        tolerance = 1e-5 * float(expected.abs().max())
        torch.testing.assert_close(actual.double(), expected, rtol=0, atol=tolerance)


@each_layer
def test_follows_its_device(build: Callable[[], nn.Module], shape: tuple[int, ...]) -> None:
    """The meta device stands for any other one: mixing devices is an error."""
    layer = build().double()
    assert layer.to("meta")(noise(*shape).to("meta")).device.type == "meta"


@each_layer
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an accelerator")
def test_same_on_an_accelerator(build: Callable[[], nn.Module], shape: tuple[int, ...]) -> None:
    layer = build().double()
    expected = layer(noise(*shape))
    assert_same(copy.deepcopy(layer).cuda()(noise(*shape).cuda()).cpu(), expected)


@each_layer
def test_float64_after_float32_loses_nothing(
    build: Callable[[], nn.Module], shape: tuple[int, ...]
) -> None:
    layer = build().double().eval()
    there_and_back = copy.deepcopy(layer).float().double().eval()
    there_and_back.load_state_dict(layer.state_dict())
    assert torch.equal(there_and_back(noise(*shape)), layer(noise(*shape)))


@each_layer
def test_training_after_inference(build: Callable[[], nn.Module], shape: tuple[int, ...]) -> None:
    """Nothing that a layer remembers from inference mode stands in the way of training."""
    layer = build().double()
    x = noise(*shape, seed=5)[..., 1:, :]  # a size that no other test uses
    with torch.inference_mode():
        layer(x)
    layer(x.requires_grad_()).square().sum().backward()
    assert x.grad is not None
    assert all(p.grad is not None and p.grad.any() for p in layer.parameters())


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
def test_unknown_options(build: Callable[[], nn.Module], shape: tuple[int, ...]) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        type(build())(1, 1, no_such_option=1)


@each_layer
def test_bad_shapes(build: Callable[[], nn.Module], shape: tuple[int, ...]) -> None:
    layer = build().double()
    with pytest.raises(ValueError, match=r"of shape \(3, 3\): must be \["):
        layer(noise(3, 3))
    if not isinstance(layer, GaussianScaleSpace | VectorMaxPool2d):
        with pytest.raises(ValueError, match=r"of shape .*: must (be \[B|have C)"):
            layer(noise(shape[0], shape[1] + 1, *shape[2:]))


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
