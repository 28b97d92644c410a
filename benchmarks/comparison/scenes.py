"""The images that all methods are shown, and their rescaling: exact, or by kornia.

Scenes are analytic, small enough to lie inside the windows they are seen through, and are rescaled
as functions. Digits are real ones of 8 to 12 pixels in a frame of 28, so that they fit at twice the
size. Photographs are larger patches, rescaled downwards, compared where no border reaches.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.comparison.settings import FRAME
from benchmarks.data import DataSet, unit_range
from benchmarks.theory.photographs import describe_images
from verification.reference.analytic import GaborImage, random_gabor_image
from verification.reference.warps import photographs, rescale

PATCH = 5 * FRAME
"""Side in pixels of a patch of a photograph: sides of 28 times 5 are whole numbers too."""
DIGIT_SCALES = (0.4, 0.6)
SCENE = {"bumps": 6, "extent": 4.0, "widths": (2.5, 5.0), "max_frequency": 0.5}
"""Pixels, and radians per pixel: structure of about the size of a digit's strokes."""


def random_scenes(rng: np.random.Generator, number: int) -> GaborImage:
    """Independent analytic images, one per channel."""
    return random_gabor_image(rng, number, **SCENE)  # type: ignore[arg-type]


def views(scenes: GaborImage, point: tuple[float, float], side: int) -> Tensor:
    """All scenes on a grid around a point: [number, 1, side, side] float32."""
    return scenes.sample(side, point).float()[:, None]


def small_digits(data: DataSet) -> Tensor:
    """The test digits that span 8 to 12 pixels: [N, 1, 28, 28] float32 in [0, 1]."""
    return unit_range(data.test.images[_is_small(data)])


def small_digit_labels(data: DataSet) -> Tensor:
    """Labels of `small_digits`: [N]."""
    return data.test.labels[_is_small(data)]


def _is_small(data: DataSet) -> Tensor:
    if data.test.scales is None:
        raise ValueError(f"data={data.name!r}: must know the true scale of every image")
    low, high = DIGIT_SCALES
    return (data.test.scales >= low) & (data.test.scales <= high)


def in_frame(images: Tensor, side: int) -> Tensor:
    """Pads with 0 or crops around the centre: [B, C, n, n] -> [B, C, side, side], n − side even."""
    margin = (side - images.shape[-1]) // 2
    return F.pad(images, [margin] * 4)


def rescaled_in_frame(images: Tensor, side: int) -> Tensor:
    """Rescaled to `side` pixels by kornia, in a frame of its old size: [B, C, n, n] -> the same."""
    return in_frame(rescale(images, side).image, images.shape[-1])


def images_identity(data: DataSet) -> dict[str, str]:
    """Names and hash of the real images, for a record."""
    name, own = f"{data.name} and photographs", np.bytes_(data.content_hash)
    return describe_images(name, [own, *(photograph.numpy() for photograph in photographs())])


def choose(rng: np.random.Generator, images: Tensor, number: int) -> Tensor:
    """Random images without repetition: [N, 1, H, W] -> [min(number, N), 1, H, W]."""
    order = rng.permutation(len(images))[:number]
    return images[torch.from_numpy(order)]
