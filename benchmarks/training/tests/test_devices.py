"""What a process is found to compute with, and what surrounds a training."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from benchmarks.training import devices
from benchmarks.training.devices import computing_on, prepare

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _precision() -> Iterator[None]:
    yield
    torch.set_float32_matmul_precision("highest")


def test_a_cpu_says_what_its_caller_has_set() -> None:
    assert prepare(CPU) == {"float32": "ieee"}
    torch.set_float32_matmul_precision("medium")
    assert prepare(CPU) == {"float32": "bf16"}
    torch.set_float32_matmul_precision("highest")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert prepare(CPU) == {"float32": "bf16"}
    assert prepare(CPU) == {"float32": "ieee"}


def test_a_training_has_its_device_as_the_current_one(monkeypatch: pytest.MonkeyPatch) -> None:
    entered: list[torch.device] = []

    class Current:
        def __init__(self, device: torch.device) -> None:
            self.device = device

        def __enter__(self) -> None:
            entered.append(self.device)

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(torch.cuda, "device", Current)
    monkeypatch.setattr(torch.random, "fork_rng", lambda devices: Current(devices[0]))
    monkeypatch.setattr(devices, "prepare", lambda _: {"float32": "ieee"})
    second = torch.device("cuda:1")
    with computing_on(second) as arithmetic:
        assert arithmetic == {"float32": "ieee"}
    assert entered == [second, second]


def test_random_states_are_left_as_they_were() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    with computing_on(CPU):
        torch.rand(2)
    assert torch.equal(torch.get_rng_state(), before)
