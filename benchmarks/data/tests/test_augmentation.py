import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from benchmarks.data.augmentation import Augmentation, cropped, cut_out, mirrored, rescaled
from benchmarks.data.dataset import DataSet
from benchmarks.data.mnist_scale_recipe import rescale

seeds = st.integers(0, 2**31 - 1)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=seeded(seed))


SCALING = Augmentation(scaling=True)
STL10 = Augmentation(crop_flip_cutout=True, fill=(0.1, 0.2, 0.3))


def augmented(what: Augmentation, images: Tensor, seed: int) -> Tensor:
    height, width = images.shape[-2:]
    return what(images, what.draw(len(images), height, width, seeded(seed)))


def test_scaling_by_one_is_the_identity_bit_for_bit() -> None:
    images = noise(3, 2, 28, 27)
    assert torch.equal(rescaled(images, torch.ones(3)), images)
    assert not torch.equal(rescaled(images, torch.full((3,), 1.01)), images)


@pytest.mark.parametrize("ratio", [0.5, 0.8, 1.3, 2.0])
def test_scaling_agrees_with_pillow_to_one_grey_level(small_digits: DataSet, ratio: float) -> None:
    images = small_digits.train.images[:20]
    scaled = rescaled(images.double() / 255, torch.full((20,), ratio))
    # Pillow rounds down after adding a half: half a grey level, and one for its own arithmetic.
    for image, ours in zip(images, scaled, strict=True):
        theirs = rescale(image[0].numpy(), ratio, centre=14.0).astype(np.float64)
        inner = np.abs(ours[0].numpy() * 255 - theirs)[3:-3, 3:-3]
        assert inner.max() <= 1.0


def test_scaling_about_another_centre_would_be_noticed(small_digits: DataSet) -> None:
    images = small_digits.train.images[:20]
    scaled = rescaled(images.double() / 255, torch.full((20,), 0.8))
    shifted = np.stack([rescale(image[0].numpy(), 0.8, centre=14.5) for image in images])
    assert np.abs(scaled[:, 0].numpy() * 255 - shifted).max() > 5


def test_scaling_takes_rows_and_columns_alike() -> None:
    images, ratios = noise(4, 1, 28, 28), torch.tensor([0.5, 0.9, 1.4, 2.0])
    transposed = rescaled(images.mT.contiguous(), ratios)
    torch.testing.assert_close(transposed, rescaled(images, ratios).mT, rtol=0, atol=1e-6)


@given(seed=seeds)
@settings(max_examples=25, deadline=None)
def test_random_scaling_stays_in_range_and_repeats(seed: int) -> None:
    images = noise(4, 1, 28, 28, seed=seed)
    scaled = augmented(SCALING, images, seed)
    assert scaled.shape == images.shape
    assert 0 <= float(scaled.min()) <= float(scaled.max()) <= 1
    assert torch.equal(scaled, augmented(SCALING, images, seed))
    assert not torch.equal(scaled, augmented(SCALING, images, seed + 1))


def test_random_scaling_draws_uniformly_between_its_bounds() -> None:
    square = torch.zeros(2000, 1, 28, 28, dtype=torch.float64)
    square[..., 8:20, 8:20] = 1
    sides = augmented(SCALING, square, 0).sum((1, 2, 3)).sqrt() / 12
    # Pixelation moves a side of 6..24 pixels by less than half a pixel, 0.05 of 12 and less.
    assert 0.45 < sides.min() < 0.6
    assert 1.9 < sides.max() < 2.05
    # Mean of uniform(0.5, 2) is 1.25, standard error 0.01; log-uniform would give 1.08.
    assert sides.mean().item() == pytest.approx(1.25, abs=0.05)


@given(top=st.integers(0, 24), left=st.integers(0, 24))
@settings(max_examples=25, deadline=None)
def test_crop_is_a_shift_within_the_padding(top: int, left: int) -> None:
    image = noise(1, 2, 24, 20) + 0.1
    window = cropped(image, torch.tensor([top]), torch.tensor([left]))
    padded = torch.nn.functional.pad(image, (12,) * 4)
    assert torch.equal(window, padded[..., top : top + 24, left : left + 20])


def test_every_shift_and_every_centre_is_drawn() -> None:
    drawn = STL10.draw(5000, 96, 80, seeded(0))
    ends = (25, 25, 2, 96, 80)
    for number, end in zip(drawn.unbind(1), ends, strict=True):
        assert set(number.tolist()) == set(range(end))
    assert drawn[:, 2].mean().item() == pytest.approx(0.5, abs=0.03)  # 4.2 standard deviations


def test_flip_mirrors_the_chosen_images() -> None:
    images = noise(4, 1, 3, 4)
    flipped = mirrored(images, torch.tensor([1, 0, 1, 0]))
    assert torch.equal(flipped[::2], images[::2].flip(-1))
    assert torch.equal(flipped[1::2], images[1::2])


def test_cutout_covers_the_whole_square_or_what_lies_inside() -> None:
    images = torch.ones(96 * 96, 2, 96, 96, dtype=torch.uint8)
    rows, columns = torch.cartesian_prod(torch.arange(96), torch.arange(96)).unbind(1)
    holes = (cut_out(images, rows, columns, (0,)) == 0).all(1)  # [B, H, W]
    heights, widths = holes.any(2).sum(1), holes.any(1).sum(1)
    assert torch.equal(holes.sum((1, 2)), heights * widths)  # one full rectangle
    # A centre is 16 or more from the near and the far end in 65 of 96 places per axis.
    assert int(((heights == 32) & (widths == 32)).sum()) == 65**2
    clipped = holes[heights < 32]
    assert bool((clipped[:, 0].any(1) | clipped[:, -1].any(1)).all())
    assert int(heights.min()) == 16


def test_cutout_fills_with_the_mean_which_normalises_to_zero() -> None:
    images, centre = noise(8, 3, 96, 96), torch.full((8,), 40)
    filled = cut_out(images, centre, centre, STL10.fill)
    changed = (filled != images).all(1)
    assert bool(changed.flatten(1).any(1).all())
    for channel, value in enumerate(STL10.fill):
        assert bool((filled[:, channel][changed] == torch.tensor(value)).all())


def test_stl10_augmentation_repeats_and_varies() -> None:
    images = noise(4, 3, 96, 96)
    once = augmented(STL10, images, 5)
    assert once.shape == images.shape
    assert torch.equal(once, augmented(STL10, images, 5))
    assert not torch.equal(once, augmented(STL10, images, 6))


def test_global_generator_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    augmented(STL10, noise(2, 3, 96, 96), 0)
    augmented(SCALING, noise(2, 1, 28, 28), 0)
    assert torch.equal(torch.random.get_rng_state(), before)
