"""Strategies reach the corners they claim, and nothing outside."""

from itertools import pairwise

from hypothesis import find, given, settings

from verification.strategies import complete_bases, cut_off_bases, offsets, scale_grids
from verification.tests.layers import build_basis

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


def test_corners_are_reached():
    for bases in (cut_off_bases(), complete_bases()):
        assert find(bases, lambda b: b.kind == "a", settings=FINDING)
        assert find(bases, lambda b: b.kind == "b", settings=FINDING)
    assert find(scale_grids(), lambda s: len(s) == 2, settings=FINDING)
    assert find(scale_grids(), lambda s: len(s) == 4, settings=FINDING)
    assert find(offsets(3), lambda o: o == (-3, 3), settings=FINDING)
