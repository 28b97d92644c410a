"""From a network to the figures of its two states."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.comparison.errors import Window, probe_answers
from benchmarks.comparison.responses import block_response, first_response, seeded_model
from benchmarks.comparison.settings import FACTORS, Settings
from benchmarks.networks import command, measure, states
from benchmarks.networks.states import WINDOWS
from benchmarks.training.recipes import recipe_for
from verification.claims.records import Record, read_records

TINY = Settings(repetitions=2, scenes=4, trunk_scenes=3, digits=8, calibration=8)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    """The plain network, trained for a single epoch twice."""
    evidence = tmp_path_factory.mktemp("evidence")
    recipe = dataclasses.replace(recipe_for("smoke", "digits"), epochs=1)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(states, "recipe_for", lambda *_: recipe)
        made = measure(3, evidence, ("cnn_28",), TINY)
    torch.set_num_threads(threads)
    assert {record.digest for record in read_records(evidence)} == {r.digest for r in made}
    return made


def test_both_states_are_measured_on_every_block_and_factor(records: list[Record]) -> None:
    (record,) = records
    assert record.command.startswith("python -m benchmarks networks --seed 3 --trainings 2")
    for state in record.numbers["states"].values():
        assert len(state["blocks"]) == 3
        for block in state["blocks"]:
            assert np.shape(block["error"]) == np.shape(block["chance"]) == (2, len(FACTORS))
        assert np.shape(state["unchanged"]) == (2, len(FACTORS))
        assert np.shape(state["wrong"]) == (2, 1 + len(FACTORS))  # the unscaled ones come first
        assert state["own_steps"] == {"error": [[], []], "chance": [[], []]}


def test_the_error_before_and_after_is_a_curve_over_epochs(records: list[Record]) -> None:
    numbers = records[0].numbers
    assert numbers["x"] == [0, 1]
    for row, state in enumerate(numbers["states"].values()):
        means = np.mean(state["blocks"][-1]["error"], axis=1)
        assert [curve[row] for curve in numbers["y"]] == pytest.approx(means)


def test_the_protocol_of_the_trainings_is_that_of_the_records(records: list[Record]) -> None:
    assert records[0].protocol == "smoke"
    command = states.command_of(0, TINY, ("cnn_28",), "paper")
    assert command.endswith("--models cnn_28 --protocol paper")
    with pytest.raises(ValueError, match="protocol='long': must be one of"):
        measure(0, None, ("cnn_28",), TINY, "long")


def test_training_changes_the_figures_and_repetitions_differ(records: list[Record]) -> None:
    untrained, trained = records[0].numbers["states"].values()
    assert untrained != trained
    first, second = trained["blocks"][0]["error"]
    assert first != second
    # Nine steps teach something: fewer mistakes on the images as they are.
    assert np.mean(trained["wrong"], axis=0)[0] < np.mean(untrained["wrong"], axis=0)[0]


def test_the_table_has_a_row_for_each_state(records: list[Record]) -> None:
    lines = command.summary(records).splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [
        ["cnn_28", "untrained"], ["cnn_28", "trained"],
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["wrn_16_8", "nothing"])
def test_other_networks_are_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"models='{name}': must be networks for images of 28×28"):
        measure(0, None, (name,), TINY)


def test_biases_stay_in_blocks_and_go_in_responses() -> None:
    model = seeded_model("cnn_28", 0)
    x = torch.zeros(1, 1, 28, 28)
    with torch.no_grad():
        assert float(first_response(model)(x).abs().max()) == 0
        assert float(block_response(model, 0)(x).abs().max()) > 0


class Ramp:
    """An image whose value is the row it is sampled at."""

    def rescaled(self, factor: float) -> Ramp:
        return self

    def sample(self, side: int, point: tuple[float, float]) -> Tensor:
        rows = point[0] + torch.arange(side) - side // 2
        return rows[None, :, None].expand(1, side, side)


@pytest.mark.parametrize("size", WINDOWS)
@pytest.mark.parametrize("block", range(3))
def test_windows_look_at_the_point(block: int, size: int) -> None:
    window: Window = WINDOWS[size][block]
    pool: torch.nn.Module = torch.nn.AvgPool2d(2**block)
    if size == 56:
        pool = torch.nn.Sequential(torch.nn.Upsample(scale_factor=2, mode="bilinear"), pool)
    seen = probe_answers(pool, Ramp(), (0.3, -0.7), 1.0, window)  # type: ignore[arg-type]
    assert seen[0, 0] == pytest.approx(0.3, abs=1e-5)


def test_a_training_that_diverges_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    recipe = recipe_for("smoke", "digits")
    steep = dataclasses.replace(
        recipe, epochs=1, optimiser=dataclasses.replace(recipe.optimiser, rate=1e30)
    )
    monkeypatch.setattr(states, "recipe_for", lambda *_: steep)
    with pytest.raises(RuntimeError, match="diverged"):
        measure(0, tmp_path, ("cnn_28",), dataclasses.replace(TINY, repetitions=1))
    (record,) = read_records(tmp_path)
    assert record.outcome == "failed"
