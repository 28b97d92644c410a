"""Networks at 28 pixels that differ from a published one in their basis and in nothing else.

Their bases are in `bases.toml`, chosen by `choose` before any of them was trained.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from sesn_impl import SteerableBasis, create_model, hermite_basis_b, list_models
from sesn_impl.basis import sample_basis
from verification.budget.filters import grid_responses
from verification.budget.signals import Draw
from verification.reference.bases import BasisArguments
from verification.reference.continuum import HermiteBasis

BASES_FILE = Path(__file__).with_name("bases.toml")
EFFECTIVE_SIZE, MAX_ORDER = 7, 4
LAWS = ("σ⁻²", "σ⁰", "own norm")
"""How the values of a function change with its scale: as they must, not at all (the factor
forgotten), or so that the sample at every scale has norm 1."""


@dataclass(frozen=True)
class BasisSettings:
    """What basis B is built from, and how it may be broken; lengths in pixels.

    supports: side of each scale's grid; empty: in proportion to the scale. law: one of LAWS.
    """

    kernel_size: int
    scales: tuple[float, ...]
    mult: float
    supports: tuple[int, ...] = ()
    law: str = LAWS[0]

    def build(self) -> SteerableBasis:
        """The basis, [49, S, V, V]. Raises ValueError for settings that make none."""
        if self.law not in LAWS:
            raise ValueError(f"law={self.law!r}: must be one of {', '.join(LAWS)}")
        whole = hermite_basis_b(
            self.kernel_size, self.scales, EFFECTIVE_SIZE, max_order=MAX_ORDER, mult=self.mult
        )
        if self.supports:
            whole = sample_basis(self.kernel_size, whole.scales, whole.atoms, self.supports)
        if self.law == "σ⁰":
            squares = (torch.tensor(whole.scales, dtype=torch.float64) / whole.scales[0]) ** 2
            return replace(whole, functions=whole.functions * squares[:, None, None])
        if self.law == "own norm":
            norms = whole.functions.flatten(2).norm(dim=2)
            return replace(whole, functions=whole.functions / norms[..., None, None])
        return whole

    def description(self) -> dict[str, Any]:
        """All that the basis follows from, as JSON values, for a record's configuration."""
        given = BasisArguments(
            "b", self.kernel_size, self.scales, EFFECTIVE_SIZE, self.mult, MAX_ORDER
        )
        supports = self.supports or given.supports
        return {**asdict(given), "scales": list(self.scales), "supports": list(supports),
                "law": self.law}  # fmt: skip


@dataclass(frozen=True)
class StudiedBasis:
    """A row of `bases.toml`: a network with another basis.

    error: predicted relative squared error of its worst pair of neighbouring scales. taps: pixels
    of a filter, summed over scales. products: of its three layers for one image, in millions.
    """

    network: str
    name: str
    settings: BasisSettings
    error: float
    taps: int
    products: float

    @property
    def model(self) -> str:
        """The name that the network is trained and recorded by."""
        return self.network if self.name == "published" else f"{self.network}_{self.name}"


@cache
def studied_bases(path: Path = BASES_FILE) -> tuple[StudiedBasis, ...]:
    """All networks of the study, the published ones among them."""
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["basis"]
    return tuple(_row(row) for row in rows)


def studied_models() -> Mapping[str, StudiedBasis]:
    """The networks with other bases than the published ones, by their names."""
    return {row.model: row for row in studied_bases() if row.name != "published"}


def trainable() -> list[str]:
    """Names of all networks that can be trained: the published ones and those of the study."""
    return [*list_models(), *studied_models()]


def create_network(model: str) -> nn.Module:
    """A freshly initialised network by one of the names of `trainable`."""
    row = studied_models().get(model)
    return create_model(row.network, basis=row.settings.build()) if row else create_model(model)


def predicted_error(basis: HermiteBasis, draws: Sequence[Draw]) -> float:
    """Relative squared error of the worst pair of neighbouring scales, as the mean over signals.

    Of the functions as they are sampled, so that it covers broken ones.
    """
    return max(
        float(np.mean([_pair_error(basis, fine, draw) for draw in draws]))
        for fine in range(len(basis.scales) - 1)
    )


def _pair_error(basis: HermiteBasis, fine: int, draw: Draw) -> float:
    image, points = draw
    ratio = basis.scales[fine + 1] / basis.scales[fine]
    near = grid_responses(basis, fine, image, points)
    far = grid_responses(basis, fine + 1, image.rescaled(ratio), points * ratio)
    return float(((far - near) ** 2).sum() / (near**2).sum())


def _row(row: dict[str, Any]) -> StudiedBasis:
    numbers = {name: row.pop(name) for name in ("network", "name", "error", "taps", "products")}
    row["scales"], row["supports"] = tuple(row["scales"]), tuple(row.get("supports", ()))
    return StudiedBasis(settings=BasisSettings(**row), **numbers)
