"""The floor of an equivariance error: filters that follow the image, and are nowhere cut off.

A method's maximum over a finite scale axis changes with the image, because the axis ends. The floor
has no such end: it meets f with filters of scale σ and L_s f with the same filters at scale sσ. By
the theorem the responses are equal, so what is left is the error of the measurement itself: with
the exact probe the pixels' (nearly nothing), on raster images the resampling's.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.polynomial.hermite_e import hermeval
from torch import Tensor

from verification.reference.analytic import FloatArray

ORDERS = 4
CHANNELS = 16
SMALLEST_SCALE = 1.7
"""Pixels: the finest scale of SESN, wide enough for orders up to 3 on a pixel grid."""


class HermiteFilters:
    """Random combinations of Hermite functions at one scale: [B, 1, n, n] -> [B, C, n, n].

        ψ_σ(t) = Σ_{i,j<4} w_ij σ⁻² h_i(y/σ) h_j(x/σ),     h_i(u) = He_i(u) exp(−u²/2)/√i!

    Every pixel of the image meets every filter, however far away; outside the image is 0. The
    response is rectified. seed: of the weights, normal; scale: σ in pixels.
    """

    def __init__(self, seed: int, scale: float) -> None:
        self.weight = np.random.default_rng(seed).standard_normal((CHANNELS, ORDERS, ORDERS))
        self.scale = scale

    def __call__(self, x: Tensor) -> Tensor:
        """[B, 1, n, n] -> [B, C, n, n] float64, at least 0."""
        axis = torch.from_numpy(self._axis_responses(x.shape[-1]))  # [orders, n, n]
        weight = torch.from_numpy(self.weight)
        along_rows = axis @ x.double()  # [B, orders, n, n]
        both = along_rows[:, :, None] @ axis.mT  # [B, orders, orders, n, n]
        return torch.einsum("cij,bijyx->bcyx", weight, both).relu()

    def _axis_responses(self, size: int) -> FloatArray:
        """What each pixel gives to each response, for each order: [orders, size, size]."""
        pixels = np.arange(size)
        distance = (pixels - pixels[:, None]) / self.scale
        envelope = np.exp(-(distance**2) / 2) / self.scale
        return np.stack([
            hermeval(distance, [0.0] * order + [1.0]) * envelope / math.sqrt(math.factorial(order))
            for order in range(ORDERS)
        ])  # fmt: skip


def floor_responses(seed: int, factor: float) -> tuple[HermiteFilters, HermiteFilters]:
    """The responses to f and to L_s f; the finer of their two scales is `SMALLEST_SCALE`."""
    scale = SMALLEST_SCALE / min(1.0, factor)
    return HermiteFilters(seed, scale), HermiteFilters(seed, scale * factor)
