"""Analytic images rescale, shift and sample exactly."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from verification.reference.analytic import GaborImage, random_gabor_image, stack_channels
from verification.tests.tools.profiles import cases
from verification.tests.tools.strategies import seeds

FACTORS = st.floats(0.25, 4.0)
MANY = cases(2)


def value_at(image: GaborImage, point: tuple[float, float]) -> np.ndarray:
    """The definition, written out once more with cosines: [C]."""
    difference = np.asarray(point) - image.centres
    envelope = np.exp(-(difference**2).sum(-1) / (2 * image.widths**2))
    wave = np.cos((image.frequencies * difference).sum(-1) + image.phases)
    return np.asarray((image.amplitudes * envelope * wave).sum(-1))


@given(seeds(), st.tuples(st.floats(-9, 9), st.floats(-9, 9)))
@MANY
def test_samples_are_the_functions_values(seed, point):
    image = random_gabor_image(np.random.default_rng(seed), channels=2, bumps=3)
    samples = image.sample(5, point)
    assert samples.shape == (2, 5, 5)
    np.testing.assert_allclose(samples[:, 2, 2], value_at(image, point), atol=1e-12)
    corner = (point[0] - 2, point[1] + 2)
    np.testing.assert_allclose(samples[:, 0, 4], value_at(image, corner), atol=1e-12)


@given(seeds(), FACTORS)
@MANY
def test_rescaling_is_exact(seed, factor):
    image = random_gabor_image(np.random.default_rng(seed))
    point = (1.25, -3.5)
    moved = (point[0] * factor, point[1] * factor)
    rescaled = image.rescaled(factor).sample(1, moved)
    torch.testing.assert_close(rescaled, image.sample(1, point), rtol=0, atol=1e-12)


@given(seeds(), FACTORS, FACTORS)
@MANY
def test_rescalings_compose(seed, first, second):
    image = random_gabor_image(np.random.default_rng(seed))
    twice = image.rescaled(first).rescaled(second).sample(7)
    torch.testing.assert_close(twice, image.rescaled(first * second).sample(7), rtol=0, atol=1e-11)


@given(seeds(), st.tuples(st.floats(-5, 5), st.floats(-5, 5)))
@MANY
def test_shifting_is_exact(seed, offset):
    image = random_gabor_image(np.random.default_rng(seed))
    shifted = image.shifted(offset).sample(3, offset)
    torch.testing.assert_close(shifted, image.sample(3), rtol=0, atol=1e-12)


def test_rows_come_first():
    bump = GaborImage(
        *(np.array(v, dtype=float) for v in ([[1.0]], [[[2.0, 0.0]]], [[0.5]], [[[0, 0]]], [[0]]))
    )
    samples = bump.sample(7)[0]
    assert torch.argmax(samples).item() == 5 * 7 + 3


def test_random_images_stay_in_their_ranges():
    image = random_gabor_image(
        np.random.default_rng(0), 3, 200, extent=5.0, widths=(1.0, 2.0), max_frequency=0.7
    )
    speeds = np.linalg.norm(image.frequencies, axis=-1)
    assert np.abs(image.centres).max() <= 5.0
    assert 1.0 <= image.widths.min() <= image.widths.max() <= 2.0
    assert 0.6 < speeds.max() <= 0.7
    # Uniform over the disc: a quarter of the frequencies within half of the radius.
    assert np.mean(speeds < 0.35) == pytest.approx(0.25, abs=0.06)


def test_channels_can_be_stacked_and_selected():
    images = [random_gabor_image(np.random.default_rng(i), channels=2) for i in (0, 1)]
    both = stack_channels(images)
    assert both.channels == 4
    assert torch.equal(both.channel(slice(2, 4)).sample(5), images[1].sample(5))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f: f.rescaled(0), "factor=0: must be a finite positive number"),
        (lambda f: f.rescaled(float("nan")), "factor=nan: must be"),
        (lambda f: f.sample(0), "size=0: must be at least 1 pixel"),
        (lambda f: f.sample_around(np.zeros(2), 3), r"points of shape \(2,\): must be \[P, 2\]"),
    ],
)
def test_bad_arguments_are_named(call, message):
    image = random_gabor_image(np.random.default_rng(0))
    with pytest.raises(ValueError, match=message):
        call(image)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": 0}, "channels=0, bumps=8: must both be at least 1"),
        ({"widths": (2.0, 1.0)}, r"widths=\(2.0, 1.0\): must be positive and in order"),
        ({"max_frequency": -1.0}, "max_frequency=-1.0"),
    ],
)
def test_bad_ranges_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        random_gabor_image(np.random.default_rng(0), **options)
