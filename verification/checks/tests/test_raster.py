"""A layer under raster warps: warp, pixel grid and cut-off explain its error, or it fails."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sesn_impl import LiftingConv2d
from verification.broken_layers import UNEQUAL_SCALES
from verification.checks.raster import check_raster_equivariance, measure_raster
from verification.reference.warps import Warp, random_patches
from verification.tests.layers import WARP_SUPPORTS, build_for_warp
from verification.tests.tools.profiles import cases
from verification.tests.tools.strategies import WARP_KINDS, seeds, warps

DOWN = Warp(128, (80, 80))
RESCALINGS = [kind for kind in WARP_KINDS if kind != "anisotropic"]
FEW = cases(0.06)


def patches_for(warp: Warp, seed: int) -> torch.Tensor:
    return random_patches(np.random.default_rng(seed), 1, warp.size)


@given(
    st.sampled_from(RESCALINGS).flatmap(warps),
    seeds(),
    st.sampled_from(sorted(WARP_SUPPORTS)),
    st.sampled_from([torch.float32, torch.float64]),
)
@cases(0.2)
def test_lifting_loses_what_warp_and_cut_off_explain(warp, seed, support, dtype):
    target = build_for_warp(warp, seed, support, dtype)
    check_raster_equivariance(target, patches_for(warp, seed), warp).require()


@given(warps("anisotropic", (110, 120), octaves=0.65), seeds())
@FEW
def test_unequal_ratios_are_no_rescaling(warp, seed):
    """Negative control: filters stretched as the image is would do, the layer's must not."""
    target, patches = build_for_warp(warp, seed), patches_for(warp, seed)
    result = check_raster_equivariance(target, patches, warp)
    result.require_failure("unequal ratios of rows and columns are no rescaling")
    measured = measure_raster(target, patches, warp)
    assert measured.error > 5 * measured.floor


@pytest.mark.parametrize("kind", RESCALINGS)
def test_floor_layer_and_ceiling_are_in_order(kind):
    warp = {
        "down": DOWN, "up": Warp(96, (144, 144)), "translated": Warp(120, (90, 90), (8, -4)),
    }[kind]  # fmt: skip
    measured = measure_raster(build_for_warp(warp, 1), patches_for(warp, 1), warp)
    assert measured.ratio == warp.sides[0] / warp.size
    assert 0 < measured.floor < 1.05 * measured.error < measured.ceiling / 10
    assert measured.error <= measured.bound < 2 * measured.floor


def test_cut_off_filters_are_far_from_the_floor():
    warp = Warp(96, (144, 144))
    measured = measure_raster(build_for_warp(warp, 0, "cut"), patches_for(warp, 0), warp)
    assert measured.floor < measured.truncation < measured.bound
    assert measured.error > 3 * measured.floor


@pytest.mark.parametrize("support", WARP_SUPPORTS)
def test_one_filter_for_all_scales_is_rejected(support):
    target = build_for_warp(DOWN, 0, support)
    plain = replace(target, layer=lambda x: target.layer(x)[:, :, :1].expand(-1, -1, 2, -1, -1))
    result = check_raster_equivariance(plain, patches_for(DOWN, 0), DOWN)
    assert result.error > 3 * result.threshold


@pytest.mark.parametrize("mutant", UNEQUAL_SCALES, ids=lambda mutant: mutant.name)
def test_mutants_whose_filters_are_no_copies_are_rejected(mutant):
    intact = build_for_warp(DOWN, 0)
    assert isinstance(intact.layer, LiftingConv2d)
    patches = patches_for(DOWN, 0)
    assert check_raster_equivariance(intact, patches, DOWN).passed
    result = check_raster_equivariance(mutant.target(intact.layer), patches, DOWN)
    result.require_failure(f"broken layer: {mutant.name}")


def test_ratio_must_be_that_of_the_scales():
    warp = Warp(128, (81, 81))
    with pytest.raises(ValueError, match=r"ratio=0\.632812: must be that of the scales .* 0\.625"):
        measure_raster(build_for_warp(DOWN, 0), patches_for(warp, 0), warp)
