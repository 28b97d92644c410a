"""The error measure and the continuum reference, against closed forms."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import dblquad

from sesn_impl import hermite_basis_a, hermite_basis_b
from verification.reference.analytic import random_gabor_image
from verification.reference.continuum import (
    continuum_responses,
    full_reach,
    growing_responses,
    pixel_responses,
    sampled_filters,
)
from verification.reference.errors import equivariance_error
from verification.tests.tools.profiles import cases
from verification.tests.tools.strategies import seeds

WIDE = hermite_basis_b(101, (2.5, 4.0), 5, mult=1.3)
NARROW = hermite_basis_b(15, (1.7, 2.45, 3.54, 5.1), 7)


@given(st.floats(-0.9, 3.0), st.integers(1, 50))
def test_error_of_a_relative_change_is_its_square(change, size):
    reference = np.random.default_rng(size).standard_normal(size)
    measured = reference * (1 + change)
    assert equivariance_error(reference, measured) == pytest.approx(change**2, abs=1e-12)


def test_error_of_unrelated_responses_is_two():
    a, b = np.random.default_rng(0).standard_normal((2, 100_000))
    assert equivariance_error(a, b) == pytest.approx(2, abs=0.03)


@pytest.mark.parametrize(
    ("reference", "measured", "message"),
    [
        ([1.0], [1.0, 2.0], r"shape \(1,\), measured of shape \(2,\): must be equal"),
        ([0.0], [1.0], "is zero everywhere"),
        ([1.0], [float("nan")], "must be finite"),
    ],
)
def test_error_refuses_what_it_cannot_measure(reference, measured, message):
    with pytest.raises(ValueError, match=message):
        equivariance_error(reference, measured)


def test_continuum_response_is_the_integral():
    """Against scipy's adaptive quadrature, one function of high order, one point."""
    image = random_gabor_image(np.random.default_rng(3), bumps=2, widths=(2.0, 3.0))
    points = np.array([[0.5, -1.25]])
    index = next(i for i, a in enumerate(WIDE.atoms) if (a.row_order, a.column_order) == (3, 1))

    def integrand(x: float, y: float) -> float:
        sigma = WIDE.scales[0]
        u, v = y / sigma, x / sigma
        function = (u**3 - 3 * u) * v * np.exp(-(u**2 + v**2) / 2) / sigma**2
        sample = image.sample(1, (points[0, 0] + y, points[0, 1] + x)).item()
        return float(sample * function / WIDE.norms[index])

    expected, _ = dblquad(integrand, -20, 20, -20, 20, epsabs=1e-7)
    found = continuum_responses(WIDE, 0, image, points)[0, 0, index]
    assert found == pytest.approx(expected, abs=1e-6)


@given(seeds())
def test_sum_over_pixels_is_the_integral_for_wide_filters(seed):
    image = random_gabor_image(np.random.default_rng(seed), channels=2, widths=(3.0, 6.0))
    points = np.array([[0.0, 0.0], [1.7, -2.2]])
    for scale in (0, 1):
        integral = continuum_responses(WIDE, scale, image, points)
        assert equivariance_error(integral, pixel_responses(WIDE, scale, image, points)) < 1e-24


@given(seeds(), st.integers(0, 3))
def test_separable_sum_is_the_sum_over_a_large_grid(seed, scale):
    image = random_gabor_image(np.random.default_rng(seed), channels=2)
    points = np.array([[0.3, 2.0]])
    size = 2 * int(10 * NARROW.scales[scale]) + 3
    patches = image.sample_around(points, size).numpy()
    expected = np.einsum("pcyx,byx->pcb", patches, sampled_filters(NARROW, scale, size))
    found = pixel_responses(NARROW, scale, image, points)
    assert equivariance_error(expected, found) < 1e-24


@given(seeds(), st.integers(0, 3), st.integers(0, 12))
def test_growing_sums_are_those_of_every_support(seed, scale, radius):
    image = random_gabor_image(np.random.default_rng(seed), channels=2)
    points = np.array([[0.3, 2.0], [-1.1, 0.0]])
    grown = growing_responses(NARROW, scale, image, points)
    size = 2 * radius + 1
    patches = image.sample_around(points, size).numpy()
    expected = np.einsum("pcyx,byx->pcb", patches, sampled_filters(NARROW, scale, size))
    assert equivariance_error(expected, grown[radius]) < 1e-24
    assert len(grown) == full_reach(NARROW.scales[scale]) + 1
    assert equivariance_error(pixel_responses(NARROW, scale, image, points), grown[-1]) < 1e-24


@given(seeds(), st.floats(0.4, 1.0))
@cases(0.1)
def test_sum_over_pixels_follows_poisson(seed, smallest):
    """Σ_u h(u) = Σ_k ∫ h(u) exp(−2πi·k·u) du: a sum over pixels is a sum over aliases.

    Narrow filters are seen by what they take for smooth: each alias is the continuum response to
    the image with its frequencies moved by 2πk. The fourth is below 1e-18 for these widths.
    """
    basis = hermite_basis_a(15, (smallest, 2 * smallest), 4)
    rng = np.random.default_rng(seed)
    image = random_gabor_image(rng, bumps=2, widths=(3.0, 6.0))
    points = rng.uniform(-2, 2, (2, 2))
    aliases = range(-3, 4)
    expected = sum(
        _alias(basis, image, points, row, column) for row in aliases for column in aliases
    )
    found = pixel_responses(basis, 0, image, points)
    assert equivariance_error(np.asarray(expected), found) < 1e-20


def _alias(basis, image, points, row, column):
    """The continuum response to f(t)·exp(−2πi·k·(t − p)) for each point p."""
    shift = -2 * np.pi * np.array([row, column])
    parts = []
    for point in points:
        # Re(f·e) = Σ_bumps with phase φ + shift·(c − p) and frequency ω + shift.
        phases = image.phases + (image.centres - point) @ shift
        moved = replace(image, frequencies=image.frequencies + shift, phases=phases)
        parts.append(continuum_responses(basis, 0, moved, point[None]))
    return np.concatenate(parts)
