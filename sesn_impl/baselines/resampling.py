"""Resizing as linear maps: interpolation matrices, one for each axis.

Resizing an image is A x Bᵀ with one matrix for its rows and one for its columns. As matrices, the
resizing, cropping and padding that a method strings together become one product, rows that nobody
reads can be left out, and on a CPU the product is faster than the interpolation itself.

Convention: unit impulses resized by torch's own linear interpolation, in float64. Aligned corners
map the first and last pixel centres onto each other; otherwise pixel i of n covers
[i/n, (i+1)/n] (half-pixel centres). No antialiasing, in either direction.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def linear_matrix(size_in: int, size_out: int, align_corners: bool) -> Tensor:
    """Linear interpolation of `size_in` samples at `size_out` places: [size_out, size_in]."""
    impulses = torch.eye(size_in, dtype=torch.float64)[None]
    return F.interpolate(impulses, size_out, mode="linear", align_corners=align_corners)[0].T


def centred(matrix: Tensor, size: int) -> Tensor:
    """[n, m] -> [size, m]: rows cropped, or padded with zeros, around the centre.

    An odd difference leaves the extra row behind (padding) or takes it in front (cropping).
    """
    before = (size - matrix.shape[0]) // 2
    return F.pad(matrix, (0, 0, before, size - matrix.shape[0] - before))
