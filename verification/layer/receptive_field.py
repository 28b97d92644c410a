"""Which input pixels an output pixel sees, through any stack of sliding windows.

Along one axis, output i of a window reads the inputs

    stride·i − padding  …  stride·i − padding + size − 1,

those outside the image being zero; output i of an enlargement (nearest neighbour) reads
i // factor. An output of a stack is *touched* by the border if any stage reads outside its own
input on the way to it: then padding is part of its value. All other outputs are what they would be
in the plane.

Convention: positions in pixels, counted from 0; rows and columns alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import nn

from verification.layer.targets import SteerableLayer


class Stage(Protocol):
    """One step of a stack along one axis."""

    def reads(self, first: int, last: int) -> tuple[int, int]:
        """First and last input that the outputs first … last read."""

    def outputs(self, size: int) -> int:
        """How many outputs an input of `size` pixels gives."""

    def moves(self, shift: int) -> int:
        """By how much the output moves with the input; raises ValueError if by no whole number."""


@dataclass(frozen=True)
class Window:
    """A convolution or pooling: side length, stride and zero padding in pixels.

    A negative padding leaves pixels out at both ends.
    """

    size: int
    stride: int = 1
    padding: int = 0

    def reads(self, first: int, last: int) -> tuple[int, int]:
        """See `Stage`."""
        start = -self.padding
        return self.stride * first + start, self.stride * last + start + self.size - 1

    def outputs(self, size: int) -> int:
        """See `Stage`."""
        return (size + 2 * self.padding - self.size) // self.stride + 1

    def moves(self, shift: int) -> int:
        """See `Stage`."""
        if shift % self.stride:
            raise ValueError(f"shift={shift!r}: must be a multiple of the stride, {self.stride}")
        return shift // self.stride


@dataclass(frozen=True)
class Enlargement:
    """Every pixel becomes `factor` pixels of its value."""

    factor: int

    def reads(self, first: int, last: int) -> tuple[int, int]:
        """See `Stage`."""
        return first // self.factor, last // self.factor

    def outputs(self, size: int) -> int:
        """See `Stage`."""
        return size * self.factor

    def moves(self, shift: int) -> int:
        """See `Stage`."""
        return shift * self.factor


Stages = tuple[Stage, ...]
Description = Callable[[nn.Module], Stages]


def outputs(stages: Sequence[Stage], size: int) -> int:
    """How many outputs an input of `size` pixels gives."""
    return _sizes(stages, size)[-1]


def moved(stages: Sequence[Stage], shift: int) -> int:
    """By how many pixels the output moves when the input moves by `shift`.

    Raises ValueError if some stage does not move by a whole number.
    """
    for stage in stages:
        shift = stage.moves(shift)
    return shift


def seen(stages: Sequence[Stage], output: int) -> tuple[int, int]:
    """First and last input pixel that an output reads, also where these lie outside the image."""
    first = last = output
    for stage in reversed(stages):
        first, last = stage.reads(first, last)
    return first, last


def untouched(stages: Sequence[Stage], size: int) -> NDArray[np.bool_]:
    """Which outputs see no border when the input has `size` pixels: [outputs]."""
    sizes = _sizes(stages, size)
    return np.array([_is_inside(stages, sizes, i) for i in range(sizes[-1])], dtype=np.bool_)


def smallest_window(stages: Sequence[Stage]) -> int:
    """Side of the smallest image whose output has a centre pixel, untouched, that looks at its own.

    Raises ValueError if a thousand pixels beyond the receptive field do not suffice.
    """
    first, last = seen(stages, 0)
    most = last - first + 1000
    for size in range(1, most + 1):
        sizes = _sizes(stages, size)
        middle = sizes[-1] // 2
        centred = sizes[-1] % 2 == 1 and sum(seen(stages, middle)) == size - 1
        if centred and _is_inside(stages, sizes, middle):
            return size
    raise ValueError(f"stages={stages!r}: no image up to {most} pixels has such a centre")


def stages_of(module: nn.Module, others: Mapping[type, Description] | None = None) -> Stages:
    """The stages of a module: convolution, pooling, nearest up-sampling, pointwise, or a sequence.

    A steerable layer counts as a window of the full kernel size V. others: how modules of other
    classes are described. Raises ValueError for a module that is none of these.
    """
    for kind, description in (others or {}).items():
        if isinstance(module, kind):
            return description(module)
    if isinstance(module, nn.Sequential):
        return tuple(stage for child in module for stage in stages_of(child, others))
    if isinstance(module, _POINTWISE):
        return ()
    if isinstance(module, nn.Upsample) and module.mode == "nearest":
        return (Enlargement(_last(module.scale_factor)),)
    if isinstance(module, _WINDOWS):
        return (Window(_last(module.kernel_size), _last(module.stride), _last(module.padding)),)
    if hasattr(module, "basis"):
        return (steerable_window(module),)  # type: ignore[arg-type]
    raise ValueError(f"module {type(module).__name__}: has no known receptive field")


def steerable_window(layer: SteerableLayer, scale: int | None = None) -> Window:
    """The window of a steerable layer: all of V×V, or the support of one scale."""
    size = int(layer.basis.functions.shape[-1])
    support = size if scale is None else layer.basis.supports[scale]
    return Window(support, layer.stride, layer.padding - (size - support) // 2)


_POINTWISE = (
    nn.Identity, nn.ReLU, nn.BatchNorm2d, nn.BatchNorm3d, nn.Dropout, nn.Dropout2d, nn.Dropout3d,
)  # fmt: skip
_WINDOWS = (nn.Conv2d, nn.Conv3d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool2d, nn.AvgPool3d)


def _last(value: object) -> int:
    """The entry of the columns: rows have the same in all modules described here."""
    entry = value[-1] if isinstance(value, tuple) else value
    if not isinstance(entry, int | float) or entry != int(entry):
        raise ValueError(f"size {value!r}: must be a whole number of pixels")
    return int(entry)


def _sizes(stages: Sequence[Stage], size: int) -> list[int]:
    """Side of the image and of the output of each stage."""
    sizes = [size]
    for stage in stages:
        sizes.append(stage.outputs(sizes[-1]))
    return sizes


def _is_inside(stages: Sequence[Stage], sizes: Sequence[int], output: int) -> bool:
    first = last = output
    for stage, size in zip(reversed(stages), reversed(sizes[:-1]), strict=True):
        first, last = stage.reads(first, last)
        if first < 0 or last >= size:
            return False
    return True
