"""What all panels share: which random networks, their images, and where records go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.panels.settings import QUICK, WIDE_SUPPORT, Grid, Settings
from benchmarks.theory.cases import random_rng
from benchmarks.theory.photographs import photograph_data
from verification.claims.records import Measurement, Record, measuring
from verification.reference.warps import WARP

Rows = dict[str, list[float]]
"""Curves of one network by name: a value per point of the panel."""


@dataclass
class Session:
    """One run of `python -m benchmarks panels`, and the records it has written so far.

    seeds: how many random networks, from seeds 0, 1, …; at least 1, else ValueError. panels: names
    of those that are measured, if not all are.
    """

    seeds: int
    evidence: Path
    settings: Settings
    panels: Sequence[str] = ()
    records: list[Record] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise ValueError(f"seeds={self.seeds!r}: must be at least 1")

    @property
    def command(self) -> str:
        """What repeats this run."""
        quick = " --quick" if self.settings == QUICK else ""
        chosen = f" --panels {' '.join(self.panels)}" if self.panels else ""
        return f"python -m benchmarks panels --seeds {self.seeds}{quick}{chosen}"

    def rngs(self, panel: str, grid: Grid) -> Iterator[np.random.Generator]:
        """A generator for each network of a panel on a grid."""
        return (random_rng(seed, f"panel_{panel}_{grid.name}") for seed in range(self.seeds))

    @contextmanager
    def raster(
        self, panel: str, grid: Grid, configuration: Mapping[str, Any]
    ) -> Iterator[Measurement]:
        """The record of a panel on rescaled photographs, which claims select."""
        about = {
            **configuration, "padding": "zeros", "warp": WARP, "dtype": "float32",
            "wide_support_over_scale": WIDE_SUPPORT,
        }  # fmt: skip
        with self._measuring(f"panel_{panel}_{grid.name}", about) as measurement:
            yield measurement

    @contextmanager
    def probe(
        self, panel: str, grid: Grid, configuration: Mapping[str, Any]
    ) -> Iterator[Measurement]:
        """The record of the same by exact probe; of the paper's panels it explains the others."""
        about = {**configuration, "padding": "periodic", "warp": "none: closed-form images"}
        with self._measuring(f"panel_{panel}_{grid.name}_probe", about) as measurement:
            yield measurement

    @contextmanager
    def _measuring(self, subject: str, configuration: Mapping[str, Any]) -> Iterator[Measurement]:
        """One record, written when the block ends, also if it fails."""
        with measuring(
            "equivariance",
            subject,
            command=self.command,
            configuration=configuration,
            data=photograph_data(),
            seeds={"first": 0, "count": self.seeds},
            folder=self.evidence,
        ) as measurement:
            yield measurement
        assert measurement.record is not None
        self.records.append(measurement.record)


def torch_generator(rng: np.random.Generator) -> torch.Generator:
    """A generator of torch, seeded by the next number of `rng`."""
    return torch.Generator().manual_seed(int(rng.integers(2**31)))


def collect(curves: Sequence[Rows]) -> dict[str, list[list[float]]]:
    """Stacks what each network gave: name -> [networks][points]."""
    return {name: [curve[name] for curve in curves] for name in curves[0]}
