"""Bases of other functions are judged, budgeted and checked like the Hermite ones."""

from dataclasses import replace

import numpy as np
import pytest

from sesn_impl import (
    LiftingConv2d,
    ScaleConv2d,
    bspline_basis,
    fourier_bessel_basis,
    hermite_basis_b,
    steerable_basis,
)
from verification import check_scale_equivariance
from verification.budget import pair_budget
from verification.checks.equivariance import check_closed_form, check_ranks, check_sigma_law
from verification.layer.targets import describe
from verification.reference.analytic import random_gabor_image
from verification.reference.continuum import (
    continuum_responses,
    is_hermite,
    pixel_responses,
    sampled_filters,
)

SCALES = (1.5, 3.0, 6.0)


def ripple(y, x, sigma):
    """A function of one's own: a Gaussian times a wave along the diagonal."""
    envelope = np.exp(-(y**2 + x**2) / (2 * sigma**2)) / sigma**2
    return envelope * np.sin((y + x) / sigma)


def sharp(y, x, sigma):
    return np.exp(-(y**2 + x**2) / sigma**2) / sigma**2


def own_basis(kernel_size, scales, effective_size):
    return steerable_basis([ripple, sharp], kernel_size, scales)


MAKERS = [bspline_basis, fourier_bessel_basis, own_basis]


def drawn():
    rng = np.random.default_rng(0)
    return random_gabor_image(rng, channels=2), rng.uniform(-5, 5, (4, 2))


def test_integrals_and_sums_agree_with_the_closed_forms_of_hermite_functions():
    """The same functions as plain callables go through the midpoint rule: to rounding."""
    basis = hermite_basis_b(15, (2.0, 2.83, 4.0), 4, mult=1.4)
    plain = replace(basis, atoms=tuple(a.__call__ for a in basis.atoms))
    assert is_hermite(basis)
    assert not is_hermite(plain)
    for measure in (continuum_responses, pixel_responses):
        expected = measure(basis, 1, *drawn())
        np.testing.assert_allclose(measure(plain, 1, *drawn()), expected, atol=1e-12)
    expected = sampled_filters(basis, 1, 9, (1.1, 0.8))
    np.testing.assert_allclose(sampled_filters(plain, 1, 9, (1.1, 0.8)), expected, atol=1e-14)


@pytest.mark.parametrize("make", MAKERS)
def test_the_filters_are_the_documented_ones_at_every_scale(make):
    basis = make(25, SCALES, 3)
    check_closed_form(basis, make.__name__).require()
    check_sigma_law(basis, make.__name__).require()
    check_ranks(basis, make.__name__, basis.ranks).require()


@pytest.mark.parametrize("make", MAKERS)
def test_layers_of_them_pass_and_a_gain_per_scale_is_found(make):
    basis = make(15, (2.0, 2.83, 4.0), 3)
    for layer in (LiftingConv2d(1, 2, basis, padding=7), ScaleConv2d(1, 2, basis, 2, padding=7)):
        check_scale_equivariance(layer.double()).require()
    norms = basis.functions.square().sum((-1, -2), keepdim=True).sqrt()
    broken = LiftingConv2d(1, 2, replace(basis, functions=basis.functions / norms)).double()
    verdict = check_scale_equivariance(broken)
    assert not verdict.passed
    assert "σ" in str(verdict)


@pytest.mark.parametrize("make", [bspline_basis, fourier_bessel_basis])
def test_their_budget_has_no_truncation(make):
    """They end with the support; what a pair of scales loses is sampling, and all of it."""
    budget = pair_budget(make(15, (2.0, 2.83, 4.0), 4), 0, 1, *drawn())
    assert budget.total > 1e-7
    assert budget.truncation < 1e-28
    assert budget.residual < 1e-28
    assert budget.sampling == pytest.approx(budget.total, rel=1e-9)
    assert pair_budget(hermite_basis_b(15, (2.0, 2.83, 4.0), 4), 0, 1, *drawn()).truncation > 1e-6


def test_what_differs_between_rows_and_columns_is_refused_by_name():
    basis = hermite_basis_b(9, (1.5, 2.0), 3)
    with pytest.raises(ValueError, match=r"stride=\(2, 1\): must be the same for rows and columns"):
        describe(LiftingConv2d(1, 2, basis, stride=(2, 1)))
    with pytest.raises(
        ValueError, match=r"padding=\(4, 2\): must be the same for rows and columns"
    ):
        describe(LiftingConv2d(1, 2, basis, padding=(4, 2)))
    assert describe(LiftingConv2d(1, 2, basis, (2, 2), (4, 4))).stride == 2
