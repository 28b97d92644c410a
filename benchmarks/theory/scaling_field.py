"""Local scale-invariance under a smooth field of scales: the order of its error in the gradient."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.theory.cases import random_layer, random_rng
from benchmarks.theory.session import Session
from verification.checks.local import FieldChange, field_change
from verification.layer.scaling_field import random_field_scene
from verification.layer.targets import Target, describe

PRODUCTS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
"""Gradients of the log-scale [per pixel] times the finest σ [pixels]."""
LAYERS = 10


def measure_scaling_field(session: Session) -> None:
    """One record: random layers whose filters are complete, each with one image of its own."""
    configuration = {"products": list(PRODUCTS), "layers": LAYERS, "dtype": "float64"}
    with session.measuring("equivariance", "scaling_field", configuration) as measurement:
        rows = [_curves(random_rng(session.seed, "field", layer)) for layer in range(LAYERS)]
        names = ("y", "error", "first", "remainder")
        measurement.numbers.update(
            x=list(PRODUCTS), **{name: [row[name] for row in rows] for name in names}
        )


def _curves(rng: np.random.Generator) -> dict[str, list[float]]:
    """Order, error and the predicted first order (amplitudes), and its bound, at each gradient."""
    target, seed = describe(random_layer(rng, 0, scales=3)), int(rng.integers(2**32))
    curves: dict[str, list[float]] = {name: [] for name in ("y", "error", "first", "remainder")}
    for product in PRODUCTS:
        change, halved = (
            _change(target, seed, gradient)
            for gradient in (product / target.scales[0], product / target.scales[0] / 2)
        )
        size = float(np.linalg.norm(change.before))
        curves["y"].append(math.log2(change.error / halved.error))
        curves["error"].append(change.error)
        curves["first"].append(float(np.linalg.norm(change.first)) / size)
        curves["remainder"].append(float(np.linalg.norm(change.remainder)) / size)
    return curves


def _change(target: Target, seed: int, gradient: float) -> FieldChange:
    # One point at a time: its image is then the same at every gradient.
    parts = [
        field_change(target, random_field_scene(target, seed + step, (step,), gradient))
        for step in range(len(target.scales))
    ]
    names = ("before", "after", "first", "remainder", "slack")
    return FieldChange(*(np.concatenate([getattr(part, n) for part in parts]) for n in names))
