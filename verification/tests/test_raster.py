"""Raster warps by kornia: their own properties, and a layer at their floor."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sesn_impl import LiftingConv2d, hermite_basis_a
from verification.checks.raster import check_raster_equivariance, measure_raster
from verification.errors import equivariance_error
from verification.signals import random_gabor_image
from verification.strategies import seeds
from verification.targets import Target, describe
from verification.warps import photographs, random_patches, rescale, valid_margin, valid_mask

SIDE = 128
SIGMA = 3.0
GRANTED = 1.5
"""At a support of 8 σ truncation adds at most half of the floor to the error (measured: 5 %)."""

SIDES = st.integers(SIDE // 2, SIDE - 20)


def lifting_for(side: int, seed: int) -> Target:
    """A lifting convolution whose two scales have the ratio of the warp from SIDE to `side`."""
    torch.manual_seed(seed)
    kernel_size = int(8 * SIGMA) // 2 * 2 + 1
    basis = hermite_basis_a(kernel_size, (SIGMA * side / SIDE, SIGMA), 4)
    return describe(LiftingConv2d(1, 2, basis, padding=kernel_size // 2, bias=False))


@given(SIDES, seeds())
@settings(max_examples=max(3, settings().max_examples // 3))
def test_lifting_reaches_the_floor_on_photographs(side, seed):
    patches = random_patches(np.random.default_rng(seed), 1, SIDE)
    target = lifting_for(side, seed)
    check_raster_equivariance(target, patches, side, GRANTED).require()


def test_floor_layer_and_ceiling_are_in_order():
    patches = random_patches(np.random.default_rng(1), 1, SIDE)
    measured = measure_raster(lifting_for(80, 1), patches, 80)
    assert measured.ratio == 80 / SIDE
    assert 0 < measured.floor < 1.01 * measured.error < measured.ceiling / 10


def test_one_filter_for_all_scales_is_rejected():
    patches = random_patches(np.random.default_rng(0), 1, SIDE)
    target = lifting_for(80, 0)
    plain = Target(
        "plain",
        lambda x: target.layer(x)[:, :, :1].expand(-1, -1, 2, -1, -1),
        target.scales,
        1,
        target.window,
        lifts=True,
        dtype=target.dtype,
        filters=target.filters,
    )
    result = check_raster_equivariance(plain, patches, 80, GRANTED)
    assert not result.passed
    assert result.error > 10 * result.threshold


def test_ratio_must_be_that_of_the_scales():
    with pytest.raises(ValueError, match=r"side=81: ratio 0\.632812 must be that of the scales"):
        measure_raster(lifting_for(80, 0), random_patches(np.random.default_rng(0), 1, SIDE), 81)


@given(seeds(), st.integers(8, 40))
def test_rescaling_to_the_same_size_changes_nothing(seed, side):
    image = torch.randn(1, 1, side, side, generator=torch.Generator().manual_seed(seed))
    warped = rescale(image, side)
    assert warped.ratio == 1
    torch.testing.assert_close(warped.image, image)


@given(seeds(), st.integers(60, 200))
def test_rescaling_agrees_with_the_analytic_image(seed, side):
    """A smooth image rescaled by kornia and in closed form, in the half-pixel convention."""
    size = 101
    image = random_gabor_image(
        np.random.default_rng(seed), extent=15.0, widths=(5.0, 8.0), max_frequency=0.2
    )
    ratio = side / size
    warped = rescale(image.sample(size)[None], side).image[0]
    # Pixel i of n lies (i + ½ − n/2) from the middle, so an even side needs half a pixel.
    middle = 0.0 if side % 2 else 0.5
    exact = image.rescaled(ratio).sample(side, (middle, middle))
    margin = valid_margin(ratio, 1)
    inside = valid_mask(side, margin)
    assert equivariance_error(exact[:, inside], warped[:, inside]) < 0.03


@given(st.floats(0.2, 3.0), st.integers(20, 60), st.integers(20, 90))
def test_rescaling_keeps_constants(value, size, side):
    constant = torch.full((1, 1, size, size), value, dtype=torch.float64)
    warped = rescale(constant, side).image
    torch.testing.assert_close(warped, torch.full_like(warped, value))


@given(st.integers(20, 55), st.integers(1, 6), seeds())
@settings(max_examples=10)
def test_border_stays_out_of_the_valid_pixels(half_side, half_window, seed):
    """What lies beyond the border changes nothing inside the mask, and something outside it."""
    size, side, window = 80, 2 * half_side, 2 * half_window + 1
    ratio = side / size
    generator = torch.Generator().manual_seed(seed)
    kernel = torch.rand(1, 1, window, window, generator=generator, dtype=torch.float64)
    large = torch.randn(1, 1, 2 * size, 2 * size, generator=generator, dtype=torch.float64)
    inner = slice(size // 2, size // 2 + size)

    def layer(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.conv2d(x, kernel, padding=half_window)

    mask = valid_mask(side, valid_margin(ratio, window))
    there = slice(half_side, half_side + side)
    for first_warp in (True, False):

        def answer(image: torch.Tensor, pixels: int, first: bool = first_warp) -> torch.Tensor:
            if first:
                return layer(rescale(image, pixels).image)
            return rescale(layer(image), pixels).image

        alone = answer(large[..., inner, inner], side)
        within = answer(large, 2 * side)[..., there, there]
        torch.testing.assert_close(alone[..., mask], within[..., mask], rtol=1e-9, atol=1e-9)
        assert not torch.allclose(alone, within)


def test_photographs_are_the_bundled_ones():
    assert [tuple(image.shape) for image in photographs()] == [(427, 640), (427, 640)]
    assert all(0 <= image.min() < image.max() <= 1 for image in photographs())


def test_patches_have_no_mean():
    patches = random_patches(np.random.default_rng(0), 3, 64)
    assert patches.shape == (3, 1, 64, 64)
    torch.testing.assert_close(patches.mean(dim=(-1, -2)), torch.zeros(3, 1, dtype=torch.float64))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rescale(torch.zeros(1, 1, 3, 4), 3), r"\(1, 1, 3, 4\): must be square"),
        (lambda: rescale(torch.zeros(1, 1, 3, 3), 0), "side=0: must be at least 1 pixel"),
        (lambda: random_patches(np.random.default_rng(0), 1, 428), "side=428: must be from 1"),
        (lambda: random_patches(np.random.default_rng(0), 0, 8), "count=0: must be at least 1"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
