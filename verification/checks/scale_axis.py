"""Checks of modules that treat all scales alike, and of outputs that have no scales any more.

A module without filters is equivariant if it commutes with every shift of the scale axis. The
shifts tested wrap around, so that nothing depends on what enters at the ends.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from verification.checks.power import varying_error
from verification.checks.result import CheckResult, about
from verification.layer.probe import Probe, at_centre, random_probe
from verification.layer.targets import Target
from verification.reference.analytic import FloatArray
from verification.reference.errors import equivariance_error, relative_change
from verification.tolerances import rounding_error, tolerance


def check_commutes_with_scale_shift(
    module: Callable[[Tensor], Tensor], x: Tensor, name: str
) -> CheckResult:
    """module(shift(x)) = shift(module(x)) for all shifts of the scale axis of x [B, C, S, H, W].

    Up to rounding only, since no step interpolates.
    Raises ValueError for an input or output without a scale axis.
    """
    error = 0.0
    with torch.no_grad():
        straight = module(x.clone())
        for tensor, what in ((x, "x"), (straight, f"output of {name}")):
            if tensor.ndim != 5:
                raise ValueError(f"{what} of shape {tuple(tensor.shape)}: must be [B, C, S, H, W]")
        for shift in range(1, x.shape[2]):
            shifted = module(x.roll(shift, dims=2))
            error = max(error, equivariance_error(straight.roll(shift, dims=2), shifted))
    return CheckResult(
        "commutes_with_scale_shift",
        name,
        error,
        tolerance("commutes_with_scale_shift", x.dtype),
        "output for the input with its scale axis shifted against the shifted output; a larger "
        "error means that scales are treated differently or mixed",
    )


def check_max_projection(module: Callable[[Tensor], Tensor], x: Tensor, name: str) -> CheckResult:
    """The module gives the maximum over scales, so a shift of the scale axis changes nothing.

    x: [B, C, S, H, W]; the error is the worse of both comparisons, and exactly 0 is demanded.
    """
    largest = torch.stack(list(x.unbind(2))).max(dim=0).values
    error = 0.0
    with torch.no_grad():
        for shift in range(x.shape[2]):
            projected = module(x.roll(shift, dims=2))
            if projected.shape != largest.shape:
                raise ValueError(
                    f"output of {name} of shape {tuple(projected.shape)}: "
                    f"must be [B, C, H, W] = {tuple(largest.shape)}"
                )
            error = max(error, equivariance_error(largest, projected))
        cause, says = _named(module(x.clone()), x) if error > 0 else ("", "")
    return CheckResult(
        "max_projection",
        name,
        error,
        0.0,
        f"output against the maximum over the scale axis, for every shift of that axis{says}",
        cause=cause,
    )


def _named(found: Tensor, x: Tensor) -> tuple[str, str]:
    """What an output is in place of the maximum over scales, as far as can be told."""
    for cause, sentence, other in _reductions(x):
        if other.shape == found.shape and equivariance_error(other, found) <= rounding_error(
            x.dtype
        ):
            return cause, f": it is {sentence}"
    return "", ": it is another reduction, or one over another axis"


def _reductions(x: Tensor) -> Iterator[tuple[str, str, Tensor]]:
    """[B, C, S, H, W] -> what is mistaken for the maximum over scales."""
    yield "projection_mean", "the mean over scales", x.mean(dim=2)
    yield "projection_mean", "the sum over scales", x.sum(dim=2)
    yield "projection_mean", "the minimum over scales", x.min(dim=2).values
    winner = x.argmax(dim=2, keepdim=True)
    largest = x.abs().argmax(dim=2, keepdim=True)
    magnitude = "projection_magnitude"
    yield magnitude, "the response of the largest magnitude", x.gather(2, largest).squeeze(2)
    yield magnitude, "the largest magnitude", x.abs().max(dim=2).values
    for axis in (1, 3, 4):
        says = f"the maximum over axis {axis}, which is not that of scales"
        yield "projection_axis", says, x.max(dim=axis).values
    for step in (1, -1):
        clamped = (winner + step).clamp(0, x.shape[2] - 1)
        around = (winner + step) % x.shape[2]
        for index in (clamped, around):
            says = "the scale beside the largest response: off by one"
            yield "projection_beside", says, x.gather(2, index).squeeze(2)
    for scale in range(x.shape[2]):
        says = f"scale {scale}, whatever responds most"
        yield "projection_one_scale", says, x[:, :, scale]
    for image_wide in (x.mean((-1, -2), keepdim=True), x.amax((-1, -2), keepdim=True)):
        index = image_wide.argmax(dim=2, keepdim=True).expand(-1, -1, 1, *x.shape[3:])
        says = "the response at one scale for the whole image"
        yield "projection_one_scale", says, x.gather(2, index).squeeze(2)


# --- Outputs without a scale axis -----------------------------------------------------------------


def scale_invariance(target: Target, seed: int) -> CheckResult:
    """Y_{L_s f}(s·p) = Y_f(p) for an output [B, C, H', W'], s the ratio of the first two scales.

    No such layer shows its scales, so nothing can be held against one that ignores them but a
    tolerance of the user's. Exceptions: a layer that is linear is invariant exactly or not at all,
    since ĝ(ω/s) = ĝ(ω) for all ω leaves filters of one pixel; and one that is exact is right.
    """
    factors, images = _factors(target), 8
    errors, chances, plain = [], [], []
    for number in range(images):
        probe = random_probe(target, seed + number)
        before = _map_answers(target, probe)
        middle = before.mean(axis=0)
        # By chance: the answers of unrelated points of the same image.
        chances.append(varying_error(before, np.roll(before, 1, axis=0), middle))
        for s in factors:
            moved = probe.rescaled(s, 0)
            errors.append(varying_error(before, _map_answers(target, moved), middle))
            plain.append(_plain_error(probe, moved, target))
    linear = _is_linear(target, seed)
    exact = max(errors) <= rounding_error(target.dtype)
    error = max(errors) if linear else float(np.median(errors))
    chance, ignoring = float(np.median(chances)), float(np.median(plain))
    known = linear or exact or target.tolerance is not None
    why = (
        "an output that is linear in the image, as a plain convolution's, does not change with "
        "scale only if each filter is one pixel"
        if linear
        else "without a tolerance only an exact answer, or one as bad as chance, decides"
    )
    return CheckResult(
        "scale_invariance",
        target.name,
        error,
        rounding_error(target.dtype) if linear else chance / 2,
        f"answers at s·p for images rescaled by {_listed(factors)} against those at p, of "
        f"{len(errors)}; unrelated points differ by {chance:.3g}, a plain convolution of 3 pixels "
        f"errs by {ignoring:.3g}; {why}",
        ignoring=ignoring if known else 0.0,
        **about(target, seed, factors[-1]),
    )


def _plain_error(probe: Probe, moved: Probe, target: Target) -> float:
    """What a plain convolution with random kernels of 3 pixels would show: it ignores scale."""
    shape = (8, target.in_channels * 3**target.dims)
    kernels = np.random.default_rng(probe.seed).standard_normal(shape)
    near, far = (p.around(0, 1, 3).reshape(len(p.points), -1) @ kernels.T for p in (probe, moved))
    return varying_error(near, far, near.mean(axis=0))


def _is_linear(target: Target, seed: int) -> bool:
    """Whether answers to sums are sums of answers, up to a bias and rounding."""
    one, two = (random_probe(target, seed + n).sampled(target).to(target.dtype) for n in (0, 1))
    with torch.no_grad():
        a, b, both, none = (target.layer(x).double() for x in (one, two, one + two, 0 * one))
    size = float((a - none).square().sum() + (b - none).square().sum())
    return float((both - a - b + none).square().sum()) <= rounding_error(target.dtype) * size


def _factors(target: Target) -> list[float]:
    step = target.scales[1] / target.scales[0] if len(target.scales) > 1 else math.sqrt(2.0)
    return [1 / step, step]


def _listed(factors: list[float]) -> str:
    return " and ".join(f"{s:.3g}" for s in factors)


def _map_answers(target: Target, probe: Probe) -> FloatArray:
    """[P, C_out] at the centre pixel of each window."""
    with torch.no_grad():
        y = target.layer(probe.sampled(target).to(target.dtype)).double()
    if y.ndim != 2 + target.dims:
        raise ValueError(
            f"output of {target.name} of shape {tuple(y.shape)}: must be [B, C] and {target.dims} "
            "axes of space"
        )
    return at_centre(target, y).numpy()


def class_invariance(target: Target, seed: int) -> CheckResult:
    """The share of predictions that change when the image is rescaled, for [B, classes].

    By chance two predictions differ as often as those for two unrelated images.
    """
    factors = _factors(target)
    probe = replace(
        random_probe(target, seed, points=32), points=np.random.default_rng(seed).uniform(
            -12, 12, (32, target.dims)
        ),
    )  # fmt: skip
    before = _scores(target, probe)
    after = [_scores(target, probe.rescaled(s, 0)) for s in factors]
    changed = float(np.mean([(a.argmax(1) != before.argmax(1)).mean() for a in after]))
    frequency = np.bincount(before.argmax(1), minlength=before.shape[1]) / len(before)
    chance = 1 - float((frequency**2).sum())
    moved = np.mean([relative_change(before, a) for a in after])
    return CheckResult(
        "class_invariance",
        target.name,
        changed,
        chance / 2 if chance else 1.0,
        f"{100 * (1 - changed):.0f} % of {len(before)} predictions unchanged for images rescaled "
        f"by {_listed(factors)}, scores change by {moved:.3g}; unrelated images are predicted "
        f"differently in {100 * chance:.0f} %, and half of that is too much; how few are few "
        "enough, only a tolerance can say",
        ignoring=chance if target.tolerance is not None else 0.0,
        **about(target, seed, factors[-1]),
    )


def _scores(target: Target, probe: Probe) -> FloatArray:
    with torch.no_grad():
        y = target.layer(probe.sampled(target).to(target.dtype)).double()
    if y.ndim != 2:
        raise ValueError(f"output of {target.name} of shape {tuple(y.shape)}: must be [B, classes]")
    return np.asarray(y.numpy())
