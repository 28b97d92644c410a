"""Records and verdicts for the tests of the verdict rules."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from verification.claims.claim import Cost, Count, Theorem, Trend
from verification.claims.protocols import load_protocols
from verification.claims.reading import load_claims
from verification.claims.records import Provenance, Record
from verification.claims.rules import Verdict, verdict_on

CLAIMS = load_claims()
BY_ID = {claim.id: claim for claim in CLAIMS}
PROVENANCE = Provenance(
    commit="0123abcd",
    dirty=False,
    versions={"python": "3.11"},
    device="cpu",
    threads=1,
    started="2025-01-01T00:00:00Z",
    wall_seconds=1.0,
)
THEOREM, COUNT, CELL = "theorem.scale_shift", "count.mnist.cnn", "cell.mnist.cnn.28"
RANKING, TREND, COST = (
    "ranking.mnist.28.sesn_scalar_over_cnn",
    "trend.depth.stl10",
    "cost.later.four_scales",
)
PUBLISHED = [2.50, 2.53, 2.56, 2.56, 2.59, 2.62]


def make(identifier: str, **changes: object) -> Record:
    """Make a record of a check for one claim."""
    kind = {"trend": "equivariance", "cost": "timing"}
    first = identifier.split(".", maxsplit=1)[0]
    values: dict[str, Any] = {
        "kind": kind.get(first, first),
        "subject": _subject(identifier),
        "numbers": {},
        "configuration": {"work": "step"} if first == "cost" else {},
        "protocol": "timing" if first == "cost" else "check",
        "data": None,
        "seeds": {},
        "command": "measure",
        "outcome": "finished",
        "provenance": PROVENANCE,
        **changes,
    }
    return Record(**values)


def _subject(identifier: str) -> str:
    """What a record has to be about for the claim to select it, where the claim says so."""
    match BY_ID.get(identifier):
        case Theorem(subject=subject):
            return subject
        case Count(expected=expected):
            return next(iter(expected))
        case Trend(subjects=(first, *_)):
            return first
        case Cost(numerator=numerator):
            return numerator
        case _:
            return "cnn_28"


def trained(
    model: str, error: float, realisation: int, *, augmentation: bool = False, **changes: object
) -> Record:
    """Make a record of a training by the rules, on MNIST-scale with paper protocol."""
    data: Any = changes.get("data", {"name": "mnist_scale"})
    demands = load_protocols()[str(changes.get("protocol", "paper")), data["name"]]
    known = realisation < len(demands.hashes)
    return make(
        "training",
        **{
            "subject": model,
            "numbers": {
                "test_error": error,
                "steps": demands.steps,
                "best_epoch": 1,
                "curves": {"train_loss": [1.0] * demands.epochs},
                "sessions": [{"dirty": False}],
                "weights": f"{model} {augmentation} {error} {realisation} {changes}",
            },
            "configuration": {"model": model, "augmentation": augmentation, **demands.recipe},
            "protocol": "paper",
            "data": {
                "name": "mnist_scale",
                "hash": demands.hashes[realisation] if known else "none",
            },
            "seeds": {"realisation": realisation, "seed": 7},
            **changes,
        },
    )


def trainings(
    model: str, errors: Sequence[float], *, augmentation: bool = False, **changes: object
) -> list[Record]:
    """Make one training for each error, on realisations 0, 1, …."""
    return [
        trained(model, error, k, augmentation=augmentation, **changes)
        for k, error in enumerate(errors)
    ]


def dirty(record: Record, value: bool | None = True) -> Record:
    return dataclasses.replace(
        record, provenance=dataclasses.replace(record.provenance, dirty=value)
    )


def later(record: Record) -> Record:
    moment = "2025-06-01T00:00:00Z"
    return dataclasses.replace(
        record, provenance=dataclasses.replace(record.provenance, started=moment)
    )


def verdict_of(identifier: str, records: Sequence[Record]) -> Verdict:
    return verdict_on(BY_ID[identifier], records, CLAIMS)


def rate(statuses: Sequence[str], status: str) -> float:
    return statuses.count(status) / len(statuses)
