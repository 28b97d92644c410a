"""Images stay centred in their frames, and digits fit at every size."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from benchmarks.comparison.scenes import (
    PATCH,
    images_identity,
    in_frame,
    rescaled_in_frame,
    small_digits,
)
from benchmarks.comparison.settings import FRAME, SIDES
from benchmarks.data import DataSet


def test_frames_pad_and_crop_around_the_centre() -> None:
    image = torch.arange(16.0).view(1, 1, 4, 4)
    padded = in_frame(image, 6)
    assert torch.equal(padded[..., 1:5, 1:5], image)
    assert padded.sum() == image.sum()
    assert torch.equal(in_frame(padded, 4), image)


@pytest.mark.parametrize("side", SIDES)
def test_sides_keep_the_centre_and_give_whole_patches(side: int) -> None:
    assert (FRAME - side) % 2 == 0
    assert side * PATCH % FRAME == 0
    assert 0.5 <= side / FRAME <= 2


@pytest.mark.parametrize("side", SIDES)
def test_rescaled_digits_stay_centred_and_inside(few_digits: Tensor, side: int) -> None:
    scaled = rescaled_in_frame(few_digits, side)
    assert scaled.shape == few_digits.shape
    # Light grows with the area; what the frame cut off would be missing.
    expected = few_digits.sum(dim=(-1, -2)) * (side / FRAME) ** 2
    torch.testing.assert_close(scaled.sum(dim=(-1, -2)), expected, rtol=0.03, atol=0.0)
    offset = (side / FRAME) * (centre_of_light(few_digits) - FRAME / 2)
    torch.testing.assert_close(centre_of_light(scaled) - FRAME / 2, offset, rtol=0.0, atol=0.1)


def centre_of_light(images: Tensor) -> Tensor:
    """Mean row, weighted by brightness, from the upper edge: [B]."""
    rows = torch.arange(images.shape[-1]) + 0.5
    light = images.sum(dim=(1, 3))
    return (light * rows).sum(dim=1) / light.sum(dim=1)


def test_digits_are_the_small_ones(data: DataSet) -> None:
    chosen = small_digits(data)
    assert 50 < len(chosen) < len(data.test)
    assert (float(chosen.min()), float(chosen.max())) == (0, 1)
    nothing_known = replace(data, test=replace(data.test, scales=None))
    with pytest.raises(ValueError, match="must know the true scale"):
        small_digits(nothing_known)


def test_identity_depends_on_the_digits(data: DataSet) -> None:
    other = replace(data, test=replace(data.test, images=255 - data.test.images))
    assert images_identity(data) != images_identity(other)
    assert images_identity(data)["name"] == "digits and photographs"
