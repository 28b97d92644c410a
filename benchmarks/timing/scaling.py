"""How the cost of a layer grows: with image size, scales, support, batch and channels.

One lifting convolution, about the second of the published networks, is varied one size at a time.
At every point a forward and backward pass of the layer, of its textbook form and of a plain 7×7
convolution with as many weights are timed in turns; what is read are ratios, and exponents p of
fits time ∝ sizeᵖ.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn
from tqdm import tqdm

from benchmarks.options import add_shared, print_paths
from benchmarks.session import Session
from benchmarks.timing import TEXTBOOK
from benchmarks.timing.rounds import interleaved
from sesn_impl import LiftingConv2d, hermite_basis_b
from sesn_impl.arguments import check_at_least
from sesn_impl.fast.cost import choose
from sesn_impl.fast.geometry import Geometry
from sesn_impl.textbook import textbook_twin
from verification.claims.records import Record

LAYER, PLAIN = "layer", "plain"
EFFECTIVE_SIZE = 7
SIGMAS = (1.7, 5.1)
AGREEMENT = 1e-5  # of the largest response


@dataclass(frozen=True)
class Sizes:
    """Sizes of a layer and its input: H = W, S, V, B, C_in = C_out."""

    image: int = 14
    scales: int = 4
    support: int = 15
    batch: int = 16
    channels: int = 32


CURVES: dict[str, tuple[int, ...]] = {
    "image": (7, 10, 14, 20, 28, 40),
    "scales": (1, 2, 3, 4, 6),
    "support": (11, 15, 19, 23, 27),
    "batch": (1, 4, 16, 64),
    "channels": (8, 16, 32, 64),
}


def measure_scaling(
    *,
    rounds: int,
    evidence: Path | None = None,
    curves: Mapping[str, Sequence[int]] | None = None,
    base: Sizes | None = None,
) -> list[Record]:
    """One record for each curve; returns them.

    rounds: of timing at each point, at least 2. Numbers of a record: `sizes`; `ways`, which way the
    layer chooses at each; `seconds` of layer, textbook form and plain convolution, [points][rounds]
    each; `exponents` of each with a 95 % interval.

    Raises ValueError for a number out of range.
    """
    check_at_least(2, rounds=rounds)
    around, chosen = base or Sizes(), curves or CURVES
    session = Session(f"python -m benchmarks scaling --rounds {rounds}", evidence)
    with tqdm(total=sum(map(len, chosen.values())), desc="scaling", disable=None) as progress:
        for name, values in chosen.items():
            configuration = {**asdict(around), "varied": name, "rounds": rounds}
            with session.measuring(
                "timing", f"scaling_{name}", configuration, protocol="timing"
            ) as measurement:
                points = []
                for value in values:
                    points.append(measure_point(replace(around, **{name: value}), rounds))
                    progress.update()
                measurement.numbers.update(_numbers(values, points))
    return session.records


@dataclass(frozen=True)
class Point:
    """What was measured at one size: the way chosen, and seconds of each round by form."""

    way: str  # more than one where scales differ, joined by " and "
    seconds: dict[str, list[float]]


def measure_point(sizes: Sizes, rounds: int) -> Point:
    """Times one layer in its three forms, in turns, after one round of warming up.

    Raises ValueError if layer and textbook form disagree.
    """
    ratio = (SIGMAS[1] / SIGMAS[0]) ** (1 / max(1, sizes.scales - 1))
    grid = [SIGMAS[1] / ratio**i for i in reversed(range(sizes.scales))]
    basis = hermite_basis_b(sizes.support, grid, EFFECTIVE_SIZE)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layer = LiftingConv2d(
            sizes.channels, sizes.channels, basis, padding=sizes.support // 2, bias=False
        )
        plain = nn.Conv2d(sizes.channels, sizes.channels, EFFECTIVE_SIZE, padding=3, bias=False)
        x = torch.randn(sizes.batch, sizes.channels, sizes.image, sizes.image)
    forms = {LAYER: layer, TEXTBOOK: textbook_twin(layer), PLAIN: plain}
    with torch.no_grad():
        _assert_same(layer(x), forms[TEXTBOOK](x))
    x.requires_grad_()
    seconds = interleaved({form: partial(_step, each, x) for form, each in forms.items()}, rounds)
    image = (sizes.image, sizes.image)
    geometries = [Geometry.of(image, (v, v), 1, (v // 2, v // 2), 1) for v in basis.supports]
    chosen = dict.fromkeys(choose(geometry, x, sizes.channels) for geometry in geometries)
    return Point(" and ".join(chosen), seconds)


def fitted_exponent(sizes: Sequence[int], seconds: Sequence[float]) -> dict[str, float]:
    """The p of time ∝ sizeᵖ by least squares of logarithms, with its 95 % interval.

    Raises ValueError for fewer than three sizes.
    """
    if len(sizes) < 3:
        raise ValueError(f"sizes={tuple(sizes)!r}: must be three or more for a fit")
    fit: Any = stats.linregress(np.log(sizes), np.log(seconds))
    half = float(stats.t.ppf(0.975, len(sizes) - 2) * fit.stderr)
    return {"value": float(fit.slope), "low": fit.slope - half, "high": fit.slope + half}


def summary(records: Sequence[Record]) -> str:
    """Return a table: size varied, ratios at its ends, exponents."""
    lines = [f"{'varied':10}{'from':>6}{'to':>6}  textbook / layer, layer / plain, exponents"]
    for record in records:
        numbers = record.numbers
        ratios = [
            f"{_ratio(numbers, TEXTBOOK, LAYER, i):.1f}×, {_ratio(numbers, LAYER, PLAIN, i):.1f}×"
            for i in (0, -1)
        ]
        exponents = [f"{form} {fit['value']:.2f}" for form, fit in numbers["exponents"].items()]
        first, last = numbers["sizes"][0], numbers["sizes"][-1]
        name = record.configuration["varied"]
        lines.append(f"{name:10}{first:6}{last:6}  {' to '.join(ratios)}; {', '.join(exponents)}")
    return "\n".join(lines)


def _ratio(numbers: Mapping[str, Any], above: str, below: str, point: int) -> float:
    seconds = numbers["seconds"]
    pairs = zip(seconds[above][point], seconds[below][point], strict=True)
    return float(np.median([a / b for a, b in pairs]))


def _numbers(values: Sequence[int], points: Sequence[Point]) -> dict[str, Any]:
    forms = points[0].seconds
    seconds = {form: [point.seconds[form] for point in points] for form in forms}
    medians = {form: [float(np.median(times)) for times in seconds[form]] for form in forms}
    return {
        "sizes": list(values),
        "ways": [point.way for point in points],
        "seconds": seconds,
        "exponents": {form: fitted_exponent(values, medians[form]) for form in forms},
    }


def _step(module: nn.Module, x: Tensor) -> None:
    y = module(x)
    torch.autograd.grad(y, [x, *module.parameters()], torch.ones_like(y))


def _assert_same(actual: Tensor, expected: Tensor) -> None:
    error = float((actual - expected).abs().max() / expected.abs().max())
    if error > AGREEMENT:
        raise ValueError(
            f"layer differs from its textbook form by {error:.2g} of its largest value"
        )


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m benchmarks scaling`: --rounds."""
    add_shared(parser, "evidence")
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds (default 5)")


def run(options: argparse.Namespace) -> None:
    """Times one layer at growing sizes, prints the exponents and where the records lie."""
    records = measure_scaling(rounds=options.rounds, evidence=options.evidence)
    print(summary(records))
    print_paths(options.evidence, records)
