"""Panel 2: error of a lifting layer against the factor by which the image was shrunk.

One layer holds the smallest filter, σ = 0.9, and a copy s times as wide for each factor s, up to
32. The response of the wide copy to a patch of 416×416 pixels, the largest multiple of 32 that the
photographs hold, is shrunk by s and compared with the response of the smallest filter to the
shrunken patch. What is left of the patch is 416/s pixels a side, 13 for the largest factor: there
is no larger photograph to measure so strong a down-scaling on.

The layer's filters are applied by Fourier transforms: the same sums, and affordable at 113 pixels.

- `y`: all pixels, zero padding, as in any measurement on whole images.
- `interior`: pixels that no border reaches, 7×7 of them at factor 32.
- `floor`: the same filters reaching ±4 σ. `ceiling`: the smallest filter before and after.

The exact probe compares the same pairs of filters on analytic images, which have no border, are not
resampled, and never run out of pixels.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from benchmarks.panels.comparing import compare
from benchmarks.panels.ideal import ideal_functions
from benchmarks.panels.session import Session, collect, torch_generator
from benchmarks.panels.settings import SMALLEST_SCALE, WIDE_SUPPORT, Settings, basis_of
from benchmarks.photographs import photograph_data
from sesn_impl import LiftingConv2d
from verification.correlation import correlate
from verification.errors import equivariance_error
from verification.signals import random_gabor_image
from verification.warps import WARP, random_patches, rescale, valid_margin

SUBJECT = "panel_down_scaling"
BUMPS, WIDTHS, MAX_FREQUENCY = 6, (2.0, 8.0), 0.5
"""Analytic images of the exact probe, in pixels of the smallest filter."""


def measure_down_scaling(session: Session) -> None:
    """One record of rescaled photographs, one of the exact probe; x is the realised factor."""
    settings = session.settings
    x = list(factors(settings))
    scales = {"scales": list(_scales(settings))}
    about = {**settings.described("large_side", "sides", "channels", "patches"), **scales,
             "warp": WARP, "wide_support_over_scale": WIDE_SUPPORT}  # fmt: skip
    claims = ("trend.down_scaling",)
    with session.measuring(SUBJECT, claims, about, photograph_data()) as measurement:
        rows = collect([raster_curves(rng, settings) for rng in session.rngs(SUBJECT)])
        measurement.numbers.update(x=x, **rows)
    about = {
        **settings.described("large_side", "sides", "channels", "points"),
        **scales,
        "signals": {"bumps": BUMPS, "widths": list(WIDTHS), "max_frequency": MAX_FREQUENCY},
    }
    with session.measuring(f"{SUBJECT}_probe", (), about) as measurement:
        rows = collect([{"y": probe_curve(rng, settings)} for rng in session.rngs(SUBJECT)])
        measurement.numbers.update(x=x, **rows)


def factors(settings: Settings) -> tuple[float, ...]:
    """Side before over side after, ascending."""
    return tuple(settings.large_side / side for side in settings.sides)


def raster_curves(rng: np.random.Generator, settings: Settings) -> dict[str, list[float]]:
    """One network: curves y, interior, floor, ceiling over the factors."""
    patches = random_patches(rng, settings.patches, settings.large_side)
    layer = random_layer(rng, settings)
    cut, wide = cut_filters(layer), _wide_filters(layer)
    names = ("y", "interior", "floor", "ceiling")
    curves: dict[str, list[float]] = {name: [] for name in names}
    large, ideal_large = _responses(patches, cut), _responses(patches, wide)
    for k, side in enumerate(settings.sides, 1):
        shrunk = rescale(patches, side).image
        small, ideal_small = (_responses(shrunk, bank[:1])[0] for bank in (cut, wide))
        found = compare(large[k], small)
        supports = layer.basis.supports
        margin = valid_margin(side / settings.large_side, supports[0], supports[k])
        curves["y"].append(found.whole)
        curves["interior"].append(found.interior(margin))
        curves["floor"].append(compare(ideal_large[k], ideal_small).whole)
        curves["ceiling"].append(compare(large[0], small).whole)
    return curves


def probe_curve(rng: np.random.Generator, settings: Settings) -> list[float]:
    """One network: Δ between the smallest scale and each wider copy, by the exact probe."""
    filters = cut_filters(random_layer(rng, settings))
    image = random_gabor_image(rng, 1, BUMPS, widths=WIDTHS, max_frequency=MAX_FREQUENCY)
    points = rng.uniform(-4, 4, (settings.points, 2))

    def answer(scale: int, factor: float) -> Tensor:
        window = filters[scale].shape[-1]
        seen = image.rescaled(factor).sample_around(points * factor, window)
        return torch.einsum("pcyx,ocyx->po", seen, filters[scale])

    near = answer(0, 1.0)
    found = enumerate(factors(settings), 1)
    return [equivariance_error(near, answer(k, factor)) for k, factor in found]


def random_layer(rng: np.random.Generator, settings: Settings) -> LiftingConv2d:
    """A float32 lifting layer with normal coefficients, one scale per factor, padded."""
    basis = basis_of(_scales(settings))
    layer = LiftingConv2d(1, settings.channels, basis, padding=basis.kernel_size // 2, bias=False)
    with torch.no_grad():
        layer.weight.normal_(generator=torch_generator(rng))
    return layer


def _scales(settings: Settings) -> tuple[float, ...]:
    return tuple(SMALLEST_SCALE * factor for factor in (1.0, *factors(settings)))


def cut_filters(layer: LiftingConv2d) -> list[Tensor]:
    """The layer's filters at each scale, on its own supports: each [C, 1, V, V] float64."""
    weight, functions = layer.weight.detach().double(), layer.basis.functions
    return [
        torch.einsum("ocb,byx->ocyx", weight, functions[:, i]) for i in range(len(functions[0]))
    ]


def _wide_filters(layer: LiftingConv2d) -> list[Tensor]:
    weight = layer.weight.detach().double()
    return [torch.einsum("ocb,byx->ocyx", weight, f) for f in ideal_functions(layer.basis)]


def _responses(images: Tensor, filters: list[Tensor]) -> list[Tensor]:
    """One response per filter bank: each [B, C, 1, H, W]."""
    return [correlate(images, bank)[:, :, None] for bank in filters]
