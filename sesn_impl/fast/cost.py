"""Which algorithm of `correlation` costs least for given sizes: counted products, few constants."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from sesn_impl.fast.geometry import Geometry

Algorithm = Literal["direct", "spectral"]
Context = Any
"""Of an autograd function: torch types no attribute of it."""

FEW_CHANNELS = 3
"""Images of so few channels stay in torch's order of memory: seldom does the spectral one pay."""

TRANSFORM, PRODUCT, FILTERS, CALL = 1.5, 3.5, 5.0, 1e7
"""Time of the spectral algorithm in products of a convolution, per product of the transforms of
images and responses, between spectra, and of the transforms of filters, and for any call. Least
squares over the sizes of `benchmarks.timing.choices` (AVX-512). The same on CUDA, where all
published networks were fastest with it once replayed as graphs (one H100, IEEE float32)."""
VECTOR = 16
"""A convolution pads channels to whole vectors of so many, save the few of an image."""


def becomes_a_graph() -> bool:
    """Whether calls are being recorded: a graph would freeze a choice, and saves no gradients."""
    tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    return torch.compiler.is_compiling() or tracing


def choose(geometry: Geometry, x: Tensor, out_channels: int) -> Algorithm:
    """The algorithm that correlates x [B, C_in, H, W] at the least cost."""
    # On other devices convolutions are what libraries do best.
    if x.device.type not in ("cpu", "cuda") or becomes_a_graph():
        return "direct"
    # Sums over frequencies lose digits that half precision cannot spare.
    if x.dtype not in (torch.float32, torch.float64) or torch.is_autocast_enabled(x.device.type):
        return "direct"
    height, width = geometry.output
    if not x.numel() * height * width:
        return "direct"
    batch, in_channels = x.shape[:2]
    channels = in_channels if in_channels <= FEW_CHANNELS else _padded(in_channels)
    taps = geometry.rows.taps * geometry.columns.taps
    convolution = batch * channels * _padded(out_channels) * height * width * taps
    spectral = spectral_cost(geometry, batch, in_channels, out_channels)
    return "spectral" if spectral < convolution else "direct"


def spectral_cost(geometry: Geometry, batch: int, in_channels: int, out_channels: int) -> float:
    """Time of the spectral algorithm, in products of a convolution."""
    rows, columns = geometry
    half, three = columns.half_length, 3 * rows.length

    def transform(height: int, width: int) -> int:
        return 2 * half * height * (width + three)

    pairs = in_channels * out_channels
    images = in_channels * transform(rows.size, columns.size)
    responses = out_channels * transform(*geometry.output)
    filters = pairs * transform(len(rows.lags), len(columns.lags))
    products = batch * pairs * half * three
    return TRANSFORM * batch * (images + responses) + FILTERS * filters + PRODUCT * products + CALL


def _padded(channels: int) -> int:
    return -(-channels // VECTOR) * VECTOR
