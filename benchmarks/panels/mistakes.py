"""Error of two layers with a mistake that a user of SESN published, beside that of the right ones.

    sesn                supports that grow with the scale, as published
    sesn_fixed_kernel   every scale sampled on the largest support
    sesn_swapped_axes   the channels and scales of the first response in each other's place, as by
                        a reshape that takes [S, C] for [C, S]

All three have the same coefficients and see the same closed-form periodic images (`periodic`), so
that they are compared network by network. On a grid that cuts nothing off the support is no matter,
and nothing is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from benchmarks.panels.depth import random_stack
from benchmarks.panels.networks import Stack
from benchmarks.panels.periodic import periodic_pair, probe_error
from benchmarks.panels.session import Session
from benchmarks.panels.settings import Grid, Settings
from verification.reference.continuum import sampled_filters
from verification.reference.warps import random_patches

PANEL = "mistakes"
LAYERS = 2


def measure_mistakes(session: Session, grid: Grid) -> None:
    """One record for each variant, with an error for each network."""
    if not grid.cuts_off:
        return
    settings = session.settings
    about = {
        **settings.described("depth_channels"), "sides": list(grid.sides), "layers": LAYERS,
        **grid.described(grid.sigmas(grid.scales)), "scale_extent": 1, "augmentation": False,
    }  # fmt: skip
    errors = [mistake_errors(rng, grid, settings) for rng in session.rngs(PANEL, grid)]
    for name in VARIANTS:
        with session.probing(f"{PANEL}_{name}", grid, {**about, "model": name}) as measurement:
            measurement.numbers["equivariance_error"] = [found[name] for found in errors]


def mistake_errors(rng: np.random.Generator, grid: Grid, settings: Settings) -> dict[str, float]:
    """One set of coefficients: Δ of the second layer of every variant."""
    images = periodic_pair(random_patches(rng, 1, grid.sides[0]), grid.sides[1])
    stack = random_stack(rng, grid, settings, LAYERS)
    return {name: probe_error(*_pair(respond(stack, images))) for name, respond in VARIANTS.items()}


def _pair(responses: Iterator[Tensor]) -> tuple[Tensor, Tensor]:
    before, after = responses
    return before, after


def _as_published(stack: Stack, images: tuple[Tensor, Tensor]) -> Iterator[Tensor]:
    return (stack.last(image, periodic=True) for image in images)


def _fixed_kernel(stack: Stack, images: tuple[Tensor, Tensor]) -> Iterator[Tensor]:
    basis = stack.basis
    filters = (sampled_filters(basis, i, basis.kernel_size) for i in range(len(basis.scales)))
    fixed = stack.with_extent(1)
    fixed.functions = [torch.from_numpy(f).float() for f in filters]
    return _as_published(fixed, images)


def _swapped_axes(stack: Stack, images: tuple[Tensor, Tensor]) -> Iterator[Tensor]:
    for image in images:
        lifted, _ = stack.responses(image, periodic=True)
        swapped = lifted.transpose(1, 2).reshape(lifted.shape)
        yield stack.respond(1, swapped.relu(), periodic=True)


VARIANTS: dict[str, Callable[[Stack, tuple[Tensor, Tensor]], Iterator[Tensor]]] = {
    "sesn": _as_published,
    "sesn_fixed_kernel": _fixed_kernel,
    "sesn_swapped_axes": _swapped_axes,
}
