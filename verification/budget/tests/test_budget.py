"""The budget of filters: its parts against closed forms, and each without its cause."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesn_impl import hermite_basis_a, hermite_basis_b
from sesn_impl.networks.mnist import SESN_CONFIGURATIONS
from verification.budget import (
    PARTS,
    basis_ranks,
    grid_responses,
    invisible_directions,
    mean_budget,
    pair_budget,
)
from verification.reference.analytic import GaborImage, random_gabor_image
from verification.reference.errors import equivariance_error
from verification.tests.layers import build_basis
from verification.tests.tools.strategies import complete_bases, cut_off_bases, seeds

NARROW = hermite_basis_b(15, (1.7, 2.45, 3.54, 5.1), 7)
ORIGIN = np.zeros((1, 2))
VANISHING = 1e-24
"""Relative squared size of what is rounding alone."""


SMOOTH = (3.0, 8.0)
"""Widths in pixels with which filters of 1.7 pixels have no aliases left: the first, at 2π − 0.5
radians per pixel, is smaller than exp(−37), where widths of 2 would leave exp(−28) to 1e-12."""


def drawn_signal(seed, channels=2, points=3, extent=4.0, widths=(2.0, 8.0)):
    rng = np.random.default_rng(seed)
    image = random_gabor_image(rng, channels=channels, extent=extent, widths=widths)
    return image, rng.uniform(-extent, extent, (points, 2))


def constant_image():
    """1 everywhere that a filter reaches, to 1e-14."""
    zeros = np.zeros((1, 1))
    return GaborImage(
        zeros + 1, np.zeros((1, 1, 2)), zeros + 1e9, np.zeros((1, 1, 2)), np.zeros((1, 1))
    )


def gaussian_sum(sigma, reach=200):
    """Σ exp(−u²/2σ²)/σ over whole u of at most `reach`."""
    pixels = np.arange(-reach, reach + 1)
    return float(np.exp(-((pixels / sigma) ** 2) / 2).sum() / sigma)


@given(cut_off_bases(), seeds(), st.sampled_from([None, 9, 20, 31]))
def test_parts_add_up_to_the_total(drawn, seed, image_size):
    basis = build_basis(drawn)
    image, points = drawn_signal(seed, extent=1.5)
    for fine in range(basis.num_scales - 1):
        budget = pair_budget(basis, fine, fine + 1, image, points, image_size=image_size)
        slack = (budget.residual * budget.total) ** 0.5
        # One rounding of the sums themselves, of which the parts are a few times the total.
        rounding = 1e-12 * budget.bound
        assert abs(sum(budget.contributions.values()) - budget.total) <= slack + rounding
        assert budget.total <= budget.bound * (1 + 1e-9)
        assert budget.residual < VANISHING
        if image_size is None:
            assert budget.border == 0


@given(complete_bases(), seeds())
def test_without_any_cause_all_parts_vanish(drawn, seed):
    basis = build_basis(drawn)
    image, points = drawn_signal(seed, points=2, widths=SMOOTH)
    budget = pair_budget(basis, 0, 1, image, points)
    assert max(budget.parts.values()) < VANISHING
    assert budget.rank == budget.border == budget.scale_axis == budget.precision == 0
    assert budget.cut_off < VANISHING


@pytest.mark.parametrize(
    ("basis", "image_size", "cause"),
    [
        (hermite_basis_a(41, (0.4, 0.6), 3), None, "sampling"),
        (hermite_basis_a(15, (3.0, 4.0), 3), None, "truncation"),
        (hermite_basis_a(101, (3.0, 4.0), 3), 21, "border"),
    ],
)
def test_each_part_appears_with_its_cause_alone(basis, image_size, cause):
    image, points = drawn_signal(0, channels=4, points=8)
    budget = pair_budget(basis, 0, 1, image, points, image_size=image_size)
    assert budget.limited_by == cause
    assert budget.parts[cause] > 1e-5
    assert all(part < VANISHING for name, part in budget.parts.items() if name != cause)
    assert budget.total == pytest.approx(budget.parts[cause])


def test_a_finite_image_changes_the_border_alone():
    image, points = drawn_signal(0)
    whole = pair_budget(NARROW, 1, 2, image, points)
    finite = pair_budget(NARROW, 1, 2, image, points, image_size=17)
    assert finite.border > 1e-5 > whole.border == 0
    # Equal but for the divisor, which is the response of the last model.
    divisors = [finite.parts[name] / whole.parts[name] for name in ("sampling", "truncation")]
    assert divisors[0] == pytest.approx(divisors[1])
    spacious = pair_budget(NARROW, 1, 2, image, points, image_size=201)
    assert spacious.border == 0
    assert spacious == whole


@pytest.mark.parametrize("sigma", [0.3, 0.4, 0.5])
def test_sampling_of_a_constant_is_the_aliasing_of_its_filter(sigma):
    """Poisson: Σ_u of a Gaussian over whole u is √(2π)·(1 + 2 exp(−2π²σ²) + …)."""
    basis = hermite_basis_a(201, (sigma, 4.0), 1)
    budget = pair_budget(basis, 0, 1, constant_image(), ORIGIN)
    aliased = 1 + 2 * sum(np.exp(-2 * np.pi**2 * sigma**2 * k**2) for k in range(1, 6))
    # The wide scale sums to 2π to rounding, the narrow one to 2π times the factor per axis.
    assert budget.sampling == pytest.approx((1 / aliased**2 - 1) ** 2, rel=1e-9)
    assert budget.truncation < VANISHING


def test_truncation_of_a_constant_is_what_the_grid_leaves_out():
    basis = hermite_basis_a(15, (3.0, 4.0), 1)
    assert basis.supports == (11, 15)
    budget = pair_budget(basis, 0, 1, constant_image(), ORIGIN)
    near, far = gaussian_sum(3.0, 5) ** 2, gaussian_sum(4.0, 7) ** 2
    assert budget.truncation == pytest.approx(((far - near) / near) ** 2, rel=1e-9)
    assert budget.cut_off == pytest.approx((2 * np.pi / near - 1) ** 2, rel=1e-9)


def test_border_of_a_constant_is_the_half_that_is_missing():
    """At the first row of an image half of a Gaussian is outside, but for the row itself."""
    basis = hermite_basis_a(121, (3.0, 6.0), 1)
    points = np.array([[-40.0, 0.0]])
    # Rows −80 … 80: the coarse scale, at −80, sees the upper end; the fine one, at −40, does not.
    budget = pair_budget(basis, 0, 1, constant_image(), points, image_size=161)
    row = 1 / 6.0 / np.sqrt(2 * np.pi)
    assert budget.border == pytest.approx(((1 - row) / 2) ** 2, rel=1e-9)
    assert budget.total == pytest.approx(budget.border, rel=1e-9)


def test_cutting_at_one_multiple_of_sigma_cancels():
    """A filter cut to ±σ/2 and one three times as wide, cut three times as far: steerable still."""
    image, points = drawn_signal(0, channels=4, points=8)
    alike = pair_budget(hermite_basis_a(45, (15.0, 45.0), 2), 0, 1, image, points)
    unlike = pair_budget(hermite_basis_a(45, (15.0, 38.0), 2), 0, 1, image, points)
    assert alike.cut_off > 0.1
    assert unlike.cut_off == pytest.approx(alike.cut_off, rel=0.5)
    assert alike.truncation < 1e-4 * alike.cut_off
    assert unlike.truncation > 100 * alike.truncation


@pytest.mark.parametrize(("name", "configuration"), SESN_CONFIGURATIONS.items())
def test_invisible_coefficients_make_no_filter(name, configuration):
    basis = configuration.basis()
    for scale, rank in enumerate(basis_ranks(basis)):
        directions = invisible_directions(basis, scale)
        assert directions.shape == (49, 49 - rank), name
        filters = np.einsum("bd,byx->dyx", directions, basis.functions[:, scale].numpy())
        assert abs(filters).max(initial=0) < 1e-13
        np.testing.assert_allclose(directions.T @ directions, np.eye(49 - rank), atol=1e-13)


def test_invisible_directions_with_fewer_pixels_than_functions():
    basis = hermite_basis_b(5, (1.0, 1.2), 7)
    assert basis.supports == (5, 5)
    assert invisible_directions(basis, 1).shape == (49, 24)


@given(seeds())
def test_rank_loss_is_all_of_an_invisible_filter_and_nothing_of_a_visible_one(seed):
    image, points = drawn_signal(seed)
    invisible = invisible_directions(NARROW, 0)
    rng = np.random.default_rng(seed)
    anything = rng.standard_normal((4, 2, 49))
    hidden = anything @ invisible @ invisible.T
    lost = grid_responses(NARROW, 1, *_rescaled(image, points))
    expected = (np.einsum("pcb,ocb->po", lost, hidden) ** 2).sum()
    energy = (
        np.einsum("pcb,ocb->po", grid_responses(NARROW, 0, image, points), anything) ** 2
    ).sum()
    budget = pair_budget(NARROW, 0, 1, image, points, anything)
    assert budget.rank == pytest.approx(expected / energy)
    assert budget.rank > VANISHING
    visible = pair_budget(NARROW, 0, 1, image, points, anything - hidden)
    assert visible.rank < VANISHING < visible.total


@given(seeds())
def test_rank_loss_is_a_share_that_can_be_subtracted(seed):
    """Over independent coefficients: total = total of the visible filters + rank."""
    image, points = drawn_signal(seed)
    budget = pair_budget(NARROW, 0, 1, image, points)
    near = grid_responses(NARROW, 0, image, points)
    far = grid_responses(NARROW, 1, *_rescaled(image, points))
    invisible = invisible_directions(NARROW, 0)
    visible = (far - near) @ (np.eye(49) - invisible @ invisible.T)
    left = (visible**2).sum() / (near**2).sum()
    assert budget.total == pytest.approx(budget.rank + left)


@pytest.mark.parametrize("scale", [2, 3])
def test_rank_loss_vanishes_with_enough_pixels(scale):
    image, points = drawn_signal(0)
    assert pair_budget(NARROW, 2, 3, image, points).rank == 0
    assert invisible_directions(NARROW, scale).shape == (49, 0)


def _rescaled(image, points):
    ratio = NARROW.scales[1] / NARROW.scales[0]
    return image.rescaled(ratio), points * ratio


def test_budget_with_coefficients_is_that_of_the_combined_filters():
    rng = np.random.default_rng(0)
    image, points = random_gabor_image(rng, channels=2), rng.uniform(-4, 4, (3, 2))
    coefficients = rng.standard_normal((5, 2, 49))
    near = grid_responses(NARROW, 0, image, points)
    far = grid_responses(NARROW, 1, *_rescaled(image, points))
    expected = equivariance_error(
        np.einsum("pcb,ocb->po", near, coefficients), np.einsum("pcb,ocb->po", far, coefficients)
    )
    budget = pair_budget(NARROW, 0, 1, image, points, coefficients)
    assert budget.total == pytest.approx(expected, rel=1e-10)
    louder = pair_budget(NARROW, 0, 1, image, points, coefficients, bias=np.full(5, 1e3))
    assert louder.total < 1e-3 * budget.total


def test_published_scalar_28_splits_as_the_report_says():
    """About 1 % per pair: mostly sampling at the finest pair, nearly all truncation above."""
    image, points = drawn_signal(0, channels=16, points=16)
    budgets = [pair_budget(NARROW, i, i + 1, image, points) for i in range(3)]
    assert all(0.001 < budget.total < 0.02 for budget in budgets)
    assert [budget.limited_by for budget in budgets] == ["sampling", "truncation", "truncation"]
    # At the finest pair about half of it is rank loss, on 5×5 pixels; 7×7 cost nothing.
    assert 0.3 < budgets[0].rank / budgets[0].total < 0.8
    assert budgets[1].rank < 1e-6 * budgets[1].total


def test_mean_of_budgets():
    budgets = [pair_budget(NARROW, 0, 1, *drawn_signal(seed)) for seed in range(3)]
    mean = mean_budget(budgets)
    assert mean.total == pytest.approx(sum(budget.total for budget in budgets) / 3)
    assert mean.rank == pytest.approx(sum(budget.rank for budget in budgets) / 3)
    assert sum(mean.contributions.values()) == pytest.approx(mean.total)
    assert (mean.fine, mean.coarse, mean.ratio) == (0, 1, budgets[0].ratio)
    assert set(mean.contributions) == set(PARTS[:3])
    with pytest.raises(ValueError, match="budgets: must be at least one"):
        mean_budget([])


@pytest.mark.parametrize("pair", [(1, 0), (0, 0), (0, 4), (-1, 1)])
def test_budget_refuses_scales_out_of_order(pair):
    image = random_gabor_image(np.random.default_rng(0))
    with pytest.raises(ValueError, match="must be two of 0 … 3 in order"):
        pair_budget(NARROW, pair[0], pair[1], image, ORIGIN)


def test_budget_refuses_points_outside_the_image():
    image = random_gabor_image(np.random.default_rng(0))
    message = r"point \(-5.0, 0.0\) with image_size=8: must be -4 to 3 pixels"
    with pytest.raises(ValueError, match=message):
        pair_budget(NARROW, 0, 1, image, np.array([[0.0, 0.0], [-5.0, 0.0]]), image_size=8)


def test_budget_refuses_a_response_of_zeros():
    dark = replace(constant_image(), amplitudes=np.zeros((1, 1)))
    with pytest.raises(ValueError, match="response: is zero everywhere"):
        pair_budget(NARROW, 0, 1, dark, ORIGIN)
