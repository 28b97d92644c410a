"""Which networks and images the panels are measured with, and how many."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

from sesn_impl import SteerableBasis, hermite_basis_a

SMALLEST_SCALE = 0.9
STEP = 1.41
"""Ratio of neighbouring scales, and of the sides 141 and 100: a rescaling by one grid step."""
EFFECTIVE_SIZE = 3
SUPPORT = 3.92
"""Side of a filter over its σ, as published for the deep networks: 7 pixels for 1.79."""
COARSE_SCALE = 2.0
"""Smallest σ in pixels of the coarse network of the first panel: wide against a pixel."""
WIDE_SUPPORT = 8.0
"""The same for the floor: filters reach ±4 σ, beyond which less than 1e-3 of a peak is left."""


def _check_order(name: str, values: tuple[int, ...]) -> None:
    if any(b <= a for a, b in pairwise(values)):
        raise ValueError(f"{name}={values!r}: must be in order, each only once")


@dataclass(frozen=True)
class Settings:
    """Sizes of the three panels; all sides in pixels.

    depths: numbers of layers. depth_channels: of each layer. depth_points: of the exact probe.
    side, small_side: of the photograph patches before and after a rescaling by one step.
    large_side, sides: the same of the second panel, whose factors are large_side/sides.
    extents: K_S of the third panel, out of `scales` scales. patches: photographs per network.
    channels, points: of the second and third panel.

    Raises ValueError for a count below 1, sides that do not fit or numbers out of order.
    """

    depths: tuple[int, ...] = (1, 2, 3, 5, 10, 20, 30, 40, 50)
    depth_channels: int = 12
    depth_points: int = 2
    side: int = 141
    small_side: int = 100
    large_side: int = 416
    sides: tuple[int, ...] = (208, 104, 52, 26, 18, 13)
    extents: tuple[int, ...] = (1, 2, 3, 4)
    scales: int = 6
    channels: int = 6
    points: int = 16
    patches: int = 1

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            numbers = value if isinstance(value, tuple) else (value,)
            if not numbers or min(numbers) < 1:
                raise ValueError(f"{name}={value!r}: must be at least 1")
        for name in ("depths", "extents"):
            _check_order(name, getattr(self, name))
        _check_order("sides", self.sides[::-1])
        if abs(self.side / self.small_side - STEP) > 1e-9:
            raise ValueError(
                f"side={self.side!r}, small_side={self.small_side!r}: must have the ratio {STEP}"
            )
        if self.sides[0] >= self.large_side:
            raise ValueError(f"sides={self.sides!r}: must be below large_side={self.large_side!r}")
        if self.extents[-1] > self.scales - 1:
            raise ValueError(
                f"extents={self.extents!r}: must be below scales={self.scales!r}, so that a pair "
                "of complete scales is left"
            )

    def described(self, *names: str) -> dict[str, Any]:
        """The named sizes as JSON values, and what all panels share."""
        chosen = {name: value for name, value in asdict(self).items() if name in names}
        return {
            **{name: list(v) if isinstance(v, tuple) else v for name, v in chosen.items()},
            "basis": "a",
            "effective_size": EFFECTIVE_SIZE,
            "smallest_scale": SMALLEST_SCALE,
            "support_over_scale": SUPPORT,
            "dtype": "float32",
        }


FULL = Settings()
QUICK = replace(
    FULL, depths=(1, 2, 5, 10), depth_channels=8, depth_points=1, large_side=224,
    sides=(112, 56, 28, 14, 7), channels=3, points=4,
)  # fmt: skip
"""For a first look: shorter stacks and smaller images, which decide nothing about 50 layers."""
SETTINGS = {False: FULL, True: QUICK}


def basis_of(scales: tuple[float, ...], support: float = SUPPORT) -> SteerableBasis:
    """Basis A on these scales [pixels], filters of `support`·σ pixels a side, odd."""
    return hermite_basis_a(int(support * scales[-1]) // 2 * 2 + 1, scales, EFFECTIVE_SIZE)


def grid(count: int, smallest: float = SMALLEST_SCALE) -> tuple[float, ...]:
    """Scales smallest·1.41^i in pixels, by default the published ones of the deep networks."""
    return tuple(smallest * STEP**i for i in range(count))
