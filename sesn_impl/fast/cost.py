"""Which algorithm of `correlation` costs least for given sizes: counted products, few constants."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from sesn_impl.fast.geometry import Geometry

Algorithm = Literal["direct", "columns", "spectral"]

FEW_CHANNELS = 3
"""Up to so many input channels a plain convolution is bound by loads, not by products."""

MANY_OUTPUTS = 64
"""Below so many output pixels laying out columns costs more than it saves: on the single pixels
that a probe reads, with supports of 60 to 90 pixels, a multiple of the whole convolution."""

SPECTRAL_COST = 2.0
"""Time of a product of the spectral algorithm in products of a convolution: its matrices are
smaller and its tensors pass through memory more often. The same on CUDA, where all published
networks were fastest with it once their steps were replayed as graphs (one H100, IEEE float32)."""


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
    taps = geometry.rows.taps * geometry.columns.taps
    convolution = batch * in_channels * out_channels * height * width * taps
    if SPECTRAL_COST * spectral_products(geometry, batch, in_channels, out_channels) < convolution:
        return "spectral"
    if x.device.type == "cuda":
        return "direct"
    few = in_channels <= FEW_CHANNELS
    return "columns" if few and height * width >= MANY_OUTPUTS else "direct"


def spectral_products(geometry: Geometry, batch: int, in_channels: int, out_channels: int) -> int:
    """Real products of the spectral algorithm: transforms of images, filters and responses."""
    rows, columns = geometry.rows, geometry.columns
    half, three = columns.half_length, 3 * rows.length

    def transform(height: int, width: int) -> int:
        return 2 * half * height * (width + three)

    pairs = in_channels * out_channels
    return (
        batch * in_channels * transform(rows.size, columns.size)
        + pairs * transform(len(rows.lags), len(columns.lags))
        + batch * out_channels * transform(*geometry.output)
        + batch * pairs * half * three
    )
