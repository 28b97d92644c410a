"""The raster warp by itself: what it does is known in closed form, and broken warps are found."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given
from hypothesis import strategies as st
from kornia.geometry.transform import resize

from verification.reference.analytic import random_gabor_image
from verification.reference.errors import equivariance_error
from verification.reference.tests.resampling import (
    INTERPOLATION_GAIN,
    blur_taps,
    deviation_bound,
    predict_warped,
    random_plane_waves,
    transfer,
)
from verification.reference.warps import (
    Warp,
    photographs,
    random_patches,
    rescale,
    valid_margin,
    valid_mask,
)
from verification.tests.tools.profiles import cases
from verification.tests.tools.strategies import WARP_KINDS, seeds, warps
from verification.tolerances import rounding_error

ROUNDING = rounding_error(torch.float64)
GAIN = INTERPOLATION_GAIN**2
"""What a warp can amplify, in both axes."""
ANY_WARP = st.sampled_from(WARP_KINDS).flatmap(lambda kind: warps(kind, (40, 60)))
RESCALING = st.sampled_from(["down", "up"]).flatmap(lambda kind: warps(kind, (40, 60)))
FEW = cases(0.08)


def broken_warps():
    """Mistakes of resampling code, by name: image and sides in, image out."""
    return {
        "align_corners": lambda x, m: resize(x, m, "bicubic", align_corners=True, antialias=True),
        "no_antialias": lambda x, m: resize(x, m, "bicubic", align_corners=False),
        "bilinear": lambda x, m: resize(x, m, "bilinear", align_corners=False, antialias=True),
        "nearest": lambda x, m: resize(x, m, "nearest", antialias=True),
    }


def requested_factor(x: torch.Tensor, factor: float) -> torch.Tensor:
    """Positions by the factor asked for, not by the one that whole sides realise."""
    return F.interpolate(x, scale_factor=factor, mode="bicubic", recompute_scale_factor=False)


def middle(side: int) -> tuple[float, float]:
    """Sampled about it, an analytic image fits the half-pixel convention for odd and even sides."""
    return (0.0, 0.0) if side % 2 else (0.5, 0.5)


def inner(sides: tuple[int, int], ratios: tuple[float, float]) -> tuple[slice, slice]:
    margins = [valid_margin(ratio, 1, 1, min(ratios) < 1) for ratio in ratios]
    rows, columns = (slice(b, m - b) for b, m in zip(margins, sides, strict=True))
    return rows, columns


# --- The warp is what it is documented to be ------------------------------------------------------


@given(ANY_WARP, seeds(), st.floats(0.1, 3.1))
def test_a_plane_wave_comes_out_as_predicted(warp, seed, max_frequency):
    """Half-pixel positions, Gaussian blur, Keys' cubic: to rounding, at every valid pixel."""
    waves = random_plane_waves(np.random.default_rng(seed), 2, 3, max_frequency)
    found = Warp(warp.size, warp.sides)(waves.sample(warp.size)[None])[0]
    rows, columns = inner(warp.sides, warp.ratios)
    expected = predict_warped(waves, warp.size, warp.sides)[:, rows, columns]
    # Against the amplitudes: waves may cancel, and then nothing is left to compare with.
    size = np.abs(waves.amplitudes).sum()
    assert float((found[:, rows, columns] - expected).abs().max()) ** 2 < ROUNDING * size**2


@pytest.mark.parametrize("name", broken_warps())
def test_broken_warps_are_not_as_predicted(name):
    waves = random_plane_waves(np.random.default_rng(0), 1, 3, 1.0)
    sides = (37, 37)
    rows, columns = inner(sides, (37 / 60, 37 / 60))
    expected = predict_warped(waves, 60, sides)[:, rows, columns]
    found = broken_warps()[name](waves.sample(60)[None], sides)[0][:, rows, columns]
    assert equivariance_error(expected, found) > 1e6 * ROUNDING


@given(seeds(), st.integers(8, 40))
def test_rescaling_to_the_same_size_is_the_identity(seed, side):
    image = torch.randn(1, 1, side, side, generator=torch.Generator().manual_seed(seed))
    warped = rescale(image, side)
    assert warped.ratio == 1
    assert torch.equal(warped.image, image)


@pytest.mark.parametrize("name", ["bilinear", "nearest", "align_corners"])
def test_other_interpolations_are_the_identity_too_which_alone_proves_little(name):
    image = torch.randn(1, 1, 20, 20, dtype=torch.float64)
    torch.testing.assert_close(broken_warps()[name](image, (20, 20)), image)


@given(ANY_WARP, seeds())
def test_band_limited_images_come_near_to_the_ideal(warp, seed):
    """|Wf − L_r f| ≤ Σ|a|·|1 − H| at every valid pixel; the analytic image is the reference."""
    waves = random_plane_waves(np.random.default_rng(seed), 1, 3, 0.4)
    size, (rows, columns) = warp.size, inner(warp.sides, warp.ratios)
    found = Warp(size, warp.sides)(waves.sample(size, middle(size))[None])[0]
    # Unequal ratios are no rescaling of the image: rows and columns are sampled one by one.
    positions = [
        (np.arange(side) + 0.5 - side / 2) / ratio
        for side, ratio in zip(warp.sides, warp.ratios, strict=True)
    ]
    grid = np.stack(np.meshgrid(*positions, indexing="ij"), axis=-1).reshape(-1, 2)
    exact = waves.sample_around(grid, 1).view(1, *warp.sides)
    difference = (found - exact)[:, rows, columns].abs().max()
    assert difference <= deviation_bound(waves, size, warp.sides) + ROUNDING**0.5


# --- Composition, round trip, mean ----------------------------------------------------------------


@given(RESCALING, st.integers(40, 90), seeds())
def test_two_warps_are_one(first, last, seed):
    """W_b W_a f = W_ab f within the three deviations; the second warp amplifies the first one's."""
    waves = random_plane_waves(np.random.default_rng(seed), 1, 3, 0.3)
    size, side = first.size, first.sides[0]
    seen = waves.rescaled(first.ratio)
    once, twice = Warp(size, (last, last)), Warp(side, (last, last))
    image = waves.sample(size)[None]
    bound = deviation_bound(waves, size, once.sides)
    bound += deviation_bound(seen, side, once.sides)
    bound += GAIN * deviation_bound(waves, size, first.sides)
    difference = (twice(first(image)) - once(image))[0]
    # What the first border touched reaches further in the second warp.
    reach = 2 * valid_margin(first.ratio, 1, 1) + 1
    mask = twice.mask(1, reach) & once.mask(1, 1)
    assert float(difference[:, mask].abs().max()) <= bound + ROUNDING**0.5


def test_a_requested_factor_in_place_of_the_realised_one_does_not_compose():
    waves = random_plane_waves(np.random.default_rng(1), 1, 3, 0.3)
    image = waves.sample(60)[None]
    once = Warp(60, (33, 33))
    twice = requested_factor(image, 41.9 / 60)  # 41 pixels, at the positions of 41.9
    difference = (Warp(41, (33, 33))(twice) - once(image))[0][:, once.mask(3, 3)]
    bound = deviation_bound(waves, 60, (33, 33)) + GAIN * deviation_bound(waves, 60, (41, 41))
    bound += deviation_bound(waves.rescaled(41 / 60), 41, (33, 33))
    assert difference.abs().max() > 2 * bound


@given(RESCALING, seeds())
def test_there_and_back_is_the_image(warp, seed):
    """W⁻¹Wf = f within both deviations, for images that fit the smaller grid."""
    waves = random_plane_waves(np.random.default_rng(seed), 1, 3, 0.3)
    back = Warp(warp.sides[0], (warp.size, warp.size))
    image = waves.sample(warp.size)[None]
    bound = deviation_bound(waves.rescaled(warp.ratio), warp.sides[0], back.sides)
    bound += GAIN * deviation_bound(waves, warp.size, warp.sides)
    mask = back.mask(1, 2 * valid_margin(warp.ratio, 1, 1) + 1)
    difference = (back(warp(image)) - image)[0][:, mask]
    assert float(difference.abs().max()) <= bound + ROUNDING**0.5


def test_frequencies_that_do_not_fit_the_smaller_grid_do_not_come_back():
    waves = random_plane_waves(np.random.default_rng(0), 1, 3, 3.0)
    warp, back = Warp(60, (30, 30)), Warp(30, (60, 60))
    image = waves.sample(60)[None]
    assert equivariance_error(image, back(warp(image))) > 0.3


@given(RESCALING, seeds(), st.floats(-3.0, 3.0))
def test_the_mean_is_kept(warp, seed, mean):
    """A whole period in, a whole period out: its mean moves by no more than the deviation."""
    rng = np.random.default_rng(seed)
    waves = random_plane_waves(rng, 1, 3)
    # Whole numbers of waves, few enough for the smaller grid, and never none at all.
    cycles = rng.integers(1, 4, (1, 3, 2)) * rng.choice([-1, 1], (1, 3, 2))
    waves = type(waves)(
        waves.amplitudes, waves.centres, waves.widths, cycles * 2 * np.pi / warp.size, waves.phases
    )
    image = waves.sample(3 * warp.size)[None] + mean
    side = warp.sides[0]
    found = Warp(3 * warp.size, (3 * side, 3 * side))(image)[..., side : 2 * side, side : 2 * side]
    bound = deviation_bound(waves, 3 * warp.size, (3 * side, 3 * side))
    assert abs(float(found.mean()) - mean) <= bound + ROUNDING**0.5


@given(st.floats(0.2, 3.0), ANY_WARP)
def test_constants_are_kept(value, warp):
    constant = torch.full((1, 1, warp.size, warp.size), value, dtype=torch.float64)
    found = warp(constant)
    torch.testing.assert_close(found, torch.full_like(found, value), rtol=1e-12, atol=0)


def test_a_blur_whose_weights_do_not_sum_to_one_loses_the_mean():
    """A Gaussian left as it is sampled, not divided by its sum."""
    taps = torch.tensor([0.1, 0.7, 0.1], dtype=torch.float64)
    constant = torch.ones(1, 1, 30, 30, dtype=torch.float64)
    blurred = F.conv2d(constant, (taps[:, None] * taps)[None, None])
    assert abs(float(rescale(blurred, 14).image.mean()) - 1) > 0.1


# --- Masks ----------------------------------------------------------------------------------------


@given(ANY_WARP, st.integers(0, 5), st.integers(0, 5), seeds())
@FEW
def test_nothing_outside_the_image_reaches_a_valid_pixel(warp, after, before, seed):
    """Two images that differ only beyond the frame agree exactly inside the mask."""
    answers = [_both_orders(warp, after, before, seed, outside) for outside in (1, 2)]
    mask = warp.mask(2 * after + 1, 2 * before + 1)
    for first, second in zip(*answers, strict=True):
        assert torch.equal(first[..., mask], second[..., mask])
        assert not torch.equal(first, second)


@given(RESCALING, st.integers(0, 5), st.integers(0, 5), seeds())
@FEW
def test_one_pixel_more_would_be_touched(warp, after, before, seed):
    """The margin is not larger than it must be, unless an outermost weight is lost in rounding."""
    side = warp.sides[0]
    positions = (np.arange(side) + 0.5) * warp.size / side - 0.5
    assume(not np.isclose(positions, np.round(positions)).any())
    assume(blur_taps(warp.ratio, warp.ratio < 1)[0] > 1e-9)
    margin = valid_margin(warp.ratio, 2 * after + 1, 2 * before + 1)
    wider = valid_mask(side, margin - 1)
    answers = [_both_orders(warp, after, before, seed, outside) for outside in (1, 2)]
    pairs = list(zip(*answers, strict=True))
    assert any(not torch.equal(a[..., wider], b[..., wider]) for a, b in pairs)


def _both_orders(warp, after, before, seed, outside):
    """Warp then window, and window then warp, of an image with something else all around it."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    inside = random(1, 1, warp.size, warp.size)
    windows = [random(1, 1, 2 * r + 1, 2 * r + 1) for r in (after, before)]
    generator.manual_seed(outside)
    large = random(1, 1, 3 * warp.size, 3 * warp.size)
    frame = slice(warp.size, 2 * warp.size)
    large[..., frame, frame] = inside.roll(warp.shift, (-2, -1))
    sides = (3 * warp.sides[0], 3 * warp.sides[1])
    larger = Warp(3 * warp.size, sides)
    rows, columns = (slice(side, 2 * side) for side in warp.sides)
    first = F.conv2d(larger(large), windows[0], padding=after)[..., rows, columns]
    # In the other order the image moves after the warp, so what was around it stays around it.
    large[..., frame, frame] = inside
    second = larger.of_response(F.conv2d(large, windows[1], padding=before))[..., rows, columns]
    return first, second.roll(warp.realised_shift, (-2, -1))


@given(warps("translated", (40, 60)), seeds())
def test_moving_before_is_moving_after(warp, seed):
    """W T_d f = T_{d·r} W f: exact but for rounding, since the shift stays whole."""
    image = torch.randn(
        1, 1, warp.size, warp.size, generator=torch.Generator().manual_seed(seed)
    ).double()
    mask = warp.mask(1, 1)
    expected, found = warp.of_response(image)[..., mask], warp(image)[..., mask]
    assert equivariance_error(expected, found) < ROUNDING


def test_a_shift_lost_or_off_by_one_is_seen():
    image = torch.randn(1, 1, 60, 60, dtype=torch.float64)
    warp, still = Warp(60, (40, 40), (6, -3)), Warp(60, (40, 40))
    mask = warp.mask(1, 1)
    for wrong in (still(image), warp(image).roll(1, -1)):
        assert equivariance_error(warp.of_response(image)[..., mask], wrong[..., mask]) > 0.1


# --- The closed form itself -----------------------------------------------------------------------


@given(st.floats(0.05, 3.0))
def test_blur_and_interpolation_pass_a_constant_unchanged(ratio):
    assert blur_taps(ratio, ratio < 1).sum() == pytest.approx(1.0)
    gains = transfer(ratio, ratio < 1, np.array([0.0]), np.linspace(0, 1, 9))
    np.testing.assert_allclose(gains, 1.0, atol=1e-14)


def test_no_axis_amplifies_more_than_stated():
    phase = np.linspace(0, 1, 101)
    for frequency in np.linspace(0, np.pi, 50):
        gains = np.abs(transfer(1.5, False, np.array([frequency]), phase))
        assert gains.max() <= INTERPOLATION_GAIN


def test_the_closed_form_needs_plane_waves():
    bumps = random_gabor_image(np.random.default_rng(0))
    for function in (predict_warped, deviation_bound):
        with pytest.raises(ValueError, match="must be plane waves, of infinite width"):
            function(bumps, 20, (10, 10))


# --- Photographs, arguments -----------------------------------------------------------------------


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
        (lambda: rescale(torch.zeros(1, 1, 3, 3), 0), r"sides=\(0, 0\): must be at least 1 pixel"),
        (lambda: Warp(3, (2, 2))(torch.zeros(1, 1, 4, 4)), r"\(1, 1, 4, 4\): must be square.*n=3"),
        (lambda: Warp(60, (40, 40), (1, 0)), r"shift=\(1, 0\): must stay whole when 60 pixels"),
        (lambda: Warp(20, (20, 20)).mask(31, 1), "margin=17, shift=0: leave no pixel of 20"),
        (lambda: valid_mask(10, 5), "margin=5: must be below half of side=10"),
        (lambda: random_patches(np.random.default_rng(0), 1, 428), "side=428: must be from 1"),
        (lambda: random_patches(np.random.default_rng(0), 0, 8), "count=0: must be at least 1"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
