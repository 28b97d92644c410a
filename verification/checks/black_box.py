"""Checks of layers whose filters nobody has written down: the yardstick is read off the layer.

The coarse filters say what the fine ones should be (`copies`), so that the layer's error between
two scales has a budget of its own: a layer with these very coarse filters and perfect fine ones,
cut to the fine support, would have the error `explained`. More is a mistake, up to the doubt of the
interpolation. A layer with no filters (a network, a nonlinear layer) is held to less: it must do
better than with its scales ignored, and the ratio that explains its answers best must be the
claimed one.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from torch import nn

from verification.checks.diagnosis import causes_of
from verification.checks.diagnosis.between_scales import one_kernel
from verification.checks.diagnosis.copies import copy_of
from verification.checks.diagnosis.pairs import pairs_of
from verification.checks.diagnosis.ratios import estimate_ratios
from verification.checks.diagnosis.resized import match_of
from verification.checks.diagnosis.supports import out_of_proportion
from verification.checks.power import POWER, frozen_error, ignoring_scale, varying_error
from verification.checks.result import CheckResult, NotApplicableError, about, worst
from verification.layer.probe import Probe, complete_pairs, random_probe, responses
from verification.layer.reading import NotAffineError, ReadFilters, read_filters
from verification.layer.targets import Target
from verification.reference.analytic import FloatArray
from verification.tolerances import bound_and_rounding, rounding_error

_NAMED = 0.9
"""Share of a small difference that a cause has to explain to be the mistake."""
_VISIBLE = 0.01
"""Error from which a wrong formula that is met exactly is a mistake."""
_COARSE = 0.1
"""Doubt of an interpolation, relative and squared, from which it is only a guess."""
_SEEN = 1e-3
"""Error from which one kernel for all scales is seen: a pooling over two pixels is none."""
_SMALL = 1e-4
"""Of the error of ignoring scale: nothing to be explained, unless it has a name."""
_VECTOR = 1


def scaled_copies(target: Target, seed: int) -> CheckResult:
    """The filters of neighbouring scales are copies by σ⁻²ψ(t/σ): the worst pair."""
    filters = read_filters(target, seed)
    results = []
    for pair in pairs_of(filters, target.scales, complete_pairs(target)):
        if not pair.resolved:
            continue
        copy = pair.copied()
        bound = copy.bound(pair.found)
        if bound > _COARSE:
            bound *= 4  # a doubt of this size is itself in doubt
        result = CheckResult(
            "scaled_copies",
            target.name,
            copy.error(pair.found),
            bound_and_rounding(bound, target.dtype),
            f"filters of scale {pair.fine} as read off the layer against those of scale "
            f"{pair.coarse}, shrunk by {pair.ratio:.4f} and interpolated; more than the "
            "interpolation's doubt means filters that are not copies by σ⁻²ψ(t/σ)",
            **about(target, seed, pair.ratio, bound),
        )
        resized = match_of(pair)
        if resized is not None and resized.mistaken and result.passed and result.error > _VISIBLE:
            # A wrong formula that is met exactly needs no threshold.
            results.append(replace(result, threshold=_VISIBLE, cause="resized"))
        else:
            results.append(_unless_named(result, target, (1 - 1 / pair.ratio) ** 2))
    if not results:
        raise NotApplicableError("filters of three pixels a side or fewer resolve no scale")
    return worst(results)


def _unless_named(result: CheckResult, target: Target, ignoring: float) -> CheckResult:
    """An error beyond what the filters explain is a mistake if it has a name, or if it is large.

    A layer that is made of several cuts off filters inside, where nobody sees them: of that the
    filters as a whole say nothing, and so a small error without a name shows nothing either.
    """
    if result.passed or result.cause:
        return result
    causes = causes_of(target, result.seed or 0, between_scales=True)
    first = causes[0] if causes else None
    composed = is_composed(target.layer)
    # Against ratios that were estimated a small error is none of the layer's.
    named = first is not None and first.name != "shape" and not target.estimated and (
        (not composed and first.share is None) or (first.share or 0.0) >= _NAMED
    )  # fmt: skip
    if first is not None and named:
        return replace(result, cause=first.name)
    large = max(result.threshold, ignoring if composed else POWER * ignoring)
    if result.error <= _SMALL * ignoring:
        return replace(result, threshold=_SMALL * ignoring)
    return replace(result, passing=result.threshold, threshold=large, cause="shape")


def is_composed(layer: object) -> bool:
    """Whether several parts of a module have filters of their own."""
    parts = layer.modules() if isinstance(layer, nn.Module) else ()
    own = [any(p.ndim > _VECTOR for p in part.parameters(recurse=False)) for part in parts]
    return sum(own) > 1


def supports(target: Target, seed: int) -> CheckResult:
    """The supports are in proportion to the scales, up to whole pixels; counts pairs that are not.

    Pairs whose larger support adds no more than its last ring of pixels are in proportion too.
    """
    filters = read_filters(target, seed)
    reaches = filters.reaches
    out = out_of_proportion(filters, target.scales)
    sides = ", ".join(f"{2 * reach + 1:g}" for reach in reaches)
    return CheckResult(
        "supports",
        target.name,
        float(len(out)),
        0.0,
        f"supports of {sides} pixels as read off the layer; {len(out)} pairs of scales are "
        "not in proportion to the scales: one support for all scales, or sizes rounded too far",
        **about(target, seed),
    )


def _has_gradient(target: Target, seed: int) -> bool:
    x = random_probe(target, seed, points=1).sampled(target).to(target.dtype).requires_grad_()
    try:
        return bool(target.layer(x).requires_grad)
    except Exception:  # numpy refuses what asks for gradients, each library in its own way
        return False


def input_gradient(target: Target, seed: int) -> CheckResult:
    """The gradient of the input is that of the answers the layer gives, for affine layers."""
    filters = read_filters(target, seed)
    learns = isinstance(target.layer, nn.Module) and any(True for _ in target.layer.parameters())
    if not filters.by_gradient and not learns and not _has_gradient(target, seed):
        raise NotApplicableError("the layer has no parameters, and gives no gradient")
    return CheckResult(
        "input_gradient",
        target.name,
        float(not filters.by_gradient),
        0.0,
        "whether bias and gradient give the answers to noise, as single impulses do; a failure "
        "means a backward pass of another function than the forward pass, or none",
        **about(target, seed),
    )


# --- Equivariance by the exact probe --------------------------------------------------------------


def scale_equivariance(target: Target, seed: int) -> CheckResult:
    """Y_{L_s f}(sσ, s·p) = Y_f(σ, p) by the exact probe, for filters that nobody has documented."""
    pairs = complete_pairs(target)
    try:
        filters = read_filters(target, seed)
    except NotAffineError:
        probe = random_probe(target, seed, points=16)
        return worst(_against_ignoring_scale(target, probe, *pair) for pair in pairs)
    probe = random_probe(target, seed)
    results = []
    for pair in pairs_of(filters, target.scales, pairs):
        if pair.resolved:
            result = _by_own_filters(target, filters, probe, pair.fine, pair.coarse)
        else:
            wider = random_probe(target, seed, points=16)
            why = "filters of so few pixels cannot be compared with each other"
            result = _against_ignoring_scale(target, wider, pair.fine, pair.coarse, why)
        if one_kernel(filters) and result.error > _SEEN:
            # No budget is needed to see it.
            result = replace(result, threshold=_SEEN, cause="one_kernel")
        elif _up_to_gains(target, seed, result, pair.fine, pair.coarse):
            result = replace(result, threshold=_VISIBLE, cause="amplitude")
        results.append(_unless_named(result, target, result.ignoring or 0.0))
    return worst(results)


def _up_to_gains(target: Target, seed: int, result: CheckResult, fine: int, coarse: int) -> bool:
    """Whether a factor for each channel makes a visible error vanish, whatever sampling explains.

    So it is for taps that are dilated, which are no samples of a function, and of single pixels.
    """
    if not result.error > _VISIBLE:
        return False
    near, far = _pair_of_answers(target, random_probe(target, seed, points=16), fine, coarse)
    near, far = near - near.mean(axis=0), far - far.mean(axis=0)
    sizes = (far**2).sum(axis=0)
    factors = (near * far).sum(axis=0) / np.where(sizes, sizes, 1.0)
    left = float(((near - factors * far) ** 2).sum())
    return left <= rounding_error(target.dtype) * float((near**2).sum())


def _pair_of_answers(
    target: Target, probe: Probe, fine: int, coarse: int
) -> tuple[FloatArray, FloatArray]:
    """Of scale `fine`, and of scale `coarse` to the rescaled images: [P, C_out] each."""
    step = target.scales[coarse] / target.scales[fine]
    near = responses(target, probe)[..., fine].numpy()
    return near, responses(target, probe.rescaled(step, coarse - fine))[..., coarse].numpy()


def _by_own_filters(
    target: Target, filters: ReadFilters, probe: Probe, fine: int, coarse: int
) -> CheckResult:
    step = target.scales[coarse] / target.scales[fine]
    near, far = _pair_of_answers(target, probe, fine, coarse)
    reaches = filters.reaches
    copy = copy_of(filters.taps[coarse], reaches[coarse], step, limit=reaches[fine])
    own = filters.taps[fine] * ~copy.common
    # What a copy would answer, and what the fine scale alone sees: nothing else may differ.
    perfect, doubt, seen = (
        _answers(target, probe, fine, taps) for taps in (copy.wanted + own, copy.doubt, own)
    )
    bias, offset = filters.bias[fine], filters.bias[coarse]
    size = float(((near - bias) ** 2).sum())
    error = varying_error(near, far, bias)
    parts = [math.sqrt(float((part**2).sum()) / size) for part in (perfect + offset - far, doubt)]
    whole = float((near**2).sum()) / size
    return CheckResult(
        "scale_equivariance",
        target.name,
        error,
        (sum(parts) + math.sqrt(rounding_error(target.dtype) * max(whole, 1.0))) ** 2,
        f"scale {coarse} of the image rescaled by {step:.4f} against scale {fine}; a layer with "
        f"these filters at scale {coarse}, and copies of them at {fine}, would have an error of "
        f"{parts[0] ** 2:.3g}, with {parts[1] ** 2:.3g} left open; beyond the smaller support lies "
        f"{float((seen**2).sum()) / size:.3g}",
        ignoring=ignoring_scale(target, probe, fine, coarse),
        pair=(target.scales[fine], target.scales[coarse]),
        **about(target, probe.seed, step, parts[0] ** 2),
    )


def _answers(target: Target, probe: Probe, scale: int, taps: FloatArray) -> FloatArray:
    """Σ f(p + u) g(u) for filters [C_out, I, W, …], without bias: [P, C_out]."""
    patches = probe.around(0 if target.lifts else scale, target.scale_extent, taps.shape[-1])
    return patches.reshape(len(patches), -1) @ taps[:, : patches.shape[1]].reshape(len(taps), -1).T


def _against_ignoring_scale(
    target: Target, probe: Probe, fine: int, coarse: int, why: str = "the layer is not affine"
) -> CheckResult:
    step = target.scales[coarse] / target.scales[fine]
    near, far = _pair_of_answers(target, probe, fine, coarse)
    ignoring, frozen = (of(target, probe, fine, coarse) for of in (ignoring_scale, frozen_error))
    error, limit = varying_error(near, far, near.mean(axis=0)), max(POWER * frozen, ignoring)
    if error > limit:
        # What sampling does vanishes on images twice as wide, and a mistake does not.
        wide = random_probe(target, probe.seed or 0, 16, widths=(4.0, 16.0), max_frequency=0.25)
        near, far = _pair_of_answers(target, wide, fine, coarse)
        stays = varying_error(near, far, near.mean(axis=0)) > limit
        limit = limit if stays else max(frozen, ignoring)
    return CheckResult(
        "scale_equivariance",
        target.name,
        error,
        limit,
        f"scale {coarse} of the image rescaled by {step:.4f} against scale {fine}; {why}, so what "
        "sampling and truncation explain is not known: more than the error of a layer that "
        f"ignores scale is a mistake, less than a quarter of {ignoring:.3g} is none",
        ignoring=ignoring,
        pair=(target.scales[fine], target.scales[coarse]),
        **about(target, probe.seed, step),
    )


# --- Ratio ----------------------------------------------------------------------------------------


def scale_ratio(target: Target, seed: int) -> CheckResult:
    """The ratio that explains the responses best is the claimed one, to a third of a step.

    The error is |log(best/claimed)| in thirds of a step of the claimed scales, of the worst pair.
    """
    fits = [
        (best, target.scales[j] / target.scales[i])
        for best, (i, j) in zip(
            estimate_ratios(target, seed, where_claimed=True), complete_pairs(target), strict=True
        )
        if best is not None
    ]
    if not fits:
        raise NotApplicableError("filters of so few pixels resolve no scale")
    off = [abs(math.log(best / given)) / (math.log(given) / 3) for best, given in fits]
    best, given = (", ".join(f"{r:.4g}" for r in ratios) for ratios in zip(*fits, strict=True))
    return CheckResult(
        "scale_ratio",
        target.name,
        max(off),
        1.0,
        f"the ratio that fits best is {best}, given is {given}; the error is in thirds of a "
        "step of the scale axis: more than 1 means filters of other widths than the scales say",
        cause="ratio",
        **about(target, seed),
    )
