"""How small a mistake each decisive check rejects, by its kind and the width of the filters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from verification import check_scale_equivariance
from verification.broken_layers.plain import Bank, Profile, blobs, sampled
from verification.runner.layer_verdict import Status

CHECKS = ("scale_equivariance", "scaled_copies", "supports", "scale_ratio")
WIDTHS = (1.0, 1.5, 2.0, 3.0)
"""σ in pixels of the smallest of three scales, √2 apart."""
SIZES = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_CUT = 3.0

Kernels = Callable[[Profile, float, int, float], torch.Tensor]
"""(ψ, σ, scale, size of the mistake) -> kernel of that scale."""


def _ratio(profile: Profile, sigma: float, scale: int, size: float) -> torch.Tensor:
    return sampled(profile, sigma * (1 + size) ** scale, _CUT)


def _shift(profile: Profile, sigma: float, scale: int, size: float) -> torch.Tensor:
    moved = size / sigma if scale == 1 else 0.0
    return sampled(lambda y, x: profile(y, x - moved), sigma, _CUT)


def _amplitude(profile: Profile, sigma: float, scale: int, size: float) -> torch.Tensor:
    return sampled(profile, sigma, _CUT) * (1 + size if scale == 1 else 1)


def _power(profile: Profile, sigma: float, scale: int, size: float) -> torch.Tensor:
    return sampled(profile, sigma, _CUT, 2 - size)


def _support(profile: Profile, sigma: float, scale: int, size: float) -> torch.Tensor:
    return sampled(profile, sigma, _CUT * (1 - 0.8 * size if scale == 2 else 1))


def _turn(profile: Profile, sigma: float, scale: int, size: float) -> torch.Tensor:
    c, s = (math.cos(size), math.sin(size)) if scale == 2 else (1.0, 0.0)
    return sampled(lambda y, x: profile(c * y + s * x, c * x - s * y), sigma, _CUT)


KINDS: dict[str, tuple[str, Kernels]] = {
    "ratio": ("share by which the ratio of neighbouring widths is too large", _ratio),
    "shift": ("pixels by which one scale is moved", _shift),
    "amplitude": ("share by which one scale is too strong", _amplitude),
    "power": ("by which the power of σ is off −2", _power),
    "support": ("share of 0.8 · 3σ by which the largest support is cut", _support),
    "rotation": ("radians by which one scale is turned", _turn),
}


def layer(kind: str, width: float, size: float, seed: int) -> nn.Module:
    """A bank of two random functions at three scales with a mistake of one kind and size."""
    make = KINDS[kind][1]
    sigmas = [width * 2 ** (i / 2) for i in range(3)]
    profiles = [blobs(seed), blobs(seed + 50)]
    return Bank(
        [
            torch.stack([make(p, s, i, size) for p in profiles])[:, None]
            for i, s in enumerate(sigmas)
        ]
    )


def rejecting(kind: str, width: float, size: float, seed: int) -> dict[str, bool]:
    """Which of the decisive checks fail the layer."""
    side = 2 * math.ceil(_CUT * 2 * width * (1 + size if kind == "ratio" else 1) ** 2) + 1
    verdict = check_scale_equivariance(
        layer(kind, width, size, seed), [2 ** (i / 2) for i in range(3)], window=side,
        in_channels=1, lifts=True, checks=CHECKS, seed=seed,
    )  # fmt: skip
    return {outcome.check: outcome.status is Status.FAILED for outcome in verdict}


def curve(kind: str, width: float, sizes: Sequence[float] = SIZES, seed: int = 0) -> dict[str, Any]:
    """For each check the smallest size from which on it rejects; None: not even the largest.

    The sizes are tried from the largest down, as far as some check still rejects.
    """
    least: dict[str, float | None] = dict.fromkeys(CHECKS)
    alive = set(CHECKS)
    for size in sorted(sizes, reverse=True):
        found = rejecting(kind, width, size, seed)
        alive = {name for name in alive if found.get(name)}
        least |= dict.fromkeys(alive, size)
        if not alive:
            break
    return {"kind": kind, "width": width, "least": least}
