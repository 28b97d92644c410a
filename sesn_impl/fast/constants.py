"""Matrices that follow from sizes alone: made once, in each dtype and on each device."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import torch
from torch import Tensor, nn

Tensors = tuple[Tensor, ...]


def remembered(plan: Callable[..., Tensors]) -> Callable[..., Tensors]:
    """Lets a function of sizes be called with a tensor first: results in its dtype, on its device.

    The last 256 results are kept, by all threads.
    """

    @lru_cache(maxsize=256)
    def kept(dtype: torch.dtype, device: torch.device, *sizes: object) -> Tensors:
        # A thread of its own has no inference mode, function transform or default device, whose
        # traces on a kept tensor would spoil later calls.
        with ThreadPoolExecutor(1) as fresh:
            return fresh.submit(made, dtype, device, *sizes).result()

    def made(dtype: torch.dtype, device: torch.device, *sizes: object) -> Tensors:
        return tuple(matrix.to(device, dtype) for matrix in plan(*sizes))

    @torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
    def constant(*key: object) -> list[Tensor]:
        return list(kept(*key))

    def call(like: Tensor, *sizes: object) -> Tensors:
        # Sizes in a trace are tensors. Of tensors as those of a dry run nothing is kept.
        key = [int(n) if isinstance(n, Tensor) else n for n in sizes]
        make = constant if type(like) in {Tensor, nn.Parameter} else made
        return tuple(make(like.dtype, like.device, *key))

    return call
