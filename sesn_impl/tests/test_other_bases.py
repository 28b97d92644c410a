"""Bases of other functions: what they are made of, by scipy, and what is refused."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline
from scipy.special import jn_zeros, jv

from sesn_impl import (
    LiftingConv2d,
    ScaleConv2d,
    SteerableBasis,
    bspline_basis,
    fourier_bessel_basis,
    hermite_basis_a,
    hermite_basis_b,
    steerable_basis,
)
from sesn_impl.fast.cost import Algorithm
from sesn_impl.tests.against_textbook import assert_same, computed_by, input_for, randomise
from sesn_impl.textbook import textbook_twin

SCALES = (1.7, 2.45, 3.54, 5.1)
OTHERS = [bspline_basis, fourier_bessel_basis]


def mexican_hat(y, x, sigma):
    r = (y**2 + x**2) / sigma**2
    return (2 - r) * np.exp(-r / 2) / sigma**2


def gaussian(y, x, sigma):
    return np.exp(-(y**2 + x**2) / (2 * sigma**2)) / sigma**2


def grid(basis: SteerableBasis, scale: int) -> tuple[Any, Any]:
    pixels = np.arange(basis.kernel_size) - basis.kernel_size // 2
    y, x = np.meshgrid(pixels, pixels, indexing="ij")
    return y / basis.scales[scale], x / basis.scales[scale]


@pytest.mark.parametrize("degree", [1, 2, 3, 4])
def test_b_splines_are_those_of_scipy(degree: int) -> None:
    """Index b·e + a, centre a along the rows; at every scale σ⁻² times splines of t/σ."""
    basis = bspline_basis(15, SCALES, 4, degree)
    spacing = 15 / 5.1 / (4 + degree)
    knots = np.arange(degree + 2) - (degree + 1) / 2
    spline = BSpline.basis_element(knots, extrapolate=False)
    for scale in range(4):
        y, x = grid(basis, scale)
        for index, (b, a) in enumerate(itertools.product(np.arange(4) - 1.5, repeat=2)):
            rows, columns = (np.nan_to_num(spline(t)) for t in (y / spacing - a, x / spacing - b))
            expected = rows * columns / SCALES[scale] ** 2 / basis.norms[index]
            np.testing.assert_allclose(basis.functions[index, scale], expected, atol=1e-13)


def test_fourier_bessel_functions_are_the_lowest_of_scipy() -> None:
    basis = fourier_bessel_basis(15, SCALES, 5)
    modes = [(root, m) for m in range(20) for root in jn_zeros(m, 12)]
    chosen = [(k, m, sine) for k, m in sorted(modes) for sine in ((False, True) if m else (False,))]
    radius = 15 / (2 * 5.1)
    for scale in range(4):
        y, x = grid(basis, scale)
        r, theta = np.hypot(y, x), np.arctan2(y, x)
        for index, (k, m, sine) in enumerate(chosen[:25]):
            angular = np.sin(m * theta) if sine else np.cos(m * theta)
            mode = np.where(r < radius, jv(m, k * r / radius), 0) * angular
            expected = mode / SCALES[scale] ** 2 / basis.norms[index]
            np.testing.assert_allclose(basis.functions[index, scale], expected, atol=1e-12)


@pytest.mark.parametrize("make", OTHERS)
@pytest.mark.parametrize("kernel_size", [13, 15, 17])
def test_nothing_is_cut_off_at_any_scale(make, kernel_size: int) -> None:
    """On a grid of two more pixels on each side every function is the same, and zero there."""
    basis = make(kernel_size, SCALES, 3)
    for scale, support in zip(SCALES, basis.supports, strict=True):
        pixels = np.arange(support + 4.0) - (support + 4) // 2
        for atom in basis.atoms:
            values = atom(pixels[:, None], pixels, scale)
            inside = np.pad(values[2:-2, 2:-2], 2)
            np.testing.assert_array_equal(values, inside)


def test_ranks() -> None:
    published = hermite_basis_b(15, SCALES, 7)
    assert published.ranks == (25, 45, 49, 49)
    assert bspline_basis(15, SCALES, 7).ranks == (25, 49, 49, 49)
    assert fourier_bessel_basis(15, SCALES, 7).ranks == (21, 37, 49, 49)


@pytest.mark.parametrize("make", OTHERS)
@pytest.mark.parametrize("way", ["direct", "spectral"])
@pytest.mark.parametrize("lifts", [True, False])
def test_every_algorithm_gives_their_responses(make, way: Algorithm, lifts: bool) -> None:
    basis = make(7, (1.0, 1.5, 2.0), 3)
    layer = LiftingConv2d(2, 2, basis, padding=3) if lifts else ScaleConv2d(2, 2, basis, 2)
    randomise(layer.double(), 0)
    x = input_for(layer, 1)
    with computed_by(way):
        assert_same([layer(x)], [textbook_twin(layer)(x)])


def test_own_functions_make_the_basis_that_they_describe() -> None:
    """The Hermite functions handed over as plain callables give basis A, bit for bit."""
    published = hermite_basis_a(7, (1.0, 1.5, 2.0), 3)
    own = steerable_basis([a.__call__ for a in published.atoms], 7, (1, 1.5, 2))
    assert torch.equal(own.functions, published.functions)
    assert (own.scales, own.supports, own.norms) == (
        published.scales, published.supports, published.norms,
    )  # fmt: skip


def test_own_supports() -> None:
    basis = steerable_basis([gaussian, mexican_hat], 11, (1.0, 2.0), supports=(11, 11))
    assert basis.supports == (11, 11)
    assert basis.functions[:, 0, 0, 0].ne(0).all()
    assert basis.ranks == (2, 2)


GOOD: dict[str, Any] = {
    "atoms": [gaussian, mexican_hat],
    "kernel_size": 9,
    "scales": (1.0, 2.0),
    "supports": (5, 9),
}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"atoms": []}, "atoms: must be one or more functions"),
        ({"kernel_size": 8}, "kernel_size=8: must be odd and positive"),
        ({"scales": (2.0, 1.0)}, r"scales=\(2.0, 1.0\): must grow from first to last"),
        (
            {"supports": (4, 9)},
            r"supports=\(4, 9\): must be one odd number of pixels for each of 2",
        ),
        ({"supports": (9,)}, r"supports=\(9,\): must be one odd number .* kernel_size=9"),
        ({"supports": (5, 7)}, r"supports=\(5, 7\): must be .* the largest of them kernel_size=9"),
        (
            {"atoms": [gaussian, lambda y, x, s: gaussian(y, x, s) * s]},
            r"atoms\[1\]=.*: must be σ⁻² ψ\(t/σ\), but σ² ψ at t = σu differs by 1 between σ=1.0",
        ),
        (
            {"atoms": [lambda y, x, s: np.exp(-(y**2 + x**2) / 8)]},
            r"atoms\[0\]=.*: must be σ⁻² ψ\(t/σ\), but",
        ),
        (
            {"atoms": [lambda y, x, s: y + 0 * s]},
            r"atoms\[0\]=.*: must give finite values of the sh",
        ),
        (
            {"atoms": [lambda y, x, s: gaussian(y, x, s) / (y + x - y - x)]},
            r"atoms\[0\]=.*: must give finite values",
        ),
        ({"atoms": [lambda y, x, s: 0 * gaussian(y, x, s)]}, "on which .* vanishes"),
        (
            {"atoms": [gaussian, mexican_hat, lambda y, x, s: 3 * gaussian(y, x, s)]},
            r"of 3 functions \(2, 2\) are, scale by scale",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_functions_that_make_no_basis_are_refused(bad: dict[str, Any], message: str) -> None:
    steerable_basis(**GOOD)
    with pytest.raises(ValueError, match=message):
        steerable_basis(**GOOD | bad)


@pytest.mark.parametrize("make", OTHERS)
def test_arguments_out_of_range(make) -> None:
    with pytest.raises(ValueError, match="effective_size=0: must be at least 1"):
        make(7, (1.0, 2.0), 0)


def test_arguments_of_one_kind_out_of_range() -> None:
    with pytest.raises(ValueError, match=r"support is 1 pixels, on which .* vanishes"):
        fourier_bessel_basis(3, (1.0, 4.0), 3)
    with pytest.raises(ValueError, match="degree=0: must be at least 1"):
        bspline_basis(7, (1.0, 2.0), 3, degree=0)
