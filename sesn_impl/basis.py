"""Steerable bases of Hermite-Gaussian functions, sampled at several scales.

A filter is steerable in scale when its copy at scale σ is

    ψ_σ(t) = σ⁻² ψ(t/σ)                                   (SESN, section 3)

so that a filter learned at one scale exists at every other one. Both bases are made of

    φ_nm(y, x; σ) = σ⁻² He_n(y/σ) He_m(x/σ) exp(−(x² + y²)/2σ²)

with the probabilists' Hermite polynomials He, n the order along the rows and m along the columns.

Convention: unit pixel spacing, odd supports centred on a pixel, first array axis = rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.polynomial.hermite_e import hermeval
from numpy.typing import NDArray
from torch import Tensor

_VANISHING_NORM = 1e-12


@dataclass(frozen=True)
class HermiteFunction:
    """One basis function: orders along rows and columns, width relative to the filter's scale."""

    row_order: int
    column_order: int
    relative_width: float


@dataclass(frozen=True, eq=False)
class SteerableBasis:
    """A steerable basis sampled on pixel grids.

    functions: [N_b, S, V, V] float64, zero outside each scale's own support.
    scales: σ of each scale in pixels, growing.
    supports: odd side length in pixels of the grid that each scale is sampled on, at most V.
    atoms: what each of the N_b functions is, in order.
    norms: [N_b] the divisor of each function: the L2 norm of its smallest-scale sample.
    """

    functions: Tensor
    scales: tuple[float, ...]
    supports: tuple[int, ...]
    atoms: tuple[HermiteFunction, ...]
    norms: tuple[float, ...]

    @property
    def num_functions(self) -> int:
        """N_b, the number of basis functions, which is the number of coefficients per filter."""
        return len(self.atoms)

    @property
    def num_scales(self) -> int:
        """S, the number of scales."""
        return len(self.scales)

    @property
    def kernel_size(self) -> int:
        """V, the side length in pixels of the largest support."""
        return int(self.functions.shape[-1])

    def __repr__(self) -> str:
        return (
            f"SteerableBasis(num_functions={self.num_functions}, scales={self.scales}, "
            f"supports={self.supports})"
        )


def hermite_basis_a(
    kernel_size: int, scales: Sequence[float], effective_size: int
) -> SteerableBasis:
    """Basis A: one width per scale, orders 0 … e−1 on each axis; functions [e², S, V, V].

    kernel_size: V, odd, in pixels: the support at the largest scale.
    scales: σ of each scale in pixels, growing.
    effective_size: e; the basis has as many functions as a plain e×e filter has weights.

    Raises ValueError for an argument outside these ranges, or a support so small that a function
    vanishes on it. Source: the authors' released code, `steerable_A`.
    """
    _check_arguments(kernel_size, scales, effective_size)
    orders = range(effective_size)
    atoms = tuple(HermiteFunction(n, m, 1.0) for m in orders for n in orders)
    return _sample_basis(kernel_size, tuple(map(float, scales)), atoms)


def hermite_basis_b(
    kernel_size: int,
    scales: Sequence[float],
    effective_size: int,
    max_order: int = 4,
    mult: float = 1.5,
) -> SteerableBasis:
    """Basis B: low orders at shrinking widths σ, σ/mult, σ/mult², …; functions [e², S, V, V].

    kernel_size: V, odd, in pixels: the support at the largest scale.
    scales: σ of each scale in pixels, growing.
    effective_size: e; the list of functions is cut after e².
    max_order: largest total order n + m, at least 0.
    mult: ratio between successive widths, above 1.

    Raises ValueError for an argument outside these ranges, or a support so small that a function
    vanishes on it. Source: the authors' released code, `steerable_B`.
    """
    _check_arguments(kernel_size, scales, effective_size)
    if max_order < 0:
        raise ValueError(f"max_order={max_order!r}: must be at least 0")
    if not (math.isfinite(mult) and mult > 1):
        raise ValueError(f"mult={mult!r}: must be a finite number above 1")
    orders = [(n, m) for m in range(max_order + 1) for n in range(max_order + 1 - m)]
    count = effective_size**2
    levels = math.ceil(count / len(orders))
    atoms = [HermiteFunction(n, m, mult**-level) for level in range(levels) for n, m in orders]
    return _sample_basis(kernel_size, tuple(map(float, scales)), tuple(atoms[:count]))


def support_at(scale: float, kernel_size: int, largest_scale: float) -> int:
    """Side length in pixels of the sampling grid at `scale`: odd, proportional to the scale."""
    return int(kernel_size * scale / largest_scale) // 2 * 2 + 1


def _sample_basis(
    kernel_size: int, scales: tuple[float, ...], atoms: tuple[HermiteFunction, ...]
) -> SteerableBasis:
    supports = tuple(support_at(scale, kernel_size, scales[-1]) for scale in scales)
    functions = np.zeros((len(atoms), len(scales), kernel_size, kernel_size))
    for index, (scale, support) in enumerate(zip(scales, supports, strict=True)):
        margin = (kernel_size - support) // 2
        inside = slice(margin, margin + support)
        functions[:, index, inside, inside] = [_sample(atom, scale, support) for atom in atoms]
    # The divisor is shared by all scales: dividing each scale by its own norm would break σ⁻².
    norms = np.sqrt((functions[:, 0] ** 2).sum(axis=(1, 2)))
    for atom, norm in zip(atoms, norms, strict=True):
        if norm < _VANISHING_NORM:
            raise ValueError(
                f"kernel_size={kernel_size!r} with scales={scales}: at the smallest scale the "
                f"support is {supports[0]} pixels, on which {atom} vanishes; "
                "use a larger kernel_size or a narrower range of scales"
            )
    return SteerableBasis(
        functions=torch.from_numpy(functions / norms[:, None, None, None]),
        scales=scales,
        supports=supports,
        atoms=atoms,
        norms=tuple(norms.tolist()),
    )


def _sample(atom: HermiteFunction, scale: float, support: int) -> NDArray[np.float64]:
    width = scale * atom.relative_width
    pixels = np.arange(support) - support // 2
    rows = _hermite_gaussian(atom.row_order, pixels / width) / width
    columns = _hermite_gaussian(atom.column_order, pixels / width) / width
    return np.outer(rows, columns)


def _hermite_gaussian(order: int, x: NDArray[np.float64]) -> NDArray[np.float64]:
    polynomial = hermeval(x, [0.0] * order + [1.0])
    return np.asarray(polynomial * np.exp(-(x**2) / 2))


def _check_arguments(kernel_size: int, scales: Sequence[float], effective_size: int) -> None:
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f"kernel_size={kernel_size!r}: must be odd and positive")
    if len(scales) == 0 or not all(math.isfinite(s) and s > 0 for s in scales):
        raise ValueError(f"scales={tuple(scales)!r}: must be one or more finite positive numbers")
    if any(b <= a for a, b in pairwise(scales)):
        raise ValueError(f"scales={tuple(scales)!r}: must grow from first to last")
    if effective_size < 1:
        raise ValueError(f"effective_size={effective_size!r}: must be at least 1")
