"""Panel 3: error against the scale extent K_S of a scale convolution, for one step of the grid.

A lifting layer, a ReLU and one scale convolution on six scales. Output scale i sums over input
scales i … i + K_S − 1, and above the largest scale there is nothing: so the top K_S − 1 output
scales miss a part of their sum. Every extent has the same coefficients, as far as it reaches. Two
answers are given:
- `y`, over all five pairs of neighbouring scales, the incomplete ones as well: what a measurement
  of the whole response finds;
- `complete`, over the pairs of scales whose sum is complete for the largest K_S measured, the same
  pairs for every K_S: what theory promises.
The floor is of complete pairs and of filters reaching ±4 σ, so nothing is cut off in it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.panels.comparing import fixed_scale, neighbours
from benchmarks.panels.networks import Stack, wide_functions
from benchmarks.panels.periodic import periodic_pair, probe_error
from benchmarks.panels.session import Rows, Session, torch_generator
from benchmarks.panels.settings import Grid, Settings
from verification.reference.warps import random_patches, rescale

PANEL = "inter_scale"
LAYERS = 2


def measure_inter_scale(session: Session, grid: Grid) -> None:
    """One record of rescaled photographs, one of the exact probe; x is K_S."""
    settings = session.settings
    about = {
        **settings.described("extents", "channels"), "sides": list(grid.sides),
        **grid.described(grid.sigmas(settings.scales)),
        "complete_pairs": complete_pairs(settings), "layers": LAYERS,
    }  # fmt: skip
    session.raster(PANEL, grid, about, settings.extents, raster_curves)
    session.probe(PANEL, grid, about, settings.extents, probe_curves)


def complete_pairs(settings: Settings) -> int:
    """How many pairs (i, i+1), from i = 0 on, are complete for the largest extent."""
    return settings.scales - settings.extents[-1]


def raster_curves(rng: np.random.Generator, grid: Grid, settings: Settings) -> Rows:
    """One network: curves y, complete, ceiling and, where the grid cuts off, floor."""
    patch = random_patches(rng, 1, grid.sides[0])
    small = rescale(patch, grid.sides[1]).image
    pairs = complete_pairs(settings)
    names = ("y", "complete", "ceiling", *(["floor"] * grid.cuts_off))
    curves: Rows = {name: [] for name in names}
    for stack in _stacks(rng, grid, settings):
        both = stack.last(patch), stack.last(small)
        curves["y"].append(neighbours(*both).whole)
        curves["complete"].append(neighbours(*both, pairs).whole)
        curves["ceiling"].append(fixed_scale(*both).whole)
        if grid.cuts_off:
            ideal = stack.not_cut_off()
            found = neighbours(ideal.last(patch), ideal.last(small), pairs)
            curves["floor"].append(found.whole)
    return curves


def probe_curves(rng: np.random.Generator, grid: Grid, settings: Settings) -> Rows:
    """One network: curves y and complete, without any border."""
    large, small = periodic_pair(random_patches(rng, 1, grid.sides[0]), grid.sides[1])
    curves: Rows = {"y": [], "complete": []}
    for stack in _stacks(rng, grid, settings):
        both = stack.last(large, periodic=True), stack.last(small, periodic=True)
        curves["y"].append(probe_error(*both))
        curves["complete"].append(probe_error(*both, complete_pairs(settings)))
    return curves


def _stacks(rng: np.random.Generator, grid: Grid, settings: Settings) -> Iterator[Stack]:
    """One random network for every extent, on the grid's scales, continued."""
    basis = grid.basis(grid.sigmas(settings.scales))
    # Coarse filters are wide, and cheaper by transforms, with the layers' own supports.
    support = basis.kernel_size / basis.scales[-1]
    functions = [f.float() for f in wide_functions(basis, support)]
    largest = settings.extents[-1]
    stack = Stack(basis, LAYERS, settings.channels, torch_generator(rng), largest, functions)
    return (stack.with_extent(extent) for extent in settings.extents)
