"""The error budget of every published configuration, and the support that it would need.

Of the filters alone, which is the expectation over random coefficients; and of a real layer with
random coefficients as it stands in its network, with its image size, padding and precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from benchmarks.theory.cases import random_rng
from benchmarks.theory.session import Session
from sesn_impl import (
    LiftingConv2d,
    ScaleConv2d,
    SteerableBasis,
    hermite_basis_a,
    hermite_basis_b,
)
from sesn_impl.networks.mnist import SESN_CONFIGURATIONS
from verification.budget import (
    Choice,
    Draw,
    PairBudget,
    SignalKind,
    SupportScan,
    basis_ranks,
    mean_budget,
    predict_budgets,
    recommend_support,
)
from verification.budget.layers import layer_budget
from verification.layer.probe import Probe
from verification.layer.targets import Target, describe
from verification.reference.analytic import random_gabor_image
from verification.reference.bases import BasisArguments

SIGNALS: dict[str, Any] = {
    "channels": 8,
    "bumps": 6,
    "extent": 4.0,
    "widths": [2.0, 8.0],
    "max_frequency": 0.5,
    "points": 16,
}
"""Smooth analytic images, in pixels of the finer scale; their frequencies are below 0.5 rad/px,
about those of a digit's strokes. Rougher images lose more."""
SEEDS = 5
WANTED = (0.01, 0.001)
"""Errors for which a support is recommended."""
LAYER_CHANNELS = (4, 16)
"""Channels in and out of the real layers: enough for a mean over random coefficients."""
LAYER_POINTS = 8
LAYER_SEEDS = 5


@dataclass(frozen=True)
class Configuration:
    """A basis whose budget is measured, and its place in the network.

    image_size: side in pixels of what the layer sees. scale_extent: K_S of a scale convolution, or
    0 for a lifting convolution, which errs as a scale convolution with K_S = 1 does.
    """

    name: str
    arguments: BasisArguments
    image_size: int
    scale_extent: int = 0

    @property
    def published(self) -> bool:
        """Whether a network of the paper has it."""
        return self.name not in ("wide_support", "basis_a_21")

    def basis(self) -> SteerableBasis:
        """The basis as the network has it."""
        given = self.arguments
        if given.kind == "a":
            return hermite_basis_a(given.kernel_size, given.scales, given.effective_size)
        return hermite_basis_b(
            given.kernel_size, given.scales, given.effective_size, given.max_order, given.mult
        )

    def target(self, rng: np.random.Generator, dtype: torch.dtype) -> Target:
        """A layer with random coefficients and the network's padding."""
        basis, padding = self.basis(), self.arguments.kernel_size // 2
        layer: LiftingConv2d | ScaleConv2d
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**31)))
            if self.scale_extent == 0:
                layer = LiftingConv2d(*LAYER_CHANNELS, basis, padding=padding)
            else:
                layer = ScaleConv2d(*LAYER_CHANNELS, basis, self.scale_extent, padding=padding)
        return describe(layer.to(dtype))


def configurations() -> list[Configuration]:
    """The eight MNIST-scale and three STL-10 configurations, and two wide bases beside them."""
    found = []
    for name, given in SESN_CONFIGURATIONS.items():
        arguments = BasisArguments("b", given.kernel_size, given.scales, 7, given.mult)
        size = 56 if "_56" in name else 28
        found.append(Configuration(name, arguments, size))
    for letter, smallest, extent in (("a", 0.9, 0), ("b", 0.9, 0), ("c", 1.1, 2)):
        scales = tuple(smallest * 1.41**i for i in range(3))
        arguments = BasisArguments("a", 7, scales, 3)
        found.append(Configuration(f"stl10_sesn_{letter}", arguments, 96, extent))
    wide = BasisArguments("b", 61, tuple(3.0 * 1.26**i for i in range(4)), 7)
    # To ±4 σ of the largest scale.
    small = BasisArguments("a", 21, tuple(1.25 * 1.26**i for i in range(4)), 3)
    names = {"wide_support": wide, "basis_a_21": small}
    return [*found, *(Configuration(name, basis, 96) for name, basis in names.items())]


def measure_budgets(session: Session) -> None:
    """One record for each configuration: every neighbouring pair of scales, over several seeds."""
    for configuration in configurations():
        basis = configuration.basis()
        described = {
            "scales": list(basis.scales),
            "kernel_size": basis.kernel_size,
            "num_functions": basis.num_functions,
            "signals": SIGNALS,
            "repetitions": SEEDS,
        }
        with session.measuring("budget", configuration.name, described) as measurement:
            draws = [_draw(random_rng(session.seed, "budget", n)) for n in range(SEEDS)]
            rows = [predict_budgets(basis, [draw]) for draw in draws]
            measurement.numbers.update(
                x=list(range(basis.num_scales - 1)),
                y=[[budget.total for budget in row] for row in rows],
                supports=list(basis.supports),
                taps=configuration.arguments.taps,
                ranks=list(basis_ranks(basis)),
                pairs=[_numbers(mean_budget(column)) for column in zip(*rows, strict=True)],
            )
            if configuration.published:
                layer, share = _layer(configuration, session.seed)
                measurement.numbers.update(
                    layer=layer,
                    share=share,
                    supports_tried=_supports(configuration.arguments, draws),
                )


def _draw(rng: np.random.Generator) -> Draw:
    # One set of signals for all configurations and pairs: their figures can be compared.
    return SignalKind(**{**SIGNALS, "widths": tuple(SIGNALS["widths"])}).draw(rng)


def _layer(configuration: Configuration, seed: int) -> tuple[dict[str, Any], list[list[float]]]:
    """Budgets of a real layer on images of the network's size, looked at all over the image.

    And the share of its filters (sampling and truncation) in its squared error: [seeds][pairs].
    """
    pairs = range(len(configuration.arguments.scales) - 1)

    def found(dtype: torch.dtype, seeds: int) -> list[list[PairBudget]]:
        return [
            [
                _layer_budget(configuration, fine, dtype, random_rng(seed, "layer budget", n))
                for fine in pairs
            ]
            for n in range(seeds)
        ]

    rows = {torch.float32: found(torch.float32, LAYER_SEEDS)}
    rows[torch.bfloat16] = found(torch.bfloat16, 1)
    budgets = {
        dtype: [mean_budget(column) for column in zip(*row, strict=True)]
        for dtype, row in rows.items()
    }
    share = [[_of_filters(budget) for budget in row] for row in rows[torch.float32]]
    described = {
        "image_size": configuration.image_size,
        "padding": configuration.arguments.kernel_size // 2,
        "scale_extent": configuration.scale_extent,
        "channels": list(LAYER_CHANNELS),
        "points": LAYER_POINTS,
        "seeds": LAYER_SEEDS,
        "pairs": [_numbers(budget) for budget in budgets[torch.float32]],
        "bfloat16_precision": [budget.precision for budget in budgets[torch.bfloat16]],
    }
    return described, share


def _of_filters(budget: PairBudget) -> float:
    """Share of sampling and truncation in the squared error."""
    parts = budget.contributions
    return (parts["sampling"] + parts["truncation"]) / budget.total


def _layer_budget(
    configuration: Configuration, fine: int, dtype: torch.dtype, rng: np.random.Generator
) -> PairBudget:
    target = configuration.target(rng, dtype)
    ratio = target.scales[fine + 1] / target.scales[fine]
    # Wherever the rescaled place is still in the image.
    reach = (configuration.image_size // 2 - 1) / ratio
    widths, frequency = tuple(SIGNALS["widths"]), SIGNALS["max_frequency"]
    signal = tuple(
        random_gabor_image(rng, LAYER_CHANNELS[0], SIGNALS["bumps"], reach, widths, frequency)
        for _ in range(1 if target.lifts else len(target.scales))
    )
    probe = Probe(signal, rng.uniform(-reach, reach, (LAYER_POINTS, 2)), signal[1:])
    # bfloat16 without the image's border, which has nothing to do with it and takes its time.
    image_size = configuration.image_size if dtype == torch.float32 else None
    return layer_budget(target, probe, fine, fine + 1, image_size)


def _supports(arguments: BasisArguments, draws: Sequence[Draw]) -> dict[str, Any]:
    """The worst pair's error for every support, and what is recommended for wanted errors."""
    scan = SupportScan(arguments, draws)
    recommendations = []
    for wanted in WANTED:
        found = recommend_support(arguments, wanted, draws, scan)
        recommendations.append(
            {
                "wanted": wanted,
                "choices": [
                    {"change": name, **_choice(choice)}
                    for name in ("support", "wider", "milder")
                    if (choice := getattr(found, name)) is not None
                ],
            }
        )
    return {
        "kernel_sizes": list(scan.worst),
        "errors": list(scan.worst.values()),
        "unlimited": scan.unlimited,
        "best": _choice(scan.best(arguments.kernel_size)),
        "recommendations": recommendations,
    }


def _choice(choice: Choice) -> dict[str, Any]:
    chosen = choice.arguments
    return {
        "kernel_size": chosen.kernel_size,
        "scales": list(chosen.scales),
        "mult": chosen.mult,
        "supports": list(chosen.supports),
        "taps": chosen.taps,
        "finest_rank": choice.finest_rank,
        "error": choice.error,
    }


def _numbers(budget: PairBudget) -> dict[str, Any]:
    return {**asdict(budget), "bound": budget.bound, "limited_by": budget.limited_by}
