"""Campaigns of runs that take a fraction of a second each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchmarks.campaign.plan import Task
from benchmarks.training.train import configuration_of
from verification.claims.protocols import load_protocols
from verification.claims.records import Provenance, Record

TASK = Task("28", "cnn_28", False, "digits", "smoke", 0, 0)


def make_provenance(**changes: Any) -> Provenance:
    return replace(
        Provenance(
            commit="0" * 40, dirty=False, versions={}, device="cpu", threads=1,
            started="2026-01-01T00:00:00Z", wall_seconds=1.0,
        ),
        **changes,
    )  # fmt: skip


def make_record(task: Task = TASK, **changes: Any) -> Record:
    """The record that a run of the task would leave, with invented numbers."""
    demands = load_protocols()[task.protocol, task.data]
    configuration = configuration_of(task.model, task.augmentation, task.data, task.protocol)
    session = {"commit": "0" * 40, "dirty": False, "first_step": 0, "seconds": 2.0 * demands.steps}
    curves = ("train_loss", "train_error", "validation_error")
    numbers = {
        "test_error": 3.0, "validation_error": 4.0, "best_epoch": 1, "weights": task.name,
        "curves": dict.fromkeys(curves, [4.0] * demands.epochs), "steps": demands.steps,
        "sessions": [session],
    }  # fmt: skip
    values: dict[str, Any] = {
        "kind": "training",
        "subject": task.model,
        "claims": (),
        "numbers": numbers,
        "configuration": configuration,
        "protocol": task.protocol,
        "data": {"name": task.data, "hash": demands.hashes[task.realisation]},
        "seeds": {"realisation": task.realisation, "seed": task.seed},
        "command": "python -m benchmarks train",
        "outcome": "finished",
        "provenance": make_provenance(),
    }
    return Record(**values | changes)


@pytest.fixture
def task() -> Task:
    return TASK
