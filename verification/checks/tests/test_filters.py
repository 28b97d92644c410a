"""Steerable bases: closed form, σ⁻² law, supports, ranks; and what breaks each."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sesn_impl import hermite_basis_a, hermite_basis_b
from sesn_impl.networks.mnist import SESN_CONFIGURATIONS
from verification.broken_layers import basis_with_physicists_polynomials
from verification.checks import basis_ranks, check_closed_form, check_ranks, check_sigma_law
from verification.tests.layers import build_basis
from verification.tests.tools.strategies import complete_bases, cut_off_bases

ANOTHER_LAW = "values do not follow σ⁻²ψ(t/σ)"
SCALAR_28 = SESN_CONFIGURATIONS["sesn_scalar_28"]


@given(st.one_of(cut_off_bases(), complete_bases()))
def test_functions_agree_with_scipy(drawn):
    check_closed_form(build_basis(drawn), str(drawn)).require()


@given(st.floats(1.0, 3.0), st.integers(2, 3), st.sampled_from("ab"), st.integers(1, 5))
def test_values_follow_the_sigma_law(smallest, ratio, kind, effective_size):
    scales = (smallest, smallest * ratio)
    kernel_size = int(6 * scales[-1]) // 2 * 2 + 1
    make = hermite_basis_a if kind == "a" else hermite_basis_b
    check_sigma_law(make(kernel_size, scales, effective_size), kind).require()


@given(cut_off_bases())
def test_smallest_scale_has_unit_norm_and_larger_scales_less(drawn):
    basis = build_basis(drawn)
    norms = basis.functions.square().sum(dim=(-1, -2)).sqrt()
    torch.testing.assert_close(norms[:, 0], torch.ones(len(norms), dtype=torch.float64))
    gaussian = norms[0]  # order 0 is the same function in every basis
    assert (gaussian.diff() < 0).all()


@pytest.mark.parametrize("power", [1, 2])
def test_another_power_of_sigma_is_rejected(power):
    basis = hermite_basis_a(25, (2.0, 4.0), 3)
    factors = torch.tensor([1.0, 2.0**power], dtype=torch.float64)[None, :, None, None]
    broken = replace(basis, functions=basis.functions * factors)
    check_sigma_law(broken, "broken").require_failure(ANOTHER_LAW)
    check_closed_form(broken, "broken").require_failure(ANOTHER_LAW)
    check_sigma_law(basis, "intact").require()


def test_normalising_each_scale_is_rejected():
    basis = hermite_basis_b(25, (2.0, 4.0), 3)
    norms = basis.functions.square().sum(dim=(-1, -2), keepdim=True).sqrt()
    broken = replace(basis, functions=basis.functions / norms)
    check_sigma_law(broken, "broken").require_failure(ANOTHER_LAW)
    check_closed_form(broken, "broken").require_failure(ANOTHER_LAW)


def test_physicists_polynomials_and_swapped_axes_are_rejected():
    basis = SCALAR_28.basis()
    physicists = basis_with_physicists_polynomials(basis)
    swapped = replace(basis, functions=basis.functions.transpose(-1, -2))
    reason = "the sampled functions are not the documented ones"
    check_closed_form(physicists, "physicists").require_failure(reason)
    check_closed_form(swapped, "swapped").require_failure(reason)


def test_sigma_law_needs_a_whole_ratio():
    with pytest.raises(ValueError, match="two of them must have a whole ratio"):
        check_sigma_law(hermite_basis_a(15, (1.7, 2.5), 3), "ratio 1.47")


def test_published_supports_and_ranks():
    basis = SCALAR_28.basis()
    assert basis.supports == (5, 7, 11, 15)
    check_ranks(basis, "sesn_scalar_28", (25, 45, 49, 49)).require()
    wrong = check_ranks(basis, "sesn_scalar_28", (49, 49, 49, 49))
    wrong.require_failure("a small support holds fewer independent functions")


@pytest.mark.parametrize(("name", "configuration"), SESN_CONFIGURATIONS.items())
def test_rank_is_limited_by_the_support_alone(name, configuration):
    """49 functions: rank 25 on 5×5, 45 on 7×7, all 49 above."""
    basis = configuration.basis()
    expected = {5: 25, 7: 45}
    assert basis_ranks(basis) == tuple(expected.get(v, 49) for v in basis.supports), name
