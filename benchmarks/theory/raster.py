"""Equivariance on rescaled photographs, with the warp's floor and the plain filter's ceiling."""

from __future__ import annotations

import hashlib
from dataclasses import asdict

import numpy as np
import torch

from benchmarks.theory.cases import random_rng
from benchmarks.theory.session import Session
from sesn_impl import LiftingConv2d, hermite_basis_a
from verification.checks.raster import RasterMeasurement, measure_raster
from verification.targets import describe
from verification.warps import photographs, random_patches

SIDE = 128
SIDES = (64, 74, 84, 94, 104)
SIGMA = 3.0
SUPPORTS = {"cut": 13, "wide": 25}
"""Kernel sizes in pixels: 4 σ, about what published networks use, and 8 σ."""
PATCHES = 4


def measure_raster_warps(session: Session) -> None:
    """One record for each support: random photograph patches, five down-scalings."""
    for name, kernel_size in SUPPORTS.items():
        configuration = {
            "side": SIDE, "sides": list(SIDES), "sigma": SIGMA, "kernel_size": kernel_size,
            "kind": "a", "effective_size": 4, "patches": PATCHES,
            "warp": "kornia resize, bicubic, antialias, align_corners=False",
        }  # fmt: skip
        with session.measuring(
            "equivariance", f"lifting_raster_{name}", (), configuration, _data()
        ) as measurement:
            measurement.numbers["warps"] = [
                asdict(_measure(session.seed, side, kernel_size)) for side in SIDES
            ]


def _measure(seed: int, side: int, kernel_size: int) -> RasterMeasurement:
    rng = random_rng(seed, "raster", side)
    patches = random_patches(rng, PATCHES, SIDE)
    basis = hermite_basis_a(kernel_size, (SIGMA * side / SIDE, SIGMA), 4)
    torch.manual_seed(int(rng.integers(2**31)))
    layer = LiftingConv2d(1, 4, basis, padding=kernel_size // 2, bias=False)
    return measure_raster(describe(layer), patches, side)


def _data() -> dict[str, str]:
    pixels = b"".join(np.ascontiguousarray(image.numpy()).tobytes() for image in photographs())
    return {"name": "photographs", "hash": hashlib.sha256(pixels).hexdigest()}
