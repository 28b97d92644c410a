"""From measured filters to the mistake against their documentation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from verification.checks.diagnosis.alike import best_factor
from verification.checks.diagnosis.altered_documentation import ALTERATIONS, Explanation
from verification.checks.diagnosis.causes import Cause
from verification.checks.diagnosis.filters import Case, measure_filters
from verification.layer.probe import Probe, known_filters, reference_responses, responses
from verification.layer.reading import NotAffineError
from verification.layer.targets import Target
from verification.reference.errors import equivariance_error
from verification.tolerances import rounding_error

_EXPLAINED = 1e-6
"""An explanation that leaves less than this share of the error is the cause."""
_HELPFUL = 0.1
"""One that leaves less than this share is named, as the nearest."""
_NARROW = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def explain(target: Target, probe: Probe) -> list[Cause]:
    """What the target does otherwise than its documentation says, as far as can be told.

    Raises ValueError if its filters are not known or if its output has no centre pixel.
    """
    rounding = rounding_error(target.dtype)
    try:
        case = Case(target, measure_filters(target))
    except NotAffineError:
        answers = responses(target, probe).numpy()
        off = equivariance_error(reference_responses(target, probe), answers)
        if (narrow := _rounded_to(target, off)) is not None:
            says = f"answers agree to the digits of {narrow}: they went through that type"
            return [Cause("digits", says)]
        says = (
            "the answers are not those of any fixed filters: they are not linear in the image, or "
            "change from call to call or with the batch"
        )
        return [Cause("nonlinear", says)]
    error = case.error(case.documented)
    causes = list(_about_bias(case, rounding))
    if error > rounding:
        causes.append(_about_filters(case, error))
    return causes


def _about_bias(case: Case, rounding: float) -> Iterator[Cause]:
    found, wanted = case.measured.bias, known_filters(case.target).bias
    allowed = 10 * rounding**0.5 * max(float(np.abs(wanted).max()), 1e-300)
    if (np.abs(found - wanted[:, None]) <= allowed).all():
        return
    times = best_factor(found[:, 0], wanted) if wanted.any() else 0.0
    if (np.abs(found) <= allowed).all():
        yield Cause("bias_missing", "the bias is not added")
    elif (np.abs(found - found[:, :1]) > allowed).any():
        yield Cause("bias_per_scale", "the bias differs from scale to scale")
    elif abs(times) > 0 and (np.abs(found - times * wanted[:, None]) <= allowed).all():
        yield Cause("bias_scaled", f"the bias is added {times:.6g} times")
    else:
        yield Cause("bias", "the bias is another than the documented one")


def _about_filters(case: Case, error: float) -> Cause:
    nearest: Explanation | None = None
    least = error
    for altered in ALTERATIONS:
        for found in altered(case):
            left = case.error(found[2])
            if left <= _EXPLAINED * error:
                return Cause(*found[:2])
            if left < least:
                nearest, least = found, left
    if (narrow := _rounded_to(case.target, error)) is not None:
        says = f"filters agree to the digits of {narrow}: they went through that type"
        return Cause("digits", says)
    if nearest is not None and least <= _HELPFUL * error:
        says = f"nearest to this is, up to a relative error of {least:.2g}: {nearest[1]}"
        return Cause(nearest[0], says)
    parts = (case.measured.kernels - case.documented) ** 2
    worst = int(parts.sum(axis=(0, 1, 2, 4, 5)).argmax())
    says = f"filters differ most at scale {worst}, by none of the simple mistakes"
    return Cause("shape", says)


def _rounded_to(target: Target, error: float) -> str | None:
    """The type whose rounding has the size of the error: about a third of its epsilon, or less."""
    own = torch.finfo(target.dtype).eps
    for name, dtype in _NARROW.items():
        epsilon = torch.finfo(dtype).eps
        if epsilon > own and 0.03 * epsilon < error**0.5 < epsilon:
            return name
    return None
