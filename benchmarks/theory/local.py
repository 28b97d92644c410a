"""Local scale-invariance on raster images: digits and photographs, each object at its own scale."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from benchmarks.theory.cases import random_rng
from benchmarks.theory.photographs import describe_images
from benchmarks.theory.session import Session
from sesn_impl import LiftingConv2d, hermite_basis_a
from verification.checks.raster import (
    LocalRasterMeasurement,
    digit_objects,
    measure_local_raster,
    photo_objects,
)
from verification.layer.targets import describe
from verification.reference.warps import WARP, photographs

RATIO = 4 / 3
SCALES = tuple(1.5 * RATIO**i for i in range(4))
SIDE = 36
SIDES = (48, 27, 36)
"""Realised sides of the objects: one step up, one down, unscaled."""
SUPPORTS = {"cut": 15, "wide": 29}
"""Kernel sizes in pixels: 4 σ, about what published networks use, and 8 σ."""
REPETITIONS = 2
OBJECTS: dict[str, Callable[[np.random.Generator, int, int], Tensor]] = {
    "digits": digit_objects,
    "photographs": photo_objects,
}


def measure_local_objects(session: Session) -> None:
    """One record: both kinds of objects, both supports, several canvases with random layers."""
    configuration = {
        "side": SIDE, "sides": list(SIDES), "scales": list(SCALES), "kernel_sizes": SUPPORTS,
        "kind": "a", "effective_size": 3, "repetitions": REPETITIONS,
        "warp": WARP,
    }  # fmt: skip
    sources = [load_digits().images, *photographs()]
    data = describe_images("digits and photographs", sources)
    with session.measuring("equivariance", "local_raster", configuration, data=data) as measurement:
        measurement.numbers["canvases"] = [
            {"objects": objects, "support": support, **_measure(session.seed, objects, support, i)}
            for objects in OBJECTS
            for support in SUPPORTS
            for i in range(REPETITIONS)
        ]


def _measure(seed: int, objects: str, support: str, repetition: int) -> dict[str, object]:
    # The same objects and coefficients for both supports: their figures can be compared.
    rng = random_rng(seed, f"local_{objects}", repetition)
    shown = OBJECTS[objects](rng, len(SIDES), SIDE)
    torch.manual_seed(int(rng.integers(2**31)))
    kernel_size = SUPPORTS[support]
    basis = hermite_basis_a(kernel_size, SCALES, 3)
    layer = LiftingConv2d(1, 2, basis, padding=kernel_size // 2, bias=False)
    measured: LocalRasterMeasurement = measure_local_raster(describe(layer), shown, SIDES)
    return {**asdict(measured), "steps": list(measured.steps)}
