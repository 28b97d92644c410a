"""Every tolerance of the suite in one table: what it derives from, and by which factor.

`python -m verification.tolerances` prints it, and `verification/TOLERANCES.md` is what it prints.
`tests/test_tolerances.py` measures a sample of the floors again: a row that has become too tight or
too loose fails there. No check has a threshold of its own.

Three ways of measuring:
- rounding: two computations of the same numbers, nothing between them but the order of sums;
- exact probe: analytic images, rescaled as functions (`verification.layer.probe`);
- raster: photographs rescaled by kornia (`verification.reference.warps`).

and four units:
- ε: the machine epsilon of the dtype. Errors are squared, so a threshold is (floor·factor·ε)².
- bound: what the error budget of the very case allows, computed each time. The floor is the largest
  share of it that a sample uses up, and floor·factor = 1. The rounding of `response` is granted on
  top, amplitudes added: see `bound_and_rounding`.
- expected: the mean square that rounding is expected to have in the very case; see `SPREAD`.
- none: the check counts what differs, and nothing may.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

FACTOR = 20.0
"""On floors of rounding. The worst of 300 draws is up to 2 times the worst of the sample of 20, and
10 more is for other processors, whose sums run in another order."""

SPREAD = 10.0
"""How far a mean square of a few random errors may lie above its expectation: of no more than four
it does with a probability below 1e-7."""
DOUBT = 10.5
"""Doubts of a spline that are granted to a filter read off a layer: amplitudes. The worst pair of
some 600 random layers, published supports and complete ones, uses 5.2 (a Gaussian cut at 1 σ, of 5
pixels a side), and twice that is for others."""
_ABOVE = 3.0
"""So many times its row, or less, must a floor be that is measured again."""
_CLAIMED = 1e-25
"""The bound that the claims fix for theorems in float64."""
_FULL, _DOUBLE = ("float64", "float32"), ("float64",)
_EPSILON, _BOUND, _EXPECTED, _NONE = "ε", "bound", "expected", "none"


@dataclass(frozen=True)
class Tolerance:
    """One row: a check, the dtypes it holds for, and what the check may not exceed.

    floor: the worst of a sample, in `unit`; factor: threshold over floor; origin: what it is of.
    """

    check: str
    way: str
    dtypes: tuple[str, ...]
    unit: str
    floor: float
    factor: float
    origin: str

    def threshold(self, dtype: torch.dtype) -> float:
        """Largest relative *squared* error, or largest count, that the check admits."""
        return (self.floor * self.factor * torch.finfo(dtype).eps) ** 2

    @property
    def below(self) -> float:
        """How many times smaller than its row a floor may be found.

        Roundings are a matter of the processor: one was found to round seven times less than the
        one that the rows are of.
        """
        return 20.0 if self.unit == _EPSILON else _ABOVE

    def matches(self, measured: float) -> bool:
        """Whether a floor measured again is the row's: not beyond its bound, and of its size.

        An expected mean square is no bound: of few random errors it may be exceeded, by SPREAD.
        """
        if self.unit in {_BOUND, _EXPECTED} and measured > self.floor * self.factor:
            return False
        return self.floor / self.below <= measured <= _ABOVE * self.floor


def _exact(check: str, way: str, origin: str) -> Tolerance:
    return Tolerance(check, way, (*_FULL, "bfloat16"), _NONE, 0.0, 1.0, origin)


def _bounded(check: str, way: str, share: float, origin: str) -> Tolerance:
    return Tolerance(check, way, _FULL, _BOUND, share, 1 / share, origin)


def _expected(check: str, way: str, dtype: str, share: float, origin: str) -> Tolerance:
    return Tolerance(check, way, (dtype,), _EXPECTED, share, math.sqrt(SPREAD) / share, origin)


def _rounded(check: str, dtypes: tuple[str, ...], floor: float, origin: str) -> Tolerance:
    return Tolerance(check, "rounding", dtypes, _EPSILON, floor, FACTOR, origin)


def _claimed(check: str, floor: float, origin: str) -> Tolerance:
    """The factor is the one that leads to the bound of the claims."""
    factor = math.sqrt(_CLAIMED) / (floor * torch.finfo(torch.float64).eps)
    return Tolerance(check, "exact probe", _DOUBLE, _EPSILON, floor, factor, origin)


TABLE = (
    _rounded("closed_form", _DOUBLE, 2.5, "one formula, evaluated by two programs"),
    _rounded("sigma_law", _DOUBLE, 1.5, "one function, sampled at two scales"),
    _rounded("response", _FULL, 11.5, "sums of up to C·K_S·V² products, in another order"),
    _rounded("response", ("bfloat16",), 0.96, "the same, rounded once at the end"),
    _rounded("integer_translation", _FULL, 14.8, "one sum of products, at two places"),
    _rounded("isolation", _FULL, 11.5, "as response: what the others add is lost in rounding"),
    _rounded("commutes_with_scale_shift", _FULL, 2.0, "means and variances, in another order"),
    _rounded("batch_independence", _FULL, 12.5, "one sum of products, in batches of two sizes"),
    _rounded("memory_format", _FULL, 12.5, "one sum of products, from memory in another order"),
    _rounded("compiled", _FULL, 8.5, "one sum of products, and its gradient, fused or not"),
    _rounded("exported", _FULL, 8.5, "one sum of products, by the way that is exported"),
    _exact("max_projection", "rounding", "values are selected, not computed"),
    _exact("ranks", "rounding", "counts scales whose rank differs"),
    _exact("border", "rounding", "counts outputs that see the border and must not, or must"),
    _exact("padding", "rounding", "counts scales that are padded otherwise than the others"),
    _exact("zero_border", "rounding", "counts outputs that a frame of zeros changes"),
    _exact("gradcheck", "rounding", "counts gradients that are not the differences of outputs"),
    _exact("gradients", "rounding", "counts parameters that are not used"),
    _exact("state_round_trip", "rounding", "counts values that differ after loading"),
    _exact("determinism", "rounding", "two calls; of foreign layers as batch_independence"),
    _exact("input_unchanged", "rounding", "counts values of the input that a call changes"),
    _exact("output_dtype", "rounding", "counts outputs of another dtype than the input's"),
    _exact("follows_weights", "rounding", "counts values that are still of older weights"),
    _exact("state_complete", "rounding", "counts values that differ after loading, built anew"),
    _exact("output", "rounding", "counts what is wrong with shape, values, dtype, device"),
    _exact("supports", "rounding", "counts supports that are not in proportion to the scales"),
    _exact("input_gradient", "rounding", "counts gradients that do not give the answers"),
    _claimed("theorem", 20.0, "one pair of scales, for filters that reach 10 σ"),
    _claimed("scale_axis_shift", 14.0, "all scales at once, for filters that reach 10 σ"),
    _rounded("gradient_density", _FULL, 2.6, "one filter, as the gradient at two scales"),
    _bounded("gradient_equivariance", "exact probe", 1.0, "as scale_equivariance, of a direction"),
    _bounded("scale_equivariance", "exact probe", 1.0, "sampling and truncation of the pair"),
    _bounded("scaled_copies", "filters", 0.095, "doubt of a spline through the coarser filter"),
    _expected("error_budget", "exact probe", "bfloat16", 1.15, "what the budget leaves"),
    _bounded("local_response", "exact probe", 0.09, "sampling and truncation of each response"),
    _exact("local_invariance", "exact probe", "counts responses that fail against prediction"),
    _exact("local_winner", "exact probe", "counts responses that fail against prediction"),
    _exact("field_response", "exact probe", "counts what lies beyond the bound of second order"),
    _exact("field_invariance", "exact probe", "counts responses that fail against prediction"),
    _bounded("raster_equivariance", "raster", 0.96, "floor of the warp, and truncation"),
    _bounded("local_raster", "raster", 0.96, "floor of the warps, and what is cut off"),
)  # fmt: skip

_HALF = ("float16", "bfloat16")
_ROUNDED_ONCE = next(row for row in TABLE if row.check == "response" and "bfloat16" in row.dtypes)
"""In types of fewer digits sums are taken in float32, and rounded once at the end."""


def tolerance(check: str, dtype: torch.dtype) -> float:
    """What a check may not exceed by rounding alone: a relative squared error, or a count.

    Of float16 and bfloat16 that of one rounding at the end, where the table has no other. Raises
    ValueError for a check or dtype that the table does not hold, or holds no number for.
    """
    rows = [row for row in TABLE if row.check == check]
    if not rows:
        known = ", ".join(dict.fromkeys(row.check for row in TABLE))
        raise ValueError(f"check={check!r}: must be one of {known}")
    name = str(dtype).removeprefix("torch.")
    for row in rows:
        if row.unit == _EXPECTED:
            raise ValueError(f"check={check!r}: its tolerance is computed for each case")
        if row.unit == _BOUND:
            return rounding_error(dtype)
        if name in row.dtypes:
            return row.threshold(dtype)
    if name in _HALF and rows[0].unit == _EPSILON:
        return _ROUNDED_ONCE.threshold(dtype)
    measured = ", ".join(name for row in rows for name in row.dtypes)
    raise ValueError(f"dtype={name}: {check} is measured for {measured}")


def rounding_error(dtype: torch.dtype) -> float:
    """Largest relative *squared* error of a layer's response that rounding in `dtype` explains."""
    return tolerance("response", dtype)


def bound_and_rounding(bound: float, dtype: torch.dtype) -> float:
    """A computed bound on a relative squared error, and rounding on top: amplitudes add up."""
    return (math.sqrt(bound) + math.sqrt(rounding_error(dtype))) ** 2


def as_markdown() -> str:
    """The table as a document."""
    header = ["Check", "Way", "dtype", "Floor", "Derives from", "Factor", "Threshold"]
    rows = [_cells(row, name) for row in TABLE for name in _shown(row)]
    lines = [header, [":--"] * 3 + ["--:", ":--", "--:", "--:"], *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"# Tolerances\n\n{_INTRODUCTION}\n\n{table}\n"


_INTRODUCTION = (
    "Thresholds are of relative squared errors. A floor is the worst of a fixed sample of cases, "
    "measured again by the tests, which fail if it no longer is of this size. ε is the machine "
    "epsilon of the dtype: its thresholds are (floor · factor · ε)². *bound* is computed for each "
    "case; its floor is the largest share of the bound that the sample uses up. *expected* is the "
    "mean square of rounding in the very case, by the usual model; floors are root mean squares. "
    "Printed by "
    "`python -m verification.tolerances`."
)


def _shown(row: Tolerance) -> tuple[str, ...]:
    return row.dtypes if row.unit == _EPSILON else ("any" if row.unit == _NONE else "each",)


def _cells(row: Tolerance, name: str) -> list[str]:
    if row.unit == _NONE:
        return [row.check, row.way, name, "0", row.origin, "–", "0"]
    if row.unit == _EXPECTED:
        floor, threshold = f"{row.floor:.2g} of the expected", f"{SPREAD:g} × expected"
    elif row.unit == _BOUND:
        floor, threshold = f"{row.floor:.2g} of the bound", "bound + rounding"
    else:
        floor = f"{row.floor:g} ε"
        threshold = f"{row.threshold(getattr(torch, name)):.1e}"
    return [row.check, row.way, name, floor, row.origin, f"{row.factor:.3g}", threshold]


if __name__ == "__main__":
    print(as_markdown(), end="")
