"""Training recipes: what the protocols `paper`, `short` and `smoke` mean for each data set.

Their numbers stand in `verification/claims/protocols.toml`, which records are checked by; the
paper's are those of the authors' released code. Dropout is the networks' own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from verification.claims.protocols import load_protocols

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


def _recipe(given: Mapping[str, Any]) -> Recipe:
    optimiser, schedule = dict(given["optimiser"]), dict(given["schedule"])
    if "at" in schedule:
        schedule["at"] = tuple(schedule["at"])
    own = {
        "optimiser": (Adam if optimiser["name"] == "adam" else Sgd)(**optimiser),
        "schedule": (Steps if schedule["name"] == "steps" else OneCycle)(**schedule),
    }
    return Recipe(**{**given, **own})


RECIPES = {name: _recipe(protocol.recipe) for name, protocol in load_protocols().items()}
"""By protocol and data set."""
MNIST_SCALE, STL10 = RECIPES["paper", "mnist_scale"], RECIPES["paper", "stl10"]


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
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol={protocol!r}: must be one of {', '.join(PROTOCOLS)}")
    if (protocol, data_name) not in RECIPES:
        known = ", ".join(data for name, data in RECIPES if name == protocol)
        raise ValueError(f"data_name={data_name!r}: must be one of {known}")
    return RECIPES[protocol, data_name]
