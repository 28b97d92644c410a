"""What a training must have done, and on which data, to be one of its protocol.

The claims say which protocol counts; `protocols.toml` says what that protocol is, so that records
can be checked without the program that wrote them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

PROTOCOLS_FILE = Path(__file__).with_name("protocols.toml")


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """A protocol on a data set.

    recipe: the fields that a record's configuration has beside model, augmentation, data and basis.
    train, validation, test: images of each split; steps_per_epoch: of the optimiser.
    realisations, seeds: those from 0 on that a complete table has.
    hashes: of the data, by realisation; empty where they are not known.
    """

    name: str
    data: str
    recipe: Mapping[str, Any]
    train: int
    validation: int
    test: int
    realisations: int
    seeds: int
    steps_per_epoch: int
    hashes: tuple[str, ...]

    @property
    def epochs(self) -> int:
        """Passes over the training images."""
        return int(self.recipe["epochs"])

    @property
    def steps(self) -> int:
        """Steps of the optimiser in a whole run."""
        return self.epochs * self.steps_per_epoch


@cache
def load_protocols() -> Mapping[tuple[str, str], Protocol]:
    """Read all protocols, by name and data set: `load_protocols()["short", "mnist_scale"]`."""
    document = tomllib.loads(PROTOCOLS_FILE.read_text(encoding="utf-8"))
    found = {}
    for data, given in document["data"].items():
        like = given.get("like", data)
        about = {**document["data"][like], "hashes": tuple(given["hashes"])}
        for name, recipe in document["recipe"][like].items():
            found[name, data] = Protocol(name=name, data=data, recipe=recipe, **about)
    return found
