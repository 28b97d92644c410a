"""Filters in plain torch, as people write them: functions sampled at each scale, and banks of them.

The mistakes of `user_layers` are made in these, and the gallery of `benchmarks` is built of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from verification.reference.analytic import FloatArray

Profile = Callable[[FloatArray, FloatArray], FloatArray]
"""ψ(y, x) in units of σ."""


def sampled(profile: Profile, sigma: float, cut: float, power: float = 2.0) -> Tensor:
    """σ^−power ψ(t/σ) on the pixels up to cut·σ from the centre, along each axis: [V, V]."""
    reach = math.ceil(cut * sigma)
    u = np.arange(-reach, reach + 1) / sigma
    inside = np.abs(u) <= cut + 1e-9
    values = profile(u[:, None], u[None, :]) * inside[:, None] * inside / sigma**power
    return torch.from_numpy(np.ascontiguousarray(values))


def gaussian(y: FloatArray, x: FloatArray) -> FloatArray:
    """Of width 1 and integral 1."""
    return np.asarray(np.exp(-(y**2 + x**2) / 2) / (2 * np.pi))


def laplacian(y: FloatArray, x: FloatArray) -> FloatArray:
    """∇² of the Gaussian."""
    return (y**2 + x**2 - 2) * gaussian(y, x)


def edge(y: FloatArray, x: FloatArray) -> FloatArray:
    """∂/∂x of the Gaussian."""
    return -x * gaussian(y, x)


def blobs(seed: int, count: int = 5) -> Profile:
    """A random smooth function: a sum of Gaussians of half the width."""
    rng = np.random.default_rng([seed, 11])
    places, weights = rng.uniform(-1.2, 1.2, (count, 2)), rng.standard_normal(count)

    def profile(y: FloatArray, x: FloatArray) -> FloatArray:
        parts = [
            w * np.exp(-2 * ((y - p[0]) ** 2 + (x - p[1]) ** 2))
            for w, p in zip(weights, places, strict=True)
        ]
        return np.asarray(sum(parts))

    return profile


def correlated(x: Tensor, kernel: Tensor) -> Tensor:
    """[B, C, H, W] with [C_out, C, V, V], V odd, zeros outside; large ones by frequencies."""
    reach = kernel.shape[-1] // 2
    if kernel.shape[-1] <= 33:
        return F.conv2d(x, kernel, padding=reach)
    side = x.shape[-1] + kernel.shape[-1]
    image, filters = (torch.fft.rfft2(t, s=(side, side)) for t in (x, kernel))
    product = torch.einsum("bchw,ochw->bohw", image, filters.conj())
    y: Tensor = torch.fft.irfft2(product, s=(side, side)).roll((reach, reach), (-2, -1))
    return y[..., : x.shape[-2], : x.shape[-1]]


class Bank(nn.Module):
    """One stack of kernels for each scale: [B, C, H, W] -> [B, C_out, S, H, W], zeros outside.

    kernels: for each scale [C_out, C, V, V] or [V, V], V odd.
    """

    def __init__(self, kernels: Sequence[Tensor]) -> None:
        super().__init__()
        for i, kernel in enumerate(kernels):
            self.register_buffer(f"kernel_{i}", kernel if kernel.ndim == 4 else kernel[None, None])
        self.count = len(kernels)

    def forward(self, x: Tensor) -> Tensor:
        """Every scale's correlation."""
        kernels = [getattr(self, f"kernel_{i}") for i in range(self.count)]
        return torch.stack([correlated(x, kernel.to(x.dtype)) for kernel in kernels], dim=2)


def kernels_of(
    profiles: Sequence[Profile], sigmas: Sequence[float], cut: float = 3.0, power: float = 2.0
) -> list[Tensor]:
    """All profiles at each scale: [C_out, 1, V, V]."""
    return [torch.stack([sampled(p, s, cut, power) for p in profiles])[:, None] for s in sigmas]


class Then(nn.Module):
    """A module, and what is done to its output."""

    def __init__(self, first: nn.Module, after: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.first, self.after = first, after

    def forward(self, x: Tensor) -> Any:  # noqa: ANN401
        """after(first(x))."""
        return self.after(self.first(x))


def seeded(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Float64, in eval mode, with parameters and statistics of this seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = make().double().eval()
        with torch.no_grad():
            for part in module.modules():
                if isinstance(part, nn.modules.batchnorm._BatchNorm):
                    for tensor in (part.running_mean, part.bias):
                        assert tensor is not None
                        tensor.uniform_(-0.3, 0.3)
                    for tensor in (part.running_var, part.weight):
                        assert tensor is not None
                        tensor.uniform_(0.5, 1.5)
    return module
