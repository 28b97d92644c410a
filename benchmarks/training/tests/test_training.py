"""A run is seeded end to end, selects by validation, and ends in one truthful record."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from benchmarks.conftest import EPOCHS, STEPS, give_recipe, make_tiny
from benchmarks.data import DataSet, Split
from benchmarks.training import recipes
from benchmarks.training.evaluation import errors_by_scale
from benchmarks.training.run import Run, steps_per_epoch
from benchmarks.training.train import train
from verification.claims.records import Record


def test_record(tiny: DataSet) -> None:
    record = train("cnn_28", tiny, "paper", augmentation=True, seed=3)
    numbers, curves = record.numbers, record.numbers["curves"]
    assert (record.kind, record.subject, record.protocol) == ("training", "cnn_28", "paper")
    assert record.outcome == "finished"
    assert record.data == tiny.identity
    assert record.seeds == {"realisation": 0, "seed": 3}
    assert record.command == (
        "python -m benchmarks train --model cnn_28 --data tiny --protocol paper --augmentation"
        " --realisation 0 --seed 3 --device cpu"
    )
    configuration = record.configuration
    assert (configuration["model"], configuration["augmentation"]) == ("cnn_28", True)
    assert (configuration["epochs"], configuration["schedule"]["at"]) == (3, [1, 2])
    assert [len(curves[name]) for name in sorted(curves)] == [EPOCHS] * 3
    assert numbers["validation_error"] == min(curves["validation_error"])
    assert numbers["best_epoch"] == 1 + curves["validation_error"].index(
        numbers["validation_error"]
    )
    assert numbers["parameters"] == 784 * 16 + 16 + 2 * 16 + 16 * 10 + 10
    assert numbers["steps"] == EPOCHS * STEPS
    assert sum(row["images"] for row in numbers["by_scale"]) == len(tiny.test)
    errors = sum(row["errors"] for row in numbers["by_scale"])
    assert numbers["test_error"] == pytest.approx(100 * errors / len(tiny.test))


def weights(record: Record) -> str:
    return str(record.numbers["weights"])


def test_same_seeds_same_weights_and_no_trace_outside(tiny_data: DataSet) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = train("cnn_28", tiny_data, "smoke", augmentation=True)
    assert torch.equal(torch.get_rng_state(), before)
    assert first.numbers["parameters"] == 494_549
    torch.manual_seed(2)
    assert weights(train("cnn_28", tiny_data, "smoke", augmentation=True)) == weights(first)


def test_seed_realisation_and_augmentation_matter(tiny: DataSet) -> None:
    other_draws = replace(tiny, realisation=1)  # same images, other seeds
    runs = [
        train("cnn_28", tiny, "smoke"),
        train("cnn_28", tiny, "smoke", seed=1),
        train("cnn_28", other_draws, "smoke"),
        train("cnn_28", tiny, "smoke", augmentation=True),
    ]
    assert len({weights(run) for run in runs}) == len(runs)


def inputs_of(model_name: str, data: DataSet) -> list[Tensor]:
    """The batches that a model is trained on, up to the first of the second epoch."""
    recipe, seen = recipes.recipe_for("smoke", data.name), list[Tensor]()
    with torch.random.fork_rng():
        run = Run(
            model_name, data, recipe, augmentation=True, seed=0, device=torch.device("cpu")
        )  # fmt: skip

        def note(model: nn.Module, arguments: tuple[Tensor, ...]) -> None:
            if model.training:
                seen.append(arguments[0].clone())

        run.model.register_forward_pre_hook(note)
        for _ in itertools.islice(run.advance(), STEPS + 1):
            pass
    return seen


def test_models_are_paired_and_epochs_are_not_alike(tiny_data: DataSet) -> None:
    ours, theirs = inputs_of("sesn_scalar_28", tiny_data), inputs_of("cnn_28", tiny_data)
    assert len(ours) == STEPS + 1
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert not torch.equal(ours[0], ours[STEPS])  # the first batches of two epochs


def test_divergence_is_recorded(tiny: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    steep = replace(recipes.recipe_for("paper", "tiny"), optimiser=recipes.Adam(1e30))
    give_recipe(monkeypatch, "tiny", steep)
    record = train("cnn_28", tiny, "paper")
    assert record.outcome == "diverged"
    assert record.numbers["steps"] < EPOCHS * STEPS
    assert "test_error" not in record.numbers


def test_last_epoch_is_selected_where_there_is_no_validation(
    tiny: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    like_stl10 = replace(recipes.STL10, epochs=2, batch=8)
    give_recipe(monkeypatch, "tiny", like_stl10)
    none = Split(tiny.validation.images[:0], tiny.validation.labels[:0])
    record = train("cnn_28", replace(tiny, validation=none), "paper")
    assert record.numbers["best_epoch"] == 2
    assert record.numbers["validation_error"] is None
    assert record.numbers["curves"]["validation_error"] == []


def test_errors_by_scale() -> None:
    scales = torch.tensor([0.3, 0.35, 0.5, 0.59, 0.99, 1.0], dtype=torch.float64)
    wrong = torch.tensor([True, False, False, True, True, True])
    rows = [tuple(row.values()) for row in errors_by_scale(wrong, scales)]
    assert rows == [(0.3, 0.4, 2, 1), (0.5, 0.6, 2, 1), (0.9, 1.0, 1, 1), (1.0, 1.1, 1, 1)]
    assert errors_by_scale(wrong, None) == []


@pytest.mark.parametrize(("images", "steps"), [(16, 2), (17, 2), (18, 3), (2, 1)])
def test_a_single_left_over_image_makes_no_step(images: int, steps: int) -> None:
    assert steps_per_epoch(images, batch=8) == steps


@pytest.mark.parametrize(
    ("model_name", "data_name", "seed", "message"),
    [
        ("cnn_29", "tiny", 0, "model_name='cnn_29': unknown model; known are cnn_28"),
        ("cnn_28", "stl10", 0, "model_name='cnn_28': the wrn_ models take stl10"),
        ("cnn_28", "tiny", -1, "seed=-1: must be 0 or more"),
        ("cnn_28", "other", 0, "data_name='other': must be one of"),
    ],
)
def test_mistakes_are_named(model_name: str, data_name: str, seed: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train(model_name, make_tiny(data_name), "smoke", seed=seed)


def test_too_few_images() -> None:
    with pytest.raises(ValueError, match="images=1: training needs at least 2 images"):
        steps_per_epoch(1, batch=8)
