"""Bases that the later literature compares with Hermite-Gaussian ones, for the same layers.

Products of B-splines, and Fourier-Bessel functions on a disc: sampled on the supports of the
published bases and normalised like them. Both end where the support ends, so that nothing is cut
off at any scale; what is left of the error is that of sampling.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sesn_impl.arguments import check_at_least, check_scales
from sesn_impl.basis import FloatArray, SteerableBasis, sample_basis

_ANGLES = np.arange(256) * (2 * np.pi / 256)
"""Where Bessel's integral is sampled: exact to rounding while order + argument are below 200."""


@dataclass(frozen=True)
class BSplineFunction:
    """σ⁻² B(y/σh − a) B(x/σh − b), B the centred cardinal B-spline of a degree.

    row_centre, column_centre: a and b, in units of the spacing h of neighbouring splines; spacing:
    h, in units of σ.
    """

    row_centre: float
    column_centre: float
    spacing: float
    degree: int

    def __call__(self, y: FloatArray, x: FloatArray, scale: float) -> FloatArray:
        """Values at rows y and columns x, in pixels."""
        step = self.spacing * scale
        rows = _bspline(self.degree, y / step - self.row_centre)
        return rows * _bspline(self.degree, x / step - self.column_centre) / scale**2


@dataclass(frozen=True)
class FourierBesselFunction:
    """σ⁻² J_m(kr/σR) cos(mθ + φ) for r < σR, 0 beyond: a mode of a drum of radius σR.

    order, phase: m, and φ of 0 or −π/2; root: k, a zero of J_m; radius: R, in units of σ.
    """

    order: int
    phase: float
    root: float
    radius: float

    def __call__(self, y: FloatArray, x: FloatArray, scale: float) -> FloatArray:
        """Values at rows y and columns x, in pixels."""
        relative = np.hypot(y, x) / (scale * self.radius)
        radii, which = np.unique(np.minimum(relative, 1.0), return_inverse=True)
        radial = np.where(radii < 1, _bessel(self.order, self.root * radii), 0.0)
        angular = np.cos(self.order * np.arctan2(y, x) + self.phase)
        return np.asarray(radial[which].reshape(relative.shape) * angular / scale**2)


def bspline_basis(
    kernel_size: int, scales: Sequence[float], effective_size: int, degree: int = 3
) -> SteerableBasis:
    """Products of B-splines on an e×e grid that fills the support; functions [e², S, V, V].

    kernel_size, scales, effective_size: as for `hermite_basis_a`; the same order of functions.
    degree: of the splines, at least 1; a function has degree − 1 continuous derivatives.

    Raises ValueError as `hermite_basis_a` does. Source: Bekkers, ICLR 2020 (B-spline CNNs).
    """
    check_at_least(1, effective_size=effective_size, degree=degree)
    scales = check_scales(scales)
    spacing = kernel_size / scales[-1] / (effective_size + degree)
    centres = [i - (effective_size - 1) / 2 for i in range(effective_size)]
    atoms = [BSplineFunction(a, b, spacing, degree) for b in centres for a in centres]
    return sample_basis(kernel_size, scales, atoms)


def fourier_bessel_basis(
    kernel_size: int, scales: Sequence[float], effective_size: int
) -> SteerableBasis:
    """The e² lowest Fourier-Bessel functions on a disc that fills the support: [e², S, V, V].

    kernel_size, scales, effective_size: as for `hermite_basis_a`. By growing frequency; cosine,
    then sine.

    Raises ValueError as `hermite_basis_a` does. Source: Zhu et al., 2022 (ScDCFNet).
    """
    check_at_least(1, effective_size=effective_size)
    scales = check_scales(scales)
    radius = kernel_size / (2 * scales[-1])
    largest = 2 * effective_size + 3  # about (largest/2)² functions have a root below it
    roots = sorted((root, m) for m in range(largest) for root in _bessel_roots(m, largest))
    atoms = [
        FourierBesselFunction(m, phase, root, radius)
        for root, m in roots
        for phase in ((0.0, -math.pi / 2) if m else (0.0,))
    ]
    return sample_basis(kernel_size, scales, atoms[: effective_size**2])


def _bspline(degree: int, x: FloatArray) -> FloatArray:
    """Σ_k (−1)^k C(d+1, k) max(0, (d+1)/2 − |x| − k)^d / d!, which is 0 from (d+1)/2 on."""
    left = (degree + 1) / 2 - np.abs(x)
    terms = [
        (-1) ** k * math.comb(degree + 1, k) * np.maximum(left - k, 0.0) ** degree
        for k in range(degree // 2 + 1)
    ]
    return np.asarray(sum(terms) / math.factorial(degree))


def _bessel(order: int, x: FloatArray) -> FloatArray:
    """J_m(x) = ∫ cos(mτ − x sin τ) dτ/2π over one turn."""
    turns = order * _ANGLES - np.asarray(x)[..., None] * np.sin(_ANGLES)
    return np.asarray(np.cos(turns).mean(axis=-1))


def _bessel_roots(order: int, largest: float) -> list[float]:
    """Positive zeros of J_m up to `largest`, by bisection."""
    grid = np.arange(order + 0.5, largest + 0.25, 0.25)  # the first is above m, the next 3 apart
    signs = np.sign(_bessel(order, grid))
    below = grid[:-1][signs[1:] * signs[:-1] < 0]
    above = below + 0.25
    for _ in range(50):
        middle = (below + above) / 2
        beyond = np.sign(_bessel(order, middle)) == np.sign(_bessel(order, above))
        below, above = np.where(beyond, below, middle), np.where(beyond, middle, above)
    return [float(root) for root in below if root <= largest]
