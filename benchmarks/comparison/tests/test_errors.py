"""The error is 0 where theory says so, 1 in units of chance where nothing is promised."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.comparison.equivariance import PHOTOGRAPH_SIDES
from benchmarks.comparison.errors import (
    FIRST,
    TRUNK,
    WIDE,
    Window,
    digit_errors,
    errors_between,
    photograph_errors,
    probe_errors,
)
from benchmarks.comparison.floor import HermiteFilters, floor_responses
from benchmarks.comparison.scenes import PATCH, views
from benchmarks.comparison.settings import FACTORS, SIDES
from verification.reference.analytic import GaborImage
from verification.reference.warps import random_patches

POINT = (0.3, -1.1)
FIXED = (HermiteFilters(0, 1.7), HermiteFilters(0, 1.7))
"""The negative control: filters that do not follow the image."""


def test_chance_is_the_mean_over_all_pairs_of_different_responses() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 7, 3)) + 1
    pairs = [((a[i] - b[j]) ** 2).sum() for i in range(7) for j in range(7) if i != j]
    found = errors_between(a, b)
    assert found.error == pytest.approx(((a - b) ** 2).sum() / (a**2).sum())
    assert found.chance == pytest.approx(7 * np.mean(pairs) / (a**2).sum())


def test_a_constant_response_is_flattered_by_the_error_and_not_by_chance() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 500, 3)) + 30
    found = errors_between(a, b)
    assert found.error < 0.01
    assert found.error / found.chance == pytest.approx(1, abs=0.1)


def test_a_single_response_is_refused() -> None:
    with pytest.raises(ValueError, match="must hold at least 2 responses"):
        errors_between(np.ones((1, 3)), np.ones((1, 3)))


@pytest.mark.parametrize("factor", [FACTORS[0], 1.26, FACTORS[-1]])
def test_probe_finds_the_floor_exact_and_fixed_filters_wrong(
    scenes: GaborImage, factor: float
) -> None:
    exact = probe_errors(floor_responses(0, factor), scenes, POINT, factor, WIDE)
    assert exact.error < 1e-10
    assert probe_errors(FIXED, scenes, POINT, factor, WIDE).error > 0.01


def test_probe_finds_a_wrong_scale(scenes: GaborImage) -> None:
    wrong = (HermiteFilters(0, 1.7), HermiteFilters(0, 1.7 / 1.5))
    right = probe_errors(floor_responses(0, 1.5), scenes, POINT, 1.5, WIDE)
    assert probe_errors(wrong, scenes, POINT, 1.5, WIDE).error > 1e6 * right.error


def test_no_rescaling_no_error(scenes: GaborImage, few_digits: Tensor) -> None:
    assert probe_errors(FIXED, scenes, POINT, 1.0).error == 0
    assert digit_errors(FIXED, few_digits, 28).error < 1e-9


@pytest.mark.parametrize("window", [FIRST, TRUNK])
def test_windows_look_at_the_point(scenes: GaborImage, window: Window) -> None:
    """A response of stride 4 averages the four samples around the point, along both axes."""
    place = (POINT[0] - window.offset, POINT[1] - window.offset)
    seen = F.avg_pool2d(views(scenes, place, window.side), int(window.stride))
    middle = 0.5 if window.stride == 4 else 0.0  # a grid of 4 lies half a pixel before its centre
    around = scenes.sample(int(window.stride), (POINT[0] + middle, POINT[1] + middle))
    expected = around.mean(dim=(-1, -2)).float()
    torch.testing.assert_close(seen[:, 0, window.index, window.index], expected)


@pytest.mark.parametrize("side", SIDES)
def test_digits_floor_is_far_below_fixed_filters(few_digits: Tensor, side: int) -> None:
    floor = digit_errors(floor_responses(0, side / 28), few_digits, side)
    assert floor.error < 0.01
    assert digit_errors(FIXED, few_digits, side).error > 10 * floor.error


@pytest.mark.parametrize("side", [18, 44])
def test_digits_find_a_response_that_is_one_pixel_off(few_digits: Tensor, side: int) -> None:
    at_start, at_end = floor_responses(0, side / 28)
    off = digit_errors((at_start, lambda x: at_end(x).roll(1, dims=-1)), few_digits, side)
    assert off.error > 10 * digit_errors((at_start, at_end), few_digits, side).error


@pytest.mark.parametrize("side", PHOTOGRAPH_SIDES)
def test_photographs_floor_is_far_below_fixed_filters(side: int) -> None:
    patches = random_patches(np.random.default_rng(0), 1, PATCH)
    floor = photograph_errors(floor_responses(0, side / PATCH), patches, side)
    assert floor.error < 0.01
    assert photograph_errors(FIXED, patches, side).error > 10 * floor.error
