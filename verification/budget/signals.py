"""Signals to predict an error on, and the prediction: the size of an error depends on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from verification.budget.filters import pair_budget
from verification.budget.parts import PairBudget, mean_budget
from verification.reference.analytic import FloatArray, GaborImage, random_gabor_image
from verification.reference.continuum import HermiteBasis

Draw = tuple[GaborImage, FloatArray]
"""An image and the points [P, 2] at which it is looked at, in pixels of the finer scale."""


@dataclass(frozen=True)
class SignalKind:
    """Random images as in `analytic.random_gabor_image`, and points within ± extent pixels.

    widths: of the bumps, in pixels; max_frequency: radians per pixel.
    """

    widths: tuple[float, float] = (2.0, 8.0)
    max_frequency: float = 0.5
    channels: int = 8
    bumps: int = 6
    extent: float = 4.0
    points: int = 16

    def draw(self, rng: np.random.Generator) -> Draw:
        """One image and its points."""
        image = random_gabor_image(
            rng, self.channels, self.bumps, self.extent, self.widths, self.max_frequency
        )
        return image, rng.uniform(-self.extent, self.extent, (self.points, 2))

    def draws(self, count: int, seed: int = 0) -> list[Draw]:
        """Several, from a seed. Raises ValueError for a count below 1 or a negative seed."""
        if count < 1:
            raise ValueError(f"count={count!r}: must be at least 1")
        if seed < 0:
            raise ValueError(f"seed={seed!r}: must be at least 0")
        return [self.draw(np.random.default_rng([seed, index])) for index in range(count)]


SIGNALS = {
    "smooth": SignalKind(),
    "strokes": SignalKind((1.5, 5.0), 1.0),
    "fine": SignalKind((1.0, 3.0), 1.5),
}
"""From smooth to rough; "smooth" has about the frequencies of a digit's strokes."""


def predict_budgets(basis: HermiteBasis, draws: Sequence[Draw]) -> list[PairBudget]:
    """The budget of every pair of neighbouring scales, as the mean over draws; no layer is run.

    Raises ValueError for a basis of one scale.
    """
    if len(basis.scales) < 2:
        raise ValueError(f"scales={tuple(basis.scales)!r}: must be two or more to be compared")
    return [
        mean_budget([pair_budget(basis, fine, fine + 1, *draw) for draw in draws])
        for fine in range(len(basis.scales) - 1)
    ]
