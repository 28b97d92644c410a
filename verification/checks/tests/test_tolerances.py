"""The table of tolerances: its floors are still what is measured, and nothing goes around it."""

import ast
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from verification import checks, tolerances
from verification.checks.tests.floors import CASES, measurable, measure
from verification.reference.errors import equivariance_error
from verification.tolerances import TABLE, bound_and_rounding, rounding_error, tolerance

CHECKS = Path(checks.__file__).parent
ROWS = {f"{row.check}-{row.dtypes[0]}": row for row in measurable()}


@pytest.mark.parametrize("name", ROWS)
def test_floors_are_still_what_is_measured(name):
    row = ROWS[name]
    measured = measure(row)
    assert row.matches(measured), f"{row}: now measured {measured:.3g}"
    # The negative control, on the same measurement: rows too tight and too loose are noticed.
    assert not replace(row, floor=measured / 10).matches(measured)
    assert not replace(row, floor=2 * row.below * measured).matches(measured)


def test_a_bound_that_is_exceeded_does_not_match():
    row = next(row for row in TABLE if row.unit == "bound")
    assert row.matches(1.0)
    assert not row.matches(1.0 + 1e-6)


def test_an_expected_error_may_be_exceeded_by_chance_but_not_beyond_its_spread():
    row = next(row for row in TABLE if row.unit == "expected")
    assert row.matches(1.5)
    assert not row.matches(1.01 * tolerances.SPREAD**0.5)


def test_every_check_has_a_row_and_every_row_a_floor():
    public = {name.removeprefix("check_") for name in checks.__all__ if name.startswith("check_")}
    assert public <= {row.check for row in TABLE}
    assert set(CASES) == {row.check for row in measurable()}


def test_no_check_has_a_threshold_of_its_own():
    """A threshold is computed, zero, or one of the unit that the error is counted in."""
    thresholds = [
        t for path in CHECKS.glob("*.py") for t in _thresholds(path.read_text(encoding="utf-8"))
    ]
    assert len(thresholds) > 10
    assert {ast.unparse(t) for t in thresholds if isinstance(t, ast.Constant)} <= {"0.0", "1.0"}
    own = _thresholds("CheckResult('name', target.name, error, 1e-24, 'finding')")
    assert [ast.unparse(t) for t in own] == ["1e-24"]


def _thresholds(source: str) -> list[ast.expr]:
    return [
        node.args[3]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "CheckResult"
    ]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_twice_the_tolerance_is_rejected(dtype):
    x = torch.randn(1000, dtype=torch.float64)
    perturbed = x * (1 + 2 * rounding_error(dtype) ** 0.5)
    assert equivariance_error(x, perturbed) > rounding_error(dtype)


def test_amplitudes_of_bound_and_rounding_add_up():
    rounding = rounding_error(torch.float32)
    assert bound_and_rounding(0.0, torch.float32) == pytest.approx(rounding)
    assert bound_and_rounding(rounding, torch.float32) == pytest.approx(4 * rounding)
    assert tolerance("scale_equivariance", torch.float32) == rounding


def test_the_theorem_is_held_to_the_bound_of_the_claims():
    assert tolerance("scale_axis_shift", torch.float64) == pytest.approx(1e-25)


def test_the_document_is_the_table():
    document = Path(tolerances.__file__).with_name("TOLERANCES.md")
    assert document.read_text(encoding="utf-8") == tolerances.as_markdown()


@pytest.mark.parametrize(
    ("check", "dtype", "message"),
    [
        ("magic", torch.float64, "check='magic': must be one of closed_form, sigma_law, response"),
        ("closed_form", torch.float32, "dtype=float32: closed_form is measured for float64"),
    ],
)
def test_what_the_table_does_not_hold_is_named(check, dtype, message):
    with pytest.raises(ValueError, match=message):
        tolerance(check, dtype)
