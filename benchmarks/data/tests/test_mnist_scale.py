import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmarks.data import DataError, load
from benchmarks.data.generation import TRAINED
from benchmarks.data.mnist import Mnist, read_mnist
from benchmarks.data.mnist_scale import mnist_scale
from benchmarks.data.mnist_scale_recipe import (
    RECIPES,
    Recipe,
    generate,
    pixel_hash,
    png_hash,
    rescale,
    visiting_order,
)
from benchmarks.data.regeneration import regeneration
from benchmarks.data.tests.synthetic import TEST, TRAIN, VALIDATION, global_random_states


@pytest.fixture
def source(data_dir: Path, recipe: Recipe) -> Mnist:
    return read_mnist(data_dir, files=recipe.files)


def blob() -> NDArray[np.uint8]:
    """A smooth spot [28, 28] in the middle, whose centroid resampling keeps."""
    squares = (np.arange(28) - 13.5) ** 2
    grey: NDArray[np.float64] = 255 * np.exp(-(squares[:, None] + squares[None, :]) / 32)
    return np.asarray(np.rint(grey), dtype=np.uint8)


def test_sizes_scales_and_names(data_dir: Path, recipe: Recipe) -> None:
    data = mnist_scale(0, data_dir, recipe=recipe)
    assert [len(split) for split in data.splits.values()] == [TRAIN, VALIDATION, TEST]
    assert (data.name, data.realisation) == ("mnist_scale", 0)
    assert data.normalisation.mean == (0.0607,)
    assert data.normalisation.std == (0.2161,)
    for split in data.splits.values():
        assert split.scales is not None
        assert 0.3 <= float(split.scales.min()) <= float(split.scales.max()) <= 1.0


def test_every_image_is_its_source_at_its_true_scale(source: Mnist, recipe: Recipe) -> None:
    data = generate(source, 0, recipe)
    visited = visiting_order(source, 0, recipe)
    assert len(set(visited.tolist())) == len(visited)
    order = dict(zip(("train", "test", "validation"), np.split(visited, [60, 130]), strict=True))
    for name, split in data.splits.items():
        assert split.scales is not None
        for place, index in enumerate(order[name]):
            expected = rescale(source.images[index], float(split.scales[place]), recipe.centre)
            assert np.array_equal(split.images[place, 0].numpy(), expected)
            assert split.labels[place] == source.labels[index]


def test_the_published_random_stream_is_followed(source: Mnist, recipe: Recipe) -> None:
    """Angle and scale alternate in Python's stream; the splits follow NumPy's seeded one."""
    from sklearn.model_selection import train_test_split

    data = generate(source, 1, recipe)
    stream = random.Random(1)
    draws = [stream.random() for _ in range(2 * (TRAIN + 1))]
    assert data.train.scales is not None
    assert data.test.scales is not None
    expected = 0.3 + (1.0 - 0.3) * torch.tensor(draws[1::2], dtype=torch.float64)
    assert torch.equal(data.train.scales, expected[:TRAIN])
    assert data.test.scales[0] == expected[TRAIN]  # the test split comes second

    saved = np.random.get_state()  # noqa: NPY002 (what the published script drew from)
    np.random.seed(1)  # noqa: NPY002
    chosen, test = train_test_split(
        np.arange(160), train_size=TRAIN + VALIDATION, test_size=TEST, stratify=source.labels
    )
    train, _ = train_test_split(
        chosen, train_size=TRAIN, test_size=VALIDATION, stratify=source.labels[chosen]
    )
    np.random.set_state(saved)  # noqa: NPY002
    visited = visiting_order(source, 1, recipe)
    assert np.array_equal(visited[: TRAIN + TEST], np.concatenate([train, test]))


@pytest.mark.parametrize("scale", [0.3, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("centre", [14.0, 14.5])
def test_scaling_leaves_its_centre_in_place(scale: float, centre: float) -> None:
    scaled = rescale(blob(), scale, centre).astype(np.float64)
    rows, columns = np.indices(scaled.shape) + 0.5
    # The spot's middle, at 14, moves towards the centre: 0.35 px at scale 0.3 about 14.5.
    # Grey levels are whole numbers, which moves a centroid by some hundredths of a pixel.
    expected = centre + scale * (14 - centre)
    assert np.average(rows, weights=scaled) == pytest.approx(expected, abs=0.03)
    assert np.average(columns, weights=scaled) == pytest.approx(expected, abs=0.03)


def test_global_random_states_are_left_alone(data_dir: Path, recipe: Recipe) -> None:
    before = global_random_states()
    mnist_scale(0, data_dir, recipe=recipe)
    assert global_random_states() == before


def test_global_random_states_have_no_influence(source: Mnist, recipe: Recipe) -> None:
    first = generate(source, 0, recipe).content_hash
    before = global_random_states()
    random.random()
    np.random.random()  # noqa: NPY002 (the global stream is the point)
    after = global_random_states()
    assert before[0] != after[0]
    assert before[1] != after[1]
    assert generate(source, 0, recipe).content_hash == first
    assert generate(source, 1, recipe).content_hash != first


def test_wrong_pixels_are_rejected_with_both_checksums(data_dir: Path, recipe: Recipe) -> None:
    wrong = replace(recipe, centre=14.0)
    with pytest.raises(DataError, match=rf"MD5 \w+, expected {recipe.pixel_md5[0]} .*pillow \d"):
        mnist_scale(0, data_dir, recipe=wrong)
    assert not list(data_dir.rglob("*.cache"))


@pytest.mark.parametrize("realisation", [-1, 6, True])
def test_unpublished_realisations_are_rejected(realisation: int) -> None:
    with pytest.raises(ValueError, match=rf"one of \[0, 1, 2, 3, 4, 5\], got {realisation}"):
        mnist_scale(realisation)


def test_without_any_directory_the_message_says_how_to_give_one() -> None:
    with pytest.raises(DataError, match="MNIST-scale needs a data directory: give data_dir or set"):
        load("mnist_scale")


def test_the_data_directory_may_come_from_the_environment(
    data_dir: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SESN_DATA_DIR", str(data_dir))
    assert pixel_hash(mnist_scale(0, recipe=recipe)) == recipe.pixel_md5[0]


@pytest.mark.parametrize("hash_of", [pixel_hash, png_hash])
def test_hashes_notice_one_grey_level(
    source: Mnist, recipe: Recipe, hash_of: Callable[..., str]
) -> None:
    data = generate(source, 0, recipe)
    before = hash_of(data)
    data.test.images[5, 0, 14, 14] ^= 1
    assert hash_of(data) != before
    data.test.images[5, 0, 14, 14] ^= 1
    assert hash_of(data) == before


def test_only_the_png_hash_covers_labels(source: Mnist, recipe: Recipe) -> None:
    data = generate(source, 0, recipe)
    labels = data.train.labels.clone()
    labels[0] = (labels[0] + 1) % 10
    relabelled = replace(data, train=replace(data.train, labels=labels))
    assert pixel_hash(relabelled) == pixel_hash(data)
    assert png_hash(relabelled) != png_hash(data)


def test_many_threads_at_once_do_no_harm(data_dir: Path, recipe: Recipe) -> None:
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: mnist_scale(0, data_dir, recipe=recipe), range(6)))
    assert len({data.content_hash for data in found}) == 1
    folder = data_dir / "mnist_scale"
    assert [path.name for path in folder.iterdir()] == ["mnist_scale_0.cache"]


def test_todays_conventions_make_other_images(data_dir: Path, recipe: Recipe) -> None:
    finding = regeneration(0, data_dir, recipe)
    ways = finding["ways"]
    assert ways["recipe"]["matches"]
    assert ways["recipe"]["pixels_changed"] == 0
    others = ("default_centre", "torchvision_seed_0", "torchvision_seed_1")
    assert not any(ways[way]["matches"] for way in others)
    assert all(0.05 < ways[way]["pixels_changed"] < 1 for way in others)
    assert len({way["pixel_md5"] for way in ways.values()}) == 4
    assert "resample" in finding["script_call_error"]
    # Not an accident of drawing anew: the same seeds give the same images again.
    assert regeneration(0, data_dir, recipe) == finding


@pytest.mark.parametrize("word", TRAINED)
def test_restricted_training_has_the_same_digits_and_the_same_test(
    source: Mnist, recipe: Recipe, word: str
) -> None:
    """Only scales of training and validation differ, and keep their order within the range."""
    name, (low, high) = f"mnist_scale_{word}", TRAINED[word]
    assert RECIPES[name].trained == (low, high)
    whole = generate(source, 0, recipe)
    part = generate(source, 0, replace(recipe, name=name, trained=(low, high)))
    assert part.name == name
    assert torch.equal(part.test.images, whole.test.images)
    for split, other in ((part.train, whole.train), (part.validation, whole.validation)):
        assert split.scales is not None
        assert other.scales is not None
        assert low <= float(split.scales.min()) < float(split.scales.max()) <= high
        assert torch.equal(split.scales.argsort(), other.scales.argsort())
        assert torch.equal(split.labels, other.labels)
        assert not torch.equal(split.images, other.images)
