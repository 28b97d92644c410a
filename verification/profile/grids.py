"""Where the pixels of a feature map lie behind modules and functions, in pixels of the image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from verification.profile.actions import Axis, Grid
from verification.profile.trees import floating

_MOVING = {
    "getitem", "permute", "transpose", "movedim", "moveaxis", "swapaxes", "swapdims", "reshape",
    "reshape_as", "view", "view_as", "unflatten", "narrow", "flip", "chunk", "split",
    "tensor_split", "unsafe_chunk", "unsafe_split", "pad", "index_select", "get", "rearrange",
}  # fmt: skip
"""Functions that move values, and change none; `…Pad2d` are the modules of that kind."""


def moves(name: str) -> bool:
    """Whether a function or module of this name moves values and changes none."""
    return name.lower() in _MOVING or name.endswith("Pad2d")


def moving(module: nn.Module, source: Tensor, value: Tensor) -> Callable[[Tensor], Any] | None:
    """What a module does if it only moves values, as one for a change of layout may; else None."""
    if moves(type(module).__name__):
        return module.forward
    given = any(True for _ in (*module.parameters(), *module.buffers()))
    if given or type(module).__module__.startswith("torch.nn") or source.numel() != value.numel():
        return None
    numbers = torch.arange(source.numel(), dtype=torch.float64, device=source.device)
    try:
        result = floating(module.forward(numbers.view(source.shape)))
    except Exception:  # whatever a user's module does with numbers that are no map of its own
        return None
    same = len(result) == 1 and torch.equal(result[0].flatten().sort().values, numbers)
    return module.forward if same else None


def moved(move: Callable[[Tensor], Any], grid: Grid | None, source: Tensor) -> list[Grid | None]:
    """The grids of what a function makes of [B, C, (S,) H, W] by moving values, one by one.

    It is applied to the coordinates of pixels. None where rows and columns do not come out as rows
    and columns, or images not as images.
    """
    if grid is None:
        return []
    batch = Axis(len(source))
    found: list[list[Axis | None]] = []
    for dim, axis in ((-2, grid[0]), (-1, grid[1]), (0, batch)):
        shape = [1] * source.ndim
        shape[dim] = axis.size
        # From 1 on, so that zeros of a padding stand out.
        places = torch.arange(1.0, axis.size + 1, dtype=torch.float64, device=source.device)
        parts = floating(move(places.view(shape).expand(source.shape).clone()))
        found.append([_axis(part, dim, axis) for part in parts])
    return [
        (rows, columns) if rows is not None and columns is not None and images == batch else None
        for rows, columns, images in zip(*found, strict=True)
    ]


def _axis(places: Tensor, dim: int, axis: Axis) -> Axis | None:
    """The axis of a map by the places, counted from 1, that its pixels come from."""
    if places.ndim not in {4, 5} or not places.numel():
        return None
    along = places.movedim(dim, -1).reshape(-1, places.shape[dim])
    line, size = along.median(0).values, along.shape[1]
    if 2 * int((along == line).sum()) < along.numel():
        return None
    line = line - 1
    if size == 1:
        return Axis(1, axis.origin + axis.stride * float(line[0]), axis.stride * axis.size)
    step = float(line.diff().median())
    start = float((line - step * torch.arange(size).to(line)).median())
    there = line == start + step * torch.arange(size).to(line)
    if not step or 2 * int(there.sum()) < size:
        return None
    return Axis(size, axis.origin + axis.stride * start, axis.stride * step)


def grid_behind(
    module: nn.Module | None, grid: Grid | None, source: Tensor, value: Tensor
) -> Grid | None:
    """The grid of what a module made of a map; None if that is no map."""
    if grid is None or value.ndim not in {4, 5} or source.ndim not in {4, 5}:
        return None
    axes = []
    for dim, axis in zip((-2, -1), grid, strict=True):
        size = int(value.shape[dim])
        taps, stride, padding, dilation = (
            named(module, name, dim) for name in ("kernel_size", "stride", "padding", "dilation")
        )
        if size == axis.size and stride in {None, 1}:
            axes.append(axis)
        elif taps is None or stride is None:
            axes.append(axis.resized(size))
        else:
            laid = axis.spread if getattr(module, "transposed", False) else axis.windowed
            axes.append(laid(taps, stride, padding or 0, dilation or 1, size))
    return axes[0], axes[1]


def named(module: nn.Module | None, name: str, dim: int) -> int | None:
    """A window's number along an axis, as the modules of torch name it; None if they do not."""
    found = getattr(module, name, None)
    if isinstance(found, tuple | list):
        found = found[dim] if len(found) >= -dim else found[0]
    return found if isinstance(found, int) else None
