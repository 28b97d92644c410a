"""Which support a basis needs for a wanted error, found by trying all of them without a network.

A larger support is not always better: what counts is also that both scales of a pair are cut at
nearly the same multiple of σ, which the rounding to whole odd grids decides. So every odd V is
tried. Where sampling alone exceeds the wanted error no support helps; then the filters have to be
wider against the pixel, by larger scales or, for kind "b", by widths that shrink less (`mult`).

A small support can also have a small error because few functions are left that differ on it. So no
recommendation has fewer independent functions at its finest scale than the basis it is made for.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from verification.budget.filters import basis_ranks
from verification.budget.signals import SIGNALS, Draw
from verification.reference.analytic import FloatArray
from verification.reference.bases import BasisArguments, DescribedBasis, describe_basis
from verification.reference.continuum import growing_responses, pixel_responses

SIGMA_FACTORS = tuple(round(1 + 0.05 * step, 2) for step in range(1, 61))
"""Factors on all scales that are tried, up to 4."""
MULT_STEP = 0.05
SMALLEST_MULT = 1.05
"""Below this, functions of neighbouring widths are too much alike to be of use."""
_ENOUGH = 7.0
"""In units of σ: there the grid cuts off less than 1e-12 of a response, squared."""


@dataclass(frozen=True)
class Choice:
    """A basis, and the relative squared error of its worst pair of neighbouring scales."""

    arguments: BasisArguments
    error: float

    @cached_property
    def finest_rank(self) -> int:
        """How many functions are independent at the finest scale."""
        return _finest_rank(self.arguments)


@dataclass(frozen=True)
class Recommendation:
    """What reaches a wanted error, by the least change of each kind.

    unlimited: the error of the worst pair if nothing were cut off: sampling alone.
    support: the smallest support, everything else as it is. Where there is none: wider, the
    smallest factor on all scales, and milder, the largest mult, each with its smallest support.
    """

    wanted: float
    unlimited: float
    support: Choice | None
    wider: Choice | None = None
    milder: Choice | None = None

    @property
    def choices(self) -> tuple[Choice, ...]:
        """All that reach the wanted error; empty if none does."""
        return tuple(c for c in (self.support, self.wider, self.milder) if c is not None)


class SupportScan:
    """The errors of one basis for every support that it could have, from one pass over signals.

    Raises ValueError for a basis of one scale.
    """

    def __init__(self, arguments: BasisArguments, draws: Sequence[Draw]) -> None:
        if len(arguments.scales) < 2:
            raise ValueError(f"scales={arguments.scales!r}: must be two or more to be compared")
        self.arguments = arguments
        basis = _without_norms(arguments)
        self._pairs = [
            [_growing(basis, fine, draw) for draw in draws]
            for fine in range(len(arguments.scales) - 1)
        ]

    def errors(self, kernel_size: int) -> list[float]:
        """Δ of each pair of neighbouring scales with this V, as the mean over signals.

        Raises ValueError for a support on which a function vanishes.
        """
        basis = describe_basis(replace(self.arguments, kernel_size=kernel_size))
        norms = np.asarray(basis.norms)
        found = []
        for fine, draws in enumerate(self._pairs):
            sides = basis.supports[fine : fine + 2]
            responses = (
                [_cut(grown, side) / norms for grown, side in zip(draw, sides, strict=True)]
                for draw in draws
            )
            found.append(float(np.mean([_error(near, far) for near, far in responses])))
        return found

    @cached_property
    def worst(self) -> dict[int, float]:
        """The error of the worst pair for every V, up to that which cuts nothing off."""
        found = {}
        for kernel_size in range(1, widest_support(self.arguments) + 1, 2):
            try:
                found[kernel_size] = max(self.errors(kernel_size))
            except ValueError:  # a function vanishes on a support so small
                continue
        return found

    @property
    def unlimited(self) -> float:
        """The error of the worst pair if nothing is cut off."""
        return self.worst[max(self.worst)]

    def smallest(self, wanted: float, finest_rank: int = 1) -> Choice | None:
        """The smallest support with an error of at most `wanted`, and at least that rank."""
        choices = (self._choice(size) for size, error in self.worst.items() if error <= wanted)
        return next((choice for choice in choices if choice.finest_rank >= finest_rank), None)

    def best(self, largest: int) -> Choice:
        """The support of at most `largest` pixels with the smallest error.

        Raises ValueError if functions vanish on all of them.
        """
        allowed = [size for size in self.worst if size <= largest]
        if not allowed:
            raise ValueError(f"largest={largest!r}: must be at least {min(self.worst)} pixels")
        return self._choice(min(allowed, key=self.worst.__getitem__))

    def _choice(self, kernel_size: int) -> Choice:
        arguments = replace(self.arguments, kernel_size=kernel_size)
        return Choice(arguments, self.worst[kernel_size])


def recommend_support(
    arguments: BasisArguments,
    wanted: float,
    draws: Sequence[Draw] | None = None,
    scan: SupportScan | None = None,
) -> Recommendation:
    """The smallest support whose worst pair of neighbouring scales errs by at most `wanted`.

    wanted: relative squared error, above 0. draws: the signals, smooth ones by default.
    scan: of the same arguments and signals, if it was made already.

    Raises ValueError for a wanted error that is not positive, or a basis of one scale.
    """
    if not wanted > 0:
        raise ValueError(f"wanted={wanted!r}: must be above 0")
    if draws is None:
        draws = SIGNALS["smooth"].draws(5)
    found = SupportScan(arguments, draws) if scan is None else scan
    rank = _finest_rank(arguments)
    support = found.smallest(wanted, rank)
    if support is not None:
        return Recommendation(wanted, found.unlimited, support)
    return Recommendation(
        wanted,
        found.unlimited,
        None,
        wider=_first_that_reaches(_wider(arguments), wanted, rank, draws),
        milder=_first_that_reaches(_milder(arguments), wanted, rank, draws),
    )


def widest_support(arguments: BasisArguments) -> int:
    """The V at which nothing is cut off any more, up to a relative squared error of 1e-12."""
    return 2 * math.ceil(_ENOUGH * arguments.scales[-1]) + 1


def _wider(arguments: BasisArguments) -> list[BasisArguments]:
    return [
        replace(arguments, scales=tuple(factor * scale for scale in arguments.scales))
        for factor in SIGMA_FACTORS
    ]


def _milder(arguments: BasisArguments) -> list[BasisArguments]:
    if arguments.kind == "a":
        return []
    steps = int((arguments.mult - SMALLEST_MULT) / MULT_STEP + 1e-9)
    tried = [round(arguments.mult - MULT_STEP * step, 9) for step in range(1, steps + 1)]
    return [replace(arguments, mult=mult) for mult in tried]


def _first_that_reaches(
    changes: Sequence[BasisArguments], wanted: float, rank: int, draws: Sequence[Draw]
) -> Choice | None:
    """The least change by which some support reaches the wanted error, with the smallest such."""
    # Changes grow, and sampling improves with them: before this one it is too large at the finest
    # pair, where only a lucky support could cancel it.
    first = bisect.bisect_left(
        changes, True, key=lambda change: _finest_sampling(change, draws) <= wanted
    )
    for change in changes[first:]:
        choice = SupportScan(change, draws).smallest(wanted, rank)
        if choice is not None:
            return choice
    return None


def _finest_sampling(arguments: BasisArguments, draws: Sequence[Draw]) -> float:
    """The error of the finest pair if nothing is cut off."""
    uncut = describe_basis(replace(arguments, kernel_size=widest_support(arguments)))
    ratio = arguments.scales[1] / arguments.scales[0]
    errors = [
        _error(
            pixel_responses(uncut, 0, image, points),
            pixel_responses(uncut, 1, image.rescaled(ratio), points * ratio),
        )
        for image, points in draws
    ]
    return float(np.mean(errors))


def _finest_rank(arguments: BasisArguments) -> int:
    basis = describe_basis(arguments)
    finest = replace(basis, scales=basis.scales[:1], supports=basis.supports[:1])
    return basis_ranks(finest)[0]


def _without_norms(arguments: BasisArguments) -> DescribedBasis:
    """The basis before any support, and so any norm, is chosen."""
    uncut = describe_basis(replace(arguments, kernel_size=widest_support(arguments)))
    return replace(uncut, norms=(1.0,) * len(uncut.norms))


def _growing(basis: DescribedBasis, fine: int, draw: Draw) -> tuple[FloatArray, FloatArray]:
    """Responses [R + 1, P, C, N_b] at the fine scale, and at the next one to the rescaled image."""
    image, points = draw
    ratio = basis.scales[fine + 1] / basis.scales[fine]
    reaches = [basis.supports[scale] // 2 for scale in (fine, fine + 1)]
    return (
        growing_responses(basis, fine, image, points, reaches[0]),
        growing_responses(basis, fine + 1, image.rescaled(ratio), points * ratio, reaches[1]),
    )


def _cut(grown: FloatArray, side: int) -> FloatArray:
    return np.asarray(grown[min(side // 2, len(grown) - 1)])


def _error(near: FloatArray, far: FloatArray) -> float:
    return float(((far - near) ** 2).sum() / (near**2).sum())
