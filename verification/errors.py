"""Equivariance error, and the budget that says where it comes from.

The error is the paper's

    Δ = ‖L_s Φ(f) − Φ(L_s f)‖² / ‖L_s Φ(f)‖²              (SESN, section 6, "equivariance error")

and the budget splits the error between a fine scale σ and a coarse one sσ for a filter bank:
- sampling: the sum over pixels differs from the integral (aliasing of filters that are narrow
  against a pixel),
- truncation: the basis's own grid cuts off what the whole plane would add.
Each is a difference of differences, taken per response, so that as vectors

    Φ(L_s f) − L_s Φ(f) = sampling + truncation

holds exactly, and √Δ ≤ √sampling + √truncation bounds the error of any layer with these filters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from verification.continuum import HermiteBasis, continuum_responses, pixel_responses
from verification.signals import FloatArray, GaborImage


def equivariance_error(reference: ArrayLike, measured: ArrayLike) -> float:
    """Δ of `measured` against `reference` of the same shape: ‖reference − measured‖²/‖reference‖².

    0 means equivariant; two unrelated responses of equal size give about 2.
    Raises ValueError for different shapes, a value that is not finite, or a reference of zeros.
    """
    a, b = np.asarray(reference, dtype=np.float64), np.asarray(measured, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(
            f"reference of shape {a.shape}, measured of shape {b.shape}: must be equal"
        )
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("reference and measured: must be finite everywhere")
    energy = float((a**2).sum())
    if energy == 0:
        raise ValueError("reference: is zero everywhere, so no relative error exists")
    return float(((a - b) ** 2).sum()) / energy


@dataclass(frozen=True)
class PairBudget:
    """Relative squared errors between two scales, all with the divisor ‖L_s Φ(f)‖².

    fine, coarse: indices of the scales; ratio: s = σ_coarse/σ_fine.
    total: Δ of the filter bank itself; sampling, truncation: its two parts.
    """

    fine: int
    coarse: int
    ratio: float
    total: float
    sampling: float
    truncation: float

    @property
    def bound(self) -> float:
        """What Δ cannot exceed, by the triangle inequality: (√sampling + √truncation)²."""
        return float((np.sqrt(self.sampling) + np.sqrt(self.truncation)) ** 2)

    @property
    def limited_by(self) -> str:
        """The larger part: "sampling" or "truncation"."""
        return "sampling" if self.sampling > self.truncation else "truncation"


def pair_budget(
    basis: HermiteBasis,
    fine: int,
    coarse: int,
    image: GaborImage,
    points: FloatArray,
    coefficients: FloatArray | None = None,
    bias: FloatArray | None = None,
) -> PairBudget:
    """Budget of the pair of scales for an image, probed at points [P, 2] in fine pixels.

    coefficients: [C_out, C, N_b] of the layer to be judged. Without them each basis function is
    one output, which is the expectation over independent random coefficients of equal variance.
    bias: [C_out] of that layer; it cancels in every difference and counts in the divisor alone.

    Raises ValueError for indices that are not two scales in order.
    """
    if not 0 <= fine < coarse < len(basis.scales):
        raise ValueError(
            f"fine={fine!r}, coarse={coarse!r}: must be two of 0 … {len(basis.scales) - 1} in order"
        )
    ratio = basis.scales[coarse] / basis.scales[fine]
    near = _split(basis, fine, image, points, coefficients)
    far = _split(basis, coarse, image.rescaled(ratio), points * ratio, coefficients)
    energy = float(((near.grid + (0.0 if bias is None else bias)) ** 2).sum())
    sampling = (far.plane - far.continuum) - (near.plane - near.continuum)
    truncation = (far.grid - far.plane) - (near.grid - near.plane)
    return PairBudget(
        fine=fine,
        coarse=coarse,
        ratio=ratio,
        total=float(((far.grid - near.grid) ** 2).sum()) / energy,
        sampling=float((sampling**2).sum()) / energy,
        truncation=float((truncation**2).sum()) / energy,
    )


def grid_responses(
    basis: HermiteBasis, scale: int, image: GaborImage, points: FloatArray
) -> FloatArray:
    """What the sampled, cut-off basis answers at points [P, 2]: [P, C, N_b]."""
    size = basis.functions.shape[-1]
    patches = image.sample_around(points, size).numpy().reshape(-1, size * size)
    filters = basis.functions[:, scale].numpy().reshape(-1, size * size)
    return np.asarray(patches @ filters.T).reshape(len(points), image.channels, -1)


@dataclass(frozen=True)
class _Split:
    """Responses of one scale: on its own grid, on all pixels of the plane, in the continuum."""

    grid: FloatArray
    plane: FloatArray
    continuum: FloatArray


def _split(
    basis: HermiteBasis,
    scale: int,
    image: GaborImage,
    points: FloatArray,
    coefficients: FloatArray | None,
) -> _Split:
    parts = [
        measure(basis, scale, image, points)
        for measure in (grid_responses, pixel_responses, continuum_responses)
    ]
    if coefficients is not None:
        parts = [np.einsum("pcb,ocb->po", part, coefficients) for part in parts]
    return _Split(*parts)
