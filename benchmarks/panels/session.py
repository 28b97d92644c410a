"""What all panels share: which random networks, their images, and where records go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import session
from benchmarks.panels.settings import QUICK, WIDE_SUPPORT, Grid, Settings
from benchmarks.theory.cases import random_rng
from benchmarks.theory.photographs import photograph_data
from sesn_impl.arguments import check_at_least
from verification.claims.records import Measurement
from verification.reference.warps import WARP

Rows = dict[str, list[float]]
"""Curves of one network by name: a value per point of the panel."""
Curves = Callable[[np.random.Generator, Grid, Settings], Rows]
"""Makes one random network and measures it."""


class Session(session.Session):
    """One run of `python -m benchmarks panels`.

    seeds: how many random networks, from seeds 0, 1, …; at least 1, else ValueError. panels: names
    of those that are measured, if not all are.
    """

    def __init__(
        self, seeds: int, evidence: Path, settings: Settings, panels: Sequence[str] = ()
    ) -> None:
        check_at_least(1, seeds=seeds)
        self.settings = settings
        quick = " --quick" if settings == QUICK else ""
        chosen = f" --panels {' '.join(panels)}" if panels else ""
        command = f"python -m benchmarks panels --seeds {seeds}{quick}{chosen}"
        super().__init__(command, evidence, {"first": 0, "count": seeds})

    def rngs(self, panel: str, grid: Grid) -> Iterator[np.random.Generator]:
        """A generator for each network of a panel on a grid."""
        name, seeds = f"panel_{panel}_{grid.name}", range(self.seeds["count"])
        return (random_rng(seed, name) for seed in seeds)

    def raster(
        self, panel: str, grid: Grid, configuration: Mapping[str, Any], x: Sequence[float],
        curves: Curves, also: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:  # fmt: skip
        """The record of a panel on rescaled photographs, which claims select."""
        about = {
            **configuration, "padding": "zeros", "warp": WARP, "dtype": "float32",
            "wide_support_over_scale": WIDE_SUPPORT,
        }  # fmt: skip
        subject, data = f"panel_{panel}_{grid.name}", photograph_data()
        with self.measuring("equivariance", subject, about, data=data) as measurement:
            measurement.numbers.update(self._collected(panel, grid, x, curves), **also())

    def probe(
        self, panel: str, grid: Grid, configuration: Mapping[str, Any], x: Sequence[float],
        curves: Curves,
    ) -> None:  # fmt: skip
        """The record of the same by exact probe; of the paper's panels it explains the others."""
        with self.probing(panel, grid, configuration) as measurement:
            measurement.numbers.update(self._collected(panel, grid, x, curves))

    def probing(
        self, panel: str, grid: Grid, configuration: Mapping[str, Any]
    ) -> AbstractContextManager[Measurement]:
        """A record by exact probe, of any numbers."""
        about = {**configuration, "padding": "periodic", "warp": "none: closed-form images"}
        subject = f"panel_{panel}_{grid.name}_probe"
        return self.measuring("equivariance", subject, about, data=photograph_data())

    def _collected(
        self, panel: str, grid: Grid, x: Sequence[float], curves: Curves
    ) -> dict[str, Any]:
        """x, and each curve of all networks: [networks][points]."""
        found = [curves(rng, grid, self.settings) for rng in self.rngs(panel, grid)]
        return {"x": list(x), **{name: [rows[name] for rows in found] for name in found[0]}}


def torch_generator(rng: np.random.Generator) -> torch.Generator:
    """A generator of torch, seeded by the next number of `rng`."""
    return torch.Generator().manual_seed(int(rng.integers(2**31)))
