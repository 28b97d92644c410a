"""Data sets in memory, by name: `load("digits")`, `load("mnist_scale", 3, data_dir)`."""

from pathlib import Path

from benchmarks.data import digits, mnist_scale, stl10
from benchmarks.data.dataset import (
    NUM_CLASSES,
    DataError,
    DataSet,
    DataWarning,
    Normalisation,
    Split,
    unit_range,
)
from benchmarks.data.locations import given_data_dir

NAMES = ("digits", "mnist_scale", "stl10")

__all__ = [
    "NAMES",
    "NUM_CLASSES",
    "DataError",
    "DataSet",
    "DataWarning",
    "Normalisation",
    "Split",
    "given_data_dir",
    "load",
    "unit_range",
]


def load(
    name: str,
    realisation: int = 0,
    data_dir: str | Path | None = None,
    download: bool = False,
) -> DataSet:
    """Return data set `name`: per split images uint8 [N, C, H, W], labels int64 [N], true scales.

    `data_dir` (by default SESN_DATA_DIR) and `download` concern mnist_scale and stl10; digits
    needs no file. STL-10 has the one published split, realisation 0.

    Raises ValueError for an unknown name or realisation, DataError where files are missing or
    damaged.
    """
    if name == "digits":
        return digits.digits(realisation)
    if name == "mnist_scale":
        return mnist_scale.mnist_scale(realisation, data_dir, download=download)
    if name == "stl10":
        if realisation != 0:
            raise ValueError(f"realisation of stl10 must be 0, got {realisation!r}")
        return stl10.stl10(data_dir, download=download)
    raise ValueError(f"name must be one of {', '.join(NAMES)}, got {name!r}")
