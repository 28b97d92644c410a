"""The equivariance error of whole responses on rescaled photographs.

A response to a patch f is rescaled, all channels alike, and compared with the response to the
rescaled patch, `steps` scales lower. kornia rescales both: bicubic, antialiased,
align_corners=False.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from verification.reference.errors import equivariance_error
from verification.reference.warps import rescale


@dataclass(frozen=True)
class Compared:
    """Responses to be compared: [B, C, S, m, m] float64 both; `expected` was rescaled."""

    expected: Tensor
    found: Tensor

    @property
    def whole(self) -> float:
        """Δ over all pixels, those that padding reaches as well."""
        return equivariance_error(self.expected, self.found)

    def interior(self, margin: int) -> float:
        """Δ at least `margin` pixels away from every side. Raises ValueError if none is left."""
        return self.cropped(margin).whole

    @property
    def centred(self) -> float:
        """Δ of what varies over the image: each channel and scale less its mean over pixels.

        The mean of a response changes little under rescaling: a large one hides every error.
        """
        return equivariance_error(_less_mean(self.expected), _less_mean(self.found))

    def cropped(self, margin: int) -> Compared:
        """Both without `margin` pixels at every side. Raises ValueError if none is left."""
        side = self.expected.shape[-1]
        if not 0 <= 2 * margin < side:
            raise ValueError(f"margin={margin!r}: must be from 0 to below half of side={side}")
        kept = slice(margin, side - margin)
        return Compared(self.expected[..., kept, kept], self.found[..., kept, kept])


def after_rescaling(large: Tensor, small: Tensor) -> Compared:
    """Rescales `large` [B, C, S, n, n] to the side of `small` [B, C, S, m, m]."""
    flat = large.double().flatten(1, 2)
    expected = rescale(flat, small.shape[-1]).image.view(*large.shape[:3], *small.shape[-2:])
    return Compared(expected, small.double())


def neighbours(large: Tensor, small: Tensor, pairs: int | None = None) -> Compared:
    """Scale i+1 of `large` against scale i of `small`, which shows the same, one step smaller.

    pairs: how many, from the finest on; all S − 1 if not given.
    """
    last = large.shape[2] - 1 if pairs is None else pairs
    return after_rescaling(large[:, :, 1 : last + 1], small[:, :, :last])


def fixed_scale(large: Tensor, small: Tensor) -> Compared:
    """The same scale of both, as a plain convolution uses its filters: the ceiling."""
    return after_rescaling(large[:, :, 1:], small[:, :, 1:])


def _less_mean(response: Tensor) -> Tensor:
    return response - torch.mean(response, dim=(-1, -2), keepdim=True)
