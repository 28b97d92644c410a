"""The published data themselves. Needs the real MNIST files: set SESN_DATA_DIR.

Realisation 0 is generated in seconds; set SESN_ALL_REALISATIONS=1 for all six with both hashes.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.data.generation import TRAINED
from benchmarks.data.mnist import read_mnist
from benchmarks.data.mnist_scale import mnist_scale
from benchmarks.data.mnist_scale_recipe import PIXEL_MD5, PNG_MD5, RECIPES, pixel_hash, png_hash
from verification.claims.protocols import load_protocols

ALL_VARIABLE = "SESN_ALL_REALISATIONS"


def test_realisation_0_is_the_published_one(real_data_dir: Path, tmp_path: Path) -> None:
    data = mnist_scale(0, real_data_dir, cache_dir=tmp_path)
    assert pixel_hash(data) == PIXEL_MD5[0]
    assert [len(split) for split in data.splits.values()] == [10_000, 2_000, 50_000]
    cached = mnist_scale(0, None, cache_dir=tmp_path)
    assert cached.content_hash == data.content_hash
    # The normalisation that the recipe states is that of these pixels, to its four decimals.
    pixels = data.train.images.double() / 255
    assert pixels.mean().item() == pytest.approx(0.0607, abs=2e-3)
    assert pixels.std().item() == pytest.approx(0.2161, abs=4e-3)


@pytest.mark.parametrize("realisation", sorted(PIXEL_MD5))
def test_each_realisation_has_both_published_hashes(
    real_data_dir: Path, tmp_path: Path, realisation: int
) -> None:
    if not os.environ.get(ALL_VARIABLE):
        pytest.skip(f"{ALL_VARIABLE} is not set: all six take about two minutes")
    data = mnist_scale(realisation, real_data_dir, cache_dir=tmp_path)
    assert pixel_hash(data) == PIXEL_MD5[realisation]
    assert png_hash(data) == PNG_MD5[realisation]


@pytest.mark.parametrize("word", TRAINED)
def test_restricted_training_has_its_hashes(real_data_dir: Path, tmp_path: Path, word: str) -> None:
    """The test images are the published ones."""
    if not os.environ.get(ALL_VARIABLE):
        pytest.skip(f"{ALL_VARIABLE} is not set: all six take about two minutes")
    recipe = RECIPES[f"mnist_scale_{word}"]
    for realisation in sorted(recipe.pixel_md5):
        data = mnist_scale(realisation, real_data_dir, cache_dir=tmp_path, recipe=recipe)
        assert data.content_hash == load_protocols()["short", recipe.name].hashes[realisation]


def test_mnist_has_its_published_counts(real_data_dir: Path) -> None:
    source = read_mnist(real_data_dir)
    assert source.images.shape == (70_000, 28, 28)
    assert np.bincount(source.labels).tolist() == [
        6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958,
    ]  # fmt: skip
