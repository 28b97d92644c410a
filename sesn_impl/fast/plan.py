"""Which way of correlating costs least for given sizes, and the sizes of a transform.

The three ways of `correlation` give the same numbers. Which is fastest depends on sizes, so it is
chosen from counted products, with few constants, each measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from sesn_impl.basis import SteerableBasis

Way = Literal["direct", "columns", "spectral"]

FEW_CHANNELS = 3
"""Up to so many input channels a plain convolution is bound by loads, not by products."""

MANY_OUTPUTS = 64
"""Below so many output pixels laying out columns costs more than it saves: on the single pixels
that a probe reads, with supports of 60 to 90 pixels, a multiple of the whole convolution."""

SPECTRAL_COST = 2.0
"""Time of a product of the spectral way in products of a convolution: its matrices are smaller and
its tensors pass through memory more often. Measured between 0.5 and 4 on thirteen layers, half of
them between 1.2 and 1.9; with 2 the slower way was chosen for one, and cost a quarter more."""

SMALL_SPECTRUM = 2**24
"""So many numbers in the filters' spectra never matter; beyond, they may not outgrow the responses
twice over."""


@dataclass(frozen=True)
class Geometry:
    """Sizes in pixels of one correlation: input H×W, filters V×V, zero padding, stride."""

    height: int
    width: int
    kernel_size: int
    padding: int
    stride: int

    @property
    def output(self) -> tuple[int, int]:
        """H', W'."""
        return self._outputs(self.height), self._outputs(self.width)

    def axes(self) -> tuple[Axis, Axis]:
        """Rows and columns of the least transform in which nothing wraps around."""
        return self._axis(self.height), self._axis(self.width)

    def _outputs(self, size: int) -> int:
        return (size + 2 * self.padding - self.kernel_size) // self.stride + 1

    def _axis(self, size: int) -> Axis:
        radius, outputs = self.kernel_size // 2, self._outputs(size)
        offset = radius - self.padding
        # How far pixels lie before and after a filter's centre; taps beyond meet padding alone.
        farthest_before = self.stride * (outputs - 1) + offset
        farthest_after = size - 1 - offset
        before, after = (max(0, min(radius, n)) for n in (farthest_before, farthest_after))
        length = max(farthest_after + before, after + farthest_before, 0) + 1
        return Axis(size, outputs, self.stride, offset, before, after, length)


@dataclass(frozen=True)
class Axis:
    """One axis of a transform: output p looks at inputs stride·p + offset + d, −before ≤ d ≤ after.

    size, outputs: pixels of input and output; length: N of the transform, in pixels.
    """

    size: int
    outputs: int
    stride: int
    offset: int
    before: int
    after: int
    length: int

    @property
    def half_length(self) -> int:
        """How many frequencies are not mirror images of others: ⌊N/2⌋ + 1."""
        return self.length // 2 + 1

    def pixels(self) -> Tensor:
        """Positions of the input's pixels: [size]."""
        return torch.arange(self.size, dtype=torch.float64)

    def centres(self) -> Tensor:
        """Where each output's filter is centred, in input pixels: [outputs]."""
        return self.stride * torch.arange(self.outputs, dtype=torch.float64) + self.offset

    def taps(self) -> Tensor:
        """Distances d from a filter's centre at which pixels can lie: [before + 1 + after]."""
        return torch.arange(-self.before, self.after + 1, dtype=torch.float64)

    def frequencies(self) -> Tensor:
        """2πj/N in radians per pixel: [N]."""
        return 2 * math.pi / self.length * torch.arange(self.length, dtype=torch.float64)


def choose(
    basis: SteerableBasis,
    geometry: Geometry,
    x: Tensor,
    out_channels: int,
    extent: int = 1,
    cached: bool = False,
) -> Way:
    """The way that computes the responses to x [B, C_in, …, H, W] at the least cost.

    extent: K_S; cached: whether filters are kept from call to call.
    """
    # Elsewhere convolutions are what libraries do best; and a compiled graph would freeze a plan.
    if x.device.type != "cpu" or torch.compiler.is_compiling():
        return "direct"
    # Sums over frequencies lose digits that half precision cannot spare.
    if x.dtype not in (torch.float32, torch.float64) or torch.is_autocast_enabled("cpu"):
        return "direct"
    if x.numel() == 0:
        return "direct"
    batch, in_channels = x.shape[:2]
    pairs = in_channels * extent * out_channels
    rows, columns = geometry.axes()
    frequencies = rows.length * columns.half_length
    responses = batch * out_channels * rows.outputs * columns.outputs
    if 2 * frequencies * pairs > max(2 * responses, SMALL_SPECTRUM / basis.num_scales):
        spectral = math.inf
    else:
        spectral = _spectral_products(basis, geometry, batch, in_channels, out_channels, extent)
        spectral += (
            0 if cached else basis.num_scales * 2 * frequencies * basis.num_functions * pairs
        )
    taps = sum(support**2 for support in basis.supports)
    direct = responses * in_channels * extent * taps
    if SPECTRAL_COST * spectral < direct:
        return "spectral"
    few = in_channels * extent <= FEW_CHANNELS
    return "columns" if few and rows.outputs * columns.outputs >= MANY_OUTPUTS else "direct"


def _spectral_products(
    basis: SteerableBasis,
    geometry: Geometry,
    batch: int,
    in_channels: int,
    out_channels: int,
    extent: int,
) -> int:
    """Products of one pass over a batch, without those that make the filters' spectra."""
    rows, columns = geometry.axes()
    half = columns.half_length
    forth = 2 * half * rows.size * (columns.size + 2 * rows.length)
    each = 4 * rows.length * half * in_channels * extent
    back = 2 * half * rows.outputs * (columns.outputs + 2 * rows.length)
    return batch * (in_channels * forth + basis.num_scales * out_channels * (each + back))
