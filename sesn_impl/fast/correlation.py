"""One correlation of images with filters, by whichever of three algorithms costs least.

    y[b, o, p] = Σ_c Σ_t x[b, c, stride·p − padding + dilation·t] w[o, c, t],   x = 0 outside

All three give the same sums and differ in how many products they take:

- direct: a convolution of the library, H'·W'·k² products per pair of channels;
- columns: as many, the shifts along a row laid out as channels. For images of one channel or few,
  where a convolution loads more than it computes;
- spectral: 3 products per frequency, about (H + k/2)²/2 of them, and small matrix products into and
  out of the frequencies. On small maps under large filters this is a tenth.

A pixel that is not finite spoils its neighbourhood in the first two, and its whole image in the
third.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from sesn_impl.fast.cost import choose
from sesn_impl.fast.geometry import Geometry, Pair, transforms


def correlate(
    x: Tensor, filters: Tensor, stride: int | Pair = 1, padding: int | Pair = 0, dilation: int = 1
) -> Tensor:
    """[B, C_in, H, W], [C_out, C_in, k, l] -> [B, C_out, H', W'], H' as of `F.conv2d`.

    stride, padding: of rows and columns; padding is of zeros, and crops where it is negative. The
    result may have any strides.
    """
    pair = (padding, padding) if isinstance(padding, int) else padding
    size, taps = x.shape[-2:], filters.shape[-2:]
    geometry = Geometry.of((size[0], size[1]), (taps[0], taps[1]), stride, pair, dilation)
    algorithm = choose(geometry, x, filters.shape[0])
    if algorithm == "spectral":
        return spectral(x, filters, geometry)
    return (columns if algorithm == "columns" else direct)(x, filters, geometry)


def direct(x: Tensor, filters: Tensor, geometry: Geometry) -> Tensor:
    """One convolution of the library."""
    rows, across = geometry.rows, geometry.columns
    if min(rows.padding, across.padding) < 0:
        crops = [min(n, 0) for n in (across.padding, across.padding, rows.padding, rows.padding)]
        x = F.pad(x, crops)
    padding = (max(rows.padding, 0), max(across.padding, 0))
    stride = (rows.stride, across.stride)
    return F.conv2d(x, filters, None, stride, padding, rows.dilation)


def columns(x: Tensor, filters: Tensor, geometry: Geometry) -> Tensor:
    """A convolution down the columns, whose channels are the shifts along a row."""
    rows, across = geometry.rows, geometry.columns
    padded = F.pad(x, [across.padding] * 2)
    span = across.stride * (across.outputs - 1) + 1
    starts = range(0, across.dilation * across.taps, across.dilation)
    shifted = torch.cat([padded[..., i : i + span : across.stride] for i in starts], 1)
    flat = filters.permute(0, 3, 1, 2).flatten(1, 2).unsqueeze(-1)  # [C_out, l·C_in, k, 1]
    if rows.padding < 0:
        shifted = F.pad(shifted, [0, 0, rows.padding, rows.padding])
    padding = (max(rows.padding, 0), 0)
    return F.conv2d(shifted, flat, None, (rows.stride, 1), padding, (rows.dilation, 1))


def spectral(x: Tensor, filters: Tensor, geometry: Geometry) -> Tensor:
    """Discrete Fourier transforms as matrix products.

    Space comes first and channels last in all that is large, so every step is a product of a small
    matrix with contiguous memory.
    """
    of_image, of_filters, (rows, across) = _pairs(transforms(x, geometry))
    batch, out_channels = len(x), len(filters)
    (top, bottom), (left, right) = geometry.rows.seen, geometry.columns.seen
    taps = filters[:, :, top:bottom, left:right]
    image = _forth(x.permute(3, 2, 0, 1), *of_image)
    weights = _forth(taps.permute(3, 2, 1, 0), *of_filters)
    y = torch.bmm(image, weights)  # [M·3·N, B, C_out]
    y = rows @ y.view(-1, rows.shape[1], batch * out_channels)  # [M, 2·H', B·C_out]
    y = across @ y.view(across.shape[1], -1)  # [W', H'·B·C_out]
    height, width = geometry.output
    return y.view(width, height, batch, out_channels).permute(2, 3, 1, 0)


def _pairs(matrices: tuple[Tensor, ...]) -> list[tuple[Tensor, Tensor]]:
    return [(matrices[i], matrices[i + 1]) for i in (0, 2, 4)]


def _forth(values: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
    """[W, H, a, b] -> three numbers for each frequency: [M·3·N, a, b]."""
    width, height, *channels = values.shape
    halfway = columns @ values.reshape(width, -1)  # [M·2, H·a·b]
    halfway = halfway.view(-1, 2 * height, channels[0] * channels[1])
    return (rows @ halfway).view(-1, *channels)
