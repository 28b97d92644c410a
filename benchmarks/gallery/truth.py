"""An exact probe of scale-equivariance that shares nothing with the judge it is held against.

An image is a sum of Gabor functions in closed form, so its copy f(x/s) is sampled, never resampled.
The answer at the centre pixel of a window around s·p must be that for the window around p. A layer
of the gallery is a family whose widths can grow: what is due to sampling and cut-off falls towards
zero with them, what is wrong with the construction stays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.gallery.entry import Entry, Layer, Truth, centres

EXACT = 1e-18
"""Relative squared error up to which a layer is exact in float64."""
SMALL = 2e-3
"""Relative squared error that a family may have left at the finest sampling."""
TINY = 1e-4
"""Relative squared error that shows by itself that no mistake of construction is left."""
FALLING = 0.25
"""Share of its first error that a family must fall below."""
_POINTS, _WAVES = 6, 8

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class GaborImage:
    """f(x) = Σ a exp(−|x − c|²/2w²) cos(ω·(x − c) + φ), lengths in pixels.

    centres [N, 2], widths [N], frequencies [N, 2], phases [N], amplitudes [N].
    """

    centres: FloatArray
    widths: FloatArray
    frequencies: FloatArray
    phases: FloatArray
    amplitudes: FloatArray

    @classmethod
    def random(cls, rng: np.random.Generator, unit: float) -> GaborImage:
        """Structures from the size of `unit` pixels to four times that."""
        angle = rng.uniform(0, 2 * np.pi, _WAVES)
        frequency = rng.uniform(0.0, 0.8, _WAVES) / unit
        return cls(
            rng.uniform(-6, 6, (_WAVES, 2)) * unit,
            rng.uniform(1.0, 4.0, _WAVES) * unit,
            frequency[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1),
            rng.uniform(0, 2 * np.pi, _WAVES),
            rng.standard_normal(_WAVES),
        )

    def around(self, points: FloatArray, side: int, stretch: float) -> FloatArray:
        """f(x/stretch) on the pixels of a square around stretch·p: [P, side, side]."""
        offsets = np.arange(side) - side // 2
        rows = points[:, 0, None] + offsets / stretch  # [P, side]
        columns = points[:, 1, None] + offsets / stretch
        total = np.zeros((len(points), side, side))
        for centre, width, frequency, phase, amplitude in zip(
            self.centres, self.widths, self.frequencies, self.phases, self.amplitudes, strict=True
        ):
            y, x = rows - centre[0], columns - centre[1]
            # cos(a + b) by parts, each of one axis.
            wave_y = np.exp(-(y**2) / (2 * width**2) + 1j * (frequency[0] * y + phase))
            wave_x = np.exp(-(x**2) / (2 * width**2) + 1j * frequency[1] * x)
            total += amplitude * (wave_y[:, :, None] * wave_x[:, None, :]).real
        return total


@dataclass(frozen=True)
class Confirmation:
    """What the probe found: the error at each fineness, and whether the truth agrees with it."""

    truth: Truth
    errors: tuple[float, ...]

    @property
    def agrees(self) -> bool:
        """Whether the errors are those of a family of this truth."""
        first, last = self.errors[0], self.errors[-1]
        if self.truth is Truth.EXACT:
            return max(self.errors) <= EXACT
        if self.truth is Truth.EQUIVARIANT:
            return last <= TINY or (last <= SMALL and last <= FALLING * first)
        return last > SMALL / 4 and (last > FALLING * first or len(self.errors) == 1)


def confirm(entry: Entry, seed: int = 0) -> Confirmation:
    """Measure the family as it is, and with all widths multiplied by its largest fineness."""
    chosen = sorted({1, entry.finest})
    return Confirmation(entry.truth, tuple(error(entry, seed, each) for each in chosen))


def error(entry: Entry, seed: int, fineness: int) -> float:
    """Relative squared error of the worst pair of scales, of the part that varies.

    0 where the answers do not vary at all. Pairs: neighbours, and the first with the last; an
    output without a scale axis is held against itself.
    """
    layer = entry.make(seed, fineness)
    last = len(entry.scales) - entry.extent + 1
    pairs = [(i, i + 1) for i in range(last - 1)]
    if last > 2:
        pairs.append((0, last - 1))
    return max(_pair_error(entry, layer, seed, fineness, *pair) for pair in pairs)


def _pair_error(
    entry: Entry, layer: Layer, seed: int, fineness: int, fine: int, coarse: int
) -> float:
    stretch = entry.scales[coarse] / entry.scales[fine]
    near_index, far_index = (0, 0) if entry.layout == "map" else (fine, coarse)
    near = _answers(entry, layer, seed, fineness, 1.0, 0)[..., near_index]
    far = _answers(entry, layer, seed, fineness, stretch, coarse - fine)[..., far_index]
    varying = float(((near - near.mean(axis=0)) ** 2).sum())
    difference = float(((near - far) ** 2).sum())
    scale = float((near**2).sum() + (far**2).sum())
    if difference <= EXACT * scale:
        return 0.0
    return difference / varying if varying > 1e-24 * scale else 1.0


def _answers(
    entry: Entry, layer: Layer, seed: int, fineness: int, stretch: float, steps: int
) -> FloatArray:
    """[P, C, S] around the points, of the function that is rescaled in space and moved in scale."""
    rng = np.random.default_rng([seed, 17])
    unit = entry.unit * fineness
    points = rng.uniform(-5, 5, (_POINTS, 2)) * unit
    count = 1 if entry.lifts else 2 * len(entry.scales) + 1
    images = [[GaborImage.random(rng, unit) for _ in range(count)] for _ in range(entry.channels)]
    side = 2 * int(np.ceil(entry.reach * fineness)) + 1
    chosen = (
        [0] if entry.lifts else [len(entry.scales) + i - steps for i in range(len(entry.scales))]
    )
    sampled = np.stack(
        [
            np.stack([channel[i].around(points, side, stretch) for i in chosen], axis=1)
            for channel in images
        ],
        axis=1,
    )  # [P, C, S, side, side]
    x = torch.from_numpy(sampled[:, :, 0] if entry.lifts else sampled)
    with torch.no_grad():
        answers: Tensor = centres(entry, layer, x.to(_dtype_of(layer))).double()
    return answers.numpy()


def _dtype_of(layer: Layer) -> torch.dtype:
    for tensor in (*getattr(layer, "parameters", tuple)(), *getattr(layer, "buffers", tuple)()):
        if tensor.is_floating_point():
            return torch.float64 if tensor.dtype == torch.float64 else torch.float32
    return torch.float64
