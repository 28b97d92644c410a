import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torchvision.datasets import MNIST, utils

from benchmarks.data import DataError
from benchmarks.data.mnist import PUBLISHED_FILES, read_mnist
from benchmarks.data.mnist_scale_recipe import Recipe
from benchmarks.data.tests.synthetic import NAMES


def test_published_checksums_are_those_torchvision_lists() -> None:
    assert {(file.name, file.md5) for file in PUBLISHED_FILES} == set(MNIST.resources)


def test_train_comes_before_test(data_dir: Path, recipe: Recipe) -> None:
    source = read_mnist(data_dir, files=recipe.files)
    assert source.images.shape == (160, 28, 28)
    assert source.labels.tolist() == [i % 10 for i in (*range(120), *range(40))]
    generator = np.random.default_rng(0)
    generator.integers(0, 256, (120, 20, 20))
    assert np.array_equal(source.images[120:, 4:24, 4:24], generator.integers(0, 256, (40, 20, 20)))


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_or_damaged_file_is_named(data_dir: Path, recipe: Recipe, name: str) -> None:
    path = data_dir / "MNIST" / "raw" / name
    expected = next(file.md5 for file in recipe.files if file.name == name)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DataError, match=rf"{name} is damaged: \d+ bytes with MD5 .*{expected}"):
        read_mnist(data_dir, files=recipe.files)
    path.unlink()
    with pytest.raises(DataError, match=rf"{name} is missing.*{expected}.*download=True"):
        read_mnist(data_dir, files=recipe.files)


def test_by_default_only_the_published_files_are_accepted(data_dir: Path, recipe: Recipe) -> None:
    assert read_mnist(data_dir, files=recipe.files)
    with pytest.raises(DataError, match="is damaged"):
        read_mnist(data_dir)


def test_another_shape_than_stated_is_rejected(data_dir: Path, recipe: Recipe) -> None:
    wrong = replace(recipe.files[0], shape=(60, 28, 28))
    with pytest.raises(DataError, match=r"does not hold unsigned bytes of shape \(60, 28, 28\)"):
        read_mnist(data_dir, files=(wrong, *recipe.files[1:]))


def test_downloads_only_what_is_wrong_and_only_when_asked(
    data_dir: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = data_dir / "MNIST" / "raw" / NAMES[2]
    intact = broken.read_bytes()
    broken.write_bytes(gzip.compress(b"something else"))
    asked: list[str] = []

    def fetch(url: str, root: str, filename: str, md5: str) -> None:
        asked.append(url)
        if len(asked) == 1:
            raise OSError("first mirror is down")
        (Path(root) / filename).write_bytes(intact)

    monkeypatch.setattr(utils, "download_url", fetch)
    with pytest.raises(DataError, match="is damaged"):
        read_mnist(data_dir, files=recipe.files)
    assert asked == []
    read_mnist(data_dir, files=recipe.files, download=True)
    assert asked == [mirror + NAMES[2] for mirror in MNIST.mirrors[:2]]


def test_a_failed_download_says_what_each_mirror_answered(
    data_dir: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(url: str, root: str, filename: str, md5: str) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(utils, "download_url", fetch)
    (data_dir / "MNIST" / "raw" / NAMES[1]).unlink()
    with pytest.raises(DataError, match=rf"{NAMES[1]} could not be fetched: .*no route to host"):
        read_mnist(data_dir, files=recipe.files, download=True)


@pytest.mark.parametrize("how", ["packed again", "unpacked", "unpacked with a dot"])
def test_files_are_known_by_their_content(data_dir: Path, recipe: Recipe, how: str) -> None:
    before = read_mnist(data_dir, files=recipe.files)
    for name in NAMES:
        path = data_dir / "MNIST" / "raw" / name
        content = gzip.decompress(path.read_bytes())
        path.unlink()
        if how == "packed again":
            path.write_bytes(gzip.compress(content, 1, mtime=1))
        else:
            dot = name.replace("-idx", ".idx") if how.endswith("dot") else name
            path.with_name(dot).with_suffix("").write_bytes(content)
    after = read_mnist(data_dir, files=recipe.files)
    assert (after.images == before.images).all()
    assert (after.labels == before.labels).all()


def test_an_unpacked_file_with_another_content_is_none(data_dir: Path, recipe: Recipe) -> None:
    path = data_dir / "MNIST" / "raw" / NAMES[0]
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[-1] ^= 1
    path.with_suffix("").write_bytes(content)
    path.unlink()
    with pytest.raises(DataError, match=rf"{NAMES[0]} is missing"):
        read_mnist(data_dir, files=recipe.files)
