"""The four original MNIST files, read as they are published and checked before use."""

import gzip
import hashlib
import struct
import zlib
from contextlib import suppress
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
    """A gzipped IDX file of unsigned bytes: its name, the MD5 of the .gz, the shape inside.

    content: MD5 of what is inside, by which it is known however it is packed; empty: not known.
    """

    name: str
    md5: str
    shape: tuple[int, ...]
    content: str = ""


# Pairs of images and labels, in the order in which they are concatenated. MD5s as torchvision
# lists them.
PUBLISHED_FILES = (
    IdxFile(
        "train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873", (60_000, 28, 28),
        "6bbc9ace898e44ae57da46a324031adb",
    ),
    IdxFile(
        "train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432", (60_000,),
        "a25bea736e30d166cdddb491f175f624",
    ),
    IdxFile(
        "t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3", (10_000, 28, 28),
        "2646ac647ad5339dbf082846283269ea",
    ),
    IdxFile(
        "t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c", (10_000,),
        "27ae3e4e09519cfbb04c329615203637",
    ),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Mnist:
    """Train and test together, in file order: images uint8 [N, 28, 28], labels int64 [N]."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


def read_mnist(
    data_dir: Path, *, download: bool = False, files: tuple[IdxFile, ...] = PUBLISHED_FILES
) -> Mnist:
    """Images uint8 [70000, 28, 28] and labels int64 [70000] from `data_dir`/MNIST/raw/*.gz.

    Files that were unpacked, or packed again, are known by their content.

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
    content = _content(path, file)
    header = struct.pack(f">I{len(file.shape)}I", _UINT8_CODE << 8 | len(file.shape), *file.shape)
    if not content.startswith(header) or len(content) != len(header) + prod(file.shape):
        raise DataError(f"MNIST file {path} does not hold unsigned bytes of shape {file.shape}")
    return np.frombuffer(content, np.uint8, offset=len(header)).reshape(file.shape)


def _content(path: Path, file: IdxFile) -> bytes:
    """What is inside the original file; also of one that was packed again, or unpacked."""
    problem = "is missing"
    if path.is_file():
        packed = path.read_bytes()
        if (found := _md5(packed)) == file.md5:
            return gzip.decompress(packed)
        problem = f"is damaged: {len(packed)} bytes with MD5 {found}"
        with suppress(OSError, EOFError, zlib.error):
            if file.content and _md5(content := gzip.decompress(packed)) == file.content:
                return content
    unpacked = path.with_suffix("")
    # Some programs that unpack write a dot in the place of the last hyphen but one.
    for other in (unpacked, unpacked.with_name(unpacked.name.replace("-idx", ".idx"))):
        if file.content and other.is_file() and _md5(content := other.read_bytes()) == file.content:
            return content
    raise DataError(
        f"MNIST file {path} {problem}. Expected the original file with MD5 {file.md5}. Give "
        f"the directory that contains MNIST/raw by data_dir or {DATA_DIR_VARIABLE}, or ask "
        "for download=True to have torchvision fetch it there"
    )


def _is_there(path: Path, file: IdxFile) -> bool:
    try:
        _content(path, file)
    except DataError:
        return False
    return True


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _download(raw: Path, files: tuple[IdxFile, ...]) -> None:
    # Imported here because it takes seconds and is needed by nobody who has the files.
    from torchvision.datasets import MNIST  # noqa: PLC0415
    from torchvision.datasets.utils import download_url  # noqa: PLC0415

    for file in files:
        if _is_there(raw / file.name, file):
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
