"""Invented trainings, and networks before and after them."""

from __future__ import annotations

import math
from typing import Any

from reports.tests.synthetic.records import CLAIMS, day, make, provenance
from verification.claims.claim import Cell
from verification.claims.protocols import load_protocols
from verification.claims.records import Record


def trained(
    model: str,
    error: float,
    realisation: int = 0,
    *,
    protocol: str = "paper",
    data: str = "mnist_scale",
    augmentation: bool = False,
    **changes: Any,
) -> Record:
    demands = load_protocols()[protocol, data]
    known = realisation < len(demands.hashes)
    values = {
        "configuration": {
            "model": model, "augmentation": augmentation, "data": data, **demands.recipe,
        },
        "protocol": protocol,
        "data": {"name": data, "hash": demands.hashes[realisation] if known else "none"},
        "seeds": {"realisation": realisation, "seed": 0},
        "command": f"python -m benchmarks train --model {model} --protocol {protocol}",
    }  # fmt: skip
    numbers = {
        "test_error": error, "by_scale": _by_scale(error), "steps": demands.steps, "best_epoch": 1,
        "curves": {"train_loss": [1.0] * demands.epochs}, "sessions": [{"dirty": False}],
        "weights": f"{model} {augmentation} {data} {error} {realisation} {protocol} {changes}",
    }  # fmt: skip
    return make("training", model, numbers, **values | changes)


def _by_scale(error: float) -> list[dict[str, Any]]:
    """10,000 images, so that an error with two decimals is a whole number of them."""
    images = [1428, 1428, 1428, 1428, 1428, 1428, 1432]
    wrong = 0 if math.isnan(error) else round(100 * error)
    errors = [wrong // 7 for _ in images]
    errors[0] += wrong - sum(errors)
    return [
        {"from": k / 10, "to": (k + 1) / 10, "images": images[k - 3], "errors": errors[k - 3]}
        for k in range(3, 10)
    ]


def trainings() -> list[Record]:
    """Six paper runs of two cells, one pair of short runs, smoke runs, and unhappy endings."""
    published = {c.model: c for c in CLAIMS if isinstance(c, Cell) and c.column == "28"}
    spread = (-0.1, -0.06, -0.02, 0.02, 0.06, 0.1)
    full = [
        trained(model, round(published[model].value + shift + offset, 2), k)
        for model, shift in (("cnn_28", 0.0), ("sesn_scalar_28", 0.5))
        for k, offset in enumerate(spread)
    ]
    short = [
        trained(name, error + 0.1 * k, k, protocol="short")
        for name, error in (("sesn_vector_28", 3.0), ("dss_scalar_28", 3.2))
        for k in range(3)
    ]
    smoke = [
        trained(name, error, protocol="smoke", data="digits")
        for name, error in (("cnn_28", 31.2), ("sesn_scalar_28", 27.5))
    ]
    unhappy = [
        trained("sicnn_28", 2.4, 1, provenance=provenance(dirty=True, started=day(3))),
        trained("ss_cnn_28", 2.3, outcome="failed", provenance=provenance(commit=None, dirty=None)),
        trained("ss_cnn_28", 2.3, 1, outcome="aborted"),
        trained("sesn_vector_28", float("nan"), 2, outcome="diverged"),
        trained("cnn_28", 2.2, 0, provenance=provenance(started=day(9))),
    ]
    return [*full, *short, *smoke, *unhappy, *beyond()]


def beyond() -> list[Record]:
    """Of the studies beyond the paper: another basis, and training on large objects alone."""
    model, recipe = "sesn_vector_28_calibrated", load_protocols()["short", "mnist_scale"].recipe
    basis = {
        "model": model, "augmentation": False, "data": "mnist_scale", **recipe,
        "basis": {"kernel_size": 13},
    }  # fmt: skip
    return [
        trained(model, 2.9, protocol="short", configuration=basis),
        *(
            trained(name, error, protocol="short", data="mnist_scale_large", augmentation=plus)
            for name, error, plus in (
                ("cnn_28", 20.0, False), ("cnn_28", 12.0, True), ("sesn_vector_28", 9.0, False),
            )
        ),
    ]  # fmt: skip


def networks() -> list[Record]:
    """A plain network whose error doubles in training, and one whose error stays."""
    return [
        make(
            "equivariance",
            name,
            {
                "factors": [0.5, 2.0],
                "test_error": [3.0, 4.0],
                "states": {
                    state: {
                        "blocks": [
                            _pair(level * (growth if i else 1)) for level in (0.1, 0.2, 0.4)
                        ],
                        "own_steps": _pair(0.05) if stepped else {"error": [[]], "chance": [[]]},
                        "unchanged": [[0.5, 0.7]] * 2,
                        "chance": [[0.1, 0.1]] * 2,
                        "wrong": [[0.05, 0.4, 0.2]] * 2,
                    }
                    for i, state in enumerate(("untrained", "trained"))
                },
            },
            configuration={"model": name, "networks": "before and after training"},
            command="python -m benchmarks networks --seed 0 --trainings 2",
        )
        for name, growth, stepped in (("cnn_28", 2.0, False), ("sesn_scalar_28", 1.0, True))
    ]


def profiles() -> list[Record]:
    """A network that loses scale by its strides, and after training by its filters."""

    def profile(stride: float) -> dict[str, Any]:
        changes = {"analytic": 0.1, "lie": 2.0}
        units = [
            {"name": name, "kind": "Conv2d", "changes": changes, "share": 0.5}
            for name in ("first", "second")
        ]
        by_part = {"stride": stride, "filters": 1 - stride}
        return {"units": units, "by_part": by_part, "remainder": 0.0, "notes": []}

    return [
        make(
            "equivariance", "cnn_28",
            {"test_error": 3.0, "profiles": {"untrained": profile(0.8), "trained": profile(0.3)}},
            configuration={"model": "cnn_28", "networks": "by layer"},
            command="python -m benchmarks networks --by-layer --seed 0 --models cnn_28",
        )
    ]  # fmt: skip


def _pair(share: float) -> dict[str, list[list[float]]]:
    return {"error": [[share, share]] * 2, "chance": [[1.0, 1.0]] * 2}
