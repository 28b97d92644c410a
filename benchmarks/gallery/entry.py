"""What an entry of the gallery is: a family of layers, what is said of it, and its truth."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

Layer = Callable[[Any], Any]
"""A callable from an image, or a function of scale, to what `Entry.layout` says; or a module."""
Make = Callable[[int, int], Any]
"""(seed, fineness) -> `Layer` of a family."""

LAYOUTS: dict[str, tuple[Callable[[Tensor], Any], Callable[[Any, int, int], Tensor]]] = {
    "BCSHW": (lambda x: x, lambda y, c, s: y),
    "BSCHW": (lambda x: x.transpose(1, 2), lambda y, c, s: y.transpose(1, 2)),
    "B(CS)HW": (lambda x: x.flatten(1, 2), lambda y, c, s: y.unflatten(1, (c, s))),
    "B(SC)HW": (
        lambda x: x.transpose(1, 2).flatten(1, 2),
        lambda y, c, s: y.unflatten(1, (s, c)).transpose(1, 2),
    ),
    "list": (lambda x: list(x.unbind(2)), lambda y, c, s: torch.stack(list(y), dim=2)),
    "map": (lambda x: x, lambda y, c, s: y[:, :, None]),
}
"""From [B, C, S, H, W] to each layout, and back: C or S must be given, the other may be −1."""


class Truth(enum.StrEnum):
    """What follows from how a layer is built; the exact probe confirms it."""

    EXACT = "exact on pixels"
    EQUIVARIANT = "equivariant up to sampling and cut-off"
    NOT_EQUIVARIANT = "not equivariant"

    @property
    def holds(self) -> bool:
        """Whether the layer is to be called scale-equivariant."""
        return self is not Truth.NOT_EQUIVARIANT


@dataclass(frozen=True)
class Entry:
    """A layer of the gallery, as a family whose widths can grow.

    make: (seed, fineness) -> layer; all widths and supports in pixels are multiplied by the odd
    number `fineness`, and cut-offs in units of the width may recede. scales: σ of the outputs, any
    unit, growing. derivation: why the truth is as it is. reach: pixels from the centre to the last
    one that the layer reads, at fineness 1. unit: pixels of the finest structure of its filters.
    lifts, channels, extent, layout: as the options of the judge have them; layout "map" is an
    output without a scale axis. given: what the user says beside scales and layout.
    package: the import name of a library that is not always installed. finest: the largest
    fineness of the family, 1 where a library fixes sizes in pixels.
    """

    name: str
    source: str
    truth: Truth
    derivation: str
    make: Make
    scales: tuple[float, ...]
    reach: float
    unit: float = 1.0
    lifts: bool = True
    channels: int = 1
    extent: int = 1
    layout: str = "BCSHW"
    given: Mapping[str, Any] = field(default_factory=dict)
    package: str = ""
    finest: int = 3

    def __post_init__(self) -> None:
        if not self.derivation or self.reach <= 0 or not self.scales:
            raise ValueError(f"{self.name}: derivation, reach and scales must be given")

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments of the user's call."""
        options: dict[str, Any] = {"scales": self.scales}
        if self.layout not in {"BCSHW", "map"}:
            options["layout"] = self.layout
        if self.extent > 1:
            options["scale_extent"] = self.extent
        if not self.lifts:
            options["lifts"] = False
        if self.reach > 8:  # a search costs time alone
            options["window"] = 2 * math.ceil(self.reach) + 1
        return options | dict(self.given)


def centres(entry: Entry, layer: Layer, x: Tensor) -> Tensor:
    """The answer at the centre pixel to [B, C, (S,) H, W]: [B, C, S], or [B, C, 1] of a map."""
    arranged, read = LAYOUTS[entry.layout]
    y = read(layer(arranged(x) if x.ndim == 5 else x), -1, len(entry.scales))
    return y[..., y.shape[-2] // 2, y.shape[-1] // 2]
