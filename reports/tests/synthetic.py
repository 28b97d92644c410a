"""Invented records of every format, for tests alone: none of their numbers was measured."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from verification.claims import Cell, Claim, Count, Theorem, claims_of_training, load_claims
from verification.evidence import Provenance, Record, write_record
from verification.protocols import load_protocols

CLAIMS = load_claims()
VERSIONS = {"python": "3.11.7", "numpy": "2.1", "torch": "2.6"}
SCALES = {
    "sesn_scalar_28": (1.7, 2.45, 3.54, 5.1),
    "sesn_scalar_56p": (1.0, 1.73, 3.0),
    "sesn_vector_28": (1.5, 2.6, 4.5),
    "stl10_sesn_a": (0.9, 1.27, 1.79),
    "wide_support": (3.0, 3.78, 4.76),
}


def provenance(**changes: Any) -> Provenance:
    values: dict[str, Any] = {
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "dirty": False,
        "versions": VERSIONS,
        "device": "cpu",
        "threads": 2,
        "started": "2025-01-01T00:00:00Z",
        "wall_seconds": 12.5,
    }
    return Provenance(**values | changes)


def make(kind: str, subject: str, numbers: dict[str, Any], **changes: Any) -> Record:
    values: dict[str, Any] = {
        "claims": (),
        "configuration": {},
        "protocol": "check",
        "data": None,
        "seeds": {"seed": 0},
        "command": "python -m benchmarks theory --cases 100 --seed 0",
        "outcome": "finished",
        "provenance": provenance(),
    }
    return Record(kind=kind, subject=subject, numbers=numbers, **values | changes)


def theorems(claims: Sequence[Claim] = CLAIMS) -> list[Record]:
    """All theorems but the last one."""
    return [
        make(
            "theorem",
            claim.id.removeprefix("theorem."),
            {"cases": 100, "worst_error": 0.3 * claim.bound, "bound": claim.bound},
            claims=(claim.id,),
        )
        for claim in claims
        if isinstance(claim, Theorem)
    ][:-1]


def counts(claims: Sequence[Claim] = CLAIMS) -> list[Record]:
    return [
        make("count", subject, {"value": value}, claims=(claim.id,), seeds={})
        for claim in claims
        if isinstance(claim, Count) and claim.id.startswith(("count.mnist", "count.basis"))
        for subject, value in claim.expected.items()
    ]


OLD_BUDGET = "sesn_scalar_56p"
"""Its record is of the time when sampling and truncation were all that a budget held."""


def budgets() -> list[Record]:
    """Error budgets of four published configurations and a wide one."""
    records = []
    for name, scales in SCALES.items():
        rng = random.Random(name)
        pairs = []
        for fine in range(len(scales) - 1):
            sampling, truncation = (10 ** rng.uniform(-4, -0.6) for _ in range(2))
            bound = (sampling**0.5 + truncation**0.5) ** 2
            total = rng.uniform(0.5, 0.95) * bound
            pairs.append(
                {
                    "fine": fine, "coarse": fine + 1, "ratio": scales[fine + 1] / scales[fine],
                    "total": total, "sampling": sampling, "truncation": truncation, "bound": bound,
                }
            )  # fmt: skip
        totals = [pair["total"] for pair in pairs]
        numbers: dict[str, Any] = {
            "x": list(range(len(pairs))),
            "y": [[spread * total for total in totals] for spread in (0.7, 1.0, 1.3)],
            "supports": [5, 7, 11, 15][: len(scales)],
            "ranks": [25, 45, 49, 49][: len(scales)],
            "pairs": pairs,
        }
        configuration: dict[str, Any] = {
            "scales": list(scales), "signals": {"widths": [2.0, 8.0], "bumps": 6},
        }  # fmt: skip
        if name != OLD_BUDGET:
            configuration["kernel_size"] = numbers["supports"][-1]
            _complete(numbers, scales, published=name != "wide_support")
        published = ("trend.budget.published",) if name.startswith("sesn_") else ()
        records.append(make("budget", name, numbers, claims=published, configuration=configuration))
    return records


def _complete(numbers: dict[str, Any], scales: Sequence[float], *, published: bool) -> None:
    """Adds what a budget holds today; a layer and supports for published configurations alone."""
    worst = max(pair["total"] for pair in numbers["pairs"])
    taps = numbers["taps"] = sum(side**2 for side in numbers["supports"])
    for number, pair in enumerate(numbers["pairs"]):
        pair.update(rank=0.0 if number else 0.3 * pair["total"], cut_off=4 * pair["truncation"])
    if not published:
        return
    own, last = numbers["supports"][-1], len(numbers["pairs"]) - 1
    numbers["layer"] = {
        "image_size": 28, "padding": own // 2, "scale_extent": 2,
        "pairs": [
            {
                "total": 0.2, "sampling": pair["sampling"], "truncation": pair["truncation"],
                "border": 0.3, "scale_axis": 0.4 if number == last else 0.0, "precision": 1e-13,
            }
            for number, pair in enumerate(numbers["pairs"])
        ],
        "bfloat16_precision": [1e-5] * (last + 1),
    }  # fmt: skip

    def choice(size: int, factor: float, error: float) -> dict[str, Any]:
        return {
            "kernel_size": size, "scales": [factor * scale for scale in scales], "mult": 1.5,
            "taps": 2 * taps, "finest_rank": 9, "error": error,
        }  # fmt: skip

    numbers["supports_tried"] = {
        "kernel_sizes": [own - 2, own, own + 2, own + 4],
        "errors": [0.5 * worst, worst, 3 * worst, 1e-3],
        "unlimited": 1e-3,
        "best": choice(own - 2, 1.0, 0.5 * worst),
        "recommendations": [
            {"wanted": 2e-3, "choices": [{"change": "support", **choice(own + 4, 1.0, 1e-3)}]},
            {
                "wanted": 1e-4,
                "choices": [
                    {"change": "wider", **choice(own + 6, 1.25, 9e-5)},
                    {"change": "milder", **choice(own + 6, 1.0, 8e-5)},
                ],
            },
        ],
    }


def raster() -> list[Record]:
    photographs = {"name": "photographs", "hash": "00"}
    return [
        make(
            "equivariance",
            f"lifting_raster_{name}",
            {
                "warps": [
                    {
                        "kind": kind, "sides": [side, side], "shift": [0, 0], "ratio": side / 128,
                        "error": error * 96 / side, "floor": 0.004 * 96 / side,
                        "bound": 1.5 * error * 96 / side, "ceiling": 90 / side,
                    }
                    for kind, sides in (
                        ("down", (64, 74, 84, 94, 104)), ("up", (150, 200)), ("translated", (80,)),
                        ("anisotropic", (100,)),
                    )
                    for side in sides
                ]
            },
            data=photographs,
        )
        for name, error in (("cut", 0.03), ("wide", 0.006))
    ]  # fmt: skip


def panels() -> list[Record]:
    """Each panel and its exact probe, three networks, on every grid."""
    points: dict[str, list[float]] = {
        "depth": [1, 5, 10, 50], "down_scaling": [2.0, 16.0, 26.0, 32.0],
        "inter_scale": [1, 2, 3, 4],
    }  # fmt: skip
    levels = {"y": 0.02, "floor": 0.002, "ceiling": 0.2, "probe": 0.015}
    found = []
    for grid, factor in (("stl10", 1.0), ("mnist", 0.8), ("wide", 0.6)):
        for name, x in points.items():
            extra = {"complete": 0.01} if name == "inter_scale" else {}
            curves = {
                curve: [
                    [factor * level * spread * (k + 1) for k in range(len(x))]
                    for spread in (0.8, 1.0, 1.3)
                ]
                for curve, level in {**levels, **extra}.items()
            }
            probe = {"x": x, "y": curves.pop("probe")}
            subject, claims = f"panel_{name}_{grid}", (f"trend.{name}", f"trend.{name}.{grid}")
            data = {"name": "photographs", "hash": "00"}
            numbers = {"x": x, **curves}
            found.append(make("equivariance", subject, numbers, claims=claims, data=data))
            found.append(make("equivariance", f"{subject}_probe", probe, data=data))
    return found


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
        "claims": claims_of_training(CLAIMS, model, augmentation, data),
        "configuration": {
            "model": model, "augmentation": augmentation, "data": data, **demands.recipe,
        },
        "protocol": protocol,
        "data": {"name": data, "hash": demands.hashes[realisation] if known else "none"},
        "seeds": {"realisation": realisation, "seed": 0},
        "command": f"python -m benchmarks train --model {model} --protocol {protocol}",
    }  # fmt: skip
    numbers = {"test_error": error, "by_scale": _by_scale(error), "steps": demands.steps}
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
        trained("sicnn_28", 2.4, 1, provenance=provenance(dirty=True, started=_day(3))),
        trained("ss_cnn_28", 2.3, outcome="failed", provenance=provenance(commit=None, dirty=None)),
        trained("ss_cnn_28", 2.3, 1, outcome="aborted"),
        trained("sesn_vector_28", float("nan"), 2, outcome="diverged"),
        trained("cnn_28", 2.2, 0, provenance=provenance(started=_day(9))),
    ]
    return [*full, *short, *smoke, *unhappy]


def timings() -> list[Record]:
    records = []
    for device in ("cpu", "NVIDIA H200"):
        for model, factor in (("cnn_28", 1.0), ("sesn_scalar_28", 6.0)):
            own = [factor * (0.1 + 0.001 * k) for k in range(6)]
            rivals = {"cnn_28": [0.1 + 0.0013 * k for k in range(6)]}
            if model != "cnn_28":
                rivals["textbook"] = [2 * time for time in own]
            quartiles = {"median": factor, "lower_quartile": factor - 0.1, "upper_quartile": 6.1}
            cost = ("cost.step.sesn_scalar_28",) if model != "cnn_28" else ()
            numbers = {
                "seconds": {**rivals, model: own}, "ratios": dict.fromkeys(rivals, quartiles),
                "throughput": 0.415, "peak_bytes": {model: 300, **dict.fromkeys(rivals, 1000)},
            }  # fmt: skip
            records.append(
                make(
                    "timing",
                    model,
                    numbers,
                    claims=cost,
                    configuration={"model": model, "work": "step", "batch": 128, "rounds": 6},
                    protocol="timing",
                    seeds={},
                    provenance=provenance(device=device, versions=VERSIONS | {"torch": "2.7"}),
                )
            )
    return records


def scalings() -> list[Record]:
    """A layer twice as fast as its textbook form at one end and eight times at the other."""
    curves = {"image": (7, 14, 28), "batch": (1, 8, 64)}
    return [
        make(
            "timing",
            f"scaling_{varied}",
            {
                "sizes": list(sizes),
                "ways": ["direct", "spectral", "spectral"],
                "seconds": {
                    "layer": [[0.2 * 2**i, 0.3 * 2**i] for i in range(3)],
                    "textbook": [[0.4 * 4**i, 0.6 * 4**i] for i in range(3)],
                    "plain": [[0.1 * 2**i, 0.1 * 2**i] for i in range(3)],
                },
                "exponents": {
                    form: {"value": value, "low": value - 0.1, "high": value + 0.1}
                    for form, value in (("layer", 0.5), ("textbook", 1.5), ("plain", 0.5))
                },
            },
            configuration={"varied": varied, "rounds": 2},
            protocol="timing",
            seeds={},
        )
        for varied, sizes in curves.items()
    ]


COMPARED = {
    # error as a share of chance, cost over the plain network's
    "cnn_28": (0.3, 1.0), "sicnn_28": (0.25, 15.0), "si_convnet_28": (0.1, 9.0),
    "dss_scalar_28": (0.2, 3.0), "sesn_scalar_28": (0.05, 12.0),
}  # fmt: skip
SPREADS = [0.9, 0.93, 0.96, 0.99, 1.01, 1.04, 1.07, 1.1]
FACTORS = {"scenes": [0.5, 2.0], "digits": [0.5, 2.0], "photographs": [0.5]}


def comparison() -> list[Record]:
    """The floor and five methods, of which one has no costs."""
    command = "python -m benchmarks compare --seed 0"
    data = {"name": "digits and photographs", "hash": "00"}
    found = []
    for name, (level, _) in {"comparison_floor": (1e-6, 0.0), **COMPARED}.items():
        rows = [("first_layer", images) for images in FACTORS]
        rows += [("trunk", "scenes")] if name in COMPARED else []
        rows += [("own_steps", "scenes")] if name not in ("comparison_floor", "cnn_28") else []
        numbers: dict[str, Any] = {"responses": [_response(*row, level) for row in rows]}
        claims: tuple[str, ...] = ()
        if name in COMPARED:
            shares = {"unchanged": [[0.6, 0.4]] * 8, "chance": [[0.2, 0.2]] * 8}
            numbers |= {"predictions": {"images": 32, "factors": [0.5, 2.0], **shares}}
            numbers["probe_share_of_chance"] = [level * spread for spread in SPREADS]
            best = "ranking.equivariance.sesn_scalar"
            claims = (f"{best}_over_cnn", f"{best}_best")
        configuration = {
            "model": name, "augmentation": False, "sizes": {"repetitions": 8, "scenes": 64},
        }  # fmt: skip
        found.append(
            make(
                "equivariance",
                name,
                numbers,
                claims=claims,
                configuration=configuration,
                data=data,
                command=command,
            )
        )
    return [*found, *_prices(command)]


def _response(part: str, images: str, level: float) -> dict[str, Any]:
    """Errors around a share of chance, chance being 0.8."""
    factors = FACTORS[images]
    error = [[0.8 * level * spread for _ in factors] for spread in SPREADS]
    chance = [[0.8 for _ in factors] for _ in SPREADS]
    return {
        "part": part, "images": images, "factors": factors, "error": error, "chance": chance,
    }  # fmt: skip


def _prices(command: str) -> list[Record]:
    found = []
    for name, (_, cost) in COMPARED.items():
        if name == "dss_scalar_28":
            continue
        own = [cost * (1 + 0.01 * k) for k in range(5)]
        seconds = {"cnn_28": [1.0] * 5, "si_convnet_28": [9.0] * 5, name: own}
        ratio = {"median": cost, "lower_quartile": 0.95 * cost, "upper_quartile": 1.1 * cost}
        peaks = {"cnn_28": [100, 101, 99], name: [int(200 * cost)] * 3}
        numbers = {
            "parameters": 494_549, "multiply_adds": 3.5e7 * cost, "peak_bytes": peaks,
            "seconds": seconds, "step_ratio": ratio, "forward_ratio": ratio,
        }  # fmt: skip
        claims = ("cost.step.sicnn_over_si_convnet",) if name == "sicnn_28" else ()
        configuration = {"model": name, "work": "comparison", "rounds": 5, "batch": 128}
        found.append(
            make(
                "timing",
                name,
                numbers,
                claims=claims,
                configuration=configuration,
                seeds={},
                protocol="timing",
                command=command,
            )
        )
    return found


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


def _pair(share: float) -> dict[str, list[list[float]]]:
    return {"error": [[share, share]] * 2, "chance": [[1.0, 1.0]] * 2}


def mutants() -> list[Record]:
    """Two broken layers, one of which is rejected without a word of its cause."""
    checks = ["response", "border", "determinism"]

    def broken(name: str, naming: Sequence[str], **rejected: Sequence[float | None]) -> Any:
        return {
            "name": name,
            "group": "filters",
            "story": f"How {name} | comes about.",
            "intact": "lifting",
            "checks": checks,
            "killed_by": {k: {"error": e, "threshold": t} for k, (e, t) in rejected.items()},
            "naming": naming,
            "names": "cause",
            "findings": ["its cause is told"] if naming else [],
        }

    numbers = {
        "value": 1,
        "killed": 2,
        "named": 1,
        "intact": {"lifting": {"checks": checks, "failed": []}},
        "mutants": [
            broken("flipped", ["response"], response=(2e-20, 1e-26), border=(3.0, 0.0)),
            broken("shapeless", [], response=(None, None)),
        ],
        "equivalent": [{"name": "harmless", "reason": "Nothing changes."}],
    }
    command = "python -m verification mutants"
    claims = ("count.checks.survivors",)
    return [make("mutation", "mutants", numbers, claims=claims, command=command, seeds={})]


def simulation() -> Record:
    """Rates of verdicts that grow with the effect and with the number of runs."""

    def rates(number: int, effect: float) -> dict[str, int]:
        yes = min(1000, int(300 * number * abs(effect)))
        return {"repetitions": 1000, "supported": yes, "refuted": 0, "inconclusive": 1000 - yes}

    spread = {"spread": 0.08, "published_spread": 0.08, "margin": 0.2}
    numbers: dict[str, Any] = {
        "cells": [
            {"runs": runs, **spread, "effect": effect, **rates(runs, 0.5 - effect)}
            for runs in (3, 6, 12)
            for effect in (0.0, 0.2, 0.5)
        ],
        "rankings": [
            {
                "pairs": pairs, "spread": 0.08, "effect": effect, "family": 2, "rivals": 1,
                "companion": effect, **rates(pairs, effect),
            }
            for pairs in (5, 6, 8, 12)
            for effect in (0.0, 0.2, 0.5)
        ],
    }  # fmt: skip
    configuration = {"repetitions": 1000, "level": 0.05}
    return make(
        "simulation",
        "verdict_rules",
        numbers,
        configuration=configuration,
        command="python -m verification simulate --repetitions 1000 --seed 0",
    )


def full_set() -> list[Record]:
    """Some records of every kind and outcome."""
    return [
        *theorems(),
        *counts(),
        *budgets(),
        *raster(),
        *panels(),
        *trainings(),
        *timings(),
        *scalings(),
        *comparison(),
        *networks(),
        *mutants(),
        simulation(),
    ]


def write_all(records: Sequence[Record], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for record in records:
        write_record(record, folder)
    return folder


def _day(number: int) -> str:
    return f"2025-01-{number:02d}T00:00:00Z"
