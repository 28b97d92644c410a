"""Training recipes: what the protocols `paper`, `short` and `smoke` mean for each data set.

The paper's recipes are those of the authors' released code; every number of a run that is not its
model, data, augmentation or seed stands here, and beside them dropout, which the networks have.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from benchmarks.data import family_of

PROTOCOLS = ("paper", "short", "smoke")


@dataclass(frozen=True)
class Adam:
    """Adam without weight decay. `rate`: the learning rate that the schedule multiplies."""

    rate: float
    name: Literal["adam"] = "adam"


@dataclass(frozen=True)
class Sgd:
    """SGD with Nesterov momentum. `rate`: the learning rate that the schedule multiplies."""

    rate: float
    momentum: float
    weight_decay: float
    name: Literal["sgd"] = "sgd"


@dataclass(frozen=True)
class Steps:
    """Multiplies the rate by `factor` at the start of each epoch in `at`, counted from 0."""

    factor: float
    at: tuple[int, ...]
    name: Literal["steps"] = "steps"

    def multiplier(self, epoch: float, epochs: int) -> float:
        """What the rate is multiplied by at `epoch` in [0, epochs), which need not be whole."""
        return self.factor ** sum(epoch >= boundary for boundary in self.at)


@dataclass(frozen=True)
class OneCycle:
    """Raises the rate linearly from 0 for the share `rise` of all steps, then lets it fall to 0.

    The fall is half a cosine.
    """

    rise: float = 0.3
    name: Literal["one_cycle"] = "one_cycle"

    def multiplier(self, epoch: float, epochs: int) -> float:
        """What the rate is multiplied by at `epoch` in [0, epochs), which need not be whole."""
        done = epoch / epochs
        if done < self.rise:
            return done / self.rise
        return (1 + math.cos(math.pi * (done - self.rise) / (1 - self.rise))) / 2


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    epochs: passes over the training images; batch: images per step.
    standard_augmentation: what every run applies, whatever else it adds.
    selection: whose weights are tested: those of the first epoch with the lowest validation error,
    or those of the last epoch.
    """

    epochs: int
    batch: int
    optimiser: Adam | Sgd
    schedule: Steps | OneCycle
    standard_augmentation: Literal["none", "crop_flip_cutout"]
    selection: Literal["best_validation", "last"]

    def rate(self, epoch: float) -> float:
        """Learning rate at `epoch` in [0, epochs), which need not be whole."""
        return self.optimiser.rate * self.schedule.multiplier(epoch, self.epochs)

    def description(self) -> dict[str, Any]:
        """All fields as JSON values, for a record's configuration."""
        return asdict(self)


MNIST_SCALE = Recipe(
    epochs=60,
    batch=128,
    optimiser=Adam(rate=0.01),
    schedule=Steps(factor=0.1, at=(20, 40)),
    standard_augmentation="none",
    selection="best_validation",
)
STL10 = Recipe(
    epochs=1000,
    batch=128,
    optimiser=Sgd(rate=0.1, momentum=0.9, weight_decay=5e-4),
    schedule=Steps(factor=0.2, at=(300, 400, 600, 800)),
    standard_augmentation="crop_flip_cutout",
    selection="last",
)
SMOKE_EPOCHS = {"digits": 8}
"""Two elsewhere. An epoch of digits is a tenth of one of MNIST-scale."""
SHORT_PARTS = {"digits": 6}
"""Twelve elsewhere."""
PAPER = {"mnist_scale": MNIST_SCALE, "digits": MNIST_SCALE, "stl10": STL10}


def recipe_for(protocol: str, data_name: str) -> Recipe:
    """Return the recipe of a protocol on a data set.

    paper: as published.
    short: a twelfth of the published epochs (5 on MNIST-scale; a sixth on digits, whose epochs are
    short) in one cycle of the learning rate; all else, data and seeds included, as published. One
    cycle comes close to the accuracy of the step schedule in far fewer epochs, so that CNN, SESN
    scalar and SESN vector can be ranked over all six realisations in hours on one core. Its
    errors are not the published ones: it supports rankings and no table cell.
    smoke: a few epochs of the same, about a hundred steps on MNIST-scale and digits. Shows that a
    run goes from end to end and that the network learns, and supports nothing.

    Data sets with restricted training scales have the recipe of the data they are made like.

    Raises ValueError for an unknown protocol or data set.
    """
    data_name = family_of(data_name)
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol={protocol!r}: must be one of {', '.join(PROTOCOLS)}")
    if data_name not in PAPER:
        raise ValueError(f"data_name={data_name!r}: must be one of {', '.join(PAPER)}")
    paper = PAPER[data_name]
    if protocol == "paper":
        return paper
    epochs = {
        "short": paper.epochs // SHORT_PARTS.get(data_name, 12),
        "smoke": SMOKE_EPOCHS.get(data_name, 2),
    }[protocol]
    return replace(paper, epochs=epochs, schedule=OneCycle())
