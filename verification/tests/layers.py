"""Builds the layers of `sesn_impl` that the tests judge, from drawn arguments."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from sesn_impl import (
    LiftingConv2d,
    ScaleConv2d,
    SteerableBasis,
    hermite_basis_a,
    hermite_basis_b,
)
from verification.layer.targets import Target, describe
from verification.reference.bases import BasisArguments
from verification.reference.warps import Warp

WARP_SUPPORTS = {"wide": 25, "cut": 11}
"""Kernel sizes in pixels: 8 σ and less than 4 σ, as in published networks."""

Run = Callable[[Tensor], Tensor]
Layer = TypeVar("Layer", LiftingConv2d, ScaleConv2d)


class Wrapped(nn.Module):
    """A layer with something done to it: alter(layer, x) in place of layer(x)."""

    def __init__(self, layer: Run, alter: Callable[[Run, Tensor], Tensor]) -> None:
        super().__init__()
        self.layer, self.alter = layer, alter

    def forward(self, x: Tensor) -> Tensor:
        return self.alter(self.layer, x)


def build_basis(drawn: BasisArguments) -> SteerableBasis:
    if drawn.kind == "a":
        return hermite_basis_a(drawn.kernel_size, drawn.scales, drawn.effective_size)
    return hermite_basis_b(drawn.kernel_size, drawn.scales, drawn.effective_size, mult=drawn.mult)


def build_lifting(
    basis: SteerableBasis,
    seed: int,
    dtype: torch.dtype = torch.float64,
    padding: int = 0,
    stride: int = 1,
) -> LiftingConv2d:
    torch.manual_seed(seed)
    layer = LiftingConv2d(2, 3, basis, stride=stride, padding=padding)
    return _with_random_bias(layer.to(dtype))


def build_scale_conv(
    basis: SteerableBasis,
    seed: int,
    scale_extent: int,
    dtype: torch.dtype = torch.float64,
    padding: int = 0,
    stride: int = 1,
) -> ScaleConv2d:
    torch.manual_seed(seed)
    layer = ScaleConv2d(2, 3, basis, scale_extent, stride=stride, padding=padding)
    return _with_random_bias(layer.to(dtype))


def build_for_warp(
    warp: Warp, seed: int, support: str = "wide", dtype: torch.dtype = torch.float64
) -> Target:
    """A lifting convolution whose two scales have the ratio of the warp; the coarser σ is 3."""
    kernel_size = WARP_SUPPORTS[support]
    scales = (3.0 * min(warp.ratio, 1 / warp.ratio), 3.0)
    basis = hermite_basis_a(kernel_size, scales, 4)
    torch.manual_seed(seed)
    return describe(LiftingConv2d(1, 2, basis, padding=kernel_size // 2).to(dtype))


def _with_random_bias(layer: Layer) -> Layer:
    assert layer.bias is not None
    with torch.no_grad():
        layer.bias.uniform_(-0.1, 0.1)
    return layer
