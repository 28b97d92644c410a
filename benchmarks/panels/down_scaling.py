"""Panel 2: error of a lifting layer against the factor by which the image was shrunk.

One layer holds the grid's smallest filter and a copy s times as wide for each factor s, up to 32.
The response of the wide copy to a patch of 416×416 pixels, the largest multiple of 32 that the
photographs hold, is shrunk by s and compared with the response of the smallest filter to the
shrunken patch. What is left of the patch is 416/s pixels a side, 13 for the largest factor: there
is no larger photograph to measure so strong a down-scaling on.

The layer's filters are applied by Fourier transforms: the same sums, and affordable at any width.

- `y`: all pixels, zero padding, as in any measurement on whole images.
- `floor`: the same filters reaching ±4 σ. `ceiling`: the smallest filter before and after.

The exact probe compares the same pairs of filters on photographs as closed-form functions, without
resampling and without a border (`periodic`).
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor

from benchmarks.panels.comparing import after_rescaling
from benchmarks.panels.networks import wide_functions
from benchmarks.panels.periodic import periodic_pair, shared_points
from benchmarks.panels.session import Rows, Session, torch_generator
from benchmarks.panels.settings import Grid, Settings
from verification.reference.correlation import correlate
from verification.reference.errors import equivariance_error
from verification.reference.warps import random_patches, rescale

PANEL = "down_scaling"


def measure_down_scaling(session: Session, grid: Grid) -> None:
    """One record of rescaled photographs, one of the exact probe; x is the realised factor."""
    settings = session.settings
    about = {
        **settings.described("large_side", "sides", "channels"),
        **grid.described(_sigmas(grid, settings)),
    }
    session.raster(PANEL, grid, about, factors(settings), raster_curves)
    session.probe(PANEL, grid, about, factors(settings), probe_curve)


def factors(settings: Settings) -> tuple[float, ...]:
    """Side before over side after, ascending."""
    return tuple(settings.large_side / side for side in settings.sides)


def raster_curves(rng: np.random.Generator, grid: Grid, settings: Settings) -> Rows:
    """One layer: curves y, ceiling and, where the grid cuts off, floor over the factors."""
    patch = random_patches(rng, 1, settings.large_side)
    weight = _random_weight(rng, grid, settings)
    banks = {"y": _bank(grid, settings, weight)}
    if grid.cuts_off:
        banks["floor"] = _bank(grid, settings, weight, wide=True)
    curves: Rows = {name: [] for name in (*banks, "ceiling")}
    large = {name: [correlate(patch, filters) for filters in bank] for name, bank in banks.items()}
    for k, side in enumerate(settings.sides, 1):
        shrunk = rescale(patch, side).image
        for name, bank in banks.items():
            small = correlate(shrunk, bank[0])
            curves[name].append(_error(large[name][k], small))
        curves["ceiling"].append(_error(large["y"][0], correlate(shrunk, banks["y"][0])))
    return curves


def probe_curve(rng: np.random.Generator, grid: Grid, settings: Settings) -> Rows:
    """One layer: y, Δ between the smallest filter and each wider copy, without any border."""
    patch = random_patches(rng, 1, settings.large_side)
    bank = _bank(grid, settings, _random_weight(rng, grid, settings))
    curve = []
    for k, side in enumerate(settings.sides, 1):
        large, small = periodic_pair(patch, side)
        coarse, fine = shared_points(
            correlate(large, bank[k], periodic=True), correlate(small, bank[0], periodic=True)
        )
        curve.append(equivariance_error(fine, coarse))
    return {"y": curve}


def _random_weight(rng: np.random.Generator, grid: Grid, settings: Settings) -> Tensor:
    """Coefficients [C, 1, N_b] of a lifting layer, normal, float64."""
    count = grid.basis(_sigmas(grid, settings)).num_functions
    shape = (settings.channels, 1, count)
    return torch.randn(shape, generator=torch_generator(rng), dtype=torch.float64)


def _sigmas(grid: Grid, settings: Settings) -> tuple[float, ...]:
    return tuple(grid.smallest * factor for factor in (1.0, *factors(settings)))


def _bank(grid: Grid, settings: Settings, weight: Tensor, wide: bool = False) -> list[Tensor]:
    """The filters at each scale: each [C, 1, n, n] float64."""
    functions = _functions(grid, _sigmas(grid, settings), wide)
    return [torch.einsum("ocb,byx->ocyx", weight, function) for function in functions]


@functools.lru_cache(maxsize=2)
def _functions(grid: Grid, sigmas: tuple[float, ...], wide: bool) -> list[Tensor]:
    """The basis functions on their own supports, or reaching ±4 σ: each [N_b, n, n]."""
    basis = grid.basis(sigmas)
    if wide:
        return wide_functions(basis)
    margins = [(basis.kernel_size - support) // 2 for support in basis.supports]
    kept = [slice(margin, basis.kernel_size - margin) for margin in margins]
    return [basis.functions[:, i, inside, inside] for i, inside in enumerate(kept)]


def _error(large: Tensor, small: Tensor) -> float:
    return after_rescaling(large[:, :, None], small[:, :, None]).whole
