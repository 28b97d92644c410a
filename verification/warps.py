"""Rescaling of raster images by kornia, with the pixels at which the result can be trusted.

Convention: images [B, C, H, W], values in any unit; align_corners=False, so pixel i of n covers
[i, i+1) and its centre lies at i + ½; rescaling keeps the corner of the image fixed. The ratio is
out/in, and it is the realised one: the integer side is drawn first. When shrinking, kornia blurs by
a Gaussian of σ = (1/ratio − 1)/2 input pixels, then interpolates bicubically.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import torch
from kornia.geometry.transform import resize
from sklearn.datasets import load_sample_image
from torch import Tensor

PHOTOGRAPHS = ("china.jpg", "flower.jpg")
_CUBIC_REACH = 2
"""Pixels on each side that bicubic interpolation reads."""


@dataclass(frozen=True)
class Warped:
    """A rescaled image [B, C, side, side], and the realised ratio out/in."""

    image: Tensor
    ratio: float


def rescale(image: Tensor, side: int) -> Warped:
    """Rescales square images [B, C, n, n] to [B, C, side, side], antialiased when shrinking.

    Raises ValueError for images that are not square or a side below 1.
    """
    if image.ndim != 4 or image.shape[-1] != image.shape[-2]:
        raise ValueError(f"image of shape {tuple(image.shape)}: must be square, [B, C, n, n]")
    if side < 1:
        raise ValueError(f"side={side!r}: must be at least 1 pixel")
    size = image.shape[-1]
    resized = resize(
        image, (side, side), interpolation="bicubic", align_corners=False, antialias=True
    )
    return Warped(resized, side / size)


def valid_margin(ratio: float, window: int) -> int:
    """Pixels at each side of the output that a border may have touched.

    ratio: out/in of the warp; window: odd side in pixels of the layer's receptive field, which
    counts in the output (layer after warp) and, shrunk, in the input (warp after layer).
    """
    blur_reach = max(0.0, 1 / ratio - 1)  # kornia cuts its Gaussian at two standard deviations
    before = (window // 2 + blur_reach + _CUBIC_REACH + 1) * ratio
    return math.ceil(max(before, window // 2 + _CUBIC_REACH + blur_reach * ratio)) + 1


def valid_mask(side: int, margin: int) -> Tensor:
    """True at least `margin` pixels away from every side: [side, side].

    Raises ValueError if no pixel is left.
    """
    if 2 * margin >= side:
        raise ValueError(f"margin={margin!r}: must be below half of side={side}")
    inside = torch.zeros(side, side, dtype=torch.bool)
    inside[margin : side - margin, margin : side - margin] = True
    return inside


@functools.cache
def photographs() -> tuple[Tensor, ...]:
    """scikit-learn's two bundled photographs, grey, in [0, 1]: each [427, 640] float64."""
    weights = np.array([0.299, 0.587, 0.114])  # luma of ITU-R BT.601
    images = (load_sample_image(name) / 255.0 @ weights for name in PHOTOGRAPHS)
    return tuple(torch.from_numpy(image) for image in images)


def random_patches(rng: np.random.Generator, count: int, side: int) -> Tensor:
    """Square patches of the photographs, each of mean 0: [count, 1, side, side] float64.

    Without its mean a patch is structure alone; a large constant would drown every error.
    Raises ValueError for a side above 427 pixels or counts below 1.
    """
    height = min(image.shape[0] for image in photographs())
    if not 1 <= side <= height:
        raise ValueError(f"side={side!r}: must be from 1 to {height} pixels")
    if count < 1:
        raise ValueError(f"count={count!r}: must be at least 1")
    patches = []
    for _ in range(count):
        image = photographs()[rng.integers(len(PHOTOGRAPHS))]
        row = rng.integers(image.shape[0] - side + 1)
        column = rng.integers(image.shape[1] - side + 1)
        patch = image[row : row + side, column : column + side]
        patches.append(patch - patch.mean())
    return torch.stack(patches)[:, None]
