"""What a steerable filter answers in the continuum: the reference without pixels or cut-off.

For a Gabor image f and a Hermite-Gaussian filter φ_nm of width σ the response

    I(p) = ∫ f(p + u) φ_nm(u; σ) du,   φ_nm(u; σ) = σ⁻² He_n(u₁/σ) He_m(u₂/σ) exp(−|u|²/2σ²)

has a closed form. By Rodrigues' formula He_n(x) e^(−x²/2) = (−1)ⁿ ∂ⁿ e^(−x²/2), so on each axis the
integral is σⁿ √(2π) times the n-th derivative of f's factor blurred by a Gaussian of width σ, and
that blurred factor is a complex Gaussian. This module is written from the formula, not from the
code it judges, and evaluates filters by scipy. Functions of any other kind have no closed form
here: they are evaluated as documented, and integrated by a midpoint rule.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.polynomial.hermite_e import hermeval
from scipy.special import eval_hermitenorm
from torch import Tensor

from verification.reference.analytic import ComplexArray, FloatArray, GaborImage

# In units of σ. At this distance He₄(x) exp(−x²/2) is below 1e-18 of its largest value.
_REACH = 10.0
_FARTHEST = 16
"""In units of σ: where functions without closed form are no longer looked for."""
_MIDPOINTS = 24
"""How many per σ they are integrated by. A kink leaves a relative error of the order of 1e-4."""

AxisRule = Callable[[int, int, float], ComplexArray]


class HermiteAtom(Protocol):
    """One basis function: orders along rows and columns, width relative to the filter's scale."""

    @property
    def row_order(self) -> int: ...  # noqa: D102
    @property
    def column_order(self) -> int: ...  # noqa: D102
    @property
    def relative_width(self) -> float: ...  # noqa: D102


class HermiteBasis(Protocol):
    """What a basis must say of itself to be judged: see `sesn_impl.SteerableBasis`.

    functions: [N_b, S, V, V] float64; norms: the divisor of each function, shared by all scales.
    atoms: a `HermiteAtom` each, or else any callables (y, x, σ) -> ψ_σ(y, x), in pixels.
    """

    @property
    def functions(self) -> Tensor: ...  # noqa: D102
    @property
    def scales(self) -> tuple[float, ...]: ...  # noqa: D102
    @property
    def supports(self) -> tuple[int, ...]: ...  # noqa: D102
    @property
    def atoms(self) -> Sequence[Any]: ...  # noqa: D102
    @property
    def norms(self) -> tuple[float, ...]: ...  # noqa: D102


def is_hermite(basis: HermiteBasis) -> bool:
    """Whether the functions are Hermite-Gaussian, so that all about them has a closed form."""
    return all(hasattr(atom, "row_order") for atom in basis.atoms)


def sampled_filters(
    basis: HermiteBasis, scale: int, support: int, stretch: tuple[float, float] = (1.0, 1.0)
) -> FloatArray:
    """The basis functions at one scale on a support×support grid: [N_b, support, support].

    Any support may be asked for, so that a wide one shows what the basis's own support cuts off.
    stretch: factors on the filters' width along rows and columns, at equal integrals.
    """
    pixels = np.arange(support, dtype=np.float64) - support // 2
    filters = np.empty((len(basis.atoms), support, support))
    for index, (atom, norm) in enumerate(zip(basis.atoms, basis.norms, strict=True)):
        if not is_hermite(basis):
            stretched = pixels[:, None] / stretch[0], pixels / stretch[1]
            filters[index] = atom(*stretched, basis.scales[scale]) / math.prod(stretch) / norm
            continue
        width = basis.scales[scale] * atom.relative_width
        rows = axis_filter(pixels, atom.row_order, width * stretch[0])
        columns = axis_filter(pixels, atom.column_order, width * stretch[1])
        filters[index] = np.outer(rows, columns) / norm
    return filters


def continuum_responses(
    basis: HermiteBasis, scale: int, image: GaborImage, points: FloatArray
) -> FloatArray:
    """∫ f(p + u) ψ_σ(u) du at points [P, 2] for each basis function: [P, C, N_b]."""
    if not is_hermite(basis):
        count = math.ceil(_reach_of(tuple(basis.atoms)) * _MIDPOINTS)
        step = basis.scales[scale] / _MIDPOINTS
        nodes = np.asarray((np.arange(-count, count) + 0.5) * step, dtype=np.float64)
        return _summed(basis, scale, image, points, nodes, step**2)

    def integral(axis: int, order: int, width: float) -> ComplexArray:
        return _axis_integral(image, axis, points[:, axis], order, width)

    return _separable_responses(basis, scale, image, integral)


def pixel_responses(
    basis: HermiteBasis, scale: int, image: GaborImage, points: FloatArray
) -> FloatArray:
    """Σ_u f(p + u) ψ_σ(u) over all pixels u of the plane, nothing cut off: [P, C, N_b].

    The sum ends where the widest filter has fallen to rounding error.
    """
    if not is_hermite(basis):
        reach = math.ceil(_reach_of(tuple(basis.atoms)) * basis.scales[scale])
        return _summed(basis, scale, image, points, np.arange(-reach, reach + 1.0), 1.0)
    pixels, samples = _axis_samples(image, points, full_reach(basis.scales[scale]))

    def axis_sum(axis: int, order: int, width: float) -> ComplexArray:
        return np.asarray(samples[axis] @ axis_filter(pixels, order, width))

    return _separable_responses(basis, scale, image, axis_sum)


def growing_responses(
    basis: HermiteBasis, scale: int, image: GaborImage, points: FloatArray, reach: int | None = None
) -> FloatArray:
    """Σ_u f(p + u) ψ_σ(u) over the pixels within 0, 1, … R of the centre: [R + 1, P, C, N_b].

    Entry r is the response of a support of 2r + 1 pixels: one pass for all supports that a basis
    could have. reach: R; without it, so far that the last entry is that of the whole plane.
    """
    if reach is None:
        reach = full_reach(basis.scales[scale])
    pixels, samples = _axis_samples(image, points, reach)
    # He_n is even or odd as n is: pixels at u and −u can be added up before any filter is known.
    folded = [
        (_folded(samples[axis], reach, 1), _folded(samples[axis], reach, -1)) for axis in (0, 1)
    ]

    def axis_sums(axis: int, order: int, width: float) -> ComplexArray:
        weights = axis_filter(pixels[reach:], order, width)[:, None, None, None]
        rings = folded[axis][order % 2] * weights  # [R + 1, P, C, K]
        for reached in range(1, reach + 1):  # several times as fast as numpy's cumsum
            rings[reached] += rings[reached - 1]
        return rings

    return _separable_responses(basis, scale, image, axis_sums)


def _folded(samples: ComplexArray, reach: int, sign: int) -> ComplexArray:
    """Samples at u plus sign times those at −u: [P, C, K, 2R + 1] -> [R + 1, P, C, K]."""
    right, left = samples[..., reach:], samples[..., reach::-1]
    folded = np.ascontiguousarray(np.moveaxis(right + sign * left, -1, 0))
    folded[0] = samples[..., reach]
    return folded


def full_reach(scale: float) -> int:
    """Pixels from its centre at which a filter of width σ has fallen to rounding error."""
    return math.ceil(_REACH * scale)


def _axis_samples(
    image: GaborImage, points: FloatArray, reach: int
) -> tuple[FloatArray, tuple[ComplexArray, ComplexArray]]:
    """Pixels −reach … reach, and the bumps' factors there on both axes: [P, C, K, 2·reach + 1]."""
    pixels = np.arange(-reach, reach + 1, dtype=np.float64)
    rows, columns = (image.axis_factor(axis, points[:, axis, None] + pixels) for axis in (0, 1))
    return pixels, (rows, columns)


def axis_filter(pixels: FloatArray, order: int, width: float) -> FloatArray:
    """σ⁻¹ He_n(u/σ) exp(−u²/2σ²) at pixels u: a filter's factor along one axis."""
    envelope = np.exp(-((pixels / width) ** 2) / 2) / width
    return np.asarray(envelope * eval_hermitenorm(order, pixels / width))


def _separable_responses(
    basis: HermiteBasis, scale: int, image: GaborImage, axis_response: AxisRule
) -> FloatArray:
    """Filter and bumps are products of one function per axis, so are the responses: [..., C, N_b].

    axis_response: (axis, order, width) -> [..., C, K], computed once for atoms that share it.
    """
    weights = image.amplitudes * np.exp(1j * image.phases)

    # Re Σ ab is the real product of (Re a, Im a) and (Re b, −Im b): no complex intermediate result.
    @functools.cache
    def rows(order: int, width: float) -> FloatArray:
        return _as_reals(weights * axis_response(0, order, width))

    @functools.cache
    def columns(order: int, width: float) -> FloatArray:
        return _as_reals(axis_response(1, order, width).conj())

    responses = []
    for atom, norm in zip(basis.atoms, basis.norms, strict=True):
        width = basis.scales[scale] * atom.relative_width
        along = rows(atom.row_order, width), columns(atom.column_order, width)
        responses.append(np.einsum("...k,...k->...", *along) / norm)
    return np.stack(responses, axis=-1)


def _summed(
    basis: HermiteBasis, scale: int, image: GaborImage, points: FloatArray, nodes: FloatArray,
    area: float,
) -> FloatArray:  # fmt: skip
    """Σ f(p + u) ψ_σ(u) over the nodes on both axes, each of that area: [P, C, N_b]."""
    rows, columns = (image.axis_factor(axis, points[:, axis, None] + nodes) for axis in (0, 1))
    weighted = rows * (image.amplitudes * np.exp(1j * image.phases) * area)[..., None]
    parts = np.stack([weighted.real, -weighted.imag])  # [2, P, C, K, n]
    others = np.stack([columns.real, columns.imag])
    responses = []
    for atom, norm in zip(basis.atoms, basis.norms, strict=True):
        values = atom(nodes[:, None], nodes, basis.scales[scale]) / norm
        responses.append(np.einsum("apckn,apckn->pc", parts @ values, others, optimize=True))
    return np.stack(responses, axis=-1)


@functools.lru_cache(maxsize=16)
def _reach_of(atoms: tuple[Callable[[FloatArray, FloatArray, float], FloatArray], ...]) -> float:
    """Half a side, in units of σ, of the square beyond which all functions are negligible."""
    u = np.arange(-4 * _FARTHEST, 4 * _FARTHEST + 1) / 4
    values = np.abs([atom(u[:, None], u, 1.0) for atom in atoms])
    rows, columns = np.nonzero((values > 1e-12 * values.max(axis=(1, 2), keepdims=True)).any(0))
    return float(np.abs(u[np.concatenate([rows, columns])]).max()) + 0.25


def _as_reals(values: ComplexArray) -> FloatArray:
    """[..., K] complex -> [..., 2K], real and imaginary parts in turn."""
    return np.ascontiguousarray(values).view(np.float64)


def _axis_integral(
    image: GaborImage, axis: int, positions: FloatArray, order: int, width: float
) -> ComplexArray:
    """One axis's integral at positions [P]: [P, C, K] complex."""
    centre = image.centres[..., axis]
    frequency = image.frequencies[..., axis]
    blurred_width = np.sqrt(image.widths**2 + width**2)
    # exp(−d²/2w² + iωd) is a Gaussian about the complex centre c + iωw², damped by exp(−ω²w²/2).
    distance = positions[:, None, None] - centre - 1j * frequency * image.widths**2
    z = distance / blurred_width
    derivative = (-1) ** order * hermeval(z, [0.0] * order + [1.0]) * blurred_width ** -float(order)
    # One exponential for both Gaussians: apart, the first overflows where the second vanishes.
    gaussian = np.exp(-(z**2) / 2 - (frequency * image.widths) ** 2 / 2)
    blurred = image.widths / blurred_width * gaussian
    return np.asarray(np.sqrt(2 * np.pi) * width**order * derivative * blurred)
