"""Data directories for the tests: none by default, a synthetic one, or the real one if given."""

import os
import shutil
from pathlib import Path

import pytest

from benchmarks.data.dataset import DataSet
from benchmarks.data.digits import digits
from benchmarks.data.locations import CACHE_DIR_VARIABLE, DATA_DIR_VARIABLE
from benchmarks.data.mnist_scale_recipe import Recipe
from benchmarks.data.tests.synthetic import write_mnist

# Taken before the fixture below hides it from the tests that must not depend on it.
REAL_DATA_DIR = os.environ.get(DATA_DIR_VARIABLE)


@pytest.fixture(autouse=True)
def _no_outside_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test away from the user's own data and cache."""
    monkeypatch.delenv(DATA_DIR_VARIABLE, raising=False)
    monkeypatch.delenv(CACHE_DIR_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user_cache"))


@pytest.fixture
def real_data_dir() -> Path:
    """The directory with the real MNIST files, or a skip that says how to give it."""
    if not REAL_DATA_DIR:
        pytest.skip(f"{DATA_DIR_VARIABLE} is not set: needs the directory that holds MNIST/raw")
    return Path(REAL_DATA_DIR)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """An empty folder to be filled with a synthetic file set."""
    return tmp_path / "data"


@pytest.fixture(scope="session")
def written_mnist(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Recipe]:
    """A synthetic MNIST, written once, and its recipe: to be copied, not changed."""
    folder = tmp_path_factory.mktemp("mnist") / "data"
    return folder, write_mnist(folder)


@pytest.fixture
def recipe(data_dir: Path, written_mnist: tuple[Path, Recipe]) -> Recipe:
    """The recipe of a synthetic MNIST that lies in `data_dir`."""
    shutil.copytree(written_mnist[0], data_dir)
    return written_mnist[1]


@pytest.fixture(scope="session")
def small_digits() -> DataSet:
    """Realisation 0 of the digits, made once: not to be changed."""
    return digits()
