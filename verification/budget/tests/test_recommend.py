"""Predictions and recommendations: each reaches what it says, by the least change."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.budget import (
    SIGNALS,
    SignalKind,
    SupportScan,
    basis_ranks,
    predict_budgets,
    recommend_support,
)
from verification.reference.bases import BasisArguments, describe_basis
from verification.tests.layers import build_basis
from verification.tests.tools.profiles import cases
from verification.tests.tools.strategies import cut_off_bases, seeds

FEW = SignalKind(channels=2, bumps=3, points=3)
DRAWS = FEW.draws(2)
VECTOR_28 = BasisArguments("b", 13, (1.5, 2.6, 4.5), 7)
STL_10 = BasisArguments("a", 7, (0.9, 1.27, 1.79), 3)


def worst(arguments, draws=DRAWS):
    return max(budget.total for budget in predict_budgets(describe_basis(arguments), draws))


@given(cut_off_bases(), seeds())
@cases(0.1)
def test_scan_predicts_what_a_basis_of_that_support_does(drawn, seed):
    draws = FEW.draws(1, seed)
    scan = SupportScan(drawn, draws)
    for size in (drawn.kernel_size, drawn.kernel_size + 2):
        budgets = predict_budgets(build_basis(replace(drawn, kernel_size=size)), draws)
        assert scan.errors(size) == pytest.approx([budget.total for budget in budgets], rel=1e-9)


@given(st.sampled_from([VECTOR_28, STL_10]), st.floats(1e-4, 0.5))
@cases(0.1)
def test_recommended_support_is_the_smallest_that_reaches(arguments, wanted):
    scan = SupportScan(arguments, DRAWS)
    found = recommend_support(arguments, wanted, DRAWS, scan).support
    rank = basis_ranks(describe_basis(arguments))[0]
    if found is None:
        assert min(scan.worst.values()) > wanted
        return
    assert found.error == pytest.approx(worst(found.arguments), rel=1e-6)
    assert found.error <= wanted
    assert found.finest_rank >= rank
    for size, error in scan.worst.items():
        if size < found.arguments.kernel_size and error <= wanted:
            smaller = describe_basis(replace(arguments, kernel_size=size))
            assert basis_ranks(smaller)[0] < rank


def test_where_sampling_is_the_limit_filters_have_to_be_wider():
    found = recommend_support(VECTOR_28, 1e-4, DRAWS)
    assert found.support is None
    assert found.unlimited > 1e-4
    assert found.wider is not None
    assert found.milder is not None
    assert found.choices == (found.wider, found.milder)
    for choice in found.choices:
        assert choice.error == pytest.approx(worst(choice.arguments), rel=1e-6)
        assert choice.error <= 1e-4
    assert found.wider.arguments.scales > VECTOR_28.scales
    assert found.milder.arguments.mult < VECTOR_28.mult
    # One step less does not do.
    factor = found.wider.arguments.scales[0] / VECTOR_28.scales[0] - 0.05
    for less in (
        replace(VECTOR_28, scales=tuple(factor * scale for scale in VECTOR_28.scales)),
        replace(VECTOR_28, mult=found.milder.arguments.mult + 0.05),
    ):
        assert SupportScan(less, DRAWS).smallest(1e-4) is None


def test_a_basis_of_one_width_has_no_milder_one():
    found = recommend_support(replace(STL_10, scales=(0.4, 0.6)), 1e-4, DRAWS)
    assert found.support is None
    assert found.milder is None
    assert found.wider is not None


def test_what_nothing_reaches_is_said():
    found = recommend_support(replace(STL_10, scales=(0.4, 0.6)), 1e-32, DRAWS)
    assert found.choices == ()


def test_larger_supports_are_not_always_better():
    """Two more pixels at the wrong scale: the published V = 15 becomes worse by V = 17."""
    scan = SupportScan(
        BasisArguments("b", 15, (1.7, 2.45, 3.54, 5.1), 7), SIGNALS["smooth"].draws(1)
    )
    assert scan.worst[17] > 3 * scan.worst[15]
    assert scan.worst[max(scan.worst)] == scan.unlimited < scan.worst[15]


def test_best_support_up_to_a_size():
    scan = SupportScan(VECTOR_28, DRAWS)
    best = scan.best(13)
    assert best.arguments.kernel_size == min(range(7, 14, 2), key=scan.worst.__getitem__)
    assert best.error == scan.worst[best.arguments.kernel_size]
    assert best.arguments.taps == sum(side**2 for side in best.arguments.supports)
    with pytest.raises(ValueError, match="largest=3: must be at least 7 pixels"):
        scan.best(3)


def test_rougher_signals_lose_more():
    """From smooth to fine, the finest pair of a basis with narrow filters."""
    basis = describe_basis(BasisArguments("b", 61, (1.2, 1.8), 7))
    errors = [predict_budgets(basis, kind.draws(3))[0].sampling for kind in SIGNALS.values()]
    assert all(a < b for a, b in pairwise(errors))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: recommend_support(STL_10, 0.0, DRAWS), "wanted=0.0: must be above 0"),
        (lambda: recommend_support(STL_10, float("nan"), DRAWS), "wanted=nan: must be above 0"),
        (lambda: SupportScan(replace(STL_10, scales=(1.0,)), DRAWS), "must be two or more"),
        (lambda: predict_budgets(describe_basis(replace(STL_10, scales=(1.0,))), DRAWS), "two or"),
        (lambda: FEW.draws(0), "count=0: must be at least 1"),
        (lambda: FEW.draws(1, -1), "seed=-1: must be at least 0"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
