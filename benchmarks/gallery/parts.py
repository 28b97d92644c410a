"""What the gallery's layers are made of, beside the banks of `verification.broken_layers.plain`."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from verification.broken_layers.plain import Bank, Profile, gaussian, kernels_of
from verification.reference.analytic import FloatArray


def gabor(angle: float, frequency: float = 2.0, phase: float = 0.0) -> Profile:
    """A wave of a direction under the Gaussian."""

    def profile(y: FloatArray, x: FloatArray) -> FloatArray:
        along = y * math.sin(angle) + x * math.cos(angle)
        return gaussian(y, x) * np.cos(frequency * along + phase)

    return profile


def bank_of(
    profiles: Sequence[Profile], sigmas: Sequence[float], cut: float = 5.0, power: float = 2.0
) -> Bank:
    """All profiles at all scales."""
    return Bank(kernels_of(profiles, sigmas, cut, power))


def held(kernel: Tensor, fineness: int) -> Tensor:
    """A kernel [..., k, k] whose pixels are each repeated, so that it is a fixed function."""
    return kernel.repeat_interleave(fineness, -1).repeat_interleave(fineness, -2) / fineness**2


def conv(seed: int, fineness: int, out: int = 4, inner: int = 1, side: int = 3) -> nn.Conv2d:
    """A plain random convolution; larger ones hold the small one's pixels."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn((out, inner, side, side), generator=generator, dtype=torch.float64)
    layer = nn.Conv2d(inner, out, side * fineness, padding=side * fineness // 2).double()
    with torch.no_grad():
        layer.weight.copy_(held(weight, fineness))
        assert layer.bias is not None
        layer.bias.copy_(torch.randn(out, generator=generator, dtype=torch.float64) / 4)
    return layer.eval()
