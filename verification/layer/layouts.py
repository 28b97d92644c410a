"""The order of a layer's axes, as a string: only names of axes, nothing is resampled.

Letters: B images, C channels, S scales, and the axes of space: HW, L for signals, DHW for volumes.
A layout is any permutation of them, such as BSHWC. Brackets fold scales into another axis: on (CS)
scales vary fastest, on (SC) channels do. [BCHW], or "list", is a list of one tensor for each scale.
IN->OUT is for a layer whose input has another layout than its output.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from verification.layer.targets import OptionError

SPACES = ("L", "HW", "DHW")
_SCALE = "S"
ALLOWED = (
    "must be a permutation of BCSHW, of BCSL for signals or of BCSDHW for volumes, with S folded "
    "as in B(CS)HW, or a list of tensors such as [BCHW]; IN->OUT if input and output differ"
)


@dataclass(frozen=True)
class Order:
    """One side of a layout: axes in order, each of one letter, or of two that are folded."""

    axes: tuple[str, ...]
    listed: bool

    @classmethod
    def of(cls, text: str) -> Self | None:
        """From its string; None for one that is none."""
        listed = text == "list" or (text.startswith("[") and text.endswith("]"))
        inner = "BCHW" if text == "list" else text.strip("[]")
        if not re.fullmatch(r"([A-Z]|\((S[BC]|[BC]S)\))+", inner):
            return None
        axes = tuple(axis.strip("()") for axis in re.findall(r"[A-Z]|\([A-Z]+\)", inner))
        letters = sorted("".join(axes).replace(_SCALE, "", 1))
        known = any(letters == sorted(f"BC{space}") for space in SPACES)
        return cls(axes, listed) if known and not (listed and _SCALE in inner) else None

    @property
    def space(self) -> str:
        """The letters of space, in their usual order."""
        return next(s for s in reversed(SPACES) if set(s) <= set("".join(self.axes)))

    @property
    def folded(self) -> bool:
        """Whether scales share an axis with something else."""
        return any(len(axis) > 1 for axis in self.axes)

    @property
    def has_scales(self) -> bool:
        """Whether a tensor of this order has scales."""
        return any(_SCALE in axis for axis in self.axes)

    def without_scales(self) -> Order:
        """The order of what has no scales."""
        axes = (axis.replace(_SCALE, "") for axis in self.axes)
        return Order(tuple(axis for axis in axes if axis), listed=False)

    def packed(self, x: Tensor) -> Tensor:
        """From [B, C, (S,) space] to this order."""
        names = f"BC{_SCALE if self.has_scales else ''}{self.space}"
        packed = x.permute([names.index(letter) for axis in self.axes for letter in axis])
        for position, axis in enumerate(self.axes):
            if len(axis) > 1:
                packed = packed.flatten(position, position + 1)
        return packed

    def unpacked(self, y: Tensor, count: int | None) -> Tensor:
        """From this order to [B, C, (S,) space]; what has another number of axes is left as it is.

        count: S, to part a folded axis. Raises ValueError for an axis that it does not divide.
        """
        order = self
        if y.ndim == len(self.axes) - 1 and self.has_scales and not self.folded:
            order = self.without_scales()
        if y.ndim != len(order.axes):
            return y
        for position, axis in reversed(list(enumerate(order.axes))):
            if len(axis) > 1:
                if not count or y.shape[position] % count:
                    raise ValueError(
                        f"output of shape {tuple(y.shape)}: must be {self} with a multiple of "
                        f"{count} scales on axis {position}"
                    )
                sizes = (count, -1) if axis[0] == _SCALE else (-1, count)
                y = y.reshape(*y.shape[:position], *sizes, *y.shape[position + 1 :])
        names = "".join(order.axes)
        wanted = f"BC{_SCALE if order.has_scales else ''}{order.space}"
        return y.permute([names.index(letter) for letter in wanted])

    def __str__(self) -> str:
        text = "".join(axis if len(axis) == 1 else f"({axis})" for axis in self.axes)
        return f"[{text}]" if self.listed else text


@dataclass(frozen=True)
class Layout:
    """The orders of what a layer takes, where it has scales, and of what it gives."""

    takes: Order
    gives: Order

    @classmethod
    def of(cls, text: object) -> Self:
        """From its string. Raises OptionError for one that is none."""
        first, _, second = text.partition("->") if isinstance(text, str) else ("", "", "")
        takes, gives = Order.of(first), Order.of(second or first)
        if takes is None or gives is None or takes.space != gives.space:
            raise OptionError(f"layout={text!r}: {ALLOWED}")
        return cls(takes, gives)

    @property
    def dims(self) -> int:
        """How many axes space has."""
        return len(self.gives.space)

    @property
    def plain(self) -> bool:
        """Whether tensors are as the checks have them."""
        usual = (*"BCS", *self.gives.space)
        return self.takes.axes == self.gives.axes == usual and not self.gives.listed

    def packed(self, x: Tensor) -> Tensor | list[Tensor]:
        """From [B, C, (S,) space] to what the layer takes."""
        if x.ndim == 2 + self.dims:
            return self.takes.without_scales().packed(x)
        if self.takes.listed:
            return [self.takes.packed(image) for image in x.unbind(2)]
        return self.takes.packed(x)

    def stacked(self, y: object, count: int | None) -> tuple[Tensor, bool]:
        """From what the layer gives to [B, C, (S,) space], and whether only centres are left.

        Of a list of tensors of unequal sizes the centre pixels are taken, so as not to resample.
        Raises ValueError for what is not in this layout.
        """
        if not self.gives.listed:
            return self.gives.unpacked(tensor(y), count), False
        if not isinstance(y, list | tuple) or not y or not all(isinstance(t, Tensor) for t in y):
            raise ValueError(f"output of type {type(y).__name__}: must be a list of tensors")
        each = [self.gives.unpacked(t, count) for t in y]
        if len({tuple(t.shape) for t in each}) == 1:
            return torch.stack(each, dim=2), False
        if len({(t.ndim, *t.shape[:2]) for t in each}) > 1 or each[0].ndim != 2 + self.dims:
            shapes = ", ".join(str(tuple(t.shape)) for t in y)
            raise ValueError(f"outputs of shapes {shapes}: must be {self.gives} of equal B and C")
        centres = [pixels(t, [n // 2 for n in t.shape[2:]]) for t in each]
        return pixels(torch.stack(centres, dim=2), [None] * self.dims), True


def pixels(y: Tensor, at: Sequence[Any]) -> Tensor:
    """The entries at these indices of its last axes."""
    index: Any = (..., *at)
    return y[index]


def tensor(y: object) -> Tensor:
    """The output itself. Raises ValueError, with what would help, if it is no tensor."""
    if isinstance(y, Tensor):
        return y
    told = f"output of type {type(y).__name__}: must be a tensor"
    if isinstance(y, dict):
        raise ValueError(f"{told}; choose one by select=, of {', '.join(map(repr, y))}")
    if isinstance(y, list | tuple):
        raise ValueError(
            f'{told}; a list needs layout="list" if it has one for each scale, and one of several '
            f"outputs is chosen by select=, from 0 to {len(y) - 1}"
        )
    raise ValueError(f"{told}; choose one by select=")
