"""From measured filters to a sentence that names the mistake."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from verification.diagnosis.alike import best_factor
from verification.diagnosis.filters import Case, Filters, measure_filters
from verification.diagnosis.mistakes import MISTAKES, Explanation
from verification.layer.probe import Probe, known_filters, reference_responses, responses
from verification.layer.targets import Target
from verification.reference.errors import equivariance_error
from verification.signals.analytic import FloatArray
from verification.tolerances import rounding_error

_EXPLAINED = 1e-6
"""An explanation that leaves less than this share of the error is the cause."""
_HELPFUL = 0.1
"""One that leaves less than this share is named, as the nearest."""
_NARROW = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def explain(target: Target, probe: Probe) -> str:
    """What the target does otherwise than its documentation says, as far as can be told.

    Raises ValueError if its filters are not known or if its output has no centre pixel.
    """
    measured = measure_filters(target)
    case = Case(target, measured)
    rounding = rounding_error(target.dtype)
    error = case.error(case.documented)
    answers = responses(target, probe).numpy()
    if not _are_those(measured, target, probe, answers, rounding):
        off = equivariance_error(reference_responses(target, probe), answers)
        if (narrow := _rounded_to(target, off)) is not None:
            return f"answers agree to the digits of {narrow}: they went through that type"
        return (
            "the answers are not those of any fixed filters: they are not linear in the image, or "
            "change from call to call or with the batch"
        )
    causes = list(_about_bias(case, rounding))
    if error > rounding:
        causes.append(_about_filters(case, error))
    return "; ".join(causes) or "filters and bias are the documented ones"


def _are_those(
    measured: Filters, target: Target, probe: Probe, answers: FloatArray, rounding: float
) -> bool:
    """Whether kernels and bias predict the answers to a probe: [P, C_out, S]."""
    channels = measured.kernels.shape[1]
    x = probe.sampled(target).numpy()
    if channels < x.shape[1]:
        return True
    x = x[:, :, None] if target.lifts else x
    predicted = np.einsum("pciyx,ocisyx->pos", x, measured.kernels, optimize=True) + measured.bias
    # Of sums of many products, each of which was rounded by itself.
    return equivariance_error(predicted, answers) <= 100 * rounding


def _about_bias(case: Case, rounding: float) -> Iterator[str]:
    found, wanted = case.measured.bias, known_filters(case.target).bias
    allowed = 10 * rounding**0.5 * max(float(np.abs(wanted).max()), 1e-300)
    if (np.abs(found - wanted[:, None]) <= allowed).all():
        return
    times = best_factor(found[:, 0], wanted) if wanted.any() else 0.0
    if (np.abs(found) <= allowed).all():
        yield "the bias is not added"
    elif (np.abs(found - found[:, :1]) > allowed).any():
        yield "the bias differs from scale to scale"
    elif abs(times) > 0 and (np.abs(found - times * wanted[:, None]) <= allowed).all():
        yield f"the bias is added {times:.6g} times"
    else:
        yield "the bias is another than the documented one"


def _about_filters(case: Case, error: float) -> str:
    nearest: Explanation | None = None
    least = error
    for mistake in MISTAKES:
        for sentence, kernels in mistake(case):
            left = case.error(kernels)
            if left <= _EXPLAINED * error:
                return sentence
            if left < least:
                nearest, least = (sentence, kernels), left
    if (narrow := _rounded_to(case.target, error)) is not None:
        return f"filters agree to the digits of {narrow}: they went through that type"
    if nearest is not None and least <= _HELPFUL * error:
        return f"nearest to this is, up to a relative error of {least:.2g}: {nearest[0]}"
    parts = (case.measured.kernels - case.documented) ** 2
    worst = int(parts.sum(axis=(0, 1, 2, 4, 5)).argmax())
    return f"filters differ most at scale {worst}, by none of the simple mistakes"


def _rounded_to(target: Target, error: float) -> str | None:
    """The type whose rounding has the size of the error: about a third of its epsilon, or less."""
    own = torch.finfo(target.dtype).eps
    for name, dtype in _NARROW.items():
        epsilon = torch.finfo(dtype).eps
        if epsilon > own and 0.03 * epsilon < error**0.5 < epsilon:
            return name
    return None
