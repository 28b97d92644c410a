"""Costs are those of the named network, beside the plain one, and records say so."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import torch

from benchmarks.comparison import QUICK, REFERENCE, command, costs
from benchmarks.comparison.costs import measure_costs, time_rounds
from benchmarks.comparison.session import Session, command_of
from benchmarks.timing import memory, rounds
from benchmarks.timing.rounds import Timed
from sesn_impl import create_model
from verification.claims.reading import load_claims
from verification.claims.records import Record, read_records

SETTINGS = replace(QUICK, batch=2, rounds=2, repetitions=1)
NAMES = ("cnn_28", "si_convnet_28", "sicnn_28")
PEAKS = {"cnn_28": 1000, "si_convnet_28": 4000, "sicnn_28": 8000}


def convolution(in_channels: int, out_channels: int, side: int, kernel_size: int = 7) -> int:
    """Multiply-adds of a convolution with same padding."""
    return in_channels * out_channels * side**2 * kernel_size**2


def test_multiply_adds_of_the_plain_network_by_hand() -> None:
    layers = convolution(1, 32, 28) + convolution(32, 63, 14) + convolution(63, 95, 7)
    assert Timed("cnn_28", 2).multiply_adds() / 2 == layers + 380 * 256 + 256 * 10


@pytest.mark.parametrize("name", ["dss_vector_28", "sesn_vector_28"])
def test_multiply_adds_of_an_image_fall_with_the_batch(name: str) -> None:
    """What is done once for a batch is shared by its images; SESN's layers choose cheaper ways."""
    two, eight = (Timed(name, batch).multiply_adds() / batch for batch in (2, 8))
    assert eight <= two
    assert two > Timed(REFERENCE, 2).multiply_adds() / 2


def test_a_step_trains_and_a_forward_pass_does_not() -> None:
    timed = Timed("cnn_28", 4)
    name = "features.0.weight"
    weights = timed.model.get_parameter(name)
    before = weights.detach().clone()
    assert timed.forward().shape == (4, 10)
    assert not timed.model.training
    assert torch.equal(weights, before)
    timed.step()
    assert timed.model.training
    assert not torch.equal(weights, before)


def test_networks_are_the_same_every_time_and_leave_no_trace() -> None:
    state = torch.get_rng_state()
    first, second = (Timed("cnn_28", 2).forward() for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), state)


def test_rounds_pair_every_network_with_the_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that counts calls shows the order: reference before method, step before forward."""
    ticks = count()
    monkeypatch.setattr(rounds, "time_of", lambda work: (next(ticks), work())[0])
    timed = {name: Timed(name, 2) for name in ("cnn_28", "dss_scalar_28")}
    done: list[None] = []
    times = time_rounds(timed, Timed(REFERENCE, 2), 2, lambda: done.append(None))
    for name, first in (("cnn_28", 8), ("dss_scalar_28", 12)):  # behind 8 of a round of warming up
        order = [("beside", "step"), ("own", "step"), ("beside", "forward"), ("own", "forward")]
        for place, key in enumerate(order, start=first):
            assert times[name, *key] == [place, place + 8]
    assert len(done) == 6


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Peak memory without processes; whom it was asked for."""
    asked: list[str] = []

    def peak(name: str, batch: int) -> list[int]:
        assert batch == SETTINGS.batch
        asked.append(name)
        return [PEAKS[name], PEAKS[name] + 1]

    monkeypatch.setattr(costs, "peak_memory", peak)
    return asked


def measured(names: Sequence[str], evidence: Path | None = None) -> list[Record]:
    calls: list[None] = []
    session = Session(command_of(0, SETTINGS), 0, SETTINGS, evidence)
    records = measure_costs(session, names, lambda: calls.append(None))
    assert len(calls) == len(names) * (2 + SETTINGS.rounds)
    return records


def test_records(told: list[str], tmp_path: Path) -> None:
    records = measured(NAMES, tmp_path)
    assert {record.digest for record in read_records(tmp_path)} == {r.digest for r in records}
    assert told == list(NAMES)
    for record, name in zip(records, NAMES, strict=True):
        numbers = record.numbers
        assert (record.kind, record.subject, record.protocol) == ("timing", name, "timing")
        assert record.configuration == {
            "model": name, "work": "comparison", "rounds": 2, "batch": 2,
        }  # fmt: skip
        assert record.command == "python -m benchmarks compare --seed 0 --rounds 2 --batch 2"
        assert numbers["parameters"] == sum(p.numel() for p in create_model(name).parameters())
        assert set(numbers["peak_bytes"]) == {REFERENCE, name}
        assert len(numbers["peak_bytes"][name]) == 2
        for work, seconds in (("step", "seconds"), ("forward", "forward_seconds")):
            assert all(len(times) == 2 for times in numbers[seconds].values())
            if name != REFERENCE:
                own, plain = numbers[seconds][name], numbers[seconds][REFERENCE]
                ratios = sorted(a / b for a, b in zip(own, plain, strict=True))
                median = numbers[f"{work}_ratio"]["median"]
                assert ratios[0] <= median <= ratios[1]


@pytest.mark.usefixtures("told")
def test_claims_select_records_with_both_sides() -> None:
    plain, si_convnet, sicnn = measured(NAMES)
    assert selected_by(plain) == set()
    assert selected_by(si_convnet) == {"cost.step.si_convnet_28"}
    assert selected_by(sicnn) == {"cost.step.sicnn_28", "cost.step.sicnn_over_si_convnet"}
    assert set(sicnn.numbers["seconds"]) == {"cnn_28", "si_convnet_28", "sicnn_28"}
    (alone,) = measured(["sicnn_28"])
    assert selected_by(alone) == {"cost.step.sicnn_28"}


def selected_by(record: Record) -> set[str]:
    return {claim.id for claim in load_claims() if claim.selects(record)}


def test_without_the_plain_network_its_memory_is_still_measured(told: list[str]) -> None:
    (record,) = measured(["sicnn_28"])
    assert told == ["cnn_28", "sicnn_28"]
    assert record.numbers["peak_bytes"] == {"cnn_28": [1000, 1001], "sicnn_28": [8000, 8001]}


def test_memory_that_cannot_be_told_is_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs, "peak_memory", lambda *_: None)
    (record,) = measured(["cnn_28"])
    assert record.numbers["peak_bytes"] == {"cnn_28": None}
    assert command.summary([record]).splitlines()[1].split()[-1] == command.NOTHING


@pytest.fixture
def memory_is_told() -> None:
    """Skips where the system does not tell the peak memory of a process."""
    if not (memory.PROCESS / "clear_refs").exists():
        pytest.skip("this system does not tell the peak memory of a process")


@pytest.mark.usefixtures("memory_is_told")
def test_peak_memory_is_between_what_must_be_kept_and_many_times_that() -> None:
    """Kept for the gradients are, of every image, what the three blocks and their pools read."""
    peaks = memory.peak_memory("cnn_28", 32)
    assert peaks is not None
    assert len(peaks) == memory.STEPS
    kept = 32 * 4 * (32 * 28**2 + 32 * 14**2 + 63 * 14**2 + 63 * 7**2 + 95 * 7**2)  # bytes
    assert kept < min(peaks) <= max(peaks) < 32 * kept


@pytest.mark.usefixtures("memory_is_told")
def test_peak_memory_says_that_its_process_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "false")
    with pytest.raises(RuntimeError, match="peak memory of cnn_28: 1"):
        memory.peak_memory("cnn_28", 2)


@pytest.mark.parametrize(
    ("name", "batch", "message"),
    [
        ("cnn_28", 1, "batch=1: must be at least 2"),
        ("cnn_29", 2, "name='cnn_29': unknown model; known are cnn_28"),
    ],
)
def test_peak_memory_names_mistakes(name: str, batch: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        memory.peak_memory(name, batch)
