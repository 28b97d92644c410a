"""Panel 1: error against depth, for a down-scaling by one step of the scale grid.

Raster: photograph patches, shrunk by one step, pass through stacks whose layers pad with zeros and
keep the size, as the published networks do. Measured are:
- `y`, over all pixels: padding is part of it, as in any measurement on whole images;
- `interior`, over the central quarter of the sides: beyond some ten layers no pixel is free of the
  border for certain, but a receptive field grows like √L rather than to its limit;
- `centred`, over all pixels, of what varies over the image (see `comparing`);
- `ceiling`, one fixed scale; and, for the first few networks, `floor`, the same coefficients with
  nothing cut off.

Exact probe (`periodic`): patches as closed-form functions, rescaled without resampling, no border.
So what it finds is of the filters and the pixel grid alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np
from torch import Tensor

from benchmarks.panels.comparing import fixed_scale, neighbours
from benchmarks.panels.networks import Stack, wide_functions
from benchmarks.panels.periodic import periodic_pair, probe_error
from benchmarks.panels.session import Rows, Session, torch_generator
from benchmarks.panels.settings import Grid, Settings
from verification.reference.warps import random_patches, rescale

PANEL = "depth"


def measure_depth(session: Session, grid: Grid) -> None:
    """One record of rescaled photographs, one of the exact probe."""
    settings = session.settings
    about = {
        **settings.described("depths", "depth_channels"), "sides": list(grid.sides),
        **grid.described(grid.sigmas(grid.scales)), "scale_extent": 1,
        "initialisation": "normal, mean square of each response 1 on the patch",
    }  # fmt: skip
    floors = partial(_floors, session, grid)
    session.raster(PANEL, grid, about, settings.depths, raster_curves, floors)
    session.probe(PANEL, grid, about, settings.depths, probe_curve)


def raster_curves(rng: np.random.Generator, grid: Grid, settings: Settings) -> Rows:
    """One network: y, interior, centred and ceiling over `settings.depths`."""
    stack, large, small = _shown(rng, grid, settings)
    margin = small.shape[-1] * 3 // 8
    curves: Rows = {name: [] for name in ("y", "interior", "centred", "ceiling")}
    for large_response, small_response in _read(stack, settings, large, small):
        found = neighbours(large_response, small_response)
        curves["y"].append(found.whole)
        curves["interior"].append(found.interior(margin))
        curves["centred"].append(found.centred)
        curves["ceiling"].append(fixed_scale(large_response, small_response).whole)
    return curves


def floor_curve(rng: np.random.Generator, grid: Grid, settings: Settings) -> list[float]:
    """The network that `raster_curves` makes of the same generator, with nothing cut off."""
    stack, large, small = _shown(rng, grid, settings)
    ideal = _read(stack.not_cut_off(), settings, large, small)
    return [neighbours(*pair).whole for pair in ideal]


def probe_curve(rng: np.random.Generator, grid: Grid, settings: Settings) -> Rows:
    """One network: y, Δ after each of `settings.depths`, all scale pairs, without any border."""
    patch = random_patches(rng, 1, grid.sides[0])
    large, small = periodic_pair(patch, grid.sides[1])
    stack = random_stack(rng, grid, settings)
    stack.calibrate(large, periodic=True)
    pairs = _read(stack, settings, large, small, periodic=True)
    return {"y": [probe_error(*pair) for pair in pairs]}


def random_stack(
    rng: np.random.Generator, grid: Grid, settings: Settings, depth: int | None = None
) -> Stack:
    """A stack of the largest depth, or of another, on the grid's own scales."""
    basis = grid.basis(grid.sigmas(grid.scales))
    # Filters that are not cut off are wide, and cheaper by transforms.
    functions = None if grid.cuts_off else [f.float() for f in wide_functions(basis)]
    generator = torch_generator(rng)
    depth, channels = depth or settings.depths[-1], settings.depth_channels
    return Stack(basis, depth, channels, generator, functions=functions)


def _floors(session: Session, grid: Grid) -> dict[str, list[list[float]]]:
    if not grid.cuts_off:
        return {}
    rngs = list(session.rngs(PANEL, grid))[: session.settings.floors]
    return {"floor": [floor_curve(rng, grid, session.settings) for rng in rngs]}


def _shown(
    rng: np.random.Generator, grid: Grid, settings: Settings
) -> tuple[Stack, Tensor, Tensor]:
    """A random stack, calibrated on a random patch, and the patch before and after shrinking."""
    large = random_patches(rng, 1, grid.sides[0])
    stack = random_stack(rng, grid, settings)
    stack.calibrate(large)
    return stack, large, rescale(large, grid.sides[1]).image


def _read(
    stack: Stack, settings: Settings, first: Tensor, second: Tensor, periodic: bool = False
) -> Iterator[tuple[Tensor, Tensor]]:
    """Responses to two images after each of `settings.depths`."""
    both: Iterable[tuple[Tensor, Tensor]] = zip(
        stack.responses(first, periodic), stack.responses(second, periodic), strict=True
    )
    return (pair for depth, pair in enumerate(both, 1) if depth in settings.depths)
