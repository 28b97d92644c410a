"""Panel 3: error against the scale extent K_S of a scale convolution, for one step of the grid.

A lifting layer, a ReLU and one scale convolution on six scales. Output scale i sums over input
scales i … i + K_S − 1, and above the largest scale there is nothing: so the top K_S − 1 output
scales miss a part of their sum. Two answers are given:
- `y`, over all five pairs of neighbouring scales, the incomplete ones as well: what a measurement
  of the whole response finds;
- `complete`, over the pairs of scales whose sum is complete for the largest K_S measured, the same
  pairs for every K_S: what theory promises.
The floor is of complete pairs and of filters reaching ±4 σ, so nothing is cut off in it. `y` at
K_S = 1 misses nothing; that it differs there from `complete` shows how much the pairs differ.
"""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.panels.comparing import fixed_scale, neighbours
from benchmarks.panels.ideal import ideal_responses
from benchmarks.panels.networks import Stack
from benchmarks.panels.session import Session, collect, torch_generator
from benchmarks.panels.settings import STEP, WIDE_SUPPORT, Settings, basis_of, grid
from benchmarks.photographs import photograph_data
from verification.errors import equivariance_error
from verification.probe import Probe, random_probe, responses
from verification.targets import Target
from verification.warps import WARP, random_patches, rescale

SUBJECT = "panel_inter_scale"
LAYERS = 2


def measure_inter_scale(session: Session) -> None:
    """One record of rescaled photographs, one of the exact probe; x is K_S."""
    settings = session.settings
    common = {"scales": list(grid(settings.scales)), "complete_pairs": complete_pairs(settings)}
    about = {**settings.described("extents", "channels", "patches", "side", "small_side"),
             **common, "warp": WARP, "wide_support_over_scale": WIDE_SUPPORT}  # fmt: skip
    claims = ("trend.inter_scale",)
    with session.measuring(SUBJECT, claims, about, photograph_data()) as measurement:
        rows = collect([raster_curves(rng, settings) for rng in session.rngs(SUBJECT)])
        measurement.numbers.update(x=list(settings.extents), **rows)
    about = {**settings.described("extents", "channels", "points"), **common,
             "signals": "verification.probe.random_probe"}  # fmt: skip
    with session.measuring(f"{SUBJECT}_probe", (), about) as measurement:
        rows = collect([probe_curves(rng, settings) for rng in session.rngs(SUBJECT)])
        measurement.numbers.update(x=list(settings.extents), **rows)


def complete_pairs(settings: Settings) -> int:
    """How many pairs (i, i+1), from i = 0 on, are complete for the largest extent."""
    return settings.scales - settings.extents[-1]


def raster_curves(rng: np.random.Generator, settings: Settings) -> dict[str, list[float]]:
    """One network per extent: curves y, complete, floor, ceiling over the extents."""
    patches = random_patches(rng, settings.patches, settings.side)
    small = rescale(patches, settings.small_side).image
    pairs = complete_pairs(settings)
    names = ("y", "complete", "floor", "ceiling")
    curves: dict[str, list[float]] = {name: [] for name in names}
    for extent in settings.extents:
        stack = random_stack(rng, settings, extent)
        *_, large_response = stack.responses(patches)
        *_, small_response = stack.responses(small)
        curves["y"].append(neighbours(large_response, small_response).whole)
        curves["complete"].append(neighbours(large_response, small_response, pairs).whole)
        curves["ceiling"].append(fixed_scale(large_response, small_response).whole)
        *_, large_response = ideal_responses(stack, patches)
        *_, small_response = ideal_responses(stack, small)
        curves["floor"].append(neighbours(large_response, small_response, pairs).whole)
    return curves


def probe_curves(rng: np.random.Generator, settings: Settings) -> dict[str, list[float]]:
    """One network per extent: curves y and complete, by the exact probe."""
    curves: dict[str, list[float]] = {"y": [], "complete": []}
    pairs = complete_pairs(settings)
    for extent in settings.extents:
        target = as_target(random_stack(rng, settings, extent), extent)
        probe = random_probe(target, int(rng.integers(2**32)), settings.points)
        near, far = responses(target, probe), responses(target, _one_step(probe))
        near, far = near[..., :-1], far[..., 1:]
        curves["y"].append(equivariance_error(near, far))
        curves["complete"].append(equivariance_error(near[..., :pairs], far[..., :pairs]))
    return curves


def random_stack(rng: np.random.Generator, settings: Settings, extent: int) -> Stack:
    """Lifting layer and scale convolution on the published grid, continued."""
    basis = basis_of(grid(settings.scales))
    return Stack(basis, LAYERS, settings.channels, torch_generator(rng), extent)


def as_target(stack: Stack, extent: int) -> Target:
    """The stack as the exact probe sees it: its last response, no padding."""

    def layer(images: torch.Tensor) -> torch.Tensor:
        *_, last = stack.responses(images, valid=True)
        return last

    return Target(
        name=f"stack with scale extent {extent}",
        layer=layer,
        scales=stack.basis.scales,
        in_channels=1,
        window=stack.window,
        lifts=True,
        scale_extent=extent,
        dtype=torch.float32,
    )


def _one_step(probe: Probe) -> Probe:
    return probe.rescaled(STEP, 1)
