"""All that the bases promise, in seconds; one of the files that mutation testing runs."""

import math

import numpy as np
import pytest
import torch

from sesn_impl import hermite_basis_a, hermite_basis_b
from sesn_impl.basis import support_at
from verification.checks import check_closed_form
from verification.reference.bases import BasisArguments, describe_basis
from verification.reference.errors import equivariance_error
from verification.tests.contract import SCALES, refused
from verification.tolerances import tolerance


# Built inside the tests: what is built while they are collected is built before any mutation.
@pytest.mark.parametrize(
    ("build", "arguments"),
    [
        (lambda: hermite_basis_a(9, SCALES, 3), BasisArguments("a", 9, SCALES, 3)),
        (lambda: hermite_basis_a(3, (1,), 1), BasisArguments("a", 3, (1.0,), 1)),
        (
            lambda: hermite_basis_b(9, SCALES, 3, max_order=2, mult=1.3),
            BasisArguments("b", 9, SCALES, 3, 1.3, 2),
        ),
        (lambda: hermite_basis_b(17, SCALES, 6), BasisArguments("b", 17, SCALES, 6)),
        (
            lambda: hermite_basis_b(5, (1.0, 1.4), 2, 0),
            BasisArguments("b", 5, (1.0, 1.4), 2, max_order=0),
        ),
        (
            lambda: hermite_basis_b(5, (1, 1.4), 2, mult=1.0001),
            BasisArguments("b", 5, (1.0, 1.4), 2, 1.0001),
        ),
    ],
    ids=["a", "a of one", "b", "b of three widths", "b of order 0", "b of nearly one width"],
)
def test_bases_are_the_documented_ones(build, arguments):
    basis = build()
    described = describe_basis(arguments)
    assert basis.functions.dtype == torch.float64
    assert basis.functions.shape == described.functions.shape
    assert (basis.supports, basis.scales) == (described.supports, described.scales)
    assert all(isinstance(scale, float) for scale in basis.scales)
    for found, wanted in zip(basis.atoms, described.atoms, strict=True):
        assert (found.row_order, found.column_order) == (wanted.row_order, wanted.column_order)
        assert found.relative_width == pytest.approx(wanted.relative_width, rel=1e-12)
    np.testing.assert_allclose(basis.norms, described.norms, rtol=1e-12)
    check_closed_form(basis, arguments.kind).require()
    error = equivariance_error(described.functions, basis.functions)
    assert error <= tolerance("closed_form", torch.float64)
    assert (basis.num_functions, basis.num_scales, basis.kernel_size) == (
        arguments.effective_size**2, len(arguments.scales), arguments.kernel_size,
    )  # fmt: skip


def test_supports_are_odd_and_in_proportion():
    found = [support_at(scale, 15, 5.1) for scale in (1.7, 2.45, 3.54, 5.1)]
    assert found == [5, 7, 11, 15]
    assert [support_at(scale, 9, 2.0) for scale in (0.1, 0.45, 0.67, 1.0, 2.0)] == [1, 3, 3, 5, 9]
    assert support_at(1.0, 7, 1.75) == 5  # just at a whole, even number of pixels


@pytest.mark.parametrize("make", [hermite_basis_a, hermite_basis_b])
def test_arguments_that_make_no_basis_are_named(make):
    for size in (0, -3, 4, 8):
        refused(make, f"kernel_size={size}: must be odd and positive", size, (1.0,), 1)
    for scales in ((), (0.0, 1.0), (-1.0,), (math.inf,), (1.0, math.nan)):
        message = f"scales={scales!r}: must be one or more finite positive numbers"
        refused(make, message, 9, scales, 1)
    for wrong in ((1.0, 1.0), (2.0, 1.0), (1.0, 2.0, 1.5)):
        refused(make, f"scales={wrong!r}: must grow from first to last", 9, wrong, 1)
    for size in (0, -1):
        refused(make, f"effective_size={size}: must be at least 1", 9, (1.0,), size)
    make(1, (0.5,), 1)


def test_options_of_kind_b_are_named():
    refused(hermite_basis_b, "max_order=-1: must be at least 0", 9, (1.0,), 2, max_order=-1)
    for mult in (1.0, 0.5, -2.0, math.inf, math.nan):
        message = f"mult={mult!r}: must be a finite number above 1"
        refused(hermite_basis_b, message, 9, (1.0,), 2, mult=mult)
    assert hermite_basis_b(9, (1.0,), 4).atoms[15].relative_width == pytest.approx(1 / 1.5)


def test_functions_that_vanish_on_their_support_are_refused():
    message = (
        "kernel_size=3 with scales=(1.0, 4.0): at the smallest scale the support is 1 pixels, on "
        "which HermiteFunction(row_order=1, column_order=0, relative_width=1.0) vanishes; use a "
        "larger kernel_size or a narrower range of scales"
    )
    refused(hermite_basis_a, message, 3, (1.0, 4.0), 2)


def test_a_basis_tells_what_it_is():
    assert repr(hermite_basis_a(5, (1.0, 2.0), 1)) == (
        "SteerableBasis(num_functions=1, scales=(1.0, 2.0), supports=(3, 5))"
    )
