"""Random cases for the theory measurements, from a seed and the name of what is measured."""

from __future__ import annotations

import zlib

import numpy as np
import torch

from sesn_impl import (
    LiftingConv2d,
    ScaleConv2d,
    SteerableBasis,
    hermite_basis_a,
    hermite_basis_b,
)


def random_rng(seed: int, name: str, case: int = 0) -> np.random.Generator:
    """A generator of its own for each case, the same in every run and process."""
    return np.random.default_rng([seed, zlib.crc32(name.encode()), case])


def random_basis(rng: np.random.Generator, scales: int | None = None) -> SteerableBasis:
    """A basis for which the theorem must hold to float64 rounding, on a geometric scale grid.

    Supports reach ±10 σ at every scale and no filter is narrower than 1.7 pixels.
    """
    count = int(rng.integers(2, 4)) if scales is None else scales
    ratio = rng.uniform(1.2, 1.5 if count < 4 else 1.3)
    smallest = rng.uniform(2.5, 3.0)
    grid = tuple(float(smallest * ratio**i) for i in range(count))
    kernel_size = 2 * int(10 * grid[-1] + 2 * grid[-1] / grid[0]) + 1
    effective_size = int(rng.integers(1, 6))
    if rng.random() < 0.5:
        return hermite_basis_a(kernel_size, grid, effective_size)
    return hermite_basis_b(kernel_size, grid, max(2, effective_size), mult=rng.uniform(1.1, 1.45))


def random_layer(
    rng: np.random.Generator, extent: int, scales: int | None = None
) -> LiftingConv2d | ScaleConv2d:
    """A float64 layer with random coefficients and bias: lifting for extent 0, else K_S."""
    basis = random_basis(rng, scales)
    in_channels, out_channels = (int(count) for count in rng.integers(1, 4, 2))
    layer: LiftingConv2d | ScaleConv2d
    if extent == 0:
        layer = LiftingConv2d(in_channels, out_channels, basis)
    else:
        layer = ScaleConv2d(
            in_channels, out_channels, basis, scale_extent=min(extent, basis.num_scales)
        )
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.uniform_(-0.5, 0.5, generator=generator)
    return layer.double()


def random_stack(rng: np.random.Generator) -> torch.Tensor:
    """A random function on scale and space, [B, C, S, H, W] float64, small."""
    shape = [int(n) for n in rng.integers((2, 1, 2, 4, 4), (4, 5, 6, 10, 10))]
    return torch.from_numpy(rng.standard_normal(shape))
