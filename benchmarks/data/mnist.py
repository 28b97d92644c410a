"""The four original MNIST files, read as they are published and checked before use."""

import gzip
import hashlib
import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.data.dataset import DataError
from benchmarks.data.locations import DATA_DIR_VARIABLE

_UINT8_CODE = 8


@dataclass(frozen=True)
class IdxFile:
    """A gzipped IDX file of unsigned bytes: its name, the MD5 of the .gz, the shape inside."""

    name: str
    md5: str
    shape: tuple[int, ...]


# Pairs of images and labels, in the order in which they are concatenated. MD5s as torchvision
# lists them.
PUBLISHED_FILES = (
    IdxFile("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873", (60_000, 28, 28)),
    IdxFile("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432", (60_000,)),
    IdxFile("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3", (10_000, 28, 28)),
    IdxFile("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c", (10_000,)),
)


@dataclass(frozen=True, eq=False)
class Mnist:
    """Train and test together, in file order: images uint8 [N, 28, 28], labels int64 [N]."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


def read_mnist(
    data_dir: Path, *, download: bool = False, files: tuple[IdxFile, ...] = PUBLISHED_FILES
) -> Mnist:
    """Images uint8 [70000, 28, 28] and labels int64 [70000] from `data_dir`/MNIST/raw/*.gz.

    This is the layout that torchvision.datasets.MNIST(root=data_dir) reads and writes. With
    `download`, files that are missing or damaged are fetched by torchvision first; nothing is
    fetched otherwise.

    Raises DataError naming the file where one is missing or is not the published one.
    """
    raw = data_dir / "MNIST" / "raw"
    if download:
        _download(raw, files)
    arrays = [_read_idx(raw / file.name, file) for file in files]
    return Mnist(np.concatenate(arrays[0::2]), np.concatenate(arrays[1::2]).astype(np.int64))


def _read_idx(path: Path, file: IdxFile) -> NDArray[np.uint8]:
    problem = _problem(path, file)
    if problem is not None:
        raise DataError(
            f"MNIST file {path} {problem}. Expected the original file with MD5 {file.md5}. Give "
            f"the directory that contains MNIST/raw by data_dir or {DATA_DIR_VARIABLE}, or ask "
            "for download=True to have torchvision fetch it there"
        )
    content = gzip.decompress(path.read_bytes())
    header = struct.pack(f">I{len(file.shape)}I", _UINT8_CODE << 8 | len(file.shape), *file.shape)
    if not content.startswith(header) or len(content) != len(header) + prod(file.shape):
        raise DataError(f"MNIST file {path} does not hold unsigned bytes of shape {file.shape}")
    return np.frombuffer(content, np.uint8, offset=len(header)).reshape(file.shape)


def _problem(path: Path, file: IdxFile) -> str | None:
    if not path.is_file():
        return "is missing"
    content = path.read_bytes()
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return None if found == file.md5 else f"is damaged: {len(content)} bytes with MD5 {found}"


def _download(raw: Path, files: tuple[IdxFile, ...]) -> None:
    # Imported here because it takes seconds and is needed by nobody who has the files.
    from torchvision.datasets import MNIST  # noqa: PLC0415
    from torchvision.datasets.utils import download_url  # noqa: PLC0415

    for file in files:
        if _problem(raw / file.name, file) is None:
            continue
        reasons = []
        for mirror in MNIST.mirrors:
            try:
                download_url(f"{mirror}{file.name}", str(raw), file.name, file.md5)
                break
            except (OSError, RuntimeError) as error:
                reasons.append(f"{mirror}: {error}")
        else:
            raise DataError(f"MNIST file {file.name} could not be fetched: " + "; ".join(reasons))
