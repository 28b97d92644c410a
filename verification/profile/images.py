"""Images in pairs: as they are, and rescaled or moved, each sampled anew or warped; and how fast.

Convention: images [N, C, H, H] about their centre (H − 1)/2, of mean 0 and mean square 1 per image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from verification.profile.actions import Action
from verification.reference.analytic import GaborImage, random_gabor_image
from verification.reference.warps import Warp, photographs, random_patches

_BUMPS_PER_PIXEL = 0.02
_MOST_BUMPS = 200
_WIDTHS = (2.5, 8.0)
_BEYOND = 1.3
"""So far beyond the frame there are bumps, in half sides: what comes in when the image shrinks."""


@dataclass(frozen=True)
class Pair:
    """N images, the same N acted on [N, C, H, H], and the realised amount of the action."""

    images: Tensor
    acted: Tensor
    amount: float


def analytic_images(side: int, channels: int, count: int, seed: int) -> list[GaborImage]:
    """Random images that fill a frame of `side` pixels and go on beyond it, of mean square 1."""
    rng = np.random.default_rng(seed)
    extent = _BEYOND * side / 2
    bumps = int(min(max(12, _BUMPS_PER_PIXEL * (2 * extent) ** 2), _MOST_BUMPS))
    widest = max(_WIDTHS[1], side / 12)
    found = []
    for _ in range(count):
        image = random_gabor_image(rng, channels, bumps, extent, (_WIDTHS[0], widest))
        size = float(sampled(image, side).square().mean().sqrt())
        found.append(replace(image, amplitudes=image.amplitudes / size))
    return found


def sampled(image: GaborImage, side: int) -> Tensor:
    """The frame about the origin: [C, H, H] float64."""
    middle = _middle(side)
    return image.sample(side, (middle, middle))


def velocity(image: GaborImage, side: int, action: Action) -> Tensor:
    """d/dε of the image acted on by ε, at 0, in closed form: [C, H, H] float64.

    −t·∇f for rescaling and −v·∇f for translation; a bump's gradient is its value times
    iω − (t − c)/w², before the real part is taken.
    """
    coordinates = np.arange(side, dtype=np.float64) - side // 2 + _middle(side)
    values, changes = [], []
    for axis, along in enumerate(action.direction):
        factor = image.axis_factor(axis, coordinates[None])[0]  # [C, K, H]
        distance = coordinates - image.centres[..., axis, None]
        slope = 1j * image.frequencies[..., axis, None] - distance / image.widths[..., None] ** 2
        speed = coordinates if action.kind == "rescaling" else np.full(side, along)
        values.append(factor)
        changes.append(-speed * slope * factor)
    weights = (image.amplitudes * np.exp(1j * image.phases))[..., None]
    by_rows = np.swapaxes(weights * changes[0], -1, -2) @ values[1]
    by_columns = np.swapaxes(weights * values[0], -1, -2) @ changes[1]
    return torch.from_numpy(np.real(by_rows + by_columns).copy())


def analytic_pair(images: list[GaborImage], side: int, action: Action, amount: float) -> Pair:
    """The images, and what they become, both sampled exactly."""
    if action.kind == "rescaling":
        acted = [image.rescaled(math.exp(amount)) for image in images]
    else:
        rows, columns = action.direction
        acted = [image.shifted((amount * rows, amount * columns)) for image in images]
    first, second = (torch.stack([sampled(i, side) for i in each]) for each in (images, acted))
    return Pair(first, second, amount)


def raster_pair(side: int, channels: int, count: int, seed: int, amount: float) -> Pair:
    """Patches of photographs, grey, and the same rescaled about their centre by `signals.warps`.

    The ratio is the realised one: that of whole sides, both even or both odd, next to exp(amount).
    Raises ValueError for patches larger than the photographs, or a ratio that side has none for.
    """
    ratio = math.exp(amount)
    source = max(side, side + 2 * round((side / ratio - side) / 2))
    cut = side + 2 * round((side / ratio - side) / 2) if ratio > 1 else source
    height = min(len(photograph) for photograph in photographs())
    if source > height or cut < 1 or cut == side:
        raise ValueError(
            f"factor={ratio:g} at {side} pixels: needs photographs of {source} pixels, at most "
            f"{height}, rescaled from {cut} to {side}"
        )
    patches = random_patches(np.random.default_rng(seed), count, source)
    acted = Warp(cut, (side, side))(_centre(patches, cut))
    images = _centre(patches, side)
    level = images.mean((1, 2, 3), keepdim=True)
    size = (images - level).square().mean((1, 2, 3), keepdim=True).sqrt()
    first, second = (((x - level) / size).repeat(1, channels, 1, 1) for x in (images, acted))
    return Pair(first, second, math.log(side / cut))


def _centre(images: Tensor, side: int) -> Tensor:
    first = (images.shape[-1] - side) // 2
    return images[..., first : first + side, first : first + side]


def _middle(side: int) -> float:
    """What `GaborImage.sample` calls the centre of a frame that is centred on the origin."""
    return side // 2 - (side - 1) / 2


def stacked(images: list[GaborImage], side: int) -> Tensor:
    """[N, C, H, H] float64."""
    return torch.stack([sampled(image, side) for image in images])
