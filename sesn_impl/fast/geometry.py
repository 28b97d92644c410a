"""The sizes of a correlation, and the discrete Fourier transforms in which nothing wraps around.

Output p of an axis reads the pixels stride·p − padding + d at the lags d = dilation·t of its taps
t = 0 … k − 1; pixels outside the image are 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sesn_impl.arguments import Pixels, pair
from sesn_impl.fast.constants import remembered

Places = NDArray[np.int64]


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
        """How many of the N frequencies are not mirror images of others: half of an even N."""
        return -(-self.length // 2)

    @property
    def origins(self) -> Places:
        """The pixel under tap 0 at each output: [outputs]."""
        return self.stride * np.arange(self.outputs) - self.padding

    @property
    def lags(self) -> Places:
        """Lags of the taps that are seen."""
        return self.dilation * np.arange(*self.seen)

    def waves(self, places: Places) -> NDArray[np.complex128]:
        """exp(2πi·jn/N) of each frequency j = ½, 3/2, … at places n, in pixels: [N, places].

        Halves, as no image needs to repeat itself: whole ones have two without a mirror image, at
        which half of the products would be lost.
        """
        turns = np.outer(np.arange(self.length) + 0.5, places) / self.length
        return np.asarray(np.exp(2j * np.pi * turns))

    def _distances(self) -> tuple[int, int]:
        """Least and greatest lag between an output's origin and a pixel."""
        return self.padding - self.stride * (self.outputs - 1), self.size - 1 + self.padding


class Geometry(NamedTuple):
    """Rows (along the height) and columns (along the width) of a correlation."""

    rows: Axis
    columns: Axis

    @classmethod
    def of(
        cls, size: tuple[int, int], taps: tuple[int, int], stride: Pixels, padding: Pixels,
        dilation: int,
    ) -> Geometry:  # fmt: skip
        """From (height, width) of images and filters, (rows, columns) of stride and padding."""
        each = zip(size, taps, pair(stride), pair(padding), strict=True)
        return cls(*(Axis(*numbers, dilation) for numbers in each))

    @property
    def output(self) -> tuple[int, int]:
        """H', W'."""
        return self.rows.outputs, self.columns.outputs


@remembered
def transforms(geometry: Geometry) -> tuple[Tensor, ...]:
    """Matrices from images and filters into three real numbers a frequency, and back.

    With X the transform of an image and W that of a filter, the response has Y = X·conj(W), which
    takes four real products; Gauss needs three, and his sums cost nothing once they are part of
    the matrices (W' = conj W):

        k₁ = (Xr + Xi) W'r,  k₂ = Xr (W'i − W'r),  k₃ = Xi (W'r + W'i),  Y = (k₁ − k₃) + i (k₁ + k₂)

    For images (columns [2·M, W], rows [3·N, 2·H]), for filters (the same for their taps that are
    seen) and for responses (rows [2·H', 3·N], columns [W', 2·M]); M = ⌈N_columns/2⌉.
    """
    rows, columns = geometry

    def of_rows(places: Places, sums: list[list[int]]) -> NDArray[np.float64]:
        """Of complex numbers, sums of real and imaginary parts: [sums·N, 2·places]."""
        waves = rows.waves(places)
        parts = np.block([[waves.real, -waves.imag], [waves.imag, waves.real]])
        mixed: NDArray[np.float64] = np.dot(sums, parts.reshape(2, -1))
        return mixed.reshape(-1, parts.shape[1])

    def of_columns(places: Places) -> NDArray[np.float64]:
        """Of real numbers, (re, im) of each frequency: [M·2, places]."""
        waves = columns.waves(places)[: columns.half_length]
        return np.stack([waves.real, waves.imag], 1).reshape(-1, len(places))

    # Frequencies whose mirror images are left out count twice: all but N/2.
    mirrored = 2 * np.arange(columns.half_length) + 1 < columns.length
    weight = np.repeat(np.where(mirrored, 2, 1), 2)[:, None] / (columns.length * rows.length)
    matrices = (
        of_columns(-np.arange(columns.size)),
        of_rows(-np.arange(rows.size), [[1, 1], [1, 0], [0, 1]]),
        of_columns(columns.lags),
        of_rows(rows.lags, [[1, 0], [-1, 1], [1, 1]]),
        # The inverse of a transform is its adjoint.
        of_rows(-rows.origins, [[1, 1], [0, 1], [-1, 0]]).T,
        (weight * of_columns(-columns.origins)).T,
    )
    return tuple(torch.tensor(matrix, device="cpu") for matrix in matrices)
