"""What all measurements of a comparison share: the images of each repetition, and the records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from benchmarks.comparison.scenes import (
    PATCH,
    choose,
    images_identity,
    random_scenes,
    small_digits,
)
from benchmarks.comparison.settings import FULL, QUICK, Settings
from benchmarks.data import DataSet, digits
from benchmarks.theory.cases import random_rng
from verification.claims.records import Measurement, Record, measuring
from verification.reference.analytic import GaborImage
from verification.reference.warps import random_patches


@dataclass(frozen=True, eq=False)
class Sample:
    """The images of one repetition, the same for every method, and the seed of its weights.

    scenes, trunk_scenes: analytic, seen at `point` (row, column), in pixels.
    digits: [N, 1, 28, 28] in [0, 1]; patches: [N, 1, 140, 140] of mean 0.
    calibration: [N, 1, 28, 28], normalised as in training.
    """

    weights_seed: int
    scenes: GaborImage
    trunk_scenes: GaborImage
    point: tuple[float, float]
    digits: Tensor
    patches: Tensor
    calibration: Tensor


@dataclass
class Session:
    """One run of `python -m benchmarks compare`, and the records it has made so far.

    evidence: folder of the records; None: they are not written. only: the part measured, if one.
    Raises ValueError for a negative seed.
    """

    seed: int
    settings: Settings = FULL
    evidence: Path | None = None
    only: str | None = None
    records: list[Record] = field(default_factory=list)
    data: DataSet = field(default_factory=digits.digits)

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed={self.seed!r}: must be at least 0")
        self.samples = [self._draw(i) for i in range(self.settings.repetitions)]

    @property
    def command(self) -> str:
        """What repeats this run."""
        base = QUICK if (quick := self.settings.of_errors == QUICK.of_errors) else FULL
        parts = ["python -m benchmarks compare", f"--seed {self.seed}"]
        parts += ["--quick"] if quick else []
        parts += [f"--only {self.only}"] if self.only else []
        for name, value in self.settings.of_costs.items():
            parts += [f"--{name} {value}"] if value != getattr(base, name) else []
        return " ".join(parts)

    @property
    def complete(self) -> bool:
        """Whether the errors are measured in full, so that they may decide claims."""
        return self.settings.of_errors == FULL.of_errors

    @property
    def protocol(self) -> str:
        """Of the records of errors."""
        return "check" if self.complete else "smoke"

    @contextmanager
    def measuring(self, subject: str, configuration: Mapping[str, Any]) -> Iterator[Measurement]:
        """One record of equivariance, made when the block ends, also if it fails."""
        with measuring(
            "equivariance",
            subject,
            command=self.command,
            protocol=self.protocol,
            configuration=configuration,
            data=images_identity(self.data),
            seeds={"seed": self.seed},
            folder=self.evidence,
        ) as measurement:
            yield measurement
        assert measurement.record is not None
        self.records.append(measurement.record)

    def _draw(self, repetition: int) -> Sample:
        settings = self.settings
        rng = random_rng(self.seed, "comparison", repetition)
        row, column = rng.uniform(-2, 2, 2)
        train = self.data.train.images
        return Sample(
            weights_seed=int(rng.integers(2**31)),
            scenes=random_scenes(rng, settings.scenes),
            trunk_scenes=random_scenes(rng, settings.trunk_scenes),
            point=(float(row), float(column)),
            digits=choose(rng, small_digits(self.data), settings.digits),
            patches=random_patches(rng, settings.patches, PATCH).float(),
            calibration=self.data.normalisation(choose(rng, train, settings.calibration)),
        )


def rows(values: list[list[Any]], name: str) -> list[list[float]]:
    """One field of everything measured: [repetitions][factors]."""
    return [[float(getattr(value, name)) for value in row] for row in values]
