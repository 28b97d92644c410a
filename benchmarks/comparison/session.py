"""What all measurements of a comparison share: the images of each repetition, and the records."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from benchmarks import session
from benchmarks.comparison.scenes import (
    PATCH,
    choose,
    images_identity,
    random_scenes,
    small_digits,
)
from benchmarks.comparison.settings import FULL, QUICK, Settings
from benchmarks.data import digits
from benchmarks.theory.cases import random_rng
from sesn_impl.arguments import check_at_least
from verification.claims.records import Measurement
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


class Session(session.Session):
    """One run that compares responses to images: those of each repetition, and the records.

    protocol: of the records of equivariance. Raises ValueError for a negative seed.
    """

    def __init__(
        self, command: str, seed: int, settings: Settings = FULL, evidence: Path | None = None,
        protocol: str = "check",
    ) -> None:  # fmt: skip
        check_at_least(0, seed=seed)
        super().__init__(command, evidence, {"seed": seed})
        self.seed, self.settings, self.protocol = seed, settings, protocol
        self.data = digits.digits()
        self.samples = [self._draw(i) for i in range(settings.repetitions)]

    def equivariance(
        self, subject: str, configuration: Mapping[str, Any]
    ) -> AbstractContextManager[Measurement]:
        """A record of equivariance."""
        return self.measuring(
            "equivariance", subject, configuration,
            protocol=self.protocol, data=images_identity(self.data),
        )  # fmt: skip

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


def command_of(seed: int, settings: Settings, only: str | None = None) -> str:
    """What repeats a run of `python -m benchmarks compare`; only: the part measured, if one."""
    base = QUICK if (quick := settings.of_errors == QUICK.of_errors) else FULL
    parts = ["python -m benchmarks compare", f"--seed {seed}"]
    parts += ["--quick"] if quick else []
    parts += [f"--only {only}"] if only else []
    for name, value in settings.of_costs.items():
        parts += [f"--{name} {value}"] if value != getattr(base, name) else []
    return " ".join(parts)


def complete(settings: Settings) -> bool:
    """Whether errors are measured in full, so that they may decide claims."""
    return settings.of_errors == FULL.of_errors


def rows(values: list[list[Any]], name: str) -> list[list[float]]:
    """One field of everything measured: [repetitions][factors]."""
    return [[float(getattr(value, name)) for value in row] for row in values]
