"""Equivariance on warped photographs, with the warp's floor and the plain filter's ceiling."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch

from benchmarks.theory.cases import random_rng
from benchmarks.theory.photographs import photograph_data
from benchmarks.theory.session import Session
from sesn_impl import LiftingConv2d, hermite_basis_a
from verification.checks.raster import measure_raster
from verification.layer.targets import describe
from verification.reference.warps import WARP, Warp, random_patches

SIDE = 120
KINDS: dict[str, tuple[Warp, ...]] = {
    "down": tuple(Warp(SIDE, (side, side)) for side in (60, 69, 78, 88, 98, 108)),
    "up": tuple(Warp(SIDE, (side, side)) for side in (132, 150, 171, 193, 216, 240)),
    "translated": (
        Warp(SIDE, (90, 90), (8, -12)),
        Warp(SIDE, (160, 160), (-9, 6)),
    ),
    "anisotropic": (
        Warp(SIDE, (78, 108)),
        Warp(SIDE, (98, 132)),
        Warp(SIDE, (171, 120)),
    ),
}
"""Realised sides, and shifts in pixels that stay whole; under unequal sides a layer must fail."""
SIGMA = 3.0
SUPPORTS = {"cut": 13, "wide": 25}
"""Kernel sizes in pixels: 4 σ, about what published networks use, and 8 σ."""
PATCHES = 4


def measure_raster_warps(session: Session) -> None:
    """One record for each support: the same photograph patches under every kind of warp."""
    for name, kernel_size in SUPPORTS.items():
        configuration = {
            "side": SIDE, "sigma": SIGMA, "kernel_size": kernel_size, "kind": "a",
            "effective_size": 4, "patches": PATCHES, "warp": WARP,
        }  # fmt: skip
        with session.measuring(
            "equivariance", f"lifting_raster_{name}", configuration, data=photograph_data()
        ) as measurement:
            measurement.numbers["warps"] = [
                {"kind": kind, **_measure(session.seed, warp, kernel_size)}
                for kind, warps in KINDS.items()
                for warp in warps
            ]


def _measure(seed: int, warp: Warp, kernel_size: int) -> dict[str, Any]:
    # The same patches and coefficients for all warps and supports: their figures can be compared.
    rng = random_rng(seed, "raster")
    patches = random_patches(rng, PATCHES, SIDE)
    torch.manual_seed(int(rng.integers(2**31)))
    scales = (SIGMA * min(warp.ratio, 1 / warp.ratio), SIGMA)
    basis = hermite_basis_a(kernel_size, scales, 4)
    layer = LiftingConv2d(1, 4, basis, padding=kernel_size // 2, bias=False)
    measured = measure_raster(describe(layer), patches, warp)
    return {"sides": list(warp.sides), "shift": list(warp.shift), **asdict(measured)}
