"""The order of memory that the spectral algorithm reads and writes: space first, the batch last.

Tensors keep their shape, [B, C, H, W] or [B, C, S, H, W], and lie in memory as [W, H, C, B] or
[S, W, H, C, B]. What acts on each element, pools or normalises keeps that order, so that a network
changes it once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from sesn_impl.fast.cost import FEW_CHANNELS, becomes_a_graph

_Context = Any  # torch types no attribute of it
_BACK = {4: (3, 2, 1, 0), 5: (4, 3, 0, 2, 1)}


def space_first(x: Tensor) -> Tensor:
    """[B, C, H, W] -> [W, H, C, B], or [B, C, S, H, W] -> [S, W, H, C, B]: a view."""
    return x.permute(3, 2, 1, 0) if x.ndim == 4 else x.permute(2, 4, 3, 1, 0)


def batch_first(x: Tensor) -> Tensor:
    """The inverse of `space_first`: a view."""
    return x.permute(_BACK[x.ndim])


def is_arranged(x: Tensor) -> bool:
    """Whether x lies in memory in this order, and in no other."""
    return not x.is_contiguous() and space_first(x).is_contiguous()


def arranged(x: Tensor) -> Tensor:
    """X in this order, if it has the channels for the spectral algorithm and torch's own order."""
    if x.device.type != "cpu" or becomes_a_graph() or not x.is_contiguous():
        return x
    if x.shape[1] <= FEW_CHANNELS or not x.numel():
        return x
    y: Tensor = _Arranged.apply(x)
    return y


def in_one_order(tensors: list[Tensor]) -> list[Tensor]:
    """Tensors of one shape: if any is in this order, all; steps through two take ten times as long.

    Both orders meet where an algorithm is chosen for each scale by itself.
    """
    return list(map(arranged, tensors)) if any(map(is_arranged, tensors)) else tensors


def scales_of(x: Tensor) -> list[Tensor]:
    """[B, C, S, H, W] -> S × [B, C, H, W]; the gradient comes back in the order of memory of x."""
    if not is_arranged(x):
        return list(x.unbind(2))
    return [batch_first(scale) for scale in space_first(x).unbind(0)]


def joined(tensors: Sequence[Tensor]) -> Tensor:
    """The channels of several [B, C, H, W], behind one another, in one order of memory."""
    if len(tensors) == 1:
        return tensors[0]
    tensors = in_one_order(list(tensors))
    if not is_arranged(tensors[0]):
        return torch.cat(list(tensors), 1)
    return batch_first(torch.cat([space_first(x) for x in tensors], 2))


class _Arranged(torch.autograd.Function):
    """Two steps each way, a transposed matrix and moved rows: one step takes several times as long.

    The gradient comes back in torch's own order, which is what stands before expects.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        rows = x.flatten(1).t().contiguous().view(*x.shape[1:], len(x))  # [C, (S,) H, W, B]
        return batch_first(space_first(rows.movedim(-1, 0)).contiguous())

    @staticmethod
    def setup_context(ctx: _Context, inputs: tuple[Tensor], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: _Context, grad: Tensor) -> Tensor:
        return grad.movedim(0, -1).flatten(0, -2).t().contiguous().view(grad.shape)

    @staticmethod
    def jvp(ctx: _Context, slope: Tensor) -> Tensor:
        y: Tensor = _Arranged.apply(slope)
        return y
