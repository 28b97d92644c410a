"""Local scale-invariance under a smooth field of scales: first order in γσ, known beforehand."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sesn_impl import LiftingConv2d, ScaleMaxProjection, hermite_basis_a
from sesn_impl.networks.mnist import SESN_CONFIGURATIONS
from verification.broken_layers import UNEQUAL_SCALES
from verification.checks import check_field_invariance, check_field_response
from verification.checks.local import field_change
from verification.layer.scaling_field import (
    FieldScene,
    derivative_bounds,
    random_field_scene,
    values_and_gradients,
)
from verification.layer.targets import Target, describe
from verification.reference.analytic import random_gabor_image
from verification.tests.layers import build_basis, build_lifting
from verification.tests.tools.profiles import cases
from verification.tests.tools.strategies import complete_bases, cut_off_bases, seeds

GRID = tuple(3.0 * 1.25**i for i in range(4))
GRADIENTS = st.floats(-5.0, -2.7).map(lambda exponent: 10.0**exponent)
"""γ per pixel, from where second order vanishes to a factor of 2 over 350 pixels."""
MAXIMUM = ScaleMaxProjection()
SMALL = 2e-5
"""A gradient at which the bound on second order is well below the first."""


def steps_of(target: Target) -> tuple[int, ...]:
    return tuple(range(len(target.scales)))


def complete_target(channels: int = 2) -> Target:
    basis = hermite_basis_a(2 * int(11 * GRID[-1]) + 1, GRID, 3)
    torch.manual_seed(0)
    return describe(LiftingConv2d(1, channels, basis).double())


class UnequallyStretched(FieldScene):
    """The same field, but rows are squeezed by a tenth everywhere: locally no rescaling."""

    def back(self, u):
        plain = super().back(u)
        return plain.real + 0.9j * plain.imag


@given(complete_bases(), seeds(), GRADIENTS)
@cases(0.1)
def test_responses_change_by_the_predicted_first_order(drawn, seed, gradient):
    target = describe(build_lifting(build_basis(drawn), seed))
    scene = random_field_scene(target, seed, steps_of(target), gradient)
    check_field_response(target, scene).require()
    check_field_invariance(target, scene, MAXIMUM).require()


@given(cut_off_bases(), seeds(), GRADIENTS, st.sampled_from([torch.float32, torch.float64]))
@cases(0.2)
def test_cut_off_bases_stay_within_bound_and_budget(drawn, seed, gradient, dtype):
    target = describe(build_lifting(build_basis(drawn), seed, dtype))
    scene = random_field_scene(target, seed, steps_of(target), gradient)
    check_field_response(target, scene).require()
    check_field_invariance(target, scene, MAXIMUM).require()


@pytest.mark.parametrize("name", SESN_CONFIGURATIONS)
def test_published_configurations_stay_within_bound_and_budget(name):
    target = describe(build_lifting(SESN_CONFIGURATIONS[name].basis(), 0))
    scene = random_field_scene(target, 0, steps_of(target), 1e-4)
    check_field_response(target, scene).require()
    check_field_invariance(target, scene, MAXIMUM).require()


# --- The error falls in proportion to the gradient ------------------------------------------------


def exponent_and_band(target, scene):
    """Order of the error between γ and γ/2, and where first order and its bounds allow it."""
    coarse, fine = (
        field_change(target, replace(scene, gradient=scene.gradient / halves, image=image))
        for halves, image in ((1, scene.image), (2, _moved(scene)))
    )
    (low, high), (finer_low, finer_high) = coarse.error_range, fine.error_range
    measured = np.log2(coarse.error / fine.error)
    return measured, (np.log2(low / finer_high), np.log2(high / finer_low))


def _moved(scene):
    """The same bumps where the factors are those of half the gradient: twice as far away."""
    count = scene.image.centres.shape[1] // len(scene.steps)
    distance = np.log(scene.ratio) / scene.gradient * np.repeat(scene.steps, count)
    return replace(
        scene.image, centres=scene.image.centres + np.stack([0 * distance, distance], axis=-1)
    )


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_the_error_is_one_within_its_band(seed):
    target = complete_target()
    scene = random_field_scene(target, seed, steps_of(target), SMALL)
    measured, (lowest, highest) = exponent_and_band(target, scene)
    assert 0.5 < lowest < measured < highest < 1.5
    assert measured == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("seed", range(4))
def test_an_unequal_stretch_does_not_fade_with_the_gradient(seed):
    """Negative control: rows and columns of unequal factors, however slowly they vary."""
    target = complete_target()
    scene = random_field_scene(target, seed, steps_of(target), SMALL)
    stretched = UnequallyStretched(scene.image, scene.steps, scene.ratio, scene.gradient)
    measured, (lowest, _) = exponent_and_band(target, stretched)
    assert measured < 0.01 < lowest
    assert not check_field_response(target, stretched).passed


def test_the_first_order_is_seen_with_its_sign():
    target = complete_target()
    change = field_change(target, random_field_scene(target, 0, steps_of(target), SMALL))
    off = np.abs(change.after - change.before - change.first)
    assert (off <= change.remainder + change.slack).all()
    for wrong in (0.0, -1.0, 0.5):
        off = np.abs(change.after - change.before - wrong * change.first)
        assert (off > change.remainder + change.slack).any()


# --- Negative controls ----------------------------------------------------------------------------


@pytest.mark.parametrize("mutant", UNEQUAL_SCALES, ids=lambda mutant: mutant.name)
def test_mutants_whose_filters_are_no_copies_are_rejected(mutant):
    intact = complete_target()
    assert isinstance(intact.layer, LiftingConv2d)
    scene = random_field_scene(intact, 0, steps_of(intact), SMALL)
    if mutant.name == "one_support":
        # A support cut at 10 σ instead of 5 σ is lost in the field's own remainder.
        scene = random_field_scene(intact, 0, steps_of(intact), 1e-9)
    assert check_field_response(intact, scene).passed
    assert not check_field_response(mutant.target(intact.layer), scene).passed


def test_mean_projection_and_one_fixed_scale_are_rejected():
    target = complete_target(channels=6)
    scene = random_field_scene(target, 0, steps_of(target), SMALL)
    assert check_field_invariance(target, scene, MAXIMUM).passed
    assert not check_field_invariance(target, scene, lambda y: y.mean(dim=2)).passed
    plain = replace(target, layer=lambda x: target.layer(x)[:, :, :1].expand(-1, -1, 4, -1, -1))
    assert not check_field_invariance(plain, scene, MAXIMUM).passed
    assert not check_field_response(plain, scene).passed


# --- The field itself -----------------------------------------------------------------------------


def test_the_local_factor_is_a_power_of_q_at_each_point():
    """A difference quotient of the map: h(u)/u goes to 1 at every point, whatever its factor."""
    target = complete_target()
    scene = random_field_scene(target, 0, (0, 2), 1e-3)
    step = np.array([1e-6 + 0j, 1e-6j])
    assert np.abs(scene.back(step) / step - 1).max() < 1e-8
    # Forth by T and back by h: (e^{γ(p+x)} − e^{γp})/γ is the point's factor times what h undoes.
    x = np.array([3.0 - 2.0j])
    seen = ((np.exp(1e-3 * x) - 1) / 1e-3).astype(np.complex128)
    assert np.abs(scene.back(seen) - x).max() < 1e-11


def test_the_warped_image_is_the_image_at_the_points_that_the_map_brings_there():
    target = complete_target()
    scene = random_field_scene(target, 0, (0, 1), 1e-3)
    size, middle = 9, 4
    window = scene.warped(1, size)[0]
    v = 3.0 + 1j * -2.0  # column 3, row −2
    back = scene.back(np.array([v / scene.factor(1)]))[0]
    expected = scene.about(1).sample_around(np.array([[back.imag, back.real]]), 1)[0, :, 0, 0]
    torch.testing.assert_close(window[:, middle - 2, middle + 3], expected)


@given(seeds())
def test_gradients_are_difference_quotients(seed):
    rng = np.random.default_rng(seed)
    image, points = random_gabor_image(rng, 2), rng.uniform(-8, 8, (5, 2))
    values, gradients = values_and_gradients(image, points)
    np.testing.assert_allclose(values, image.sample_around(points, 1)[..., 0, 0].T, atol=1e-12)
    for axis in (0, 1):
        there = points + 1e-5 * np.eye(2)[axis]
        quotient = (values_and_gradients(image, there)[0] - values) / 1e-5
        np.testing.assert_allclose(gradients[..., axis], quotient, atol=1e-4)


@given(seeds())
def test_derivatives_stay_within_their_bounds(seed):
    rng = np.random.default_rng(seed)
    image, points = random_gabor_image(rng, 2), rng.uniform(-12, 12, (50, 2))
    slope, curvature = derivative_bounds(image)
    _, gradients = values_and_gradients(image, points)
    assert (np.linalg.norm(gradients, axis=-1).max(axis=-1) <= slope).all()
    direction = rng.standard_normal(2)
    direction /= np.linalg.norm(direction)
    _, there = values_and_gradients(image, points + 1e-4 * direction)
    second = np.linalg.norm(there - gradients, axis=-1).max(axis=-1) / 1e-4
    assert (second <= curvature * (1 + 1e-6)).all()


@pytest.mark.parametrize(
    ("steps", "gradient", "message"),
    [
        ((), 1e-3, r"steps=\(\): must be one or more integers from 0 to 3"),
        ((4,), 1e-3, r"steps=\(4,\): must be one or more integers from 0 to 3"),
        ((0,), 0.0, r"gradient=0.0: must be above 0 per pixel"),
        ((0,), 0.5, r"gradient=0.5: must be below .* per pixel for windows of 129 pixels"),
    ],
)
def test_bad_scenes_are_named(steps, gradient, message):
    target = complete_target()
    with pytest.raises(ValueError, match=message):
        check_field_response(target, random_field_scene(target, 0, steps, gradient))
