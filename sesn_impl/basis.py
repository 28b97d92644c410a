"""Steerable bases: functions sampled at several scales, of which filters are made.

A filter is steerable in scale when its copy at scale σ is

    ψ_σ(t) = σ⁻² ψ(t/σ)                                   (SESN, section 3)

so that a filter learned at one scale exists at every other one. The published bases are made of
Hermite-Gaussian functions; any other functions are sampled and normalised in the same way.

Scales are constants. To learn them, a layer would have to sample ψ_σ and its derivative in σ in
every forward pass, on supports that are wide enough for all values of σ it may reach.

Convention: unit pixel spacing, odd supports centred on a pixel, first array axis = rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.polynomial.hermite_e import hermeval
from numpy.typing import NDArray
from torch import Tensor

from sesn_impl.arguments import check_at_least, check_odd, check_scales
from sesn_impl.states import Configuration

_VANISHING_NORM = 1e-12

FloatArray = NDArray[np.float64]
BasisFunction = Callable[[FloatArray, FloatArray, float], FloatArray]
"""ψ_σ(y, x) from rows y and columns x in pixels, which broadcast, and σ in pixels."""


@dataclass(frozen=True)
class HermiteFunction:
    """σ⁻² He_n(y/σ) He_m(x/σ) exp(−(x² + y²)/2σ²), He the probabilists' Hermite polynomials.

    row_order, column_order: n and m; relative_width: σ in units of the filter's scale.
    """

    row_order: int
    column_order: int
    relative_width: float

    def __call__(self, y: FloatArray, x: FloatArray, scale: float) -> FloatArray:
        """Values at rows y and columns x, in pixels."""
        width = scale * self.relative_width
        rows = _hermite_gaussian(self.row_order, y / width) / width
        return rows * (_hermite_gaussian(self.column_order, x / width) / width)


@dataclass(frozen=True, eq=False)
class SteerableBasis:
    """A steerable basis sampled on pixel grids.

    functions: [N_b, S, V, V] float64, zero outside each scale's own support.
    scales: σ of each scale in pixels, growing.
    supports: odd side length in pixels of the grid that each scale is sampled on, at most V.
    atoms: the N_b functions, each a `HermiteFunction` or another `BasisFunction`, in order.
    norms: [N_b] the divisor of each function: the L2 norm of its smallest-scale sample.
    """

    functions: Tensor
    scales: tuple[float, ...]
    supports: tuple[int, ...]
    atoms: tuple[Any, ...]
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

    @property
    def ranks(self) -> tuple[int, ...]:
        """How many of the N_b functions are linearly independent on the grid of each scale."""
        return tuple(int(torch.linalg.matrix_rank(f.flatten(1))) for f in self.functions.unbind(1))

    @property
    def configuration(self) -> Configuration:
        """Numbers that tell this basis from others: scales, supports, projected functions."""
        flat = self.functions.flatten(1).numpy()
        return {
            "number of scales": (self.num_scales,),
            "scales": self.scales,
            "supports": self.supports,
            "functions": (flat @ np.cos(np.arange(flat.shape[1]))).tolist(),
        }

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
    check_at_least(1, effective_size=effective_size)
    orders = range(effective_size)
    atoms = [HermiteFunction(n, m, 1.0) for m in orders for n in orders]
    return sample_basis(kernel_size, scales, atoms)


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
    check_at_least(1, effective_size=effective_size)
    check_at_least(0, max_order=max_order)
    if not (math.isfinite(mult) and mult > 1):
        raise ValueError(f"mult={mult!r}: must be a finite number above 1")
    orders = [(n, m) for m in range(max_order + 1) for n in range(max_order + 1 - m)]
    count = effective_size**2
    levels = math.ceil(count / len(orders))
    atoms = [HermiteFunction(n, m, mult**-level) for level in range(levels) for n, m in orders]
    return sample_basis(kernel_size, scales, atoms[:count])


def steerable_basis(
    atoms: Sequence[BasisFunction], kernel_size: int, scales: Sequence[float],
    supports: Sequence[int] | None = None,
) -> SteerableBasis:  # fmt: skip
    """A basis of functions of one's own, ψ_σ(y, x) in pixels: [N_b, S, V, V].

    atoms: callables (y, x, σ) -> values, for arrays that broadcast.
    kernel_size, scales: as for `hermite_basis_a`.
    supports: odd side in pixels of each scale's grid, by default in proportion to the scale.

    Raises ValueError for arguments out of range, a function that is not finite, vanishes on the
    smallest support or is not σ⁻² ψ(t/σ), and functions that depend on each other at every scale.
    """
    check_odd(kernel_size=kernel_size)
    scales = check_scales(scales)
    if not atoms:
        raise ValueError("atoms: must be one or more functions")
    if supports is not None and (
        len(supports) != len(scales)
        or any(side < 1 or side % 2 == 0 for side in supports)
        or max(supports) != kernel_size
    ):
        raise ValueError(
            f"supports={tuple(supports)!r}: must be one odd number of pixels for each of "
            f"{len(scales)} scales, the largest of them kernel_size={kernel_size}"
        )
    for index, atom in enumerate(atoms):
        _check_law(index, atom, kernel_size, scales)
    basis = sample_basis(kernel_size, scales, atoms, supports)
    if max(basis.ranks) < len(atoms):
        raise ValueError(
            f"atoms: must be linearly independent at one scale at least; of {len(atoms)} "
            f"functions {basis.ranks} are, scale by scale"
        )
    return basis


def support_at(scale: float, kernel_size: int, largest_scale: float) -> int:
    """Side length in pixels of the sampling grid at `scale`: odd, proportional to the scale."""
    return int(kernel_size * scale / largest_scale) // 2 * 2 + 1


def sample_basis(
    kernel_size: int, scales: Sequence[float], atoms: Sequence[BasisFunction],
    supports: Sequence[int] | None = None,
) -> SteerableBasis:  # fmt: skip
    """Samples functions that are known to be steerable; raises ValueError where one vanishes."""
    check_odd(kernel_size=kernel_size)
    scales = check_scales(scales)
    supports = tuple(supports or (support_at(scale, kernel_size, scales[-1]) for scale in scales))
    functions = np.zeros((len(atoms), len(scales), kernel_size, kernel_size))
    for index, (scale, support) in enumerate(zip(scales, supports, strict=True)):
        margin = (kernel_size - support) // 2
        inside = slice(margin, margin + support)
        pixels = np.arange(support, dtype=np.float64) - support // 2
        functions[:, index, inside, inside] = [a(pixels[:, None], pixels, scale) for a in atoms]
    # The divisor is shared by all scales: dividing each scale by its own norm would break σ⁻².
    norms = np.sqrt((functions[:, 0] ** 2).sum(axis=(1, 2)))
    for atom, norm in zip(atoms, norms, strict=True):
        if not norm >= _VANISHING_NORM:
            raise ValueError(
                f"kernel_size={kernel_size!r} with scales={scales}: at the smallest scale the "
                f"support is {supports[0]} pixels, on which {atom} vanishes; "
                "use a larger kernel_size or a narrower range of scales"
            )
    return SteerableBasis(
        functions=torch.from_numpy(functions / norms[:, None, None, None]),
        scales=scales,
        supports=supports,
        atoms=tuple(atoms),
        norms=tuple(norms.tolist()),
    )


def _check_law(
    index: int, atom: BasisFunction, kernel_size: int, scales: tuple[float, ...]
) -> None:
    """σ² ψ_σ(σu) is the same function of u at every scale, looked at on 17×17 points."""
    points = np.linspace(-0.97, 0.97, 17) * kernel_size / (2 * scales[-1])
    values = [s**2 * np.asarray(atom(s * points[:, None], s * points, s)) for s in scales]
    for scale, found in zip(scales, values, strict=True):
        if found.shape != (17, 17) or not np.isfinite(found).all():
            raise ValueError(
                f"atoms[{index}]={atom}: must give finite values of the shape of y and x together"
            )
        error = np.abs(found - values[0]).max()
        if error > 1e-9 * np.abs(values[0]).max():
            raise ValueError(
                f"atoms[{index}]={atom}: must be σ⁻² ψ(t/σ), but σ² ψ at t = σu differs by "
                f"{error:.2g} between σ={scales[0]} and σ={scale}"
            )


def _hermite_gaussian(order: int, x: FloatArray) -> FloatArray:
    polynomial = hermeval(x, [0.0] * order + [1.0])
    return np.asarray(polynomial * np.exp(-(x**2) / 2))
