"""Error behind a layer with a stride, by exact probe.

Users report that equivariance degrades through stride. Where a strided layer has an output, it is
that of the same layer without a stride: the loss comes with the next layer, whose filters see a
response on a coarser grid. So a stack of two layers is measured, the first with a stride of x.
Images are closed-form and periodic (`periodic`): nothing is resampled, and there is no border.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.panels.depth import random_stack
from benchmarks.panels.periodic import periodic_pair, probe_error
from benchmarks.panels.session import Rows, Session
from benchmarks.panels.settings import Grid, Settings
from verification.reference.warps import random_patches

PANEL = "stride"
STRIDES = (1, 2)
LAYERS = 2


def measure_stride(session: Session, grid: Grid) -> None:
    """One record of the exact probe; x is the stride of the first layer."""
    even = replace(grid, blocks=2 * grid.blocks)  # sides that every stride divides
    settings = session.settings
    about = {
        **settings.described("depth_channels"), "sides": list(even.sides), "layers": LAYERS,
        **even.described(even.sigmas(even.scales)), "scale_extent": 1,
    }  # fmt: skip
    session.probe(PANEL, even, about, STRIDES, stride_curves)


def stride_curves(rng: np.random.Generator, grid: Grid, settings: Settings) -> Rows:
    """One network: Δ of its second layer for each stride of the first."""
    large, small = periodic_pair(random_patches(rng, 1, grid.sides[0]), grid.sides[1])
    stack = random_stack(rng, grid, settings, LAYERS)
    curve = []
    for stack.stride in STRIDES:
        both = stack.last(large, periodic=True), stack.last(small, periodic=True)
        curve.append(probe_error(*both))
    return {"y": curve}
