import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from benchmarks.data.augmentation import (
    cutout,
    random_crop,
    random_flip,
    random_scaling,
    scale_about_centre,
    stl10_augmentation,
)
from benchmarks.data.dataset import DataSet
from benchmarks.data.mnist_scale_recipe import rescale

seeds = st.integers(0, 2**31 - 1)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=seeded(seed))


def test_scaling_by_one_is_the_identity_bit_for_bit() -> None:
    images = noise(3, 2, 28, 27)
    assert torch.equal(scale_about_centre(images, torch.ones(3)), images)
    assert not torch.equal(scale_about_centre(images, torch.full((3,), 1.01)), images)


@pytest.mark.parametrize("ratio", [0.5, 0.8, 1.3, 2.0])
def test_scaling_agrees_with_pillow_to_one_grey_level(small_digits: DataSet, ratio: float) -> None:
    images = small_digits.train.images[:20]
    scaled = scale_about_centre(images.double() / 255, torch.full((20,), ratio))
    # Pillow rounds down after adding a half: half a grey level, and one for its own arithmetic.
    for image, ours in zip(images, scaled, strict=True):
        theirs = rescale(image[0].numpy(), ratio, centre=14.0).astype(np.float64)
        inner = np.abs(ours[0].numpy() * 255 - theirs)[3:-3, 3:-3]
        assert inner.max() <= 1.0


def test_scaling_about_another_centre_would_be_noticed(small_digits: DataSet) -> None:
    images = small_digits.train.images[:20]
    scaled = scale_about_centre(images.double() / 255, torch.full((20,), 0.8))
    shifted = np.stack([rescale(image[0].numpy(), 0.8, centre=14.5) for image in images])
    assert np.abs(scaled[:, 0].numpy() * 255 - shifted).max() > 5


def test_scaling_takes_rows_and_columns_alike() -> None:
    images, ratios = noise(4, 1, 28, 28), torch.tensor([0.5, 0.9, 1.4, 2.0])
    transposed = scale_about_centre(images.mT.contiguous(), ratios)
    torch.testing.assert_close(transposed, scale_about_centre(images, ratios).mT, rtol=0, atol=1e-6)


@given(seed=seeds)
@settings(max_examples=25, deadline=None)
def test_random_scaling_stays_in_range_and_repeats(seed: int) -> None:
    images = noise(4, 1, 28, 28, seed=seed)
    scaled = random_scaling(images, seeded(seed))
    assert scaled.shape == images.shape
    assert 0 <= float(scaled.min()) <= float(scaled.max()) <= 1
    assert torch.equal(scaled, random_scaling(images, seeded(seed)))
    assert not torch.equal(scaled, random_scaling(images, seeded(seed + 1)))


def test_random_scaling_draws_uniformly_between_its_bounds() -> None:
    square = torch.zeros(2000, 1, 28, 28, dtype=torch.float64)
    square[..., 8:20, 8:20] = 1
    sides = random_scaling(square, seeded(0)).sum((1, 2, 3)).sqrt() / 12
    # Pixelation moves a side of 6..24 pixels by less than half a pixel, 0.05 of 12 and less.
    assert 0.45 < sides.min() < 0.6
    assert 1.9 < sides.max() < 2.05
    # Mean of uniform(0.5, 2) is 1.25, standard error 0.01; log-uniform would give 1.08.
    assert sides.mean().item() == pytest.approx(1.25, abs=0.05)


@given(seed=seeds, padding=st.integers(1, 12))
@settings(max_examples=25, deadline=None)
def test_crop_is_a_shift_within_the_padding(seed: int, padding: int) -> None:
    images = noise(3, 2, 24, 20, seed=seed) + 0.1
    for image, cropped in zip(images, random_crop(images, seeded(seed), padding), strict=True):
        padded = torch.nn.functional.pad(image, (padding,) * 4)
        windows = padded.unfold(1, 24, 1).unfold(2, 20, 1)  # [C, shifts, shifts, H, W]
        same = (windows == cropped[:, None, None]).all(-1).all(-1).all(0)
        assert int(same.sum()) == 1


def test_crop_uses_every_shift() -> None:
    images = torch.zeros(2000, 1, 9, 9)
    images[:, :, 4, 4] = 1
    positions = random_crop(images, seeded(0), padding=2).flatten(1).argmax(1)
    expected = {9 * row + column for row in range(2, 7) for column in range(2, 7)}
    assert set(positions.tolist()) == expected


def test_flip_mirrors_about_half_of_the_images() -> None:
    images = noise(1000, 1, 3, 4)
    flipped = random_flip(images, seeded(0))
    mirrored = (flipped == images.flip(-1)).flatten(1).all(1)
    kept = (flipped == images).flatten(1).all(1)
    assert bool((mirrored ^ kept).all())
    assert 430 < int(mirrored.sum()) < 570  # 500 ± 4.4 standard deviations


def test_cutout_covers_the_whole_square_or_what_lies_inside() -> None:
    images = torch.ones(2000, 2, 96, 96)
    holes = (cutout(images, seeded(0)) == 0).all(1)  # [B, H, W]
    heights = holes.any(2).sum(1)
    widths = holes.any(1).sum(1)
    assert torch.equal(holes.sum((1, 2)), heights * widths)  # one full rectangle
    whole = (heights == 32) & (widths == 32)
    assert bool((holes[whole].sum((1, 2)) == 32 * 32).all())
    # A centre is 16 or more from the near and the far end in 65 of 96 places per axis.
    assert whole.float().mean().item() == pytest.approx((65 / 96) ** 2, abs=0.05)
    clipped = holes[heights < 32]
    assert bool((clipped[:, 0].any(1) | clipped[:, -1].any(1)).all())
    assert int(heights.min()) == 16


def test_cutout_fills_with_the_mean_which_normalises_to_zero() -> None:
    images, fill = noise(8, 3, 96, 96), (0.1, 0.2, 0.3)
    filled = cutout(images, seeded(1), fill=fill)
    changed = (filled != images).all(1)
    assert bool(changed.flatten(1).any(1).all())
    for channel, value in enumerate(fill):
        assert bool((filled[:, channel][changed] == torch.tensor(value)).all())


def test_stl10_augmentation_repeats_and_varies() -> None:
    images = noise(4, 3, 96, 96)
    once = stl10_augmentation(images, seeded(5), (0.4, 0.4, 0.4))
    assert once.shape == images.shape
    assert torch.equal(once, stl10_augmentation(images, seeded(5), (0.4, 0.4, 0.4)))
    assert not torch.equal(once, stl10_augmentation(images, seeded(6), (0.4, 0.4, 0.4)))


def test_global_generator_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    stl10_augmentation(noise(2, 3, 96, 96), seeded(0), (0.0,))
    random_scaling(noise(2, 1, 28, 28), seeded(0))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_bad_arguments_are_named() -> None:
    images = noise(2, 3, 8, 8)
    with pytest.raises(ValueError, match=r"got lowest=2\.0, highest=1\.0"):
        random_scaling(images, seeded(0), 2.0, 1.0)
    with pytest.raises(ValueError, match=r"ratios must be 2 positive numbers.*\[3\]"):
        scale_about_centre(images, torch.ones(3))
    with pytest.raises(ValueError, match="ratios must be 2 positive numbers"):
        scale_about_centre(images, torch.tensor([1.0, 0.0]))
    with pytest.raises(ValueError, match="size must be even and positive, got 31"):
        cutout(images, seeded(0), 31)
    with pytest.raises(ValueError, match=r"fill must have 1 or 3 values, got \(0\.1, 0\.2\)"):
        cutout(images, seeded(0), 4, (0.1, 0.2))
    with pytest.raises(ValueError, match=r"floating \[B, C, H, W\], got torch\.uint8"):
        random_crop(torch.zeros(2, 3, 8, 8, dtype=torch.uint8), seeded(0))
