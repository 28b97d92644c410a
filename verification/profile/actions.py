"""What rescaling and translation do to a feature map: exactly at a point, by polynomials between.

Convention: pixel u of an axis of n lies at t = origin + stride·u of the image's pixels. Rescaling
keeps the centre of the image fixed, t₀ = (N − 1)/2. Between pixels, and for derivatives, a map is
the polynomial through its nearest pixels: `2·REACH + 1` of them, fewer next to the sides.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from verification.reference.analytic import FloatArray

REACH = 4
"""Pixels on each side of the stencils; those of one less tell what the stencils err by."""
_AT_SIDES = 5


@dataclass(frozen=True)
class Axis:
    """Where the pixels of one axis of a feature map lie, in pixels of the image."""

    size: int
    origin: float = 0.0
    stride: float = 1.0

    def windowed(self, taps: int, stride: int, padding: int, dilation: int, size: int) -> Axis:
        """The axis behind windows of so many taps, as a convolution or a pooling lays them."""
        first = (taps - 1) * dilation / 2 - padding
        return Axis(size, self.origin + self.stride * first, self.stride * stride)

    def spread(self, taps: int, stride: int, padding: int, dilation: int, size: int) -> Axis:
        """The axis behind a transposed convolution, where such windows are written."""
        first = (taps - 1) * dilation / 2 - padding
        return Axis(size, self.origin - self.stride * first / stride, self.stride / stride)

    def resized(self, size: int) -> Axis:
        """The axis with another number of pixels in the same frame, half pixels as in `warps`."""
        ratio = self.size / size
        return Axis(size, self.origin + self.stride * (ratio - 1) / 2, self.stride * ratio)


Grid = tuple[Axis, Axis]
"""Of rows and columns."""


@dataclass(frozen=True)
class Action:
    """Rescaling about the centre of an image of `side` pixels, or translation.

    Its amount is log(s) for f(t/s), or the translation along `direction` in pixels of the image.
    scale_ratio: of neighbouring scales of maps [B, C, S, H, W]; without it they have no action.
    """

    kind: Literal["rescaling", "translation"]
    side: int
    direction: tuple[float, float] = (math.sqrt(0.5), math.sqrt(0.5))
    scale_ratio: float | None = None

    def acts_on(self, y: Tensor, grid: Grid | None) -> bool:
        """Whether it is known what becomes of y: maps with a grid, and [B, C], which stays."""
        return y.ndim == 2 or (
            grid is not None and (y.ndim == 4 or (y.ndim == 5 and self.scale_ratio is not None))
        )

    def generator(self, y: Tensor, grid: Grid | None, reach: int = REACH) -> Tensor:
        """d/dε of y, acted on by an amount ε, at 0: [B, C, (S,) H, W] of the same shape.

        −(t − t₀)·∇y for rescaling, less ∂y/∂log σ along scales, and −v·∇y for translation.
        """
        if y.ndim == 2 or grid is None:
            return torch.zeros_like(y)
        flow = torch.zeros_like(y)
        for dim, axis, along in zip((-2, -1), grid, self.direction, strict=True):
            velocity: FloatArray = np.full(axis.size, along / axis.stride)
            if self.kind == "rescaling":
                velocity = np.arange(axis.size, dtype=np.float64) - self._fixed(axis)
            matrix = -velocity[:, None] * stencils(axis.size, derivative=True, reach=reach)
            flow += _along(y, matrix, dim)
        if y.ndim == 5 and self.kind == "rescaling" and self.scale_ratio:
            matrix = -stencils(y.shape[2], derivative=True, reach=reach)
            flow += _along(y, matrix / math.log(self.scale_ratio), 2)
        return flow

    def act(
        self, y: Tensor, grid: Grid | None, amount: float, reach: int = REACH
    ) -> tuple[Tensor, Tensor]:
        """The map acted on, and where that was inside y: [B, C, (S,) H, W] and a mask to broadcast.

        Read off at (t − t₀)/s + t₀, or at t − v, by the stencils' polynomials.
        """
        known = torch.ones((), dtype=torch.bool, device=y.device)
        if y.ndim == 2 or grid is None:
            return y, known
        sources = [
            (dim, self._sources(axis, along, amount))
            for dim, axis, along in zip((-2, -1), grid, self.direction, strict=True)
        ]
        if y.ndim == 5 and self.kind == "rescaling" and self.scale_ratio:
            sources.append(
                (-3, np.asarray(np.arange(y.shape[2]) - amount / math.log(self.scale_ratio)))
            )
        for dim, source in sources:
            last = y.shape[dim] - 1
            if not last:  # a single pixel is the whole frame and has nowhere to move
                continue
            inside = (source > -1e-9) & (source < last + 1e-9)
            places = tuple(np.clip(source, 0, last).tolist())
            y = _along(y, stencils(last + 1, places, reach=reach), dim)
            mask = torch.from_numpy(inside).to(y.device)
            known = known & mask.reshape(-1, *[1] * (-1 - dim))
        return y, known

    def _fixed(self, axis: Axis) -> float:
        return ((self.side - 1) / 2 - axis.origin) / axis.stride

    def _sources(self, axis: Axis, along: float, amount: float) -> FloatArray:
        places = np.arange(axis.size)
        if self.kind == "translation":
            return np.asarray(places - amount * along / axis.stride)
        fixed = self._fixed(axis)
        return np.asarray((places - fixed) * math.exp(-amount) + fixed)


@functools.lru_cache(maxsize=512)
def stencils(
    size: int,
    places: tuple[float, ...] | None = None,
    derivative: bool = False,
    reach: int = REACH,
) -> FloatArray:
    """Values or derivatives at P places, all pixels by default, from n pixels: [P, n] float64.

    Each is that of the polynomial through the pixels within `reach` of the nearest one, as many on
    both sides; next to the ends, of that through the nearest `_AT_SIDES`, or all of fewer.
    """
    places = tuple(map(float, range(size))) if places is None else places
    matrix = np.zeros((len(places), size))
    for row, place in enumerate(places):
        middle = min(max(round(place), 0), size - 1)
        inner = min(reach, middle, size - 1 - middle)
        count = 2 * inner + 1
        first = middle - inner
        if inner < _AT_SIDES // 2:
            count = min(_AT_SIDES - 2 * (REACH - reach), size)
            first = min(max(middle - count // 2, 0), size - count)
        powers = np.arange(count)
        nodes = np.arange(first, first + count) - place
        wanted = np.zeros(count)
        wanted[int(derivative and count > 1)] = float(not derivative or count > 1)
        matrix[row, first : first + count] = np.linalg.solve(nodes ** powers[:, None], wanted)
    return matrix


def _along(y: Tensor, matrix: FloatArray, dim: int) -> Tensor:
    """The matrix [m, n] on one axis of n."""
    on_device = torch.from_numpy(np.ascontiguousarray(matrix)).to(y)
    if dim == -1:
        return y @ on_device.T
    if dim == -2:
        return on_device @ y
    return torch.einsum("pn,bcnhw->bcphw", on_device, y)
