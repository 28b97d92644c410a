"""Whether the algorithm that a correlation chooses is the faster one: command `choices`.

Over a grid of batches, channels, filters, images and strides both algorithms are timed in turns,
forward alone and with both gradients (of images of few channels that of the filters alone, as in a
network's first layer).
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from benchmarks.options import add_shared
from benchmarks.session import Session
from benchmarks.timing.rounds import WORKS, interleaved
from sesn_impl.arguments import check_at_least
from sesn_impl.fast.correlation import direct, spectral
from sesn_impl.fast.cost import FEW_CHANNELS, choose, spectral_cost
from sesn_impl.fast.geometry import Geometry
from verification.claims.records import Record

Algorithm = Callable[[Tensor, Tensor, Geometry], Tensor]
ALGORITHMS: dict[str, Algorithm] = {"direct": direct, "spectral": spectral}
CLOSE = 1.1
"""A choice within 10 % of the faster algorithm counts as right."""
HOPELESS = 5.0
"""The spectral algorithm is not tried where it should cost so many times as much."""


class Sizes(NamedTuple):
    """B, C_in, C_out, k, H = W and stride; padding ⌊k/2⌋."""

    batch: int
    in_channels: int
    out_channels: int
    taps: int
    image: int
    stride: int = 1


GRID = (
    # the published networks' layers
    *(Sizes(128, 1, 32, k, 28) for k in (5, 7, 11, 15)),
    *(Sizes(128, 32, 63, k, 14) for k in (5, 7, 11, 15)),
    *(Sizes(128, 63, 95, k, 7) for k in (3, 5, 7, 11, 15)),
    *(Sizes(64, 1, 32, k, 56) for k in (7, 15)),
    # batches, channels, strides and images around them
    *(Sizes(batch, 32, 32, k, 32) for batch in (1, 16) for k in (3, 5, 7, 15)),
    *(Sizes(16, 32, 32, k, 32, stride=2) for k in (3, 7, 15)),
    *(Sizes(8, 8, 8, k, image) for k in (7, 15, 21) for image in (64, 128)),
    *(Sizes(16, 3, 16, k, 64, stride) for k in (7, 15) for stride in (1, 2)),
    *(Sizes(batch, 64, 64, k, 14) for batch in (1, 16) for k in (3, 7, 15)),
    Sizes(8, 128, 128, 3, 28), Sizes(8, 128, 128, 7, 28), Sizes(4, 32, 32, 11, 64),
    Sizes(16, 1, 16, 31, 64), Sizes(1, 1, 16, 15, 28), Sizes(1, 16, 16, 61, 64),
    # large images and filters
    Sizes(1, 16, 16, 41, 128), Sizes(1, 32, 32, 21, 96), Sizes(1, 3, 16, 7, 512),
    Sizes(1, 1, 8, 15, 1024),
)  # fmt: skip


def measure_choices(
    *, rounds: int, evidence: Path | None = None, grid: Sequence[Sizes] = GRID
) -> Record:
    """Times both algorithms at every point of the grid; one record.

    rounds: at least 1. Numbers: `points`, each with its sizes, the algorithm `chosen` and the
    least `seconds` of every algorithm that was tried, forward and in all (`step`); `right`, the
    share of choices that take at most 1.1 times the time of the faster one, and `worst`, the
    largest such ratio, for each of the two.

    Raises ValueError for rounds out of range.
    """
    check_at_least(1, rounds=rounds)
    configuration = {"rounds": rounds, "threads": torch.get_num_threads(), "grid": len(grid)}
    session = Session(f"python -m benchmarks choices --rounds {rounds}", evidence)
    with session.measuring("timing", "choices", configuration, protocol="timing") as measurement:
        points = [_point(sizes, rounds) for sizes in tqdm(grid, desc="choices", disable=None)]
        measurement.numbers["points"] = points
        for work in WORKS:
            losses = [_loss(point, work) for point in points]
            right = sum(loss <= CLOSE for loss in losses) / len(losses)
            measurement.numbers[work] = {"right": right, "worst": max(losses)}
    return session.records[0]


def _point(sizes: Sizes, rounds: int) -> dict[str, Any]:
    b, c, o, k, image, stride = sizes
    geometry = Geometry.of((image, image), (k, k), stride, (k // 2, k // 2), 1)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(b, c, image, image, generator=generator, requires_grad=c > FEW_CHANNELS)
    filters = torch.randn(o, c, k, k, generator=generator, requires_grad=True)
    products = b * c * o * geometry.output[0] * geometry.output[1] * k * k
    hopeless = spectral_cost(geometry, b, c, o) > HOPELESS * max(products, 1e7)
    tried = ["direct"] if hopeless else list(ALGORITHMS)
    works = {
        (name, work): partial(_do, ALGORITHMS[name], x, filters, geometry, gradients=work == "step")
        for name in tried
        for work in WORKS
    }
    seconds = interleaved(works, rounds)
    return {
        "sizes": list(sizes),
        "chosen": choose(geometry, x, o),
        "seconds": {name: {work: min(seconds[name, work]) for work in WORKS} for name in tried},
    }


def _do(
    algorithm: Algorithm, x: Tensor, filters: Tensor, geometry: Geometry, *, gradients: bool
) -> None:
    y = algorithm(x, filters, geometry)
    if gradients:
        wanted = [tensor for tensor in (x, filters) if tensor.requires_grad]
        torch.autograd.grad(y, wanted, torch.ones_like(y))


def _loss(point: dict[str, Any], work: str) -> float:
    """Time of the algorithm chosen over that of the faster one."""
    seconds = {name: times[work] for name, times in point["seconds"].items()}
    return float(seconds[point["chosen"]] / min(seconds.values()))


def summary(record: Record) -> str:
    """Return the choices that lose more than 10 %, and how many are right."""
    numbers = record.numbers
    lines = [
        f"{work} {tuple(point['sizes'])}: {point['chosen']} takes {_loss(point, work):.2f}× as long"
        for work in WORKS
        for point in numbers["points"]
        if _loss(point, work) > CLOSE
    ]
    for work in WORKS:
        right, worst = numbers[work]["right"], numbers[work]["worst"]
        typical = statistics.median(_loss(point, work) for point in numbers["points"])
        lines.append(f"{work}: {right:.0%} within 10 %, median {typical:.2f}, worst {worst:.2f}")
    return "\n".join(lines)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds --rounds."""
    add_shared(parser, "evidence")
    parser.add_argument("--rounds", type=int, default=3, help="timed rounds (default 3)")


def run(options: argparse.Namespace) -> None:
    """Times the grid, prints the choices that were wrong and where the record lies."""
    record = measure_choices(rounds=options.rounds, evidence=options.evidence)
    print(summary(record))
    print(options.evidence / record.filename)
