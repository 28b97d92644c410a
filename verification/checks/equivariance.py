"""Checks of a convolution: its two equivariances, translation and scaling, and its sampled basis.

`check_error_budget` sees that the error budget accounts for all of a real layer's error.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from verification.budget import basis_ranks
from verification.budget.layers import expected_precision, layer_budget, predict_pair
from verification.checks.diagnosis import Cause, causes_of
from verification.checks.result import CheckResult, about
from verification.layer.layouts import pixels
from verification.layer.probe import (
    PairMeasurement,
    Probe,
    complete_pairs,
    measure_pair,
    reference_responses,
    responses,
)
from verification.layer.targets import Target
from verification.reference.analytic import FloatArray
from verification.reference.continuum import HermiteBasis, sampled_filters
from verification.reference.errors import equivariance_error
from verification.tolerances import SPREAD, bound_and_rounding, tolerance


def check_integer_translation(target: Target, probe: Probe, offset: tuple[int, ...]) -> CheckResult:
    """Shifting the input by whole strides shifts the output by as many pixels, up to rounding.

    offset: along each axis in input pixels, multiples of the target's stride. A layer of stride t
    keeps the responses of stride 1 at every t-th pixel, so it commutes with those shifts alone.

    Raises ValueError for an offset that is no multiple of the stride.
    """
    if any(shift % target.stride for shift in offset):
        raise ValueError(f"offset={offset!r}: must be multiples of the stride, {target.stride}")
    reach = max(map(abs, offset))
    x = probe.sampled(target, target.window + 2 * reach)
    with torch.no_grad():
        y = target.layer(x.to(target.dtype))
    sides = y.shape[-len(offset) :]
    there = [n // 2 + shift // target.stride for n, shift in zip(sides, offset, strict=True)]
    moved = replace(probe, points=probe.points + np.asarray(offset))
    error = equivariance_error(responses(target, moved), pixels(y, there).double())
    return CheckResult(
        "integer_translation",
        target.name,
        error,
        tolerance("integer_translation", target.dtype),
        f"response to the image moved by {offset} pixels against the moved response; a larger "
        "error means that the layer treats positions differently",
        **about(target, probe.seed),
    )


def check_scale_equivariance(target: Target, probe: Probe, fine: int, coarse: int) -> CheckResult:
    """Y_{L_s f}(sσ, s·p) = Y_f(σ, p) for s = σ_coarse/σ_fine, within the budget's own bound.

    The bound comes from the documented filters and this very signal (SESN, section 3 and 4); where
    support and sampling suffice, it is rounding.
    """
    measured = measure_pair(target, probe, fine, coarse)
    budget = predict_pair(target, probe, fine, coarse)
    return CheckResult(
        "scale_equivariance",
        target.name,
        measured.error,
        bound_and_rounding(budget.bound, target.dtype),
        f"scale {coarse} of the image rescaled by {measured.ratio:.4f} against scale {fine}; "
        f"sampling explains {budget.sampling:.3g} and truncation {budget.truncation:.3g}; more "
        "means that the filters of the two scales are not copies by σ⁻²ψ(t/σ)",
        pair=(target.scales[fine], target.scales[coarse]),
        **about(target, probe.seed, measured.ratio, budget.total),
    )


def check_theorem(
    target: Target, probe: Probe, fine: int, coarse: int, wanted: float | None = None
) -> CheckResult:
    """Y_{L_s f}(sσ, s·p) = Y_f(σ, p) for s = σ_coarse/σ_fine, with an error of at most `wanted`.

    wanted: by default what rounding leaves of the theorem, for layers and stacks whose filters are
    complete and wide against a pixel. The filters need not be known.
    """
    measured = measure_pair(target, probe, fine, coarse)
    return CheckResult(
        "theorem",
        target.name,
        measured.error,
        tolerance("theorem", target.dtype) if wanted is None else wanted,
        f"scale {coarse} of the image rescaled by {measured.ratio:.4f} against scale {fine}; more "
        "means that the two scales answer differently, or that one of them has no complete input",
        **about(target, probe.seed, measured.ratio),
    )


def check_response(target: Target, probe: Probe) -> CheckResult:
    """The layer answers as its documented filters do, evaluated independently by scipy.

    Scale equivariance alone cannot see a mistake that all scales share, such as swapped axes. On
    failure the finding says which mistake it is: see `verification.checks.diagnosis`.

    Raises ValueError if the target's filters are not known.
    """
    from_layer = responses(target, probe).numpy()
    error = equivariance_error(reference_responses(target, probe), from_layer)
    threshold = tolerance("response", target.dtype)
    finding = "response against the documented filters"
    causes: tuple[Cause, ...] = ()
    if error > threshold:
        causes = causes_of(target, probe.seed or 0)
        found = "; ".join(map(str, causes)) or "filters and bias are the documented ones"
        finding = f"{finding}; {found}"
    return CheckResult(
        "response", target.name, error, threshold, finding,
        cause=causes[0].name if causes else "", **about(target, probe.seed),
    )  # fmt: skip


def check_scale_axis_shift(
    target: Target, probe: Probe, wanted: float | None = None
) -> CheckResult:
    """Rescaling by the grid's own ratio q moves the whole scale axis by one: error ≤ `wanted`.

    Compares every scale with a complete input at once, with a single rescaled input. Without
    `wanted` the theorem itself is demanded, which needs filters that reach 10 σ. The target's
    scales must be a geometric grid: raises ValueError if they are not.
    """
    ratios = np.divide(target.scales[1:], target.scales[:-1])
    if len(ratios) == 0 or not np.allclose(ratios, ratios[0], rtol=1e-12, atol=0):
        raise ValueError(f"scales={target.scales!r}: must be a geometric grid of two or more")
    last = len(target.scales) - target.scale_extent
    before = responses(target, probe)[..., :last]
    after = responses(target, probe.rescaled(float(ratios[0]), 1))[..., 1 : last + 1]
    return CheckResult(
        "scale_axis_shift",
        target.name,
        equivariance_error(before, after),
        tolerance("scale_axis_shift", target.dtype) if wanted is None else wanted,
        f"all scales of the image rescaled by q = {ratios[0]:.4f} against the scales one below; a "
        "larger error means that the scale axis is out of order or out of step",
        **about(target, probe.seed, float(ratios[0])),
    )


def failing_pairs(target: Target, probe: Probe, threshold: float) -> list[PairMeasurement]:
    """Neighbouring scales whose error exceeds the threshold; all pairs are measured.

    For a scale convolution with K_S > 1 the top K_S − 1 output scales have an incomplete input
    (SESN, section 4.2), so the pairs that reach them fail: see `expected_failures`.
    """
    pairs = [(i, i + 1) for i in range(len(target.scales) - 1)]
    measured = [measure_pair(target, probe, fine, coarse) for fine, coarse in pairs]
    return [pair for pair in measured if pair.error > threshold]


def expected_failures(target: Target) -> list[tuple[int, int]]:
    """The pairs of neighbouring scales that must fail because the scale axis ends."""
    complete = set(complete_pairs(target))
    pairs = [(i, i + 1) for i in range(len(target.scales) - 1)]
    return [pair for pair in pairs if pair not in complete]


def check_error_budget(
    target: Target, probe: Probe, fine: int, coarse: int, image_size: int | None = None
) -> CheckResult:
    """What sampling, truncation, border and scale axis leave of the layer's error is rounding.

    The layer is run on a finite image of image_size² pixels, or on all that its filters reach.
    Raises ValueError as `verification.budget.layers.layer_budget` does.
    """
    budget = layer_budget(target, probe, fine, coarse, image_size)
    expected = expected_precision(target, probe, fine, coarse, image_size)
    causes = ", ".join(f"{name} {part:.3g}" for name, part in list(budget.parts.items())[:-1])
    return CheckResult(
        "error_budget",
        target.name,
        budget.precision,
        SPREAD * expected,
        f"what is left of the error {budget.total:.3g} between scales {fine} and {coarse} after "
        f"{causes}; more than rounding means that the layer is not the documented one",
        **about(target, probe.seed, budget.ratio, expected),
    )


# --- The sampled basis, against closed forms and against itself --------------------------------


def check_closed_form(basis: HermiteBasis, name: str) -> CheckResult:
    """Every function at every scale equals σ⁻² He_n(y/σ) He_m(x/σ) exp(−r²/2σ²), by scipy.

    The largest error over functions and scales; outside the documented support zero is expected.
    """
    worst, where = 0.0, ""
    for scale in range(len(basis.scales)):
        expected = _padded(basis, scale)
        for index, function in enumerate(basis.functions[:, scale].numpy()):
            error = equivariance_error(expected[index], function)
            if error >= worst:
                worst, where = error, f"function {index} at σ={basis.scales[scale]}"
    return CheckResult(
        "closed_form",
        name,
        worst,
        tolerance("closed_form", torch.float64),
        f"sampled basis against scipy's Hermite polynomials, worst at {where}; a larger error "
        "means another polynomial, order, normalisation or support",
    )


def check_sigma_law(basis: HermiteBasis, name: str) -> CheckResult:
    """ψ_σ(t) = σ⁻² ψ(t/σ), read off the samples alone (SESN, section 3).

    Wherever a pixel t of one scale and r·t of another, r = σ'/σ a whole number, are both inside
    their supports, the values differ by the factor r². Needs no knowledge of the functions.

    Raises ValueError unless some two scales have a whole ratio of 2 or more.
    """
    pairs = [
        (i, j, round(b / a))
        for i, a in enumerate(basis.scales)
        for j, b in enumerate(basis.scales)
        if j > i and round(b / a) >= 2 and abs(b / a - round(b / a)) < 1e-12
    ]
    if not pairs:
        raise ValueError(f"scales={basis.scales!r}: two of them must have a whole ratio")
    middle = basis.functions.shape[-1] // 2
    error = 0.0
    for fine, coarse, ratio in pairs:
        reach = min(basis.supports[fine] // 2, basis.supports[coarse] // 2 // ratio)
        near = np.arange(-reach, reach + 1)
        at_fine = basis.functions[:, fine][:, middle + near][..., middle + near].numpy()
        far = middle + ratio * near
        at_coarse = basis.functions[:, coarse][:, far][..., far].numpy()
        error = max(error, equivariance_error(at_fine, ratio**2 * at_coarse))
    return CheckResult(
        "sigma_law",
        name,
        error,
        tolerance("sigma_law", torch.float64),
        "ψ at pixel t against r²·ψ at pixel r·t of the scale r times larger; a larger error means "
        "a wrong power of σ or a normalisation of each scale by itself",
    )


def check_ranks(basis: HermiteBasis, name: str, ranks: tuple[int, ...]) -> CheckResult:
    """How many functions are linearly independent at each scale; the error counts differences.

    A scale with fewer than N_b independent functions cannot represent every filter that coarser
    scales can: 49 functions on 5×5 pixels have rank 25.
    """
    found = basis_ranks(basis)
    return CheckResult(
        "ranks",
        name,
        float(sum(a != b for a, b in zip(found, ranks, strict=True))),
        0.0,
        f"ranks {found} at scales {basis.scales}, expected {ranks}",
    )


def _padded(basis: HermiteBasis, scale: int) -> FloatArray:
    margin = (basis.functions.shape[-1] - basis.supports[scale]) // 2
    filters = sampled_filters(basis, scale, basis.supports[scale])
    return np.pad(filters, ((0, 0), (margin, margin), (margin, margin)))
