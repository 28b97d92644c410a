"""The larger of two responses is torch's maximum; its gradient goes to one of the two."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from sesn_impl import ScaleMaxProjection
from sesn_impl.fast import (
    arranged,
    is_arranged,
    joined,
    largest,
    largest_and_where,
    max_pool,
    scales_of,
    stack_scales,
)
from sesn_impl.fast.maximum import larger
from sesn_impl.networks.plain import BatchNorm2d, BatchNorm3d

FIRST = (1.0, 5.0, 2.0, -math.inf, math.nan, 1.0, math.inf, -0.5)
SECOND = (3.0, 4.0, 2.0, 1.0, 1.0, math.nan, math.inf, -math.inf)
TO_SECOND = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0)


def operands(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    return torch.tensor(FIRST, dtype=dtype), torch.tensor(SECOND, dtype=dtype)


def random_operands() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 3, 4, generator=generator, dtype=torch.float64)
    return first.requires_grad_(), second.requires_grad_()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_value_and_gradient(dtype: torch.dtype) -> None:
    first, second = operands(dtype)
    first.requires_grad_()
    second.requires_grad_()
    y = larger(first, second)
    torch.testing.assert_close(y, torch.maximum(first, second), rtol=0, atol=0, equal_nan=True)
    incoming = torch.arange(1, 9, dtype=dtype)
    to_first, to_second = torch.autograd.grad(y, (first, second), incoming)
    assert torch.equal(to_second, incoming * torch.tensor(TO_SECOND, dtype=dtype))
    assert torch.equal(to_first, incoming - to_second)


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8])
def test_numbers_without_gradients(dtype: torch.dtype) -> None:
    first, second = torch.tensor([1, 4], dtype=dtype), torch.tensor([2, 3], dtype=dtype)
    assert larger(first, second).tolist() == [2, 4]


# torch's own forward mode is written in what torch has given up.
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:FutureWarning")
def test_derivatives_of_both_modes_and_orders() -> None:
    assert torch.autograd.gradcheck(larger, random_operands(), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(
        lambda a, b: larger(a**2, b**2), random_operands(), check_fwd_over_rev=True
    )


def test_batched_by_vmap() -> None:
    first, second = (operand.detach() for operand in random_operands())

    def gradient(a: Tensor, b: Tensor) -> Any:
        return torch.func.grad(lambda a: larger(a, b).sum())(a)

    assert torch.equal(torch.func.vmap(larger)(first, second), torch.maximum(first, second))
    expected = (first >= second).to(first)
    assert torch.equal(torch.func.vmap(gradient)(first, second), expected)


def test_compiled() -> None:
    first, second = operands()
    compiled = torch.compile(larger, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(first, second), larger(first, second), equal_nan=True)
    first.nan_to_num_().requires_grad_()
    second.nan_to_num_().requires_grad_()
    grads = [
        torch.autograd.grad(form(first, second).sum(), (first, second))
        for form in (larger, compiled)
    ]
    assert all(map(torch.equal, *grads))


@pytest.mark.parametrize("scales", [1, 2])
def test_projection_never_shares_memory_with_its_input(scales: int) -> None:
    x = torch.ones(1, 1, scales, 2, 2)
    ScaleMaxProjection()(x).zero_()
    assert x.all()


def test_projection_needs_a_scale() -> None:
    with pytest.raises(ValueError, match=r"\(1, 1, 0, 2, 2\): must be .* with S > 0"):
        ScaleMaxProjection()(torch.ones(1, 1, 0, 2, 2))


@pytest.mark.parametrize("shape", [(3, 5, 7, 6), (3, 5, 2, 9, 8)])
@pytest.mark.parametrize("order", [arranged, lambda x: x])
def test_pool_is_that_of_torch_in_either_order_of_memory(
    shape: tuple[int, ...], order: Callable[[Tensor], Tensor]
) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=generator).requires_grad_()
    y = max_pool(order(x), 2)
    expected = torch.nn.functional.max_pool2d(x.flatten(0, -4), 2).view(y.shape)
    assert torch.equal(y, expected)
    incoming = torch.randn(y.shape, generator=generator)
    assert torch.equal(
        *(torch.autograd.grad(form, x, incoming, retain_graph=True)[0] for form in (y, expected))
    )
    assert y.is_contiguous() == (order is not arranged)  # the order is kept


@pytest.mark.parametrize(
    ("make", "shape"), [(BatchNorm2d, (3, 5, 7, 6)), (BatchNorm3d, (3, 5, 2, 9, 8))]
)
def test_batch_norm_is_that_of_torch_in_either_order_of_memory(
    make: type[BatchNorm2d | BatchNorm3d], shape: tuple[int, ...]
) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    norm, other = make(shape[1]).double(), make(shape[1]).double()
    torch.testing.assert_close(norm(arranged(x)), other(x))
    torch.testing.assert_close(norm.running_var, other.running_var)
    norm.eval()
    other.eval()
    torch.testing.assert_close(norm(arranged(x)), other(x))


def test_largest_of_both_orders_of_memory_and_where_it_is() -> None:
    """Values, winners, gradients and the order of those are the same as if nothing were moved."""
    generator = torch.Generator().manual_seed(0)
    leaves = [torch.randn(4, 5, 7, 6, generator=generator).round_(decimals=1) for _ in range(3)]
    for leaf in leaves:
        leaf.requires_grad_()
    mixed = [leaves[0], arranged(leaves[1]), leaves[2]]
    best, where = largest_and_where(mixed)
    expected = torch.stack(leaves).max(0)
    assert torch.equal(best, expected.values)
    assert torch.equal(torch.stack(leaves).gather(0, where[None])[0], best)
    assert torch.equal(where, (torch.stack(leaves) == best).to(torch.uint8).argmax(0))
    assert is_arranged(best)
    for form in (best, stack_scales(mixed).amax(2), largest(mixed)):
        assert torch.equal(form, best)
    grads = torch.autograd.grad(best.sum(), leaves)
    for index, grad in enumerate(grads):
        assert torch.equal(grad, (where == index).float())


def test_scales_and_channels_are_taken_in_the_order_of_memory() -> None:
    x = torch.randn(3, 5, 2, 9, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    moved = arranged(x)
    scales = scales_of(moved)
    assert all(map(is_arranged, scales))
    assert all(map(torch.equal, scales, x.unbind(2)))
    y = joined(scales)
    assert is_arranged(y)
    assert torch.equal(y, torch.cat(x.unbind(2), 1))
    incoming = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    (to_moved,) = torch.autograd.grad(y, moved, incoming, retain_graph=True)
    assert is_arranged(to_moved)
    (to_x,) = torch.autograd.grad(y, x, incoming)
    assert torch.equal(to_x, torch.stack(incoming.chunk(2, 1), 2))
