"""Correct layers of random filters, scales, supports, channels and layouts: none may fail."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.gallery.entry import LAYOUTS, Entry, Layer, Truth
from benchmarks.gallery.parts import gabor
from sesn_impl import LiftingConv2d, ScaleConv2d, bspline_basis, hermite_basis_a, hermite_basis_b
from verification.broken_layers.plain import (
    Bank,
    Then,
    blobs,
    edge,
    gaussian,
    kernels_of,
    laplacian,
    sampled,
    seeded,
)


def random_layer(seed: int) -> Entry:
    """An entry whose truth is that it is equivariant, drawn from a seed."""
    rng = np.random.default_rng([seed, 20])
    count = int(rng.integers(2, 5))
    smallest, span = rng.uniform(1.2, 1.7), rng.uniform(1.0, 2.0)
    ratio = max(1.25, (1 + span) ** (1 / (count - 1)) if count > 2 else span + 0.25)
    scales = tuple(float(smallest * min(ratio, 2.0) ** i) for i in range(count))
    kind = str(rng.choice(["bank", "bank", "steerable", "scale", "block", "modulus"]))
    layout = str(rng.choice([name for name in LAYOUTS if name != "map"]))
    channels = 1 if kind == "modulus" else int(rng.integers(1, 3))
    extent = int(rng.integers(1, min(count, 3))) if kind == "scale" else 1
    cut = float(rng.uniform(2.5, 3.5))
    dtype = torch.float32 if rng.random() < 0.4 else torch.float64
    out = int(rng.integers(1, 4))

    def make(_: int, fineness: int) -> Layer:
        widths = [s * fineness for s in scales]
        if kind in {"bank", "modulus"}:
            module = _bank(rng_of(seed), widths, cut, channels, out, kind == "modulus")
        else:
            module = _steerable(rng_of(seed), widths, cut, channels, out, kind, extent, seed)
        module = module.to(dtype)
        return module if layout == "BCSHW" else _Arranged(module, layout, lifts=kind != "scale")

    return Entry(
        f"random_{seed}", kind, Truth.EQUIVARIANT, "σ⁻²ψ(t/σ), the same ψ at all scales", make,
        scales, cut * scales[-1] + 1, smallest, kind != "scale", channels, extent, layout,
        {"dtype": dtype, "in_channels": channels},
    )  # fmt: skip


def rng_of(seed: int) -> np.random.Generator:
    """The generator of a layer's filters."""
    return np.random.default_rng([seed, 21])


def _bank(
    rng: np.random.Generator, widths: list[float], cut: float, inner: int, out: int, modulus: bool
) -> nn.Module:
    if modulus:
        angle, frequency = rng.uniform(0, math.pi), rng.uniform(1.5, 2.5)
        profiles: list[Any] = [gabor(angle, frequency, phase) for phase in (0.0, math.pi / 2)]
        return Then(
            Bank(kernels_of(profiles, widths, cut)),
            lambda y: y.square().sum(1, keepdim=True).sqrt(),
        )
    choices = [blobs(int(rng.integers(1000))), gaussian, edge, laplacian]
    picks = [[choices[int(rng.integers(4))] for _ in range(inner)] for _ in range(out)]
    return Bank(
        [
            torch.stack([torch.stack([sampled(p, s, cut) for p in row]) for row in picks])
            for s in widths
        ]
    )


def _steerable(
    rng: np.random.Generator, widths: list[float], cut: float, inner: int, out: int, kind: str,
    extent: int, seed: int,
) -> nn.Module:  # fmt: skip
    side = 2 * math.ceil(cut * widths[-1]) + 1
    families = ((hermite_basis_a, 1, 4), (hermite_basis_b, 2, 5), (bspline_basis, 1, 4))
    family, least, end = families[int(rng.integers(3))]
    basis = family(side, widths, int(rng.integers(least, end)))
    if kind == "scale":
        return seeded(lambda: ScaleConv2d(inner, out, basis, extent, padding=side // 2), seed)
    lifting = seeded(lambda: LiftingConv2d(inner, out, basis, padding=side // 2), seed)
    if kind == "steerable":
        return lifting
    return nn.Sequential(lifting, seeded(lambda: nn.BatchNorm3d(out), seed), nn.ReLU())


class _Arranged(nn.Module):
    """A layer of [B, C, S, H, W] in another layout."""

    def __init__(self, module: nn.Module, layout: str, lifts: bool) -> None:
        super().__init__()
        self.module, self.layout, self.lifts = module, layout, lifts

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        """In and out in the layout."""
        arranged, read = LAYOUTS[self.layout]
        if not self.lifts:
            x = read(x, next(self.module.parameters()).shape[1], -1)
        return arranged(self.module(x))
