"""Invented theorems, counts, error budgets, warped photographs, panels and broken layers."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from reports.tests.synthetic.records import CLAIMS, make
from verification.claims.claim import Claim, Count, Theorem
from verification.claims.records import Record

SCALES = {
    "sesn_scalar_28": (1.7, 2.45, 3.54, 5.1),
    "sesn_scalar_56p": (1.0, 1.73, 3.0),
    "sesn_vector_28": (1.5, 2.6, 4.5),
    "stl10_sesn_a": (0.9, 1.27, 1.79),
    "wide_support": (3.0, 3.78, 4.76),
}


def theorems(claims: Sequence[Claim] = CLAIMS) -> list[Record]:
    """All theorems but the last one."""
    return [
        make(
            "theorem",
            claim.id.removeprefix("theorem."),
            {"cases": 100, "worst_error": 0.3 * claim.bound, "bound": claim.bound},
        )
        for claim in claims
        if isinstance(claim, Theorem)
    ][:-1]


def counts(claims: Sequence[Claim] = CLAIMS) -> list[Record]:
    return [
        make("count", subject, {"value": value}, seeds={})
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
        records.append(make("budget", name, numbers, configuration=configuration))
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
            subject = f"panel_{name}_{grid}"
            data = {"name": "photographs", "hash": "00"}
            numbers = {"x": x, **curves}
            found.append(make("equivariance", subject, numbers, data=data))
            found.append(make("equivariance", f"{subject}_probe", probe, data=data))
    return found


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
    return [make("mutation", "mutants", numbers, command=command, seeds={})]


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


def gallery() -> Record:
    """Two layers, one of which is judged wrongly once, and the power of two checks."""

    def verdict(answer: str, error: float | None = 1e-3, cause: str = "") -> dict[str, Any]:
        return {
            "answer": answer, "error": error, "ignoring": 0.1, "seconds": 0.5, "cause": cause,
            "failed": [], "missing": "",
        }  # fmt: skip

    def row(name: str, holds: bool, *verdicts: dict[str, Any]) -> dict[str, Any]:
        return {
            "name": name, "source": "torch", "truth": "", "holds": holds, "derivation": "built so",
            "probe": [0.1, 0.001], "agrees": True, "given": {}, "verdicts": list(verdicts),
        }  # fmt: skip

    def mistake(name: str, found: dict[str, Any], named: bool) -> dict[str, Any]:
        causes = [name]
        found = found | {"named": named, "causes": causes if named else []}
        return {"name": name, "story": f"A {name}.", "causes": causes, "verdicts": [found]}

    curves = [
        {"kind": kind, "width": width, "least": {"scaled_copies": 0.1 / width, "supports": None}}
        for kind in ("ratio", "shift")
        for width in (1.0, 2.0)
    ]
    numbers: dict[str, Any] = {
        "layers": 2, "not_equivariant": 1, "verdicts": 4, "wrong_pass": 1, "wrong_fail": 0,
        "undecided": 1, "undecided_beyond_a_fifth": 1, "unconfirmed": 0, "random_failed": 0,
        "unnamed": 1,
        "rows": [
            row("blur", True, verdict("PASSED"), verdict("UNDECIDED", None)),
            row("copies", False, verdict("FAILED", 0.2, "one | kernel"), verdict("PASSED")),
        ],
        "mistakes": [
            mistake("ratio", verdict("FAILED", cause="ratio: off"), named=True),
            mistake("shift", verdict("PASSED"), named=False),
        ],
        "absent": [{"name": "scattering", "package": "far", "why": "no module named far"}],
        "random": {"layers": 3, "answers": {"PASSED": 2, "UNDECIDED": 1}, "failed": []},
        "power": {"kinds": {"ratio": "too large", "shift": "in pixels"}, "curves": curves},
    }  # fmt: skip
    command = "python -m benchmarks gallery --seeds 2 --random 3"
    return make(
        "gallery", "gallery", numbers, command=command, seeds={"first": 0, "count": 2},
        configuration={"scope": "full"},
    )  # fmt: skip
