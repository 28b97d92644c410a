"""Error of the pixels that zero padding reaches, beside that of the others.

Users report that equivariance degrades through padding. A random stack of three layers, as many as
the published MNIST networks have, pads with zeros and keeps the size. Its response to a photograph
patch is shrunk by one step of the scale grid and compared with its response to the shrunken patch:
x = 0, over the pixels that no padding reaches in either image; x = 1, over all others. Both kinds
of pixel see the same resampling, so that their difference is the padding's.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil

import numpy as np
import torch

from benchmarks.panels.comparing import Compared, neighbours
from benchmarks.panels.depth import random_stack
from benchmarks.panels.session import Rows, Session, collect
from benchmarks.panels.settings import Grid, Settings
from verification.reference.errors import equivariance_error
from verification.signals.warps import random_patches, rescale

PANEL = "padding"
LAYERS = 3


def measure_padding(session: Session, grid: Grid) -> None:
    """One record; x is the share of the pixels compared that padding reaches."""
    settings, grid = session.settings, _large_enough(grid)
    about = {
        **settings.described("depth_channels"), "sides": list(grid.sides), "layers": LAYERS,
        **grid.described(grid.sigmas(grid.scales)), "scale_extent": 1,
    }  # fmt: skip
    with session.raster(PANEL, grid, about) as measurement:
        rows = [border_curves(rng, grid, settings) for rng in session.rngs(PANEL, grid)]
        measurement.numbers.update(x=[0.0, 1.0], **collect(rows))


def border_curves(rng: np.random.Generator, grid: Grid, settings: Settings) -> Rows:
    """One network: y, over the pixels out of reach of padding and over those within."""
    large = random_patches(rng, 1, grid.sides[0])
    small = rescale(large, grid.sides[1]).image
    stack = random_stack(rng, grid, settings, LAYERS)
    stack.calibrate(large)
    *_, before = stack.responses(large)
    *_, after = stack.responses(small)
    found = neighbours(before, after)
    return {"y": [found.interior(_reach(grid)), _frame(found, _reach(grid))]}


def _reach(grid: Grid) -> int:
    """How many pixels padding reaches; resampling by one step reads two more."""
    return LAYERS * (grid.basis(grid.sigmas(grid.scales)).kernel_size // 2) + 2


def _large_enough(grid: Grid) -> Grid:
    """The grid with images that hold at least 8 pixels a side which no padding reaches."""
    return replace(grid, blocks=max(grid.blocks, ceil((2 * _reach(grid) + 8) / grid.step[1])))


def _frame(compared: Compared, margin: int) -> float:
    """Δ over the pixels less than `margin` away from a side."""
    frame = torch.ones(compared.expected.shape[-2:], dtype=torch.bool)
    frame[margin:-margin, margin:-margin] = False
    return equivariance_error(compared.expected[..., frame], compared.found[..., frame])
