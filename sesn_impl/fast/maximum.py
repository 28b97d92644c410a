"""The larger of two responses at every place, and its gradient, in few passes over memory."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from sesn_impl.fast.cost import Context, becomes_a_graph
from sesn_impl.fast.order import in_one_order


class _Larger(torch.autograd.Function):
    """Keeps one byte per element for the gradient; torch's own maximum keeps both operands.

    It also shares the gradient of equal ones, and selects by `where`, which branches at every
    element and takes ten times as long as the maximum itself. Products with 0 and 1 do not branch.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(first: Tensor, second: Tensor) -> Tensor:
        return torch.maximum(first, second)

    @staticmethod
    def setup_context(ctx: Context, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        is_second = inputs[1] > inputs[0]
        ctx.save_for_backward(is_second)
        ctx.save_for_forward(is_second)

    @staticmethod
    def backward(ctx: Context, grad: Tensor) -> tuple[Tensor, Tensor]:
        (is_second,) = ctx.saved_tensors
        to_second = grad * is_second.view(torch.uint8)
        return grad - to_second, to_second

    @staticmethod
    def jvp(ctx: Context, first: Tensor, second: Tensor) -> Tensor:
        (is_second,) = ctx.saved_tensors
        return torch.where(is_second, second, first)


def larger(first: Tensor, second: Tensor) -> Tensor:
    """The larger of two tensors of one shape; where they are equal, of the first.

    NaN if either is. The gradient goes to the one that is larger, and to the first of equals; one
    that is not finite makes both NaN.
    """
    if becomes_a_graph():  # the passes of which a compiler fuses
        return torch.where((second > first) | second.isnan(), second, first)
    if not torch.is_grad_enabled():
        return torch.maximum(first, second)
    y: Tensor = _Larger.apply(first, second)
    return y


def largest(tensors: Iterable[Tensor]) -> Tensor:
    """`larger` of all; each is let go before the next one is asked for, as `reduce` does not."""
    each = iter(tensors)
    best = next(each)
    for tensor in each:
        best = larger(*in_one_order([best, tensor]))
        del tensor
    return best


def largest_and_where(tensors: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """`largest`, and which one it is: the first of equals, int64 without a gradient."""
    each = iter(tensors)
    best = next(each)
    where = torch.zeros_like(best, dtype=torch.uint8)
    for index, tensor in enumerate(each, start=1):
        best, tensor = in_one_order([best, tensor])  # noqa: PLW2901 (let go as soon as possible)
        # A later one that is larger has the larger index as well.
        where = torch.maximum(where, (tensor > best).to(torch.uint8) * index)
        best = larger(best, tensor)
        del tensor
    return best, where.long()


def max_pool(x: Tensor, size: int) -> Tensor:
    """The maximum over windows of size×size pixels, side by side: [..., H, W] -> [..., H', W'].

    H' = ⌊H/size⌋. The gradient goes to one of the largest pixels of a window.
    """
    if x.device.type != "cpu" or becomes_a_graph():
        pooled = F.max_pool2d(x.flatten(0, -4), size)
        return pooled.view(*x.shape[:-2], *pooled.shape[-2:])
    # In the order of memory, so that the gradient comes back in it.
    order = sorted(range(x.ndim), key=x.stride, reverse=True)
    y = x.permute(order)
    for dim in (order.index(x.ndim - 2), order.index(x.ndim - 1)):
        whole = y.shape[dim] // size
        if y.shape[dim] % size:
            y = y.narrow(dim, 0, whole * size)
        windows = torch.unflatten(y, dim, (whole, size))
        y = largest(windows.unbind(dim + 1))
    return y.permute([order.index(dim) for dim in range(x.ndim)])
