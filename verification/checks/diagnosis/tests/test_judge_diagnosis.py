"""Filters read off layers, copies between scales, and what differences are put down to."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sesn_impl import hermite_basis_a
from verification.checks.diagnosis import CAUSES, Cause, diagnose, documented_filters
from verification.checks.diagnosis.copies import copy_of, degrees
from verification.checks.diagnosis.pairs import pairs_of
from verification.checks.diagnosis.supports import support
from verification.layer.probe import complete_pairs
from verification.layer.reading import NotAffineError, ReadFilters, read_filters
from verification.layer.targets import Target, describe
from verification.reference.continuum import axis_filter
from verification.reference.errors import equivariance_error
from verification.tests.layers import build_basis, build_lifting, build_scale_conv
from verification.tests.tools.profiles import cases
from verification.tests.tools.strategies import complete_bases, cut_off_bases, seeds
from verification.tolerances import bound_and_rounding, rounding_error

SCALES = (1.5, 2.1, 3.0)
SIDE = 25
WEIGHTS = np.random.default_rng(3).standard_normal((2, 2, 6))


def derivatives(sigma: float, shift: float = 0.0, reach: float = 4.0) -> np.ndarray:
    """Random sums of Gaussian derivatives up to order 2, cut to ± reach·σ: [2, 2, SIDE, SIDE]."""
    pixels = np.arange(SIDE, dtype=float) - SIDE // 2
    orders = [(n, m) for n in range(3) for m in range(3 - n)]
    atoms = [
        np.outer(axis_filter(pixels, n, sigma), axis_filter(pixels - shift, m, sigma))
        for n, m in orders
    ]
    inside = np.abs(pixels) <= round(reach * sigma)
    sums = np.einsum("oib,byx->oiyx", WEIGHTS, np.stack(atoms))
    return np.asarray(sums * np.outer(inside, inside))


def filters(*taps: np.ndarray) -> ReadFilters:
    bias = np.zeros((len(taps), 2))
    return ReadFilters(np.stack(taps), bias, 0.0, True, rounding_error(torch.float64) ** 0.5)


def diagnosis(found: ReadFilters) -> list[str]:
    return [str(each) for each in causes_of(found)]


def causes_of(found: ReadFilters) -> list[Cause]:
    """All of them in the catalogue."""
    causes = diagnose(found, SCALES, [(0, 1), (1, 2)])
    assert all(each.name in CAUSES for each in causes)
    return causes


# --- Reading --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["lifting", "scale", "strided"])
def test_filters_are_read_as_documented(kind):
    basis = hermite_basis_a(11, (1.0, 1.5, 2.25), 3)
    if kind == "lifting":
        target = describe(build_lifting(basis, 0))
    else:
        target = describe(build_scale_conv(basis, 0, 2, stride=2 if kind == "strided" else 1))
    found, known = read_filters(target), documented_filters(target)
    assert found.by_gradient
    assert found.elsewhere < 1e-12
    assert found.reaches == tuple(side // 2 for side in basis.supports)
    assert found.whole is not None
    kernels = found.whole.transpose(1, 2, 3, 0, 4, 5)
    assert equivariance_error(known.kernels, kernels) < rounding_error(torch.float64)
    assert equivariance_error(known.bias, found.bias.T) < rounding_error(torch.float64)
    # The negative control: another layer's filters are others.
    other = documented_filters(describe(build_lifting(basis, 1)))
    if kind == "lifting":
        assert equivariance_error(other.kernels, kernels) > 0.1


class Backwards(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient


def test_a_wrong_gradient_is_noticed_and_impulses_take_its_place():
    target = describe(build_lifting(hermite_basis_a(7, (1.0, 1.4), 2), 0))
    wrong = replace(target, layer=lambda x: Backwards.apply(target.layer(x)))
    found = read_filters(wrong)
    assert not found.by_gradient
    assert equivariance_error(read_filters(target).taps, found.taps) < 1e-24
    none = replace(target, layer=lambda x: target.layer(x).detach())
    assert not read_filters(none).by_gradient


def test_what_is_not_affine_has_no_filters():
    target = describe(build_lifting(hermite_basis_a(7, (1.0, 1.4), 2), 0))
    nonlinear = replace(target, layer=lambda x: target.layer(x).relu())
    with pytest.raises(NotAffineError, match="is not affine in its input"):
        read_filters(nonlinear)
    with pytest.raises(ValueError, match="must have odd sides"):
        read_filters(replace(target, window=8))


# --- Copies ---------------------------------------------------------------------------------------


@given(st.one_of(cut_off_bases(), complete_bases()), st.integers(0, 2), seeds(), st.booleans())
@cases(0.15)
def test_filters_of_correct_layers_are_copies(drawn, extent, seed, single):
    dtype = torch.float32 if single else torch.float64
    basis = build_basis(drawn)
    extent = min(extent, basis.num_scales)
    target = describe(
        build_lifting(basis, seed, dtype)
        if extent == 0
        else build_scale_conv(basis, seed, extent, dtype)
    )
    found = read_filters(target)
    for pair in pairs_of(found, target.scales, complete_pairs(target)):
        copy = pair.copied()
        error = copy.error(pair.found)
        assert error <= bound_and_rounding(copy.bound(pair.found), dtype)


def test_where_pixels_coincide_nothing_but_rounding_is_granted():
    coarse, fine = derivatives(3.0), derivatives(1.5)
    copy = copy_of(coarse, 12, 2.0, limit=6)
    assert copy.bound(fine) < 1e-25
    assert copy.error(fine) < 1e-25
    assert copy.error(1.001 * fine) == pytest.approx((0.001 / 1.001) ** 2, rel=1e-6)


def test_a_copy_is_the_spline_through_polynomials():
    """Degree 5 gives polynomials of degree 5 exactly, at any ratio and shift."""
    grid = np.arange(-8, 9, dtype=float)
    coarse = np.zeros((1, 1, SIDE, SIDE))
    coarse[0, 0, 4:-4, 4:-4] = np.outer(grid**5, 1 + grid**2)
    copy = copy_of(coarse, 8, 1.3, (0.25, -0.5))
    pixels = np.arange(SIDE) - SIDE // 2
    rows, columns = 1.3 * pixels + 0.25, 1.3 * pixels - 0.5
    expected = 1.69 * np.outer(rows**5, 1 + columns**2) * copy.common
    assert copy.common.sum() == 12 * 12
    assert equivariance_error(expected, copy.wanted[0, 0]) < 1e-20


def test_small_supports_have_splines_of_lower_degree():
    assert [degrees(reach) for reach in range(5)] == [(0, 0), (1, 0), (3, 1), (5, 3), (5, 3)]


# --- Diagnosis ------------------------------------------------------------------------------------


def transposed(taps):
    return taps.swapaxes(-1, -2)


def numbered_by_scale() -> ReadFilters:
    right = np.stack([derivatives(s) for s in SCALES])  # [S, C, …]
    reshaped = right.reshape(2, 3, *right.shape[2:]).swapaxes(0, 1)
    return filters(*reshaped)


FAULTS = {
    "σ^-1 in place of σ^-2": (filters(*(s * derivatives(s) for s in SCALES)), "amplitude: "),
    "σ^0 in place of σ^-2": (filters(*(s**2 * derivatives(s) for s in SCALES)), "amplitude: "),
    "has a gain of its own": (
        filters(*(g * derivatives(s) for g, s in zip((1, 1.2, 1), SCALES, strict=True))),
        "amplitude: ",
    ),
    "taken as 2, 1, 0": (filters(*(derivatives(s) for s in SCALES[::-1])), "scales reversed"),
    "taken as 0, 2, 1": (
        filters(*(derivatives(SCALES[n]) for n in (0, 2, 1))),
        "scales in another order",
    ),
    "the filters of all scales are the same, pixel by pixel": (
        filters(*(derivatives(2.1) for _ in SCALES)),
        "one kernel for all scales: ",
    ),
    "its power 0.5": (
        filters(*(derivatives(1.5 * (s / 1.5) ** 0.5) for s in SCALES)),
        "ratio: ",
    ),
    "as if all filters were (0.00, 0.50) pixels off": (
        filters(*(derivatives(s, -0.5) for s in SCALES)),
        "shift: ",
    ),
    "rows and columns exchanged": (
        filters(*(derivatives(s) for s in SCALES[:2]), transposed(derivatives(3.0))),
        "orientation: ",
    ),
    "turned by 180°": (
        filters(derivatives(1.5), *(derivatives(s)[..., ::-1, ::-1] for s in SCALES[1:])),
        "orientation: ",
    ),
    "a reshape is missing its permute": (numbered_by_scale(), "axes: "),
    "weights that are not shared over scales": (
        filters(derivatives(1.5), derivatives(2.1)[::-1], derivatives(3.0)),
        "functions: ",
    ),
    "7, 7, 7 pixels": (filters(*(derivatives(s, reach=3.2 / s) for s in SCALES)), "support: "),
}


@pytest.mark.parametrize("words", FAULTS)
def test_a_mistake_is_named(words):
    found, cause = FAULTS[words]
    said = diagnosis(found)
    assert said[0].startswith(cause), said
    assert words in said[0], said


def weighed(*factors: np.ndarray) -> ReadFilters:
    """Nine filters of six functions at each scale; factors: [6], or [3, 3, 6], of each scale."""
    weights = np.random.default_rng(4).standard_normal((3, 3, 6))
    pixels = np.arange(SIDE, dtype=float) - SIDE // 2
    taps = []
    for sigma, own in zip(SCALES, factors, strict=True):
        inside = np.abs(pixels) <= round(4 * sigma)
        atoms = [
            np.outer(axis_filter(pixels, n, sigma), axis_filter(pixels, m, sigma))
            * np.outer(inside, inside)
            for n in range(3)
            for m in range(3 - n)
        ]
        taps.append(np.einsum("oib,byx->oiyx", own * weights, np.stack(atoms)))
    return filters(*taps)


def test_functions_with_factors_of_their_own_are_named():
    """As when each is divided by its own sum, norm or maximum: the factors are found, too."""
    rng = np.random.default_rng(5)
    ones, factors = np.ones(6), np.array([1.0, 0.5, 1.3, 0.7, 1.6, 0.8])
    (said,) = diagnosis(weighed(ones, factors, factors))
    assert said.startswith(
        "functions: the filters of scales 0 and 1 are made of the same functions"
    )
    # The coarser of two is the yardstick: its factors are those of the finer, turned over.
    assert "from 0.625 to 2: every function is normalised at each scale by itself" in said
    (said,) = diagnosis(weighed(*(rng.standard_normal((3, 3, 6)) for _ in SCALES)))
    assert said.endswith(
        "weights that are not shared over scales (explains 100 % of the difference)"
    )
    # What one factor explains is not put down to six, and one of other widths to none.
    assert diagnosis(weighed(ones, 2 * ones, 2 * ones))[0].startswith("amplitude: ")
    found = weighed(ones, ones, ones)
    moved = replace(found, taps=np.roll(found.taps, 1, axis=-1) + found.taps[..., ::-1, :])
    assert not any(said.startswith("functions: ") for said in diagnosis(moved))


def test_filters_that_are_copies_are_not_accused():
    right = filters(*(derivatives(s) for s in SCALES))
    assert support(right, SCALES) == []
    pairs = pairs_of(right, SCALES, [(0, 1), (1, 2)])
    assert not any(pair.exceeds(right.precision) for pair in pairs)


def test_targets_need_not_be_lifting():
    def layer(x):
        return x.flip(-1)

    target = Target("flip", layer, (1.0, 2.0), in_channels=1, window=3, lifts=False)
    taps = read_filters(target).taps
    assert taps.shape == (2, 1, 1, 3, 3)
    assert np.array_equal(taps[0], taps[1])
    assert taps[0, 0, 0, 1, 1] == 1
    assert taps.sum() == 2
