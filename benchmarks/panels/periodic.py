"""The exact probe of the panels: photographs that are rescaled without resampling, and no border.

A patch of M×M pixels, taken as periodic and without the frequencies that N×N pixels cannot hold, is
a closed-form function: a sum of plane waves with periods M/k. Seen s = M/N times smaller it has the
periods N/k, and is sampled on N×N pixels as exactly as before on M×M. Convolved periodically, both
give the responses of the infinite plane, at any depth: nothing is interpolated, padded or cropped.

With g = gcd(M, N) the grids share g×g points, at which responses are compared as in
`verification.layer.probe`: Y_{L_s f}(sσ, sp) = Y_f(σ, p).
"""

from __future__ import annotations

from math import gcd

import torch
from torch import Tensor

from verification.reference.errors import equivariance_error


def periodic_pair(patch: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """The band-limited patch [B, C, M, M], and the same M/side times smaller: [B, C, side, side].

    float64. Raises ValueError for a side that is not from 2 to M.
    """
    size = patch.shape[-1]
    if not 2 <= side <= size:
        raise ValueError(f"side={side!r}: must be from 2 to {size} pixels")
    spectrum = torch.fft.fft2(patch.double()) / size**2
    frequency = torch.fft.fftfreq(size, 1 / size).round().long()
    held = (2 * frequency.abs() < side).nonzero()[:, 0]  # without Nyquist's own, which has no phase
    rows, columns = held[:, None], held[None, :]
    kept = spectrum[..., rows, columns]

    def sampled(pixels: int) -> Tensor:
        waves = torch.zeros(*patch.shape[:-2], pixels, pixels, dtype=spectrum.dtype)
        waves[..., frequency[rows] % pixels, frequency[columns] % pixels] = kept
        image: Tensor = torch.fft.ifft2(waves).real * pixels**2
        return image

    return sampled(size), sampled(side)


def shared_points(large: Tensor, small: Tensor) -> tuple[Tensor, Tensor]:
    """Both [..., M, M] and [..., N, N] at the points that their grids share: [..., g, g]."""
    sides = large.shape[-1], small.shape[-1]
    shared = gcd(*sides)
    first, second = (
        values[..., :: side // shared, :: side // shared]
        for values, side in zip((large, small), sides, strict=True)
    )
    return first, second


def probe_error(large: Tensor, small: Tensor, pairs: int | None = None) -> float:
    """Δ between scale i+1 of `large` and scale i of `small`, [B, C, S, M, M] and [B, C, S, N, N].

    pairs: how many, from the finest on; all S − 1 if not given.
    """
    last = large.shape[2] - 1 if pairs is None else pairs
    coarse, fine = shared_points(large[:, :, 1 : last + 1], small[:, :, :last])
    return equivariance_error(fine.double(), coarse.double())
