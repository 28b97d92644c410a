"""The sizes of a correlation, and the discrete Fourier transforms in which nothing wraps around.

Output p of an axis reads the pixels stride·p − padding + d at the lags d = dilation·t of its taps
t = 0 … k − 1; pixels outside the image are 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sesn_impl.fast.constants import remembered

Array = NDArray[np.float64]
Pair = tuple[int, int]


@dataclass(frozen=True)
class Axis:
    """One axis of a correlation; all in pixels. Negative padding crops."""

    size: int
    taps: int
    stride: int
    padding: int
    dilation: int

    @property
    def outputs(self) -> int:
        """How many outputs there are; 0 where the filter is larger than the padded image."""
        reach = self.dilation * (self.taps - 1) + 1
        return max(0, (self.size + 2 * self.padding - reach) // self.stride + 1)

    @property
    def seen(self) -> tuple[int, int]:
        """First tap that meets a pixel at any output, and the one after the last; at least one."""
        nearest, farthest = self._distances()
        first = min(self.taps - 1, max(0, -(-nearest // self.dilation)))
        return first, max(first, min(self.taps - 1, farthest // self.dilation)) + 1

    @property
    def length(self) -> int:
        """N of the shortest transform in which no tap that is seen wraps around onto a pixel."""
        nearest, farthest = self._distances()
        first, stop = self.seen
        return max(farthest - self.dilation * first, self.dilation * (stop - 1) - nearest, 0) + 1

    @property
    def half_length(self) -> int:
        """How many of the N frequencies are not mirror images of others."""
        return self.length // 2 + 1

    @property
    def origins(self) -> Array:
        """The pixel under tap 0 at each output: [outputs]."""
        return self.stride * np.arange(self.outputs, dtype=np.float64) - self.padding

    @property
    def lags(self) -> Array:
        """Lags of the taps that are seen."""
        return self.dilation * np.arange(*self.seen, dtype=np.float64)

    @property
    def frequencies(self) -> Array:
        """2πj/N in radians per pixel: [N]."""
        return 2 * math.pi / self.length * np.arange(self.length, dtype=np.float64)

    def _distances(self) -> Pair:
        """Least and greatest lag between an output's origin and a pixel."""
        return self.padding - self.stride * (self.outputs - 1), self.size - 1 + self.padding


@dataclass(frozen=True)
class Geometry:
    """Rows (along the height) and columns (along the width) of a correlation."""

    rows: Axis
    columns: Axis

    @classmethod
    def of(
        cls, size: Pair, taps: Pair, stride: int | Pair, padding: Pair, dilation: int
    ) -> Geometry:
        """From (height, width) of images and filters, (rows, columns) of stride and padding."""
        steps = (stride, stride) if isinstance(stride, int) else stride
        each = zip(size, taps, steps, padding, strict=True)
        return cls(*(Axis(*numbers, dilation) for numbers in each))

    @property
    def output(self) -> Pair:
        """H', W'."""
        return self.rows.outputs, self.columns.outputs


def transforms(like: Tensor, geometry: Geometry) -> list[tuple[Tensor, Tensor]]:
    """Matrices from images and filters into three real numbers a frequency, and back.

    With X the transform of an image and W that of a filter, the response has Y = X·conj(W), which
    takes four real products; Gauss needs three, and his sums cost nothing once they are part of
    the matrices (W' = conj W):

        k₁ = (Xr + Xi) W'r,  k₂ = Xr (W'i − W'r),  k₃ = Xi (W'r + W'i),  Y = (k₁ − k₃) + i (k₁ + k₂)

    In the dtype and on the device of `like`. Three pairs, for images (columns [2·M, W], rows
    [3·N, 2·H]), for filters (the same for their taps that are seen) and for responses (rows
    [2·H', 3·N], columns [W', 2·M]); M = ⌊N_columns/2⌋ + 1.
    """
    matrices = _matrices(like, geometry)
    return list(zip(matrices[::2], matrices[1::2], strict=True))


@remembered
def _matrices(geometry: Geometry) -> tuple[Tensor, ...]:
    rows, columns = geometry.rows, geometry.columns
    at, half = rows.frequencies, columns.frequencies[: columns.half_length]
    # Frequencies whose mirror images are left out count twice.
    weight = np.full(len(half), 2 / columns.length)
    weight[0] /= 2
    if columns.length % 2 == 0:
        weight[-1] /= 2

    def from_real(angles: Array) -> Array:
        """exp(iθ) times real numbers, as (re, im): [m, n] -> [m·2, n]."""
        return np.stack([np.cos(angles), np.sin(angles)], 1).reshape(-1, angles.shape[1])

    def turn(angles: Array) -> tuple[Array, Array]:
        """exp(iθ) times complex numbers, real and imaginary part: [m, n] -> two [m, 2·n]."""
        cosine, sine = np.cos(angles), np.sin(angles)
        return np.hstack([cosine, -sine]), np.hstack([sine, cosine])

    image_re, image_im = turn(-np.outer(at, np.arange(rows.size)))
    filter_re, filter_im = turn(np.outer(at, rows.lags))
    angles = np.outer(rows.origins, at)
    cosine, sine = np.cos(angles) / rows.length, np.sin(angles) / rows.length
    response_re = np.hstack([cosine - sine, -sine, -cosine])
    response_im = np.hstack([cosine + sine, cosine, -sine])
    back = from_real(np.outer(half, columns.origins)).reshape(len(half), 2, -1)
    back = weight[:, None, None] * np.stack([back[:, 0], -back[:, 1]], 1)
    matrices = (
        from_real(-np.outer(half, np.arange(columns.size))),
        np.vstack([image_re + image_im, image_re, image_im]),
        from_real(np.outer(half, columns.lags)),
        np.vstack([filter_re, filter_im - filter_re, filter_re + filter_im]),
        np.vstack([response_re, response_im]),
        back.reshape(2 * len(half), -1).T,
    )
    return tuple(torch.tensor(matrix, device="cpu") for matrix in matrices)
