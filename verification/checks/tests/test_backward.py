"""The gradient with respect to the input is equivariant, with the Jacobian factor s⁻²."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sesn_impl import LiftingConv2d, hermite_basis_a, hermite_basis_b
from verification.checks import check_gradient_density, check_gradient_equivariance
from verification.layer.probe import complete_pairs, random_probe
from verification.layer.targets import Target, describe
from verification.tests.layers import build_basis, build_lifting, build_scale_conv
from verification.tests.tools.profiles import cases
from verification.tests.tools.strategies import complete_bases, cut_off_bases, seeds
from verification.tolerances import tolerance

THEOREM = tolerance("theorem", torch.float64)
EXTENTS = st.integers(0, 2)
DTYPES = st.sampled_from([torch.float64, torch.float32])
RATIOS = st.sampled_from([(2, 1), (3, 1), (3, 2), (4, 3), (5, 3)])


def target_for(basis, extent: int, seed: int, dtype=torch.float64) -> Target:
    if extent == 0:
        return describe(build_lifting(basis, seed, dtype))
    return describe(build_scale_conv(basis, seed, min(extent, basis.num_scales), dtype))


@given(cut_off_bases(), EXTENTS, seeds(), DTYPES)
def test_pairings_keep_within_the_budget_of_the_direction(drawn, extent, seed, dtype):
    target = target_for(build_basis(drawn), extent, seed, dtype)
    probe, direction = random_probe(target, seed, points=2), random_probe(target, seed + 1, 2)
    for pair in complete_pairs(target):
        check_gradient_equivariance(target, probe, direction, *pair).require()


@given(complete_bases(), EXTENTS, seeds())
@cases(0.5)
def test_pairings_are_exact_where_nothing_is_cut_off(drawn, extent, seed):
    target = target_for(build_basis(drawn), extent, seed)
    probe = random_probe(target, seed, points=2, bumps=3, widths=(3.0, 8.0))
    direction = random_probe(target, seed + 1, points=2, bumps=3, widths=(3.0, 8.0))
    for pair in complete_pairs(target):
        check_gradient_equivariance(target, probe, direction, *pair, THEOREM).require()


@given(st.floats(1.0, 3.0), RATIOS, st.sampled_from("ab"), st.integers(2, 5), st.integers(0, 1),
       seeds(), DTYPES)  # fmt: skip
def test_a_pixel_has_the_jacobian_factor(smallest, ratio, kind, size, extent, seed, dtype):
    scales = (smallest, smallest * ratio[0] / ratio[1])
    make = hermite_basis_a if kind == "a" else hermite_basis_b
    target = target_for(make(int(6 * scales[1]) // 2 * 2 + 1, scales, size), extent, seed, dtype)
    check_gradient_density(target, random_probe(target, seed, points=1), 0, 1).require()


# --- Negative controls ----------------------------------------------------------------------------


class _Backward(torch.autograd.Function):
    """The identity, with another gradient."""

    @staticmethod
    def forward(ctx, y):
        return y.clone()

    @staticmethod
    def backward(ctx, gradient):
        factors = torch.linspace(1.0, 1.5, gradient.shape[2], dtype=gradient.dtype)
        return gradient * factors[:, None, None]


def test_a_backward_pass_that_tells_scales_apart_is_rejected():
    """The forward pass is right: only the gradient shows it."""
    basis = hermite_basis_a(61, (2.5, 5.0), 3)
    target = describe(LiftingConv2d(1, 2, basis).double())
    broken = replace(target, layer=lambda x: _Backward.apply(target.layer(x)))
    probe, direction = random_probe(target, 0), random_probe(target, 1)
    reason = "a backward pass that tells scales apart"
    check_gradient_equivariance(target, probe, direction, 0, 1).require()
    check_gradient_density(target, probe, 0, 1).require()
    check_gradient_equivariance(broken, probe, direction, 0, 1).require_failure(reason)
    check_gradient_density(broken, probe, 0, 1).require_failure(reason)


@pytest.mark.parametrize("power", [-1, 1, 2])
def test_another_jacobian_factor_is_rejected(power):
    basis = hermite_basis_a(31, (2.0, 4.0), 3)
    factors = torch.tensor([1.0, 2.0**power], dtype=torch.float64)[:, None, None]
    layer = build_lifting(basis, 0)
    target = describe(layer)
    broken = replace(target, layer=lambda x: layer(x) * factors)
    result = check_gradient_density(broken, random_probe(target, 0), 0, 1)
    result.require_failure("another power of s than s⁻²")


def test_ratios_without_common_pixels_are_named():
    target = describe(LiftingConv2d(1, 1, hermite_basis_a(15, (1.0, 2.0**0.5), 2)).double())
    with pytest.raises(ValueError, match=r"ratio=1\.414.*: must be one of whole numbers up to 12"):
        check_gradient_density(target, random_probe(target, 0), 0, 1)


def test_bounds_need_known_filters():
    target = replace(describe(build_lifting(hermite_basis_a(9, (1.0, 2.0), 2), 0)), filters=None)
    probe = random_probe(target, 0)
    with pytest.raises(ValueError, match="filters of LiftingConv2d: must be known"):
        check_gradient_equivariance(target, probe, probe, 0, 1)
