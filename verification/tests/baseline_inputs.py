"""Inputs and distances for the tests of the compared methods' promises."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from verification.reference.analytic import GaborImage, random_gabor_image

EXACT = 1e-12
"""Relative error that float64 rounding of sums explains."""


def noise(*shape: int, seed: int) -> Tensor:
    """White noise, [*shape] float64."""
    return torch.randn(
        shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )  # fmt: skip


def relative_error(actual: Tensor, expected: Tensor) -> float:
    """Norm of the difference over that of what was expected."""
    return float((actual - expected).detach().norm() / expected.detach().norm())


def centre(y: Tensor) -> Tensor:
    """Value at the centre pixel: [..., H, W] -> [...]."""
    return y[..., y.shape[-2] // 2, y.shape[-1] // 2]


def smooth_image(seed: int) -> GaborImage:
    """Three channels without detail below some 12 pixels."""
    rng = np.random.default_rng(seed)
    return random_gabor_image(rng, channels=3, widths=(4.0, 10.0), max_frequency=0.25)


def step_error(responses: Tensor, of_enlarged: Tensor, step: int) -> float:
    """Distance of neighbouring scales, [..., S] each, when all move by `step`."""
    if step < 0:
        return relative_error(of_enlarged[..., :step], responses[..., -step:])
    return relative_error(of_enlarged[..., step:], responses[..., : responses.shape[-1] - step])
