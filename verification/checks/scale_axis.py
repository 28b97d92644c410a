"""Checks of modules that must treat all scales alike: pointwise maps, pooling, norms, projection.

A module without filters is equivariant if it commutes with every shift of the scale axis. The
shifts tested wrap around, so that nothing depends on what enters at the ends.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from verification.checks.result import CheckResult
from verification.errors import equivariance_error
from verification.tolerances import tolerance


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
    return CheckResult(
        "max_projection",
        name,
        error,
        0.0,
        "output against the maximum over the scale axis, for every shift of that axis; an error "
        "means another reduction or another axis",
    )
