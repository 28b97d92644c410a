"""MNIST-scale: six realisations of MNIST with digits shrunk at random, bit for bit as published.

The pixels are checked against their MD5 after every generation and after every reading of the
cache; see `mnist_scale_recipe` for how they are made.
"""

import warnings
from pathlib import Path

from benchmarks.data.cache import read_cache, write_cache
from benchmarks.data.dataset import DataError, DataSet, DataWarning
from benchmarks.data.locations import (
    cache_folders,
    first_writable,
    given_data_dir,
    required_data_dir,
)
from benchmarks.data.mnist import read_mnist
from benchmarks.data.mnist_scale_recipe import (
    NAME,
    NORMALISATION,
    PUBLISHED,
    Recipe,
    generate,
    verify_pixels,
)


def mnist_scale(
    realisation: int,
    data_dir: str | Path | None = None,
    *,
    cache_dir: str | Path | None = None,
    download: bool = False,
    recipe: Recipe = PUBLISHED,
) -> DataSet:
    """Return splits of 10,000 / 2,000 / 50,000 images uint8 [N, 1, 28, 28], true scales in 0.3..1.

    `recipe`: one of `mnist_scale_recipe.RECIPES`, of which some train on a part of the scales.

    Read from the cache where it holds the realisation intact; otherwise generated, in seconds,
    from the MNIST files in `data_dir` or SESN_DATA_DIR, and then cached. `download` lets
    torchvision fetch MNIST files that are missing or damaged.

    The cache is `cache_dir` or SESN_CACHE_DIR. By default it is the folder `mnist_scale` in the
    data directory or, where that is read-only, in $XDG_CACHE_HOME/sesn or ~/.cache/sesn. A cache
    file that is damaged is reported by a DataWarning and replaced; so is a cache that cannot be
    written, and the data are returned all the same.

    Raises ValueError for a realisation without a published checksum; DataError where MNIST is
    needed and missing or damaged, or where the generated pixels are not the published ones.
    """
    if isinstance(realisation, bool) or realisation not in recipe.pixel_md5:
        raise ValueError(
            f"realisation must be one of {sorted(recipe.pixel_md5)}, got {realisation!r}"
        )
    file_name = f"{recipe.name}_{realisation}.cache"
    folders = cache_folders(given_data_dir(data_dir), cache_dir, NAME)
    for folder in folders:
        cached = _from_cache(folder / file_name, realisation, recipe)
        if cached is not None:
            return cached
    source_dir = required_data_dir(data_dir, "MNIST-scale")
    data = generate(
        read_mnist(source_dir, download=download, files=recipe.files), realisation, recipe
    )
    verify_pixels(data, recipe)
    _to_cache(data, first_writable(folders) / file_name)
    return data


def _from_cache(path: Path, realisation: int, recipe: Recipe) -> DataSet | None:
    try:
        data = read_cache(path, recipe.name, realisation, NORMALISATION)
        verify_pixels(data, recipe)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (DataError, OSError) as error:
        warnings.warn(
            f"cached data {path} are not used and will be generated again: {error}",
            DataWarning,
            stacklevel=3,
        )
        return None
    return data


def _to_cache(data: DataSet, path: Path) -> None:
    try:
        write_cache(data, path)
    except OSError as error:
        warnings.warn(
            f"data could not be cached as {path} and will be generated again next time: {error}",
            DataWarning,
            stacklevel=3,
        )
