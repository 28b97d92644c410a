"""The recipes are the published ones, and the lighter protocols follow from them."""

from __future__ import annotations

import json

import pytest

from benchmarks.training.recipes import MNIST_SCALE, PROTOCOLS, STL10, OneCycle, Recipe, recipe_for


@pytest.mark.parametrize(
    ("epoch", "rate"),
    [(0, 1e-2), (19.99, 1e-2), (20, 1e-3), (39.99, 1e-3), (40, 1e-4), (59.99, 1e-4)],
)
def test_published_schedule_of_mnist_scale(epoch: float, rate: float) -> None:
    assert MNIST_SCALE.rate(epoch) == pytest.approx(rate)


@pytest.mark.parametrize(
    ("epoch", "rate"),
    [(0, 0.1), (299.9, 0.1), (300, 0.02), (400, 0.004), (600, 8e-4), (800, 1.6e-4), (999, 1.6e-4)],
)
def test_published_schedule_of_stl10(epoch: float, rate: float) -> None:
    assert STL10.rate(epoch) == pytest.approx(rate)


def test_published_settings() -> None:
    assert (MNIST_SCALE.epochs, MNIST_SCALE.batch, MNIST_SCALE.selection) == (
        60,
        128,
        "best_validation",
    )
    assert MNIST_SCALE.description()["optimiser"] == {"name": "adam", "rate": 0.01}
    assert (STL10.epochs, STL10.batch, STL10.selection) == (1000, 128, "last")
    assert STL10.description()["optimiser"] == {
        "name": "sgd",
        "rate": 0.1,
        "momentum": 0.9,
        "weight_decay": 5e-4,
    }


def test_one_cycle_rises_to_the_full_rate_and_falls_to_zero() -> None:
    cycle, epochs = OneCycle(rise=0.3), 10
    values = [cycle.multiplier(epoch / 100, epochs) for epoch in range(100 * epochs)]
    peak = values.index(max(values))
    assert values[0] == 0
    assert (peak, values[peak]) == (300, 1)
    assert values[: peak + 1] == sorted(values[: peak + 1])
    assert values[peak:] == sorted(values[peak:], reverse=True)
    assert values[-1] == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    ("data_name", "short_epochs", "smoke_epochs"),
    [("mnist_scale", 5, 2), ("digits", 10, 8), ("stl10", 83, 2)],
)
def test_lighter_protocols_differ_in_epochs_and_schedule_only(
    data_name: str, short_epochs: int, smoke_epochs: int
) -> None:
    paper = recipe_for("paper", data_name)
    for protocol, epochs in (("short", short_epochs), ("smoke", smoke_epochs)):
        lighter = recipe_for(protocol, data_name)
        assert (lighter.epochs, lighter.schedule) == (epochs, OneCycle())
        same = paper.description() | {"epochs": epochs, "schedule": OneCycle().__dict__}
        assert lighter.description() == same


@pytest.mark.parametrize(
    "recipe", [recipe_for(p, d) for p in PROTOCOLS for d in ("digits", "stl10")]
)
def test_description_holds_json_values(recipe: Recipe) -> None:
    assert json.loads(json.dumps(recipe.description()))["epochs"] == recipe.epochs


@pytest.mark.parametrize(
    ("protocol", "data_name", "message"),
    [
        ("long", "digits", "protocol='long': must be one of paper, short, smoke"),
        ("paper", "cifar", "data_name='cifar': must be one of mnist_scale, digits, stl10"),
    ],
)
def test_unknown_names(protocol: str, data_name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        recipe_for(protocol, data_name)
