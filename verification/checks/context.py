"""The case that a result was measured on, so that a failure can be understood."""

from __future__ import annotations

from typing import TypedDict

import torch

from verification.layer.targets import Target


class Context(TypedDict):
    """The optional fields of a `CheckResult`."""

    floor: float
    requested: float | None
    realised: float | None
    configuration: str
    seed: int | None


def about(
    target: Target, seed: int | None, ratio: float | None = None, floor: float = 0.0
) -> Context:
    """The target, the probe's seed, the ratio by which an analytic image was rescaled.

    Such an image is rescaled by just what was asked for. floor: a relative squared error; one
    rounding is its least.
    """
    return {
        "floor": max(floor, torch.finfo(target.dtype).eps ** 2),
        "requested": ratio,
        "realised": ratio,
        "configuration": target.configuration,
        "seed": seed,
    }
