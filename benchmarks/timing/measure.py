"""Times models beside the plain CNN and the textbook form; makes records of it."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from benchmarks.session import Session
from benchmarks.timing import MATRIX, MATRIX_SIDE, MODELS, TEXTBOOK, references
from benchmarks.timing.memory import peak_memory
from benchmarks.timing.rounds import (
    CPU,
    TORCH,
    WORKS,
    Timed,
    interleaved,
    matrix_product,
    ratio_of,
)
from benchmarks.training.devices import device_name
from sesn_impl import list_models
from sesn_impl.arguments import check_at_least
from verification.claims.records import Record

AGREEMENT = 1e-5  # of the largest logit: both forms sum the same products in another order
OWN = ""


def measure(
    *,
    rounds: int,
    batch: int,
    device: torch.device,
    evidence: Path | None = None,
    models: Sequence[str] = MODELS,
    memory: bool = False,
) -> list[Record]:
    """Time models; return (and write to `evidence`) a record per model and kind of work.

    rounds: timed rounds, at least 1; batch: images per batch, at least 2; memory: whether to
    measure the peak of a training step as well, on a CPU.

    A record's numbers: `seconds`: for the model, the plain CNN, the textbook form and a matrix
    product the time of each round; `ratios`: the time of the model over that of the plain CNN and
    of the textbook form, paired by rounds, as median and quartiles; `multiply_adds` of one call and
    `throughput`, the share of the matrix product's products per second that it reaches;
    `peak_bytes` of a step of each, where measured.

    Raises ValueError for a number or model out of range, or if a model differs from its textbook
    form.
    """
    check_at_least(1, rounds=rounds)
    models = list(dict.fromkeys(models))
    if batch < 2:
        raise ValueError(f"batch={batch!r}: must be at least 2, for batch normalisation")
    for model in models:
        if not model.startswith(("cnn_", "sesn_")) or model not in list_models():
            raise ValueError(f"models={model!r}: must be plain or SESN networks of MNIST-scale")
    command = f"python -m benchmarks time --rounds {rounds} --batch {batch} --device {device}"
    command += f" --models {' '.join(models)}" if tuple(models) != MODELS else ""
    command += " --memory" if memory else ""
    session, parts = Session(command, evidence), [(m, w) for m in models for w in WORKS]
    # disable=None: no bar where standard error is not a terminal.
    with ExitStack() as stack, tqdm(total=len(parts), desc="timing", disable=None) as progress:
        measurements = {
            (model, work): stack.enter_context(
                session.measuring(
                    "timing",
                    model,
                    {"model": model, "work": work, "batch": batch, "rounds": rounds},
                    protocol="timing",
                    device=device_name(device),
                )
            )
            for model, work in reversed(parts)  # they end in the opposite order
        }
        for model in models:
            networks = beside(model, batch, device)
            for work in WORKS:
                numbers = _numbers(model, work, networks, rounds)
                measurements[model, work].numbers.update(numbers)
                progress.update()
        if memory and device.type == "cpu":
            peaks = cache(lambda name, textbook: peak_memory(name, batch, textbook=textbook))
            for model in models:
                _add_peaks(model, measurements[model, "step"].numbers, peaks)
    return session.records


def beside(model: str, batch: int, device: torch.device = CPU) -> dict[str, Timed]:
    """What a model is timed beside, by name, and last itself as `OWN`.

    That are plain networks by torch's own layers and, except of a plain one, its textbook form.
    Raises ValueError if the model's logits are not those of that form.
    """
    networks = {name: Timed(name, batch, TORCH, device) for name in references(model)}
    if not model.startswith("cnn"):
        networks[TEXTBOOK] = Timed(model, batch, TEXTBOOK, device)
    networks[OWN] = Timed(model, batch, device=device)
    if TEXTBOOK in networks:
        check_same_logits(networks[OWN], networks[TEXTBOOK])
    return networks


def check_same_logits(one: Timed, other: Timed) -> None:
    """Raises ValueError unless two networks' logits on the batch differ by rounding only."""
    actual, expected = one.forward(), other.forward()
    error = float((actual - expected).abs().max() / expected.abs().max())
    if not error <= AGREEMENT:
        raise ValueError(f"logits differ from those of the textbook form by {error:.2g} of them")


def _numbers(model: str, work: str, networks: Mapping[str, Timed], rounds: int) -> dict[str, Any]:
    """Of one kind of work of one model: what a record of it says, but the memory."""
    works = {name: network.work(work) for name, network in networks.items()}
    works = {MATRIX: matrix_product(networks[OWN].images.device), **works}
    seconds = interleaved(works, rounds)
    own = seconds.pop(OWN)
    products = networks[OWN].multiply_adds(work)
    return {
        # The plain CNN beside itself shows the noise; its times go by the name of the model.
        "seconds": {**seconds, model: own},
        "ratios": {name: ratio_of(own, times) for name, times in seconds.items() if name != MATRIX},
        "multiply_adds": products,
        "throughput": _throughput(products, own, seconds[MATRIX]),
    }


def _throughput(products: int, own: Sequence[float], matrix: Sequence[float]) -> float:
    """Products per second over those of the matrix product: median over rounds."""
    shares = [(products / a) / (MATRIX_SIDE**3 / b) for a, b in zip(own, matrix, strict=True)]
    return statistics.median(shares)


def _add_peaks(
    model: str, numbers: dict[str, Any], peaks: Callable[[str, bool], list[int] | None]
) -> None:
    """Adds the bytes of one step of a network, in each form that was timed, to its numbers."""
    forms = {
        name: peaks(model if name == TEXTBOOK else name, name == TEXTBOOK)
        for name in (model, *numbers["ratios"])
    }
    if all(forms.values()):
        numbers["peak_bytes"] = {
            name: round(statistics.median(peak)) for name, peak in forms.items() if peak
        }


def summary(records: Sequence[Record]) -> str:
    """Return a table of the records: milliseconds, and ratios as median [lower, upper quartile]."""
    lines = [f"{'model':16}{'work':9}{'ms':>8}  ratios"]
    for record in records:
        model, ratios = record.subject, record.numbers["ratios"]
        milliseconds = 1000 * statistics.median(record.numbers["seconds"][model])
        parts = [
            f"{ratio['median']:.2f} [{ratio['lower_quartile']:.2f}, {ratio['upper_quartile']:.2f}]"
            f" × {rival}"
            for rival, ratio in ratios.items()
        ]
        work = record.configuration["work"]
        lines.append(f"{model:16}{work:9}{milliseconds:8.1f}  {', '.join(parts)}")
    return "\n".join(lines)
