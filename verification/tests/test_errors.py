"""The error measure, the continuum reference and the budget, against closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import dblquad

from sesn_impl import hermite_basis_a, hermite_basis_b
from verification.continuum import continuum_responses, pixel_responses, sampled_filters
from verification.errors import equivariance_error, grid_responses, pair_budget
from verification.signals import random_gabor_image
from verification.strategies import seeds

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


@given(seeds())
def test_parts_of_the_budget_explain_the_total(seed):
    image = random_gabor_image(np.random.default_rng(seed), channels=2)
    points = np.random.default_rng(seed).uniform(-4, 4, (3, 2))
    for fine in range(3):
        budget = pair_budget(NARROW, fine, fine + 1, image, points)
        low = (budget.sampling**0.5 - budget.truncation**0.5) ** 2
        assert low * (1 - 1e-9) <= budget.total <= budget.bound * (1 + 1e-9)


def test_budget_separates_its_causes():
    rng = np.random.default_rng(0)
    image, points = random_gabor_image(rng, channels=4), rng.uniform(-4, 4, (8, 2))
    cut = pair_budget(hermite_basis_a(15, (3.0, 4.0), 3), 0, 1, image, points)
    coarse_grid = pair_budget(hermite_basis_a(41, (0.4, 0.6), 3), 0, 1, image, points)
    assert cut.limited_by == "truncation"
    assert cut.sampling < 1e-20 < 1e-5 < cut.truncation
    assert coarse_grid.limited_by == "sampling"
    assert coarse_grid.truncation < 1e-20 < 1e-5 < coarse_grid.sampling


def test_budget_with_coefficients_is_that_of_the_combined_filters():
    rng = np.random.default_rng(0)
    image, points = random_gabor_image(rng, channels=2), rng.uniform(-4, 4, (3, 2))
    coefficients = rng.standard_normal((5, 2, 49))
    ratio = NARROW.scales[1] / NARROW.scales[0]
    near = grid_responses(NARROW, 0, image, points)
    far = grid_responses(NARROW, 1, image.rescaled(ratio), points * ratio)
    expected = equivariance_error(
        np.einsum("pcb,ocb->po", near, coefficients), np.einsum("pcb,ocb->po", far, coefficients)
    )
    budget = pair_budget(NARROW, 0, 1, image, points, coefficients)
    assert budget.total == pytest.approx(expected, rel=1e-10)


def test_published_scalar_28_splits_as_the_report_says():
    """About 1 % per pair: mostly sampling at the finest pair, nearly all truncation above."""
    rng = np.random.default_rng(0)
    image = random_gabor_image(rng, channels=16, extent=4.0)
    points = rng.uniform(-4, 4, (16, 2))
    budgets = [pair_budget(NARROW, i, i + 1, image, points) for i in range(3)]
    assert all(0.001 < budget.total < 0.02 for budget in budgets)
    assert [budget.limited_by for budget in budgets] == ["sampling", "truncation", "truncation"]


@pytest.mark.parametrize("pair", [(1, 0), (0, 0), (0, 4), (-1, 1)])
def test_budget_refuses_scales_out_of_order(pair):
    image = random_gabor_image(np.random.default_rng(0))
    with pytest.raises(ValueError, match="must be two of 0 … 3 in order"):
        pair_budget(NARROW, pair[0], pair[1], image, np.zeros((1, 2)))
