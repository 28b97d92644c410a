"""A data set, a recipe and a network so small that a whole run takes a fraction of a second."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks.data import DataSet, Normalisation, Split
from benchmarks.data.locations import CACHE_DIR_VARIABLE, DATA_DIR_VARIABLE
from benchmarks.training import recipes, run
from benchmarks.training import train as training
from verification.claims import records as evidence
from verification.claims.provenance import Provenance

EPOCHS, BATCH, TRAIN = 3, 8, 27  # 3 full batches and one of 3 images per epoch
STEPS = 4


def tiny_split(size: int, seed: int) -> Split:
    """Noise with a bright row that tells the label, uint8 [N, 1, 28, 28], scales in 0.3..1."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 128, (size, 1, 28, 28), generator=generator, dtype=torch.uint8)
    labels = torch.randint(0, 10, (size,), generator=generator)
    images[torch.arange(size), 0, 2 * labels] = 255
    scales = 0.3 + 0.7 * torch.rand(size, generator=generator, dtype=torch.float64)
    return Split(images, labels, scales)


def make_tiny(name: str = "tiny", realisation: int = 0) -> DataSet:
    """The splits of one realisation: 27 / 20 / 30 images."""
    train, validation, test = (
        tiny_split(size, 10 * realisation + index) for index, size in enumerate((TRAIN, 20, 30))
    )
    return DataSet(name, realisation, train, validation, test, Normalisation((0.3,), (0.2,)))


def make_tiny_network(name: str) -> nn.Module:
    """[B, 1, 28, 28] -> logits [B, 10], with what makes resuming hard: buffers and dropout."""
    assert name
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(),
        nn.Linear(16, 10),
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _no_outside_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test away from the user's own data and cache, beside the test's own folder."""
    monkeypatch.delenv(DATA_DIR_VARIABLE, raising=False)
    monkeypatch.delenv(CACHE_DIR_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path.with_name(f"{tmp_path.name}-cache")))


@pytest.fixture(autouse=True)
def _nothing_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make provenance up."""
    provenance = Provenance(
        commit="0" * 40, dirty=False, versions={}, device="cpu", threads=1,
        started="2026-01-01T00:00:00Z", wall_seconds=0.0,
    )  # fmt: skip
    for module in (training, evidence):
        monkeypatch.setattr(module, "current_provenance", lambda _="cpu": provenance)


def give_recipe(
    patch: pytest.MonkeyPatch, data: str, paper: recipes.Recipe, lighter: int = 2
) -> None:
    """A recipe for a data set; under the lighter protocols, of so many epochs in one cycle."""
    cycle = replace(paper, epochs=lighter, schedule=recipes.OneCycle())
    for protocol in recipes.PROTOCOLS:
        chosen = paper if protocol == "paper" else cycle
        patch.setitem(recipes.RECIPES, (protocol, data), chosen)


@pytest.fixture
def tiny_data(monkeypatch: pytest.MonkeyPatch) -> DataSet:
    """The tiny data set, with a paper recipe of 3 epochs in batches of 8."""
    recipe = replace(
        recipes.MNIST_SCALE, epochs=EPOCHS, batch=BATCH, schedule=recipes.Steps(0.1, (1, 2))
    )
    give_recipe(monkeypatch, "tiny", recipe)
    return make_tiny()


@pytest.fixture
def tiny(tiny_data: DataSet, monkeypatch: pytest.MonkeyPatch) -> DataSet:
    """The same, and every model is the tiny network."""
    monkeypatch.setattr(run, "create_network", make_tiny_network)
    return tiny_data
