"""Strategies reach the corners they claim, and nothing outside."""

from itertools import pairwise

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from verification.tests.layers import build_basis
from verification.tests.tools.strategies import (
    WARP_KINDS,
    complete_bases,
    cut_off_bases,
    offsets,
    scale_grids,
    warps,
)

FINDING = settings(max_examples=1000, database=None, derandomize=True)


@given(scale_grids(smallest=(1.0, 2.0), ratios=(1.5, 2.0), counts=(2, 3)))
def test_scale_grids_stay_in_range(scales):
    assert 2 <= len(scales) <= 3
    assert 1.0 <= scales[0] <= 2.0
    for fine, coarse in pairwise(scales):
        assert 1.5 - 1e-12 <= coarse / fine <= 2.0 + 1e-12


@given(cut_off_bases())
def test_cut_off_bases_can_be_built(drawn):
    basis = build_basis(drawn)
    assert min(basis.supports) >= 5


@given(complete_bases())
def test_complete_bases_are_wide_enough(drawn):
    basis = build_basis(drawn)
    for scale, support in zip(basis.scales, basis.supports, strict=True):
        assert support // 2 >= 10 * scale - 1
    narrowest = min(atom.relative_width for atom in basis.atoms) * basis.scales[0]
    assert narrowest >= 1.7


NAMED_WARPS = st.sampled_from(WARP_KINDS).flatmap(
    lambda kind: st.tuples(st.just(kind), warps(kind))
)


@given(NAMED_WARPS)
def test_warps_are_what_they_are_called(named):
    kind, warp = named
    rows, columns = warp.ratios
    assert (rows == columns) == (kind != "anisotropic")
    assert (warp.shift != (0, 0)) == (kind == "translated")
    assert 96 <= warp.size <= 120
    assert all(0.5 <= ratio <= 2.0 for ratio in warp.ratios)
    if kind in ("down", "up"):
        assert (warp.ratio < 1) == (kind == "down")
    if kind == "anisotropic":
        # Of the whole sides: their ratios to the image are rounded.
        assert max(warp.sides) / min(warp.sides) >= 1.3


def test_another_kind_of_warp_is_named():
    with pytest.raises(ValueError, match="kind='skewed': must be one of down, up, translated"):
        find(warps("skewed"), lambda warp: True, settings=FINDING)


def test_corners_are_reached():
    for bases in (cut_off_bases(), complete_bases()):
        assert find(bases, lambda b: b.kind == "a", settings=FINDING)
        assert find(bases, lambda b: b.kind == "b", settings=FINDING)
    assert find(scale_grids(), lambda s: len(s) == 2, settings=FINDING)
    assert find(scale_grids(), lambda s: len(s) == 4, settings=FINDING)
    assert find(warps("translated"), lambda w: w.ratio > 1 and min(w.shift) < 0, settings=FINDING)
    assert find(warps("anisotropic"), lambda w: min(w.ratios) > 1, settings=FINDING)
    assert find(offsets(3), lambda o: o == (-3, 3), settings=FINDING)
