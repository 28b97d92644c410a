"""What the compared methods' layers share: fixed tensors at full precision, a start."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn

from sesn_impl.states import Configured


class FixedTensors(Configured):
    """A module with tensors that follow its device and dtype, and are no part of its state dict.

    They are kept in float64 on the CPU and cast from there: a cast of a cast would lose digits, and
    memory that was moved from the meta device or assigned holds nothing of them.
    """

    def __init__(self) -> None:
        super().__init__()
        self._originals: dict[str, Tensor] = {}

    def fix(self, name: str, make: Callable[[], Tensor]) -> None:
        """Makes the float64 tensor that `make` returns available as `self.<name>`."""
        with torch.device("cpu"):
            self._originals[name] = make()
        values = self._originals[name].to(torch.get_default_device(), torch.get_default_dtype())
        self.register_buffer(name, values, persistent=False)

    def fixed(self, name: str, like: Tensor) -> Tensor:
        """The tensor of that name, in the dtype and on the device of `like`."""
        kept = self.get_buffer(name)
        alike = kept.device == like.device and kept.dtype == like.dtype
        return kept if alike else self._originals[name].to(like)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, values in self._originals.items():
            setattr(self, name, values.to(self.get_buffer(name)))
        return self


def uniform_by_fan_in(weight: Tensor, fan_in: int) -> None:
    """Fills with U(−1/√fan_in, 1/√fan_in), which is Kaiming-uniform with a = √5."""
    bound = 1 / math.sqrt(fan_in)
    nn.init.uniform_(weight, -bound, bound)
