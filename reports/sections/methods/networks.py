"""Section on whole networks before and after training."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reports.readers import measurements
from reports.readers.material import Material
from reports.readers.measurements import finite
from reports.writing.markdown import table
from reports.writing.section import Section, section
from reports.writing.wording import NOTHING, known, plural
from verification.claims.records import Record

TITLE = "## Before and after training"
EXPLANATION = (
    "The same network as initialised and as trained on digits: errors of what "
    "reaches each pool, by the exact probe at factors of 0.5 to 2, and of the first layer along "
    "its own steps of scale, as shares of the error between unrelated responses (chance, 100 %); "
    "predictions that stay the same for digits rescaled by kornia, and errors of "
    "classification on these digits, unscaled and rescaled. Mean over trainings and factors."
)
NOT_MEASURED = "**Not run.** `python -m benchmarks networks` measures it in minutes."
STATES = ("untrained", "trained")
NOTABLE = 1.1
"""A change by a tenth is told as one."""


@dataclass(frozen=True)
class State:
    """Errors as shares of chance, by block and own step (None: no scale axis); shares in [0, 1]."""

    blocks: tuple[float, ...]
    own_steps: float | None
    unchanged: float
    unchanged_by_chance: float
    wrong: float
    wrong_rescaled: float


@dataclass(frozen=True)
class Network:
    """A network in both states."""

    record: Record
    trainings: int
    untrained: State
    trained: State


def write(material: Material) -> Section:
    """A table of all networks measured, and what it says."""
    found = measurements.read(material.latest("equivariance"), "states", _network)
    if not found:
        return section(TITLE, EXPLANATION, NOT_MEASURED)
    return section(TITLE, EXPLANATION, _findings(found), _table(material, found))


def _network(record: Record) -> Network:
    states = record.numbers["states"]
    untrained, trained = (_state(states[name]) for name in STATES)
    return Network(record, len(record.numbers["test_error"]), untrained, trained)


def _state(raw: Mapping[str, Any]) -> State:
    def mean(values: Sequence[Sequence[object]]) -> float:
        return statistics.fmean(finite(value) for row in values for value in row)

    def share(part: Mapping[str, Any]) -> float | None:
        pairs = [
            finite(error) / finite(chance)
            for rows in zip(part["error"], part["chance"], strict=True)
            for error, chance in zip(*rows, strict=True)
        ]
        return statistics.fmean(pairs) if pairs else None

    blocks = [share(part) for part in raw["blocks"]]
    if not blocks or None in blocks:
        raise ValueError("every block must have errors")
    return State(
        blocks=tuple(block for block in blocks if block is not None),
        own_steps=share(raw["own_steps"]),
        unchanged=mean(raw["unchanged"]),
        unchanged_by_chance=mean(raw["chance"]),
        wrong=statistics.fmean(finite(row[0]) for row in raw["wrong"]),
        wrong_rescaled=mean([row[1:] for row in raw["wrong"]]),
    )


def _findings(found: Sequence[Network]) -> str:
    """For each network, what training does to the error of its first and last block."""
    sentences = []
    for network in found:
        first = network.trained.blocks[0] / network.untrained.blocks[0]
        last = network.trained.blocks[-1] / network.untrained.blocks[-1]
        sentences.append(
            f"`{network.record.subject}`, {_epochs(network, STATES[-1])}: first layer "
            f"{_change(first)}, last block {_change(last)}"
        )
    return f"**Finding.** What training does to the error: {'; '.join(sentences)}."


def _epochs(network: Network, state: str) -> str:
    """How long a state was trained, as far as the record says it."""
    epochs = network.record.configuration.get("training", {}).get("epochs")
    return state if state != STATES[-1] or epochs is None else plural(epochs, "epoch")


def _change(ratio: float) -> str:
    if ratio > NOTABLE:
        return f"grows to {ratio:.2f} times"
    return f"falls to {ratio:.2f} times" if ratio < 1 / NOTABLE else f"stays ({ratio:.2f} times)"


def _table(material: Material, found: Sequence[Network]) -> str:
    rows = []
    for network in found:
        for name in STATES:
            state = getattr(network, name)
            blocks = [*map(_percent, state.blocks), *[NOTHING] * (3 - len(state.blocks))][:3]
            rows.append(
                [
                    f"`{network.record.subject}`, {_epochs(network, name)}",
                    *blocks,
                    _percent(state.own_steps),
                    f"{_percent(state.unchanged)} ({_percent(state.unchanged_by_chance)})",
                    f"{_percent(state.wrong)} ({_percent(state.wrong_rescaled)})",
                    material.cite(network.record),
                ]
            )
    header = (
        "Network | Δ, first layer, %: | Δ, second, %: | Δ, third, %: | Δ, own steps, %: "
        "| Unchanged (by chance), %: | Wrong (rescaled), %: | Evidence"
    )
    return table(header, rows)


def _percent(share: float | None) -> str:
    return known(share, lambda share: f"{100 * share:.3g}")
