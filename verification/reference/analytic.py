"""Analytic images: closed-form functions that can be rescaled, shifted and sampled exactly.

An image is a sum of Gabor bumps, one sum per channel,

    f(t) = Σ_k a_k exp(−|t − c_k|²/2w_k²) cos(ω_k·(t − c_k) + φ_k),

so L_s f(t) = f(t/s) is again such a sum, with centres s·c, widths s·w and frequencies ω/s. No
interpolation happens anywhere: every sample is the function's own value.

Convention: coordinates are (row, column) in pixels; sample i of a grid of n around centre p lies at
p + i − n//2; angular frequencies in radians per pixel. An image has D axes, as many as its centres
have coordinates: 1 for audio, 2 for images, 3 for volumes; a bump is a product over them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


@dataclass(frozen=True, eq=False)
class GaborImage:
    """C channels, each a sum of K Gabor bumps.

    amplitudes, widths, phases: [C, K]; centres, frequencies: [C, K, D], for D = 2 (row, column).
    """

    amplitudes: FloatArray
    centres: FloatArray
    widths: FloatArray
    frequencies: FloatArray
    phases: FloatArray

    @property
    def channels(self) -> int:
        """C, the number of channels."""
        return int(self.amplitudes.shape[0])

    @property
    def dims(self) -> int:
        """D, the number of spatial axes."""
        return int(self.centres.shape[-1])

    def rescaled(self, factor: float) -> GaborImage:
        """L_s f: t ↦ f(t/s); s > 1 enlarges what is seen. Raises ValueError unless 0 < s < ∞."""
        if not (math.isfinite(factor) and factor > 0):
            raise ValueError(f"factor={factor!r}: must be a finite positive number")
        return replace(
            self,
            centres=self.centres * factor,
            widths=self.widths * factor,
            frequencies=self.frequencies / factor,
        )

    def shifted(self, offset: tuple[float, float]) -> GaborImage:
        """Moved by `offset` pixels (row, column): t ↦ f(t − offset)."""
        return replace(self, centres=self.centres + np.asarray(offset))

    def channel(self, selection: slice) -> GaborImage:
        """The image of the selected channels alone."""
        return GaborImage(
            self.amplitudes[selection],
            self.centres[selection],
            self.widths[selection],
            self.frequencies[selection],
            self.phases[selection],
        )

    def sample(self, size: int, centre: tuple[float, float] = (0.0, 0.0)) -> Tensor:
        """Values on a size×size grid around `centre`: [C, size, size] float64."""
        return self.sample_around(np.asarray([centre], dtype=np.float64), size)[0]

    def sample_around(self, points: FloatArray, size: int) -> Tensor:
        """Values on grids of `size` pixels a side around P points [P, D]: [P, C, size, …] float64.

        Raises ValueError for a size below 1 or points of another shape.
        """
        if size < 1:
            raise ValueError(f"size={size!r}: must be at least 1 pixel")
        if points.ndim != 2 or points.shape[1] != self.dims:
            raise ValueError(f"points of shape {points.shape}: must be [P, {self.dims}]")
        offsets = np.arange(size) - size // 2
        # The cosine is the real part of a product of one function per axis: small factors
        # and one matrix product instead of K full-size images.
        first, *rest = (  # [P, C, K, size] each
            self.axis_factor(axis, points[:, axis, None] + offsets) for axis in range(self.dims)
        )
        first = first * (self.amplitudes * np.exp(1j * self.phases))[..., None]
        shape = (len(points), self.channels, *[size] * self.dims)
        if not rest:
            return torch.from_numpy(first.real.sum(axis=2))
        *between, last = rest
        for factor in between:
            first = (first[..., None] * factor[..., None, :]).reshape(*first.shape[:3], -1)
        values = np.real(np.swapaxes(first, -1, -2) @ last)
        return torch.from_numpy(np.ascontiguousarray(values).reshape(shape))

    def axis_factor(self, axis: int, coordinates: FloatArray) -> ComplexArray:
        """Each bump's factor along one axis (0 rows, 1 columns) at [P, n]: [P, C, K, n] complex."""
        distance = coordinates[:, None, None, :] - self.centres[..., axis][..., None]
        width = self.widths[..., None]
        frequency = self.frequencies[..., axis][..., None]
        return np.asarray(np.exp(-(distance**2) / (2 * width**2) + 1j * frequency * distance))


def random_gabor_image(
    rng: np.random.Generator,
    channels: int = 1,
    bumps: int = 8,
    extent: float = 8.0,
    widths: tuple[float, float] = (2.0, 8.0),
    max_frequency: float = 0.5,
    dims: int = 2,
) -> GaborImage:
    """A random image: amplitudes normal, phases uniform, everything else uniform in its range.

    extent: centres lie within ± this many pixels of the origin.
    widths: range of the envelopes' standard deviations, in pixels.
    max_frequency: largest |ω|, radians per pixel; directions are uniform. dims: D, from 1 to 3.

    Raises ValueError for counts below 1 or an empty range.
    """
    if channels < 1 or bumps < 1:
        raise ValueError(f"channels={channels!r}, bumps={bumps!r}: must both be at least 1")
    if not 0 < widths[0] <= widths[1]:
        raise ValueError(f"widths={widths!r}: must be positive and in order")
    if max_frequency < 0 or extent < 0:
        raise ValueError(f"max_frequency={max_frequency!r}, extent={extent!r}: must not be below 0")
    shape = (channels, bumps)
    # Uniform over the ball of frequencies, so that no direction or band is favoured.
    direction = _directions(rng, shape, dims)
    radius = max_frequency * rng.uniform(0, 1, shape) ** (1 / dims)
    return GaborImage(
        amplitudes=rng.standard_normal(shape),
        centres=rng.uniform(-extent, extent, (*shape, dims)),
        widths=rng.uniform(*widths, shape),
        frequencies=radius[..., None] * direction,
        phases=rng.uniform(0, 2 * np.pi, shape),
    )


def _directions(rng: np.random.Generator, shape: tuple[int, int], dims: int) -> FloatArray:
    """Random unit vectors: [*shape, dims]."""
    if dims == 2:
        angle = rng.uniform(0, 2 * np.pi, shape)
        return np.stack([np.sin(angle), np.cos(angle)], axis=-1)
    vectors = rng.standard_normal((*shape, dims))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def stack_channels(images: list[GaborImage]) -> GaborImage:
    """One image with the channels of all, in order; all must have the same number of bumps."""
    return GaborImage(
        *(
            np.concatenate([getattr(image, name) for image in images])
            for name in ("amplitudes", "centres", "widths", "frequencies", "phases")
        )
    )
