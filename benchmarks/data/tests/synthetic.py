"""Small file sets in the published formats, made up from a seed, and a view of random states."""

import gzip
import hashlib
import random
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.data.mnist import IdxFile, read_mnist
from benchmarks.data.mnist_scale_recipe import PUBLISHED, Recipe, generate, pixel_hash
from benchmarks.data.stl10 import FOLDER, SIZE, BinaryFile

NAMES = tuple(file.name for file in PUBLISHED.files)
TRAIN, VALIDATION, TEST = 60, 20, 70
REALISATIONS = (0, 1)


def write_mnist(data_dir: Path) -> Recipe:
    """Write 120 + 40 images in MNIST's layout; return the recipe whose checksums they fulfil."""
    raw = data_dir / "MNIST" / "raw"
    raw.mkdir(parents=True)
    generator = np.random.default_rng(0)
    files = []
    for count, names in ((120, NAMES[:2]), (40, NAMES[2:])):
        images = np.zeros((count, 28, 28), np.uint8)
        images[:, 4:24, 4:24] = generator.integers(0, 256, (count, 20, 20))
        labels = (np.arange(count) % 10).astype(np.uint8)
        for name, array in zip(names, (images, labels), strict=True):
            files.append(write_idx(raw / name, array))
    recipe = replace(
        PUBLISHED, train=TRAIN, validation=VALIDATION, test=TEST, files=tuple(files), pixel_md5={}
    )
    source = read_mnist(data_dir, files=recipe.files)
    hashes = {k: pixel_hash(generate(source, k, recipe)) for k in REALISATIONS}
    return replace(recipe, pixel_md5=hashes)


def write_idx(path: Path, array: NDArray[np.uint8]) -> IdxFile:
    """Write an array as a gzipped IDX file; return what its reader may expect."""
    header = struct.pack(f">I{array.ndim}I", 0x0800 | array.ndim, *array.shape)
    content = header + array.tobytes()
    path.write_bytes(gzip.compress(content, mtime=0))
    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    return IdxFile(path.name, md5, array.shape, hashlib.md5(content).hexdigest())


def write_stl10(data_dir: Path) -> dict[str, BinaryFile]:
    """Write 6 training and 4 test images in STL-10's layout; return what the files are."""
    folder = data_dir / FOLDER
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for part, count in (("train", 6), ("test", 4)):
        images = generator.integers(0, 256, (count, 3, SIZE, SIZE), dtype=np.uint8)
        # The format stores columns first and counts labels from 1.
        (folder / f"{part}_X.bin").write_bytes(images.transpose(0, 1, 3, 2).tobytes())
        (folder / f"{part}_y.bin").write_bytes(bytes(1 + 3 * i % 10 for i in range(count)))
    return {
        path.name: BinaryFile(path.stat().st_size, hashlib.md5(path.read_bytes()).hexdigest())
        for path in sorted(folder.iterdir())
    }


def global_random_states() -> tuple[str, str, bytes]:
    """Return the global states of Python's, NumPy's and torch's random numbers, to compare."""
    legacy = np.random.get_state()  # noqa: NPY002 (the state that must not change)
    torch_state = torch.random.get_rng_state().numpy().tobytes()
    return repr(random.getstate()), repr([np.asarray(x).tolist() for x in legacy]), torch_state
