"""Hermite bases from their arguments alone, so that a basis can be judged before it is built.

A second description beside any implementation, evaluated by scipy: kind "a" holds the orders
0 … e−1 on each axis at one width; kind "b" those of total order up to `max_order` at the widths
σ, σ/mult, σ/mult², …, cut to e² functions (the authors' released code, `steerable_A`, `_B`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from verification.reference.continuum import axis_filter, sampled_filters

_VANISHING_NORM = 1e-12


@dataclass(frozen=True)
class BasisArguments:
    """What a Hermite basis is built from; see `sesn_impl.hermite_basis_a` and `_b`.

    kind: "a" or "b". kernel_size: V, odd, in pixels: the support at the largest scale.
    scales: σ in pixels, growing. effective_size: e; there are e² functions.
    mult, max_order: ratio of successive widths, and largest total order; of kind "b" alone.

    Raises ValueError for an argument outside these ranges.
    """

    kind: str
    kernel_size: int
    scales: tuple[float, ...]
    effective_size: int
    mult: float = 1.5
    max_order: int = 4

    def __post_init__(self) -> None:
        if self.kind not in ("a", "b"):
            raise ValueError(f'kind={self.kind!r}: must be "a" or "b"')
        if self.kernel_size < 1 or self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size={self.kernel_size!r}: must be odd and positive")
        if not self.scales or not all(math.isfinite(s) and s > 0 for s in self.scales):
            raise ValueError(f"scales={self.scales!r}: must be one or more finite positive numbers")
        if any(b <= a for a, b in pairwise(self.scales)):
            raise ValueError(f"scales={self.scales!r}: must grow from first to last")
        if self.effective_size < 1:
            raise ValueError(f"effective_size={self.effective_size!r}: must be at least 1")
        if not (math.isfinite(self.mult) and self.mult > 1):
            raise ValueError(f"mult={self.mult!r}: must be a finite number above 1")
        if self.max_order < 0:
            raise ValueError(f"max_order={self.max_order!r}: must be at least 0")

    @property
    def supports(self) -> tuple[int, ...]:
        """Side of each scale's grid in pixels: odd, in proportion to the scale."""
        widest = self.scales[-1]
        return tuple(2 * math.floor(self.kernel_size * s / widest / 2) + 1 for s in self.scales)

    @property
    def taps(self) -> int:
        """Pixels of one filter, summed over scales: what a convolution has to multiply by."""
        return sum(side**2 for side in self.supports)


@dataclass(frozen=True)
class Atom:
    """One basis function: orders along rows and columns, width relative to the filter's scale."""

    row_order: int
    column_order: int
    relative_width: float


@dataclass(frozen=True, eq=False)
class DescribedBasis:
    """A basis as `continuum.HermiteBasis` wants it: [N_b, S, V, V] when sampled."""

    scales: tuple[float, ...]
    supports: tuple[int, ...]
    atoms: tuple[Atom, ...]
    norms: tuple[float, ...]

    @cached_property
    def functions(self) -> Tensor:
        """[N_b, S, V, V] float64, zero outside each scale's own support."""
        frames = []
        for scale, support in enumerate(self.supports):
            margin = (self.supports[-1] - support) // 2
            border = ((0, 0), (margin, margin), (margin, margin))
            frames.append(np.pad(sampled_filters(self, scale, support), border))
        return torch.from_numpy(np.stack(frames, axis=1))


def describe_basis(arguments: BasisArguments) -> DescribedBasis:
    """The basis of these arguments, every function divided by the L2 norm of its finest sample.

    Raises ValueError for a support on which a function vanishes.
    """
    atoms = _atoms(arguments)
    supports = arguments.supports
    norms = tuple(_norm(atom, arguments.scales[0], supports[0]) for atom in atoms)
    if min(norms) < _VANISHING_NORM:
        raise ValueError(
            f"kernel_size={arguments.kernel_size!r} with scales={arguments.scales}: at the "
            f"smallest scale the support is {supports[0]} pixels, on which "
            f"{atoms[norms.index(min(norms))]} vanishes; use a larger kernel_size or a narrower "
            "range of scales"
        )
    return DescribedBasis(arguments.scales, supports, atoms, norms)


def _norm(atom: Atom, scale: float, support: int) -> float:
    """L2 norm of a sampled function, which is a product of one function per axis."""
    pixels = np.arange(support, dtype=np.float64) - support // 2
    orders = (atom.row_order, atom.column_order)
    width = scale * atom.relative_width
    return math.prod(float(np.linalg.norm(axis_filter(pixels, n, width))) for n in orders)


def _atoms(arguments: BasisArguments) -> tuple[Atom, ...]:
    count = arguments.effective_size**2
    if arguments.kind == "a":
        orders = range(arguments.effective_size)
        return tuple(Atom(row, column, 1.0) for column in orders for row in orders)
    pairs = _orders_up_to(arguments.max_order)
    return tuple(
        Atom(*pairs[index % len(pairs)], arguments.mult ** -(index // len(pairs)))
        for index in range(count)
    )


def _orders_up_to(total: int) -> Sequence[tuple[int, int]]:
    """Orders along rows and columns whose sum is at most `total`; rows vary fastest."""
    return [(row, column) for column in range(total + 1) for row in range(total + 1 - column)]
