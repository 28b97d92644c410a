"""Scenes: several analytic objects in one image, each rescaled about its own centre.

An object is a Gabor image about the origin. In the scene object j stands at a place p_j and is
seen q^k_j times as large as by itself, q the ratio of a geometric scale grid and k_j its own whole
number of steps. What lies at offset u of the unscaled object lies at p_j + q^k_j·u in the scene.

Convention: coordinates are (row, column) in pixels; all is in closed form, nothing is resampled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from verification.layer.probe import Probe
from verification.layer.targets import Target
from verification.reference.analytic import FloatArray, GaborImage, random_gabor_image

_BUMP_REACH = 9.0
"""In envelope widths: beyond it a bump is below 3e-18 of its peak, lost in float64 rounding."""

_GRID_ROUNDING = 0.01
"""In pixels: published grids give σ to two decimals, at both ends as well."""


@dataclass(frozen=True, eq=False)
class Scene:
    """J objects in one image, and P points of each at which the layer is asked.

    shapes: each object by itself, about the origin; places: [J, 2]; steps: k_j of each object;
    offsets: [J, P, 2], points of the unscaled objects; ratio: q, above 1.
    """

    shapes: tuple[GaborImage, ...]
    places: FloatArray
    steps: tuple[int, ...]
    offsets: FloatArray
    ratio: float

    @property
    def factors(self) -> FloatArray:
        """q^k_j of each object: [J]."""
        return np.asarray(self.ratio ** np.asarray(self.steps, dtype=np.float64))

    @property
    def probe(self) -> Probe:
        """The whole scene as one image, with the J·P points of all objects in order."""
        objects = zip(self.shapes, self.factors, self.places, strict=True)
        image = superpose([shape.rescaled(s).shifted((p[0], p[1])) for shape, s, p in objects])
        points = self.places[:, None] + self.factors[:, None, None] * self.offsets
        return Probe((image,), points.reshape(-1, 2), ())

    @property
    def unscaled(self) -> Scene:
        """The same objects at the same places, none of them rescaled."""
        return replace(self, steps=(0,) * len(self.steps))

    @property
    def point_steps(self) -> NDArray[np.int64]:
        """The k_j of each of the J·P points: [J·P]."""
        return np.repeat(np.asarray(self.steps, dtype=np.int64), self.offsets.shape[1])

    def alone(self, index: int) -> Scene:
        """The scene with one object only, the others taken away."""
        chosen = slice(index, index + 1)
        return Scene(
            self.shapes[chosen],
            self.places[chosen],
            self.steps[chosen],
            self.offsets[chosen],
            self.ratio,
        )


def superpose(images: list[GaborImage]) -> GaborImage:
    """The sum of images with equal numbers of channels, as one image."""
    return GaborImage(
        *(
            np.concatenate([getattr(image, name) for image in images], axis=1)
            for name in ("amplitudes", "centres", "widths", "frequencies", "phases")
        )
    )


def grid_ratio(scales: tuple[float, ...]) -> float:
    """The ratio q of a geometric grid of scales that may have been rounded to two decimals.

    Raises ValueError for fewer than two scales or a grid that is not geometric.
    """
    if len(scales) >= 2:
        ratio = float((scales[-1] / scales[0]) ** (1 / (len(scales) - 1)))
        ideal = [scales[0] * ratio**i for i in range(len(scales))]
        if np.allclose(scales, ideal, rtol=0, atol=_GRID_ROUNDING):
            return ratio
    raise ValueError(f"scales={scales!r}: must be a geometric grid of two or more")


def random_scene(
    target: Target,
    seed: int,
    steps: tuple[int, ...],
    points: int = 4,
    bumps: int = 3,
    widths: tuple[float, float] = (3.0, 8.0),
    max_frequency: float = 0.5,
) -> Scene:
    """A scene that fits the target, one object for each of `steps`, too far apart to touch.

    widths, max_frequency: of each object at the smaller of its two appearances, as in
    `analytic.random_gabor_image`, so that neither is sampled more coarsely than asked for.

    Raises ValueError for no object, steps that leave the scale range altogether, a target that
    does not lift, or scales that are not a geometric grid.
    """
    if not target.lifts:
        raise ValueError(f"target {target.name}: must lift images, a scene is one image")
    last = len(target.scales) - 1
    if not steps or any(abs(step) > last for step in steps):
        raise ValueError(f"steps={steps!r}: must be one or more integers from {-last} to {last}")
    ratio = grid_ratio(target.scales)
    rng = np.random.default_rng(seed)
    extent = 4.0
    shapes, offsets = [], []
    for step in steps:
        enlarged = ratio ** max(0, -step)
        smaller = random_gabor_image(rng, target.in_channels, bumps, extent, widths, max_frequency)
        shapes.append(smaller.rescaled(enlarged))
        offsets.append(rng.uniform(-extent, extent, (points, 2)) * enlarged)
    # No bump of one object may reach into the window around a point of another.
    largest = ratio ** max(abs(step) for step in steps)
    bump_reach = largest * (extent * math.sqrt(2) + _BUMP_REACH * widths[1])
    window_reach = math.sqrt(2) * (target.window / 2 + largest * extent)
    direction = rng.uniform(0, 2 * np.pi)
    line = np.arange(len(steps))[:, None] * (bump_reach + window_reach)
    places = line * [np.sin(direction), np.cos(direction)] + rng.uniform(-0.5, 0.5, 2)
    return Scene(tuple(shapes), places, tuple(steps), np.stack(offsets), ratio)
