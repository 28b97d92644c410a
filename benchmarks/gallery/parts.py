"""What the gallery's layers are made of, beside the banks of `verification.broken_layers.plain`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.gallery.entry import Make
from verification.broken_layers.plain import Profile, Then, gaussian, seeded
from verification.reference.analytic import FloatArray


def gabor(angle: float, frequency: float = 2.0, phase: float = 0.0) -> Profile:
    """A wave of a direction under the Gaussian."""

    def profile(y: FloatArray, x: FloatArray) -> FloatArray:
        along = y * math.sin(angle) + x * math.cos(angle)
        return gaussian(y, x) * np.cos(frequency * along + phase)

    return profile


def then(make: Make, after: Callable[[Tensor], Any]) -> Make:
    """Makes the layers of `make`, with something done to their output."""
    return lambda seed, fineness: Then(make(seed, fineness), after)


def chain(*parts: Make | nn.Module) -> Make:
    """Makes layers that follow one another, those without parameters as they are."""
    return lambda seed, fineness: nn.Sequential(
        *(part if isinstance(part, nn.Module) else part(seed, fineness) for part in parts)
    )


def by_seed(make: Callable[[int], nn.Module]) -> Make:
    """Makes a module of a fineness, with the parameters of the seed."""
    return lambda seed, fineness: seeded(lambda: make(fineness), seed)


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
