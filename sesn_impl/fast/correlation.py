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

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import compress
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sesn_impl.fast.cost import becomes_a_graph, choose
from sesn_impl.fast.geometry import Geometry, Pair, transforms
from sesn_impl.fast.order import arranged, batch_first, is_arranged, space_first

_Context = Any  # torch types no attribute of it


Matrices = tuple[Tensor, Tensor]

WIDEST = 13
"""Filters of more columns, whatever their rows, take a convolution of oneDNN two to three times as
long per product (AVX-512, forward and both gradients): they are applied in parts."""
IN_CACHE = 2**20
"""So many numbers of spectra are computed at a time on a CPU."""


def correlate(
    x: Tensor, filters: Tensor, stride: int | Pair = 1, padding: int | Pair = 0, dilation: int = 1,
    resizing: tuple[Matrices, Matrices] | None = None,
) -> Tensor:  # fmt: skip
    """[B, C_in, H, W], [C_out, C_in, k, l] -> [B, C_out, H', W'], H' as of `F.conv2d`.

    stride, padding: of rows and columns; padding is of zeros, and crops where it is negative.
    resizing: matrices that the rows and columns of images go through before, [h, H] and [w, W], and
    those of responses after it, [H', h'] and [W', w']: part of the transforms, at no cost.
    The result may have any strides.
    """
    there, back = resizing or (None, None)
    pair = (padding, padding) if isinstance(padding, int) else padding
    size = (len(there[0]), len(there[1])) if there else (x.shape[-2], x.shape[-1])
    taps = (filters.shape[-2], filters.shape[-1])
    geometry = Geometry.of(size, taps, stride, pair, dilation)
    algorithm = choose(geometry, x, filters.shape[0])
    if algorithm == "spectral":
        return spectral(x, filters, geometry, resizing)
    y = direct(resample(x, *there) if there else x, filters, geometry)
    return resample(y, *back) if back else y


def resample(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """[B, C, H, W] -> [B, C, H', W'] by matrices [H', H] and [W', W], in the order of memory."""
    if not is_arranged(x):
        return rows @ x @ columns.T
    y = space_first(x)  # [W, H, C, B]
    along = (columns @ y.flatten(1)).view(-1, y.shape[1], y[0, 0].numel())
    return batch_first((rows @ along).view(len(columns), len(rows), *y.shape[2:]))


def direct(x: Tensor, filters: Tensor, geometry: Geometry) -> Tensor:
    """Convolutions of the library, one unless the filters are wide."""
    rows, across = geometry.rows, geometry.columns
    stride, dilation = (rows.stride, across.stride), (rows.dilation, across.dilation)
    most = WIDEST if x.device.type == "cpu" and not becomes_a_graph() else across.taps
    count = -(-across.taps // most)
    if count == 1 and min(rows.padding, across.padding) >= 0:
        return F.conv2d(x, filters, None, stride, (rows.padding, across.padding), dilation)
    x = F.pad(x, [across.padding] * 2 + [rows.padding] * 2)
    width, first = across.stride * (across.outputs - 1) + 1, 0
    responses = []
    for part in filters.tensor_split(count, dim=3):
        reach = width + across.dilation * (part.shape[3] - 1)
        seen = x[..., across.dilation * first :][..., :reach]
        responses.append(F.conv2d(seen, part, None, stride, 0, dilation))
        first += part.shape[3]
    return reduce(torch.add, responses)


def spectral(
    x: Tensor, filters: Tensor, geometry: Geometry,
    resizing: tuple[Matrices, Matrices] | None = None,
) -> Tensor:  # fmt: skip
    """Discrete Fourier transforms as matrix products.

    Space comes first and the batch last in all that is large, so every step is a product of a small
    matrix with contiguous memory.
    """
    if torch.is_anomaly_enabled() and not x.isfinite().all():
        raise ValueError(
            f"x of shape {tuple(x.shape)}: must be finite; here one pixel spoils its whole image"
        )
    (top, bottom), (left, right) = geometry.rows.seen, geometry.columns.seen
    pairs = _resized(transforms(x, geometry), resizing)
    y: Tensor = _Spectral.apply(arranged(x), filters[:, :, top:bottom, left:right], pairs)
    return y


class _Spectral(torch.autograd.Function):
    """Keeps image and filters for the gradient and transforms them again: spectra are larger."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, filters: Tensor, pairs: _Pairs) -> Tensor:
        image = (space_first(x), pairs.image)
        weights = (filters.permute(3, 2, 0, 1), pairs.filters)
        (y,) = _in_frequencies([weights, image], [(pairs.response, torch.bmm)])
        return batch_first(y)

    @staticmethod
    def setup_context(ctx: _Context, inputs: tuple[Tensor, Tensor, _Pairs], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:2])
        ctx.save_for_forward(*inputs[:2])
        ctx.pairs = inputs[2]

    @staticmethod
    def backward(ctx: _Context, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, filters = ctx.saved_tensors
        pairs: _Pairs = ctx.pairs
        operands = [
            (space_first(grad), _transposed(pairs.response)),
            (filters.permute(3, 2, 0, 1), pairs.filters),
            (space_first(x), pairs.image),
        ]
        products = [
            (_transposed(pairs.image), lambda grad, weights, _: torch.bmm(weights.mT, grad)),
            (_transposed(pairs.filters), lambda grad, _, image: torch.bmm(grad, image.mT)),
        ]
        wanted = ctx.needs_input_grad[:2]
        results = iter(_in_frequencies(operands, list(compress(products, wanted))))
        to_image = batch_first(next(results)) if wanted[0] else None
        to_filters = next(results).permute(2, 3, 1, 0) if wanted[1] else None
        return to_image, to_filters, None

    @staticmethod
    def jvp(ctx: _Context, x_slope: Tensor | None, filter_slope: Tensor | None, _: None) -> Tensor:
        x, filters = ctx.saved_tensors
        pairs = [(x_slope, filters), (x, filter_slope)]
        parts = [_Spectral.apply(*pair, ctx.pairs) for pair in pairs if None not in pair]
        y: Tensor = parts[0] if len(parts) == 1 else parts[0] + parts[1]
        return y


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Matrices into and out of the frequencies, as one constant that no transformation looks into.

    Those of images and filters first act on the columns, those of responses on the rows.
    """

    image: Matrices
    filters: Matrices
    response: Matrices


def _resized(pairs: Sequence[Matrices], resizing: tuple[Matrices, Matrices] | None) -> _Pairs:
    """The same with resizing before and after."""
    (columns, rows), of_filters, (rows_out, columns_out) = pairs
    if resizing is not None:
        (rows_there, columns_there), (rows_back, columns_back) = resizing
        columns = columns @ columns_there
        rows = (torch.unflatten(rows, 1, (2, -1)) @ rows_there).flatten(1)
        rows_out = (rows_back @ torch.unflatten(rows_out, 0, (2, -1))).flatten(0, 1)
        columns_out = columns_back @ columns_out
    return _Pairs((columns, rows), of_filters, (rows_out, columns_out))


def _transposed(pair: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    return pair[1].T, pair[0].T


def _in_frequencies(
    operands: Sequence[tuple[Tensor, Matrices]],
    products: Sequence[tuple[Matrices, Callable[..., Tensor]]],
) -> list[Tensor]:
    """Products of spectra, transformed back: [W, H, a, b] each.

    operands: tensors [W, H, a, b], each with the matrices (columns, rows) of its transform.
    products: functions of all spectra, [F, a, b] each, and the matrices (rows, columns) back.
    The spectra are made of a few columns' frequencies at a time, which stay in the cache; all
    together they are several times as large as images and responses.
    """
    halfway = [  # [M, 2·H, a·b]
        (columns @ values.reshape(len(values), -1)).view(-1, 2 * values.shape[1], a * b)
        for values, (columns, _) in operands
        for a, b in [values.shape[2:]]
    ]
    size = sum(len(rows) * values[0, 0].numel() for values, (_, rows) in operands)
    step = columns_at_a_time(size) if halfway[0].device.type == "cpu" else len(halfway[0])
    parts: list[list[Tensor]] = [[] for _ in products]
    shapes: list[torch.Size] = []
    for start in range(0, len(halfway[0]), step):
        spectra = [
            (rows @ half[start : start + step]).view(-1, *values.shape[2:])
            for half, (values, (_, rows)) in zip(halfway, operands, strict=True)
        ]
        results = [multiply(*spectra) for _, multiply in products]
        shapes = [result.shape[1:] for result in results]
        for part, result, ((rows, _), _) in zip(parts, results, products, strict=True):
            part.append(rows @ result.view(-1, rows.shape[1], result[0].numel()))
    del halfway, spectra, results
    transformed = []
    for part, ((_, columns), _), shape in zip(parts, products, shapes, strict=True):
        joined = torch.cat(part)
        part.clear()
        transformed.append(
            (columns @ joined.view(columns.shape[1], -1)).view(len(columns), -1, *shape)
        )
    return transformed


def columns_at_a_time(size: int) -> int:
    """How many columns' frequencies of so many numbers each stay in the cache: at least one.

    A batch of products is shared by whole matrices: every thread gets as many.
    """
    threads = torch.get_num_threads()
    return max(1, IN_CACHE // max(1, size) // threads) * threads
