"""Which networks and images the panels are measured with, and how many."""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from math import gcd
from typing import Any

from sesn_impl import SteerableBasis, hermite_basis_a, hermite_basis_b

WIDE_SUPPORT = 8.0
"""Side of a filter over its σ at which hardly anything is cut off: at order 4, 2 % of a peak."""


@dataclass(frozen=True)
class Grid:
    """A geometric grid of scales with its basis, from which random networks are built.

    kind: "a" or "b"; smallest: σ in pixels; step: ratio of neighbouring scales as a fraction of
    whole numbers, so that images can be rescaled by just this ratio; support: side of a filter over
    its σ; scales: how many; effective_size, mult: of the basis. blocks: sides of the images before
    and after a rescaling by one step are step · blocks.
    """

    name: str
    kind: str
    smallest: float
    step: tuple[int, int]
    support: float
    scales: int
    effective_size: int
    blocks: int
    mult: float = 1.5

    @property
    def ratio(self) -> float:
        """σ of one scale over that of the next smaller one."""
        return self.step[0] / self.step[1]

    @property
    def sides(self) -> tuple[int, int]:
        """Of an image before and after a rescaling by one step, in pixels."""
        return self.step[0] * self.blocks, self.step[1] * self.blocks

    @property
    def cuts_off(self) -> bool:
        """Whether filters end where they have not yet faded out."""
        return self.support < WIDE_SUPPORT

    def sigmas(self, count: int) -> tuple[float, ...]:
        """The first `count` scales in pixels; more than the grid's own continue it."""
        return tuple(self.smallest * self.ratio**i for i in range(count))

    def basis(self, sigmas: tuple[float, ...]) -> SteerableBasis:
        """The grid's basis on these scales [pixels], with the grid's support."""
        return _basis(self, sigmas)

    def described(self, sigmas: tuple[float, ...]) -> dict[str, Any]:
        """What a record says of the basis."""
        names = ("kind", "effective_size", "smallest", "support", *(["mult"] * (self.kind == "b")))
        chosen = {name: getattr(self, name) for name in names}
        return {
            **chosen, "step": list(self.step), "scales": list(sigmas),
            "kernel_size": self.basis(sigmas).kernel_size,
        }  # fmt: skip


@functools.cache
def _basis(grid: Grid, sigmas: tuple[float, ...]) -> SteerableBasis:
    kernel_size = int(grid.support * sigmas[-1]) // 2 * 2 + 1
    if grid.kind == "a":
        return hermite_basis_a(kernel_size, sigmas, grid.effective_size)
    return hermite_basis_b(kernel_size, sigmas, grid.effective_size, mult=grid.mult)


STL10 = Grid("stl10", "a", 0.9, (24, 17), 3.92, 3, 3, 6)
"""The published deep networks: V = 7, σ = 0.9·1.41^i, here to within 0.005 pixels."""
MNIST = Grid("mnist", "b", 1.7, (13, 9), 2.93, 4, 7, 11)
"""The published scalar MNIST network: V = 15, σ = 1.7 2.45 3.54 5.1, to within 0.03 pixels."""
WIDE = Grid("wide", "a", 2.0, (24, 17), WIDE_SUPPORT, 3, 3, 6)
"""Basis A where nothing is cut off and no filter is narrow against a pixel; not published."""
GRIDS = (STL10, MNIST, WIDE)


@dataclass(frozen=True)
class Settings:
    """Sizes of the three panels; all sides in pixels.

    depths: numbers of layers. depth_channels: of each layer. floors: networks of the first panel
    that are measured without cut-off as well, which is dear.
    large_side, sides: of photograph patches before and after, in the second panel.
    extents: K_S of the third panel, out of `scales` scales. channels: of panels two and three.

    Raises ValueError for a count below 1, sides that do not fit or numbers out of order.
    """

    depths: tuple[int, ...] = (1, 2, 3, 5, 10, 20, 30, 40, 50)
    depth_channels: int = 6
    floors: int = 5
    large_side: int = 416
    sides: tuple[int, ...] = (208, 104, 52, 26, 16, 13)
    extents: tuple[int, ...] = (1, 2, 3, 4)
    scales: int = 6
    channels: int = 4

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            numbers = value if isinstance(value, tuple) else (value,)
            if not numbers or min(numbers) < 1:
                raise ValueError(f"{name}={value!r}: must be at least 1")
        for name, values in (("depths", self.depths), ("extents", self.extents)):
            _check_order(name, values)
        _check_order("sides", self.sides[::-1])
        if any(gcd(self.large_side, side) != side for side in self.sides):
            raise ValueError(f"sides={self.sides!r}: must divide large_side={self.large_side!r}")
        if self.extents[-1] > self.scales - 1:
            raise ValueError(
                f"extents={self.extents!r}: must be below scales={self.scales!r}, so that a pair "
                "of complete scales is left"
            )

    def described(self, *names: str) -> dict[str, Any]:
        """The named sizes as JSON values."""
        chosen = {name: value for name, value in asdict(self).items() if name in names}
        return {name: list(v) if isinstance(v, tuple) else v for name, v in chosen.items()}


def _check_order(name: str, values: tuple[int, ...]) -> None:
    if any(b <= a for a, b in pairwise(values)):
        raise ValueError(f"{name}={values!r}: must be in order, each only once")


FULL = Settings()
QUICK = replace(
    FULL, depths=(1, 2, 5, 10), floors=1, large_side=224, sides=(112, 56, 28, 14, 7), channels=3,
)  # fmt: skip
"""For a first look: shorter stacks and smaller images, which decide nothing about 50 layers."""
