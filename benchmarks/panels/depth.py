"""Panel 1: error against depth, for a down-scaling by one step of the scale grid.

Raster: patches of 141×141 pixels shrunk to 100×100 pass through stacks whose layers pad with zeros
and keep the size, as the published networks do. After L layers with V = 7 a pixel may see 3L pixels
far, so beyond 16 layers no pixel is free of the border for certain. Measured are:
- `y`, over all pixels: padding is part of it, as in any measurement on whole images;
- `interior`, over the central quarter of the sides, at least 37 pixels from every side of the
  shrunken image. Certain up to 12 layers; further, only as a receptive field grows like √L
  (about 1.8·√50 = 13 pixels standard deviation for 50 layers) rather than to its limit;
- `centred`, over all pixels, of what varies over the image (see `comparing`);
- `floor`, the same filters reaching ±4 σ, so that nothing is cut off;
- `coarse`, a floor with scales from 2 pixels on: no filter is narrow against a pixel either.

Exact probe: no padding at all. The window, 6L + 1 pixels a side for the deepest stack, is sampled
from an analytic image that fills it; the centre pixel after each layer sees samples only, whatever
the depth. So what the probe finds is of the filters alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from benchmarks.panels.comparing import fixed_scale, neighbours
from benchmarks.panels.ideal import ideal_responses
from benchmarks.panels.networks import Stack
from benchmarks.panels.session import Session, collect, torch_generator
from benchmarks.panels.settings import (
    COARSE_SCALE,
    SMALLEST_SCALE,
    STEP,
    WIDE_SUPPORT,
    Settings,
    basis_of,
    grid,
)
from benchmarks.photographs import photograph_data
from verification.errors import equivariance_error
from verification.signals import random_gabor_image
from verification.warps import WARP, random_patches, rescale

SUBJECT = "panel_depth"
SCALES = 3
BUMPS, WIDTHS, MAX_FREQUENCY = 400, (2.0, 8.0), 0.5
"""Analytic images, in pixels of the finer scale; centres lie anywhere in the coarser window."""


def measure_depth(session: Session) -> None:
    """One record of rescaled photographs, one of the exact probe."""
    settings = session.settings
    sizes = settings.described("depths", "depth_channels", "patches", "side", "small_side")
    about = {**sizes, "scales": list(grid(SCALES)), "scale_extent": 1, "warp": WARP,
             "initialisation": "normal, mean square of each response 1 on the patches",
             "wide_support_over_scale": WIDE_SUPPORT,
             "coarse_scales": list(grid(SCALES, COARSE_SCALE))}  # fmt: skip
    with session.measuring(SUBJECT, ("trend.depth",), about, photograph_data()) as measurement:
        rows = collect([raster_curves(rng, settings) for rng in session.rngs(SUBJECT)])
        measurement.numbers.update(x=list(settings.depths), **rows)
    about = {
        **settings.described("depths", "depth_channels", "depth_points"),
        "scales": list(grid(SCALES)),
        "signals": {"bumps": BUMPS, "widths": list(WIDTHS), "max_frequency": MAX_FREQUENCY},
    }
    with session.measuring(f"{SUBJECT}_probe", (), about) as measurement:
        rows = collect([{"y": probe_curve(rng, settings)} for rng in session.rngs(SUBJECT)])
        measurement.numbers.update(x=list(settings.depths), **rows)


def raster_curves(rng: np.random.Generator, settings: Settings) -> dict[str, list[float]]:
    """One network: y, interior, centred, ceiling, floor, coarse over `settings.depths`."""
    patches = random_patches(rng, settings.patches, settings.side)
    stack = random_stack(rng, settings)
    stack.calibrate(patches)
    small = rescale(patches, settings.small_side).image
    margin = settings.small_side * 3 // 8
    curves: dict[str, list[float]] = {name: [] for name in ("y", "interior", "centred", "ceiling")}
    for large_response, small_response in _read(stack, settings, patches, small):
        found = neighbours(large_response, small_response)
        curves["y"].append(found.whole)
        curves["interior"].append(found.interior(margin))
        curves["centred"].append(found.centred)
        curves["ceiling"].append(fixed_scale(large_response, small_response).whole)
    coarse = random_stack(rng, settings, COARSE_SCALE)
    coarse.calibrate(patches)
    return {
        **curves,
        "floor": _ideal_curve(stack, settings, patches, small),
        "coarse": _ideal_curve(coarse, settings, patches, small),
    }


def probe_curve(rng: np.random.Generator, settings: Settings) -> list[float]:
    """One network: Δ at the centre pixel after each of `settings.depths`, all scale pairs."""
    stack = random_stack(rng, settings)
    reach = stack.window / 2
    image = random_gabor_image(rng, 1, BUMPS, reach, WIDTHS, MAX_FREQUENCY)
    points = rng.uniform(-4, 4, (settings.depth_points, 2))
    near = image.sample_around(points, stack.window)
    far = image.rescaled(STEP).sample_around(points * STEP, stack.window)
    stack.calibrate(near)
    return [
        equivariance_error(_centre(fine)[:, :, :-1], _centre(coarse)[:, :, 1:])
        for fine, coarse in _read(stack, settings, near, far, valid=True)
    ]


def random_stack(
    rng: np.random.Generator, settings: Settings, smallest: float = SMALLEST_SCALE
) -> Stack:
    """A stack of the largest depth, by default with the published scales and supports."""
    basis = basis_of(grid(SCALES, smallest))
    return Stack(basis, settings.depths[-1], settings.depth_channels, torch_generator(rng))


def _ideal_curve(stack: Stack, settings: Settings, patches: Tensor, small: Tensor) -> list[float]:
    """Δ of the stack with nothing cut off of its filters."""
    ideal = zip(ideal_responses(stack, patches), ideal_responses(stack, small), strict=True)
    return [neighbours(*pair).whole for pair in _chosen(ideal, settings)]


def _read(
    stack: Stack, settings: Settings, first: Tensor, second: Tensor, valid: bool = False
) -> list[tuple[Tensor, Tensor]]:
    """Responses to two batches of images after each of `settings.depths`."""
    pairs = zip(stack.responses(first, valid), stack.responses(second, valid), strict=True)
    return list(_chosen(pairs, settings))


def _chosen(
    pairs: Iterable[tuple[Tensor, Tensor]], settings: Settings
) -> Iterator[tuple[Tensor, Tensor]]:
    return (pair for depth, pair in enumerate(pairs, 1) if depth in settings.depths)


def _centre(response: Tensor) -> Tensor:
    """[B, C, S, H, W] -> the centre pixel, [B, C, S] float64."""
    middle = response.shape[-1] // 2
    return torch.as_tensor(response[..., middle, middle]).double()
