"""Invented times, and methods side by side."""

from __future__ import annotations

from typing import Any

from reports.tests.synthetic.records import VERSIONS, make, provenance
from verification.claims.records import Record


def timings() -> list[Record]:
    records = []
    for device in ("cpu", "NVIDIA H200"):
        for model, factor in (("cnn_28", 1.0), ("sesn_scalar_28", 6.0)):
            own = [factor * (0.1 + 0.001 * k) for k in range(6)]
            rivals = {"cnn_28": [0.1 + 0.0013 * k for k in range(6)]}
            if model != "cnn_28":
                rivals["textbook"] = [2 * time for time in own]
            quartiles = {"median": factor, "lower_quartile": factor - 0.1, "upper_quartile": 6.1}
            numbers = {
                "seconds": {**rivals, model: own}, "ratios": dict.fromkeys(rivals, quartiles),
                "throughput": 0.415, "peak_bytes": {model: 300, **dict.fromkeys(rivals, 1000)},
            }  # fmt: skip
            records.append(
                make(
                    "timing",
                    model,
                    numbers,
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


def choices() -> Record:
    """Two correlations: the faster algorithm chosen for the first, the slower for the second."""
    seconds = {"direct": {"forward": 0.1, "step": 0.2}, "spectral": {"forward": 0.3, "step": 0.5}}
    points = [
        {"sizes": [128, 32, 63, 7, 14, 1], "chosen": "direct", "seconds": seconds},
        {"sizes": [16, 3, 16, 15, 64, 2], "chosen": "spectral", "seconds": seconds},
    ]
    numbers = {
        "points": points,
        "forward": {"right": 0.5, "worst": 3.0}, "step": {"right": 0.5, "worst": 2.5},
    }  # fmt: skip
    return make("timing", "choices", numbers, protocol="timing", seeds={})


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
        if name in COMPARED:
            shares = {"unchanged": [[0.6, 0.4]] * 8, "chance": [[0.2, 0.2]] * 8}
            numbers |= {"predictions": {"images": 32, "factors": [0.5, 2.0], **shares}}
            numbers["probe_share_of_chance"] = [level * spread for spread in SPREADS]
        configuration = {
            "model": name, "augmentation": False, "sizes": {"repetitions": 8, "scenes": 64},
        }  # fmt: skip
        found.append(
            make(
                "equivariance",
                name,
                numbers,
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
        configuration = {"model": name, "work": "comparison", "rounds": 5, "batch": 128}
        found.append(
            make(
                "timing",
                name,
                numbers,
                configuration=configuration,
                seeds={},
                protocol="timing",
                command=command,
            )
        )
    return found
