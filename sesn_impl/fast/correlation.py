"""One correlation of images with filters, by the cheaper of two algorithms.

    y[b, o, p] = Σ_c Σ_t x[b, c, stride·p − padding + dilation·t] w[o, c, t],   x = 0 outside

Both give the same sums and differ in how many products they take:

- direct: convolutions of the library, H'·W'·k² products per pair of channels;
- spectral: 3 products per frequency, about (H + k/2)²/2 of them, and small matrix products into and
  out of the frequencies. On small maps under large filters this is a tenth.

A pixel that is not finite spoils its neighbourhood in the first, and its whole image in the second.
Under `torch.autograd.detect_anomaly` the second is an error instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from itertools import compress
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from sesn_impl.arguments import Pixels
from sesn_impl.fast.cost import FEW_CHANNELS, Context, becomes_a_graph, choose
from sesn_impl.fast.geometry import Geometry, transforms
from sesn_impl.fast.order import arranged, batch_first, is_arranged, space_first

Matrices = tuple[Tensor, Tensor]

WIDEST, WIDEST_ALONE = 13, 31
"""Filters of more columns, whatever their rows, take a convolution of oneDNN two to three times as
long per product (AVX-512, both gradients, and forward from many channels): they are applied in
parts. Forward alone from few channels takes up to twice as long in parts, until beyond the second.
"""
IN_CACHE = 2**20
"""So many numbers of spectra are computed at a time on a CPU."""


def correlate(
    x: Tensor, filters: Tensor, stride: Pixels = 1, padding: Pixels = 0, dilation: int = 1,
    resizing: tuple[Matrices, Matrices] | None = None, basis: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """[B, C_in, H, W], [C_out, C_in, k, l] -> [B, C_out, H', W'], H' as of `F.conv2d`.

    stride, padding: of rows and columns; padding is of zeros, and crops where it is negative.
    basis: [N, k, l] without a gradient, of which `filters` are the coefficients [C_out, C_in, N]:
    part of the transforms, so that no filter is made or kept.
    resizing: matrices that the rows and columns of images go through before, [h, H] and [w, W], and
    those of responses after it, [H', h'] and [W', w']: part of the transforms, at no cost.
    The result may have any strides.
    """
    there, back = resizing or (None, None)
    size = (len(there[0]), len(there[1])) if there else (x.shape[-2], x.shape[-1])
    grid = filters if basis is None else basis
    taps = (grid.shape[-2], grid.shape[-1])
    geometry = Geometry.of(size, taps, stride, padding, dilation)
    if choose(geometry, x, filters.shape[0]) == "spectral":
        return spectral(x, filters, geometry, resizing, basis)
    if basis is not None:
        filters = torch.unflatten(filters @ basis.flatten(1), 2, taps)
    y = direct(resample(x, *there) if there else x, filters, geometry)
    return resample(y, *back) if back else y


def resample(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """[B, C, H, W] -> [B, C, H', W'] by matrices [H', H] and [W', W], in the order of memory."""
    if not is_arranged(x):
        return rows @ x @ columns.T
    y = space_first(x)  # [W, H, C, B]
    return batch_first(_along_second(rows, _along_first(columns, y, len(columns))))


def direct(x: Tensor, filters: Tensor, geometry: Geometry) -> Tensor:
    """Convolutions of the library, one unless the filters are wide."""
    rows, across = geometry
    stride, dilation = (rows.stride, across.stride), (rows.dilation, across.dilation)
    alone = not torch.is_grad_enabled() and x.shape[1] <= FEW_CHANNELS
    most = WIDEST_ALONE if alone else WIDEST
    if x.device.type != "cpu" or becomes_a_graph():
        most = across.taps
    count = -(-across.taps // most)
    if count == 1 and min(rows.padding, across.padding) >= 0:
        return F.conv2d(x, filters, None, stride, (rows.padding, across.padding), dilation)
    x = F.pad(x, [across.padding] * 2 + [rows.padding] * 2)
    width, responses = across.stride * (across.outputs - 1) + 1, []
    for part in filters.tensor_split(count, dim=3):
        reach = across.dilation * part.shape[3]
        seen = x[..., : width + reach - across.dilation]
        responses.append(F.conv2d(seen, part, None, stride, 0, dilation))
        x = x[..., reach:]
    return reduce(torch.add, responses)


def spectral(
    x: Tensor, filters: Tensor, geometry: Geometry,
    resizing: tuple[Matrices, Matrices] | None = None, basis: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Discrete Fourier transforms as matrix products; arguments as of `correlate`.

    Space comes first and the batch last in all that is large, so every step is a product of a small
    matrix with contiguous memory.
    """
    if torch.is_anomaly_enabled() and not x.isfinite().all():
        raise ValueError(
            f"x of shape {tuple(x.shape)}: must be finite; here one pixel spoils its whole image"
        )
    (top, bottom), (left, right) = (axis.seen for axis in geometry)
    if basis is None:
        filters = filters[:, :, top:bottom, left:right]
    else:  # coefficients as filters of a single row
        filters, basis = filters[:, :, None], basis[:, top:bottom, left:right]
    pairs = _Pairs(resizing, basis, *transforms(x, geometry))
    return cast("Tensor", _Spectral.apply(arranged(x), filters, pairs))


class _Pairs:
    """Matrices into and out of the frequencies, as one constant that no transformation looks into.

    Those of images and filters first act on the columns, those of responses on the rows.
    """

    def __init__(
        self, resizing: tuple[Matrices, Matrices] | None, basis: Tensor | None, columns: Tensor,
        rows: Tensor, filter_columns: Tensor, filter_rows: Tensor, rows_out: Tensor,
        columns_out: Tensor,
    ) -> None:  # fmt: skip
        self.half = len(columns) // 2
        if resizing is not None:
            (rows_there, columns_there), (rows_back, columns_back) = resizing
            columns = columns @ columns_there
            rows = (torch.unflatten(rows, 1, (2, -1)) @ rows_there).flatten(1)
            rows_out = (rows_back @ torch.unflatten(rows_out, 0, (2, -1))).flatten(0, 1)
            columns_out = columns_back @ columns_out
        if basis is not None:  # [N, k, l], and columns [2·M, l] -> [2·M·k, N]
            filter_columns = (filter_columns @ basis.mT).permute(1, 2, 0).flatten(0, 1)
        self.image, self.filters = (columns, rows), (filter_columns, filter_rows)
        self.response = (rows_out, columns_out)


class _Spectral(torch.autograd.Function):
    """Keeps image and filters for the gradient and transforms them again: spectra are larger."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, filters: Tensor, pairs: _Pairs) -> Tensor:
        operands = [(filters.permute(3, 2, 0, 1), pairs.filters), (space_first(x), pairs.image)]
        (y,) = _in_frequencies(pairs.half, operands, [(torch.bmm, pairs.response)])
        return batch_first(y)

    @staticmethod
    def setup_context(ctx: Context, inputs: tuple[Tensor, Tensor, _Pairs], output: Tensor) -> None:
        x, filters, ctx.pairs = inputs
        ctx.save_for_backward(x, filters)
        ctx.save_for_forward(x, filters)

    @staticmethod
    def backward(ctx: Context, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, filters = ctx.saved_tensors
        pairs: _Pairs = ctx.pairs
        operands = [
            (space_first(grad), _transposed(pairs.response)),
            (filters.permute(3, 2, 0, 1), pairs.filters),
            (space_first(x), pairs.image),
        ]
        products = [
            (lambda grad, weights, _: torch.bmm(weights.mT, grad), _transposed(pairs.image)),
            (lambda grad, _, image: torch.bmm(grad, image.mT), _transposed(pairs.filters)),
        ]
        wanted = ctx.needs_input_grad[:2]
        results = iter(_in_frequencies(pairs.half, operands, list(compress(products, wanted))))
        to_image = batch_first(next(results)) if wanted[0] else None
        to_filters = next(results).permute(2, 3, 1, 0) if wanted[1] else None
        return to_image, to_filters, None

    @staticmethod
    def jvp(ctx: Context, x_slope: Tensor | None, filter_slope: Tensor | None, _: None) -> Tensor:
        x, filters = ctx.saved_tensors
        pairs = [(x_slope, filters), (x, filter_slope)]
        parts = (_Spectral.apply(*pair, ctx.pairs) for pair in pairs if None not in pair)
        return cast("Tensor", reduce(torch.add, parts))


def _transposed(pair: Matrices) -> Matrices:
    return pair[1].T, pair[0].T


def _in_frequencies(
    half: int,
    operands: Sequence[tuple[Tensor, Matrices]],
    products: Sequence[tuple[Callable[..., Tensor], Matrices]],
) -> list[Tensor]:
    """Products of spectra, transformed back: [W, H, a, b] each.

    half: M columns of frequencies.
    operands: tensors [W, H, a, b], each with the matrices (columns, rows) of its transform.
    products: functions of all spectra, [F, a, b] each, and the matrices (rows, columns) back.
    """
    halfway = (
        [
            _along_second(rows, torch.unflatten(multiply(*spectra), 0, (-1, rows.shape[1])))
            for multiply, (rows, _) in products
        ]
        for spectra in _spectra(half, operands)
    )
    parts = list(zip(*halfway, strict=True))  # products × [m, 2·H, a, b]
    return [
        _along_first(columns, torch.cat(parts.pop(0)), len(columns)) for _, (_, columns) in products
    ]


def _spectra(half: int, operands: Sequence[tuple[Tensor, Matrices]]) -> Iterator[list[Tensor]]:
    """Of all operands, [m·3·N, a, b] each, at the frequencies of a few columns m at a time.

    So many stay in the cache; all together are several times as large as images and responses.
    """
    halfway = [  # [M, 2·H, a, b]
        _along_first(columns, y, half) for y, (columns, _) in operands
    ]
    every_row = [rows for _, (_, rows) in operands]
    size = sum(len(rows) * y[0, 0].numel() for rows, y in zip(every_row, halfway, strict=True))
    step = columns_at_a_time(size) if halfway[0].device.type == "cpu" else half
    for start in range(0, half, step):
        yield [
            _along_second(rows, y[start : start + step]).flatten(0, 1)
            for rows, y in zip(every_row, halfway, strict=True)
        ]


def columns_at_a_time(size: int) -> int:
    """How many columns' frequencies of so many numbers each stay in the cache: at least one.

    A batch of products is shared by whole matrices: every thread gets as many.
    """
    threads = torch.get_num_threads()
    return max(1, IN_CACHE // max(1, size) // threads) * threads


def _along_first(matrix: Tensor, y: Tensor, length: int) -> Tensor:
    """[n', n], [N, H, a, b] -> [length, H', a, b], where n and n' may be multiples of N, length."""
    return (matrix @ y.reshape(matrix.shape[1], -1)).view(length, -1, *y.shape[2:])


def _along_second(matrix: Tensor, y: Tensor) -> Tensor:
    """[n', n], [N, n, a, b] -> [N, n', a, b]."""
    return torch.unflatten(matrix @ y.flatten(2), 2, y.shape[2:])
