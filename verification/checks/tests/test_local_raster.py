"""Digits and photographs on one canvas, each at its own scale: a layer at the floor of warps."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sesn_impl import LiftingConv2d, hermite_basis_a
from verification.checks.raster import (
    check_local_raster,
    digit_objects,
    measure_local_raster,
    photo_objects,
)
from verification.layer.targets import Target, describe
from verification.tests.tools.profiles import cases
from verification.tests.tools.strategies import seeds

SIDE = 36
SCALES = tuple(1.5 * (4 / 3) ** i for i in range(4))
SIDES = (48, 27)


def lifting(seed: int, sigmas: float = 8.0) -> Target:
    torch.manual_seed(seed)
    kernel_size = int(sigmas * SCALES[-1]) // 2 * 2 + 1
    basis = hermite_basis_a(kernel_size, SCALES, 3)
    return describe(LiftingConv2d(1, 1, basis, padding=kernel_size // 2, bias=False))


@given(st.sampled_from([digit_objects, photo_objects]), st.permutations([48, 36, 27]), seeds())
@cases(0.03)
def test_objects_keep_their_maximum_up_to_the_floor(make, sides, seed):
    objects = make(np.random.default_rng(seed), 3, SIDE)
    check_local_raster(lifting(seed), objects, tuple(sides)).require()


@pytest.mark.parametrize("make", [digit_objects, photo_objects])
def test_floor_layer_and_negative_controls_are_in_order(make):
    """One fixed scale, the mean over scales, and pixels beyond the range are all far worse."""
    measured = measure_local_raster(lifting(0), make(np.random.default_rng(0), 2, SIDE), SIDES)
    assert measured.steps == (1, -1)
    assert 0 < measured.floor < 1.1 * measured.error
    assert measured.error < min(measured.ceiling, measured.mean, measured.beyond) / 10
    assert measured.winner_shift > 0.95
    assert 0.2 < measured.share < 0.8


def test_one_filter_for_all_scales_is_rejected():
    target = lifting(0)
    plain = replace(target, layer=lambda x: target.layer(x)[:, :, :1].expand(-1, -1, 4, -1, -1))
    objects = photo_objects(np.random.default_rng(0), 2, SIDE)
    result = check_local_raster(plain, objects, SIDES)
    assert result.error > 10 * result.threshold


@pytest.mark.parametrize("make", [digit_objects, photo_objects])
def test_cut_off_filters_are_far_from_the_floor(make):
    objects = make(np.random.default_rng(0), 2, SIDE)
    cut, wide = (measure_local_raster(lifting(0, s), objects, SIDES) for s in (4.0, 8.0))
    assert wide.bound < cut.error < cut.bound
    assert cut.error > 10 * cut.floor


def test_objects_fade_out():
    for make in (digit_objects, photo_objects):
        objects = make(np.random.default_rng(0), 3, SIDE)
        assert objects.shape == (3, 1, SIDE, SIDE)
        edge = torch.cat(
            [objects[..., 0, :], objects[..., -1, :], objects[..., 0], objects[..., -1]]
        )
        assert edge.abs().max() < 0.05 * objects.abs().max()


@pytest.mark.parametrize(
    ("sides", "message"),
    [
        ((48,), r"sides=\(48,\): must be one for each of 2 objects"),
        ((48, 30), r"side=30: must be 36 pixels times a power of q = 1\.333333"),
        ((36, 36), r"sides=\(36, 36\): one or more must differ from 36"),
    ],
)
def test_bad_sides_are_named(sides, message):
    with pytest.raises(ValueError, match=message):
        measure_local_raster(lifting(0), torch.zeros(2, 1, SIDE, SIDE), sides)
