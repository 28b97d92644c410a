"""What all panels share: which random networks, their images, and where records go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.panels.settings import QUICK, Settings
from benchmarks.theory.cases import random_rng
from verification.evidence import Measurement, Record, measuring

Rows = dict[str, list[list[float]]]
"""Curves by name: for each a row per network, a value per point of the panel."""


@dataclass
class Session:
    """One run of `python -m benchmarks panels`, and the records it has written so far.

    seeds: how many random networks, from seeds 0, 1, …; at least 1, else ValueError.
    """

    seeds: int
    evidence: Path
    settings: Settings
    records: list[Record] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise ValueError(f"seeds={self.seeds!r}: must be at least 1")

    @property
    def command(self) -> str:
        """What repeats this run."""
        quick = " --quick" if self.settings == QUICK else ""
        return f"python -m benchmarks panels --seeds {self.seeds}{quick}"

    def rngs(self, name: str) -> Iterator[np.random.Generator]:
        """A generator for each network of a panel."""
        return (random_rng(seed, name) for seed in range(self.seeds))

    @contextmanager
    def measuring(
        self,
        subject: str,
        claims: Sequence[str],
        configuration: Mapping[str, Any],
        data: Mapping[str, str] | None = None,
    ) -> Iterator[Measurement]:
        """One record, written when the block ends, also if it fails."""
        with measuring(
            "equivariance",
            subject,
            command=self.command,
            claims=claims,
            configuration=configuration,
            data=data,
            seeds={"first": 0, "count": self.seeds},
            folder=self.evidence,
        ) as measurement:
            yield measurement
        assert measurement.record is not None
        self.records.append(measurement.record)


def torch_generator(rng: np.random.Generator) -> torch.Generator:
    """A generator of torch, seeded by the next number of `rng`."""
    return torch.Generator().manual_seed(int(rng.integers(2**31)))


def collect(rows: Sequence[Mapping[str, list[float]]]) -> Rows:
    """Stacks what each network gave: name -> [networks][points]."""
    return {name: [row[name] for row in rows] for name in rows[0]}
