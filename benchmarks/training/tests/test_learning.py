"""Every MNIST network learns: the training code makes it fit real digits far beyond chance.

A whole smoke training takes minutes for each method. Here each fits 20 images in 8 steps, without
dropout so that so few suffice. An untrained network, or one whose gradients or optimiser do not
work, knows nothing of the labels: then the number of right answers is binomial with p = 1/10.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial

import pytest
import torch
from scipy import stats

from benchmarks.comparison.settings import METHODS
from benchmarks.data import DataSet, Split, digits
from benchmarks.training import recipes, run
from benchmarks.training.run import Run
from sesn_impl import create_model

IMAGES, EPOCHS = 20, 8
CLASSES = 10
LEVEL = 1e-6
"""Chance of passing without having learnt, for each network."""
FEWEST_RIGHT = int(stats.binom.isf(LEVEL, IMAGES, 1 / CLASSES)) + 1


@cache
def few_digits() -> DataSet:
    """Equally many training digits of each class, and nothing to validate on."""
    whole = digits.digits()
    by_class = whole.train.labels.argsort(stable=True).split(whole.train.labels.bincount().tolist())
    chosen = torch.cat([images[: IMAGES // CLASSES] for images in by_class])
    train, nothing = (
        Split(whole.train.images[indices], whole.train.labels[indices])
        for indices in (chosen, chosen[:0])
    )
    return replace(whole, train=train, validation=nothing)


def right_at_the_end(name: str, rate: float) -> int:
    """Right answers in the last epoch, before its step."""
    recipe = replace(
        recipes.recipe_for("smoke", "digits"), epochs=EPOCHS, batch=IMAGES, selection="last",
        optimiser=recipes.Adam(rate),
    )  # fmt: skip
    device = torch.device("cpu")
    with torch.random.fork_rng(devices=[]):
        training = Run(name, few_digits(), recipe, augmentation=False, seed=0, device=device)
        for _ in training.advance():
            pass
    assert len(training.progress.train_error) == EPOCHS
    return round(IMAGES * (1 - training.progress.train_error[-1] / 100))


@pytest.fixture(autouse=True)
def _without_dropout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "create_network", partial(create_model, dropout=0.0))


def test_the_bound_is_one_that_guessing_passes_once_in_a_million() -> None:
    assert stats.binom.sf(FEWEST_RIGHT - 1, IMAGES, 1 / CLASSES) <= LEVEL
    assert stats.binom.sf(FEWEST_RIGHT - 2, IMAGES, 1 / CLASSES) > LEVEL
    assert few_digits().train.labels.bincount().tolist() == [IMAGES // CLASSES] * CLASSES


@pytest.mark.parametrize("method", METHODS)
def test_every_network_learns(method: str) -> None:
    assert right_at_the_end(f"{method}_28", recipes.MNIST_SCALE.optimiser.rate) >= FEWEST_RIGHT


@pytest.mark.parametrize("method", ["cnn", "dss_vector"])
def test_a_network_that_takes_no_steps_does_not(method: str) -> None:
    """The negative control."""
    assert right_at_the_end(f"{method}_28", rate=0.0) < FEWEST_RIGHT
