"""Data sets in memory, by name: `load("digits")`, `load("mnist_scale", 3, data_dir)`."""

from pathlib import Path

from benchmarks.data import digits, mnist_scale, stl10
from benchmarks.data.dataset import (
    BINS_PER_UNIT,
    NUM_CLASSES,
    DataError,
    DataSet,
    DataWarning,
    Normalisation,
    Split,
    unit_range,
)
from benchmarks.data.generation import TRAINED
from benchmarks.data.locations import given_data_dir
from benchmarks.data.mnist_scale_recipe import RECIPES

NAMES = (
    "digits", "mnist_scale", "stl10",
    *(f"{name}_{part}" for name in ("digits", "mnist_scale") for part in TRAINED),
)  # fmt: skip

__all__ = [
    "BINS_PER_UNIT",
    "NAMES",
    "NUM_CLASSES",
    "TRAINED",
    "DataError",
    "DataSet",
    "DataWarning",
    "Normalisation",
    "Split",
    "family_of",
    "given_data_dir",
    "load",
    "unit_range",
]


def family_of(name: str) -> str:
    """The data set that a data set with restricted training scales is made like; others as is."""
    family, _, part = name.rpartition("_")
    return family if part in TRAINED else name


def load(
    name: str,
    realisation: int = 0,
    data_dir: str | Path | None = None,
    download: bool = False,
) -> DataSet:
    """Return data set `name`: per split images uint8 [N, C, H, W], labels int64 [N], true scales.

    `data_dir` (by default SESN_DATA_DIR) and `download` concern mnist_scale and stl10; digits
    needs no file. STL-10 has the one published split, realisation 0. `…_small`, `…_middle` and
    `…_large` are trained on a part of the scales, `TRAINED`, and tested on all.

    Raises ValueError for an unknown name or realisation, DataError where files are missing or
    damaged.
    """
    if name == "digits":
        return digits.digits(realisation)
    if name in NAMES and family_of(name) == "digits":
        return digits.digits(realisation, name, TRAINED[name.rpartition("_")[2]])
    if name in RECIPES:
        return mnist_scale.mnist_scale(
            realisation, data_dir, download=download, recipe=RECIPES[name]
        )
    if name == "stl10":
        if realisation != 0:
            raise ValueError(f"realisation of stl10 must be 0, got {realisation!r}")
        return stl10.stl10(data_dir, download=download)
    raise ValueError(f"name must be one of {', '.join(NAMES)}, got {name!r}")
