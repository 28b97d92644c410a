"""Rescaling of raster images by kornia, with the pixels at which the result can be trusted.

Convention: images [B, C, H, W], values in any unit; align_corners=False, so pixel i of n covers
[i, i+1) and its centre lies at i + ½; rescaling keeps the corner of the image fixed. The ratio is
out/in, and it is the realised one: integer sides are drawn first. When shrinking, kornia blurs by
a Gaussian of σ = (1/ratio − 1)/2 input pixels, then interpolates bicubically; what that does to a
plane wave is known in closed form, which the tests compare with.

A shift moves the image by whole pixels before it is rescaled, and by shift·ratio after it. Only
shifts for which that is a whole number too are admitted, so that moving is exact on both sides.
What leaves the image comes in at its other side, and the mask leaves it out.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

WARP = "kornia resize, bicubic, antialias, align_corners=False"
"""How images are rescaled, as records say it."""
PHOTOGRAPHS = ("china.jpg", "flower.jpg")
LEAST_SIGMA = 1e-3  # pixels, of the antialiasing blur
_AXES = (-2, -1)


@dataclass(frozen=True)
class Warped:
    """A rescaled image [B, C, side, side], and the realised ratio out/in."""

    image: Tensor
    ratio: float


@dataclass(frozen=True)
class Warp:
    """A shift, then a rescaling, of images [B, C, n, n] to [B, C, *sides].

    size: n; sides: (rows, columns) of the result; shift: (rows, columns) in pixels of the input.
    Raises ValueError for sizes below 1 or a shift that is no whole number of pixels afterwards.
    """

    size: int
    sides: tuple[int, int]
    shift: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        if min(self.size, *self.sides) < 1:
            raise ValueError(f"size={self.size!r}, sides={self.sides!r}: must be at least 1 pixel")
        if any(d * m % self.size for d, m in zip(self.shift, self.sides, strict=True)):
            raise ValueError(
                f"shift={self.shift!r}: must stay whole when {self.size} pixels become {self.sides}"
            )

    @property
    def ratios(self) -> tuple[float, float]:
        """out/in of rows and columns."""
        return self.sides[0] / self.size, self.sides[1] / self.size

    @property
    def ratio(self) -> float:
        """out/in; for unequal sides their geometric mean, which keeps the area."""
        rows, columns = self.ratios
        return rows if rows == columns else math.sqrt(rows * columns)

    @property
    def realised_shift(self) -> tuple[int, int]:
        """The shift in pixels of the result."""
        rows, columns = (d * m // self.size for d, m in zip(self.shift, self.sides, strict=True))
        return rows, columns

    def __call__(self, image: Tensor) -> Tensor:
        """Shifts, then rescales: [B, C, n, n] -> [B, C, *sides]. ValueError for another size."""
        return self._resized(image.roll(self.shift, _AXES))

    def of_response(self, response: Tensor) -> Tensor:
        """The same in the other order: rescales, then shifts by what that has become."""
        return self._resized(response).roll(self.realised_shift, _AXES)

    def mask(self, after: int, before: int) -> Tensor:
        """True at the pixels that neither border nor wrap-around may have touched: [*sides].

        after, before: odd sides of the windows of a layer that is used after the warp, on its
        result, and of one that is used before it. Raises ValueError if no pixel is left.
        """
        inside = torch.zeros(self.sides, dtype=torch.bool)
        blurs = min(self.sides) < self.size
        kept = []
        for side, ratio, moved in zip(self.sides, self.ratios, self.realised_shift, strict=True):
            margin = valid_margin(ratio, after, before, blurs)
            first, stop = margin + max(0, moved), side - margin + min(0, moved)
            if first >= stop:
                raise ValueError(f"margin={margin!r}, shift={moved!r}: leave no pixel of {side}")
            kept.append(slice(first, stop))
        inside[kept[0], kept[1]] = True
        return inside

    def _resized(self, image: Tensor) -> Tensor:
        if image.ndim != 4 or image.shape[-2:] != (self.size, self.size):
            raise ValueError(
                f"image of shape {tuple(image.shape)}: must be square, [B, C, n, n], n={self.size}"
            )
        from kornia.geometry.transform import resize  # noqa: PLC0415 (not on every GPU node)

        resized: Tensor = resize(
            image, self.sides, interpolation="bicubic", align_corners=False, antialias=True
        )
        return resized


def rescale(image: Tensor, side: int) -> Warped:
    """Rescales square images [B, C, n, n] to [B, C, side, side], antialiased when shrinking.

    Raises ValueError for images that are not square or a side below 1.
    """
    warp = Warp(image.shape[-1], (side, side))
    return Warped(warp(image), warp.ratio)


def valid_margin(ratio: float, after: int, before: int, blurs: bool | None = None) -> int:
    """Pixels at each side of the output that a border may have touched, in either order.

    ratio: out/in of this axis; after, before: odd sides in pixels of the windows of the layer used
    after the warp, on its output, and of the one used before it, on its input; blurs: whether the
    warp antialiases, by default if this axis shrinks. The margin is the smallest possible, except
    where an output pixel falls exactly onto an input pixel.
    """
    # Output pixel i reads the input from x − 2 on, x = (i + ½)/ratio − ½, and the blur further.
    reach = 1.5 + blur_reach(ratio, ratio < 1 if blurs is None else blurs)

    def first_clean(border: int) -> int:
        # Next to a whole number rounding decides what is read: one pixel more is safe.
        return math.ceil(ratio * (border + reach) - 0.5 + 1e-9)

    return max(0, first_clean(before // 2), first_clean(0) + after // 2)


def blur_reach(ratio: float, blurs: bool) -> int:
    """Pixels on each side that the antialiasing blur reads along one axis."""
    if not blurs:
        return 0
    taps = int(max(2.0 * 2 * max((1 / ratio - 1) / 2, LEAST_SIGMA), 3))
    return taps // 2


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
    from sklearn.datasets import load_sample_image  # noqa: PLC0415 (not on every GPU node)

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
