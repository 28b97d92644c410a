"""Checks of arguments: a message names what is wrong, its value and what is allowed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from numbers import Integral

from torch import Tensor

Pixels = int | tuple[int, int]
"""One number for rows and columns, or one for each."""


def check_at_least(least: int, **values: int) -> None:
    """Raises ValueError for the first argument that is no integer or below `least`."""
    for name, value in values.items():
        if not isinstance(value, Integral):
            raise ValueError(f"{name}={value!r}: must be an integer")
        if value < least:
            raise ValueError(f"{name}={value!r}: must be at least {least}")


def check_odd(**values: int) -> None:
    """Raises ValueError for the first argument that is not an odd positive integer."""
    for name, value in values.items():
        if not isinstance(value, Integral) or value < 1 or value % 2 == 0:
            raise ValueError(f"{name}={value!r}: must be odd and positive")


def check_scales(scales: Sequence[float]) -> tuple[float, ...]:
    """The scales as floats; ValueError unless they are finite, positive and growing."""
    values = tuple(map(float, scales))
    if not values or not all(math.isfinite(s) and s > 0 for s in values):
        raise ValueError(f"scales={tuple(scales)!r}: must be one or more finite positive numbers")
    if any(b <= a for a, b in pairwise(values)):
        raise ValueError(f"scales={tuple(scales)!r}: must grow from first to last")
    return values


def check_pair(least: int, name: str, value: Pixels) -> Pixels:
    """The argument, as one number where rows and columns have the same; else ValueError."""
    if isinstance(value, tuple | list) and len(value) != 2:
        raise ValueError(f"{name}={value!r}: must be one number, or one for rows and columns each")
    rows, columns = pair(value)
    for number in (rows, columns):
        check_at_least(least, **{name: number})
    return rows if rows == columns else (rows, columns)


def pair(value: Pixels) -> tuple[int, int]:
    """For rows and columns."""
    rows, columns = value if isinstance(value, tuple | list) else (value, value)
    return rows, columns


def check_shape(x: Tensor, layout: str, *sizes: int) -> None:
    """Raises unless x has the axes of a layout such as "[B, C_in=3, H, W]", with `sizes` behind B.

    TypeError for another type, ValueError for another shape or an empty scale axis.
    """
    if not isinstance(x, Tensor):
        raise TypeError(f"x of type {type(x).__name__}: must be a torch.Tensor {layout}")
    ndim = layout.count(",") + 1
    if x.ndim != ndim or tuple(x.shape[1 : 1 + len(sizes)]) != sizes or not x.shape[-3]:
        raise ValueError(f"x of shape {tuple(x.shape)}: must be {layout}")
