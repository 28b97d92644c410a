"""Bases described without an implementation are the implemented ones."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from verification.budget import basis_ranks
from verification.reference.bases import BasisArguments, describe_basis
from verification.reference.errors import equivariance_error
from verification.tests.layers import build_basis
from verification.tests.tools.strategies import complete_bases, cut_off_bases

SAME_VALUE = 1e-24
PUBLISHED = BasisArguments("b", 15, (1.7, 2.45, 3.54, 5.1), 7)


@given(st.one_of(cut_off_bases(), complete_bases()))
def test_described_bases_are_the_implemented_ones(drawn):
    built, described = build_basis(drawn), describe_basis(drawn)
    assert described.functions.dtype == torch.float64
    assert equivariance_error(built.functions, described.functions) < SAME_VALUE
    assert described.supports == built.supports == drawn.supports
    assert described.scales == built.scales
    assert described.norms == pytest.approx(built.norms, rel=1e-12)
    for ours, theirs in zip(described.atoms, built.atoms, strict=True):
        assert (ours.row_order, ours.column_order) == (theirs.row_order, theirs.column_order)
        assert ours.relative_width == pytest.approx(theirs.relative_width, rel=1e-14)


@given(cut_off_bases())
def test_another_argument_is_another_basis(drawn):
    """The negative control: the comparison above sees an order, a width and a scale."""
    built = build_basis(drawn)
    wider = describe_basis(
        BasisArguments(
            drawn.kind, drawn.kernel_size, tuple(1.001 * s for s in drawn.scales),
            drawn.effective_size, drawn.mult,
        )
    )  # fmt: skip
    assert equivariance_error(built.functions, wider.functions) > 1e3 * SAME_VALUE


def test_taps_are_the_pixels_of_all_supports():
    assert PUBLISHED.supports == (5, 7, 11, 15)
    assert PUBLISHED.taps == 25 + 49 + 121 + 225
    assert basis_ranks(describe_basis(PUBLISHED)) == (25, 45, 49, 49)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "c"}, 'kind=\'c\': must be "a" or "b"'),
        ({"kernel_size": 14}, "kernel_size=14: must be odd and positive"),
        ({"scales": ()}, r"scales=\(\): must be one or more"),
        ({"scales": (1.0, -2.0)}, "must be one or more finite positive numbers"),
        ({"scales": (2.0, 2.0)}, "must grow from first to last"),
        ({"effective_size": 0}, "effective_size=0: must be at least 1"),
        ({"mult": 1.0}, "mult=1.0: must be a finite number above 1"),
        ({"max_order": -1}, "max_order=-1: must be at least 0"),
    ],
)
def test_bad_arguments_are_named(changes, message):
    arguments = {"kind": "b", "kernel_size": 15, "scales": (1.0, 2.0), "effective_size": 3}
    with pytest.raises(ValueError, match=message):
        BasisArguments(**arguments | changes)


def test_a_support_on_which_a_function_vanishes_is_named():
    with pytest.raises(ValueError, match=r"smallest scale the support is 1 pixels, on which Atom"):
        describe_basis(BasisArguments("a", 3, (1.0, 4.0), 2))
