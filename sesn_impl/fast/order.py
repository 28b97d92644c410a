"""The order of memory that the spectral algorithm reads and writes: space first, the batch last.

Tensors keep their shape, [B, C, H, W] or [B, C, S, H, W], and lie in memory as [W, H, C, B] or
[S, W, H, C, B]. What acts on each element, pools or normalises keeps that order, so that a network
changes it once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from sesn_impl.fast.cost import FEW_CHANNELS, becomes_a_graph


def space_first(x: Tensor) -> Tensor:
    """[B, C, H, W] -> [W, H, C, B], or [B, C, S, H, W] -> [S, W, H, C, B]: a view."""
    return x.permute(3, 2, 1, 0) if x.ndim == 4 else x.permute(2, 4, 3, 1, 0)


def batch_first(x: Tensor) -> Tensor:
    """The inverse of `space_first`: a view."""
    return x.permute(3, 2, 1, 0) if x.ndim == 4 else x.permute(4, 3, 0, 2, 1)


def is_arranged(x: Tensor) -> bool:
    """Whether x lies in memory in this order, and in no other."""
    return not x.is_contiguous() and space_first(x).is_contiguous()


def arranged(x: Tensor) -> Tensor:
    """X in this order, if it has the channels for the spectral algorithm and torch's own order.

    Two steps each way, a transposed matrix and moved rows: one step takes several times as long.
    The gradient comes back in torch's own order, which is what stands before expects.
    """
    if x.device.type != "cpu" or becomes_a_graph() or not x.is_contiguous():
        return x
    if x.shape[1] <= FEW_CHANNELS or not x.numel():
        return x
    images = x.flatten(1)
    if images.requires_grad:
        images.register_hook(torch.Tensor.contiguous)  # type: ignore[no-untyped-call]
    pixels = images.t().contiguous().view(*x.shape[1:], len(x))  # [C, (S,) H, W, B]
    return batch_first(space_first(pixels.movedim(-1, 0)).contiguous())


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


def stack_scales(responses: Iterable[Tensor]) -> Tensor:
    """S × [B, C, H, W] -> [B, C, S, H, W], in the order in which the responses lie in memory."""
    return _together(torch.stack, list(responses), 2, 0)


def joined(tensors: list[Tensor]) -> Tensor:
    """The channels of several [B, C, H, W], behind one another, in one order of memory."""
    return tensors[0] if len(tensors) == 1 else _together(torch.cat, tensors, 1, 2)


def _together(
    join: Callable[[list[Tensor], int], Tensor], tensors: list[Tensor], dim: int,
    dim_in_memory: int,
) -> Tensor:  # fmt: skip
    tensors = in_one_order(tensors)
    if not is_arranged(tensors[0]):
        return join(tensors, dim)
    return batch_first(join([space_first(x) for x in tensors], dim_in_memory))
