"""Checks of modules that must treat all scales alike: pointwise maps, pooling, norms, projection.

A module without filters is equivariant if it commutes with every shift of the scale axis. The
shifts tested wrap around, so that nothing depends on what enters at the ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from verification.checks.result import CheckResult
from verification.reference.errors import equivariance_error
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
