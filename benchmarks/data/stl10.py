"""STL-10 in its published binary format, read through torchvision after a check of our own.

torchvision's own check answers a missing, a cut-off and an altered file with one sentence, and
asks for 2.6 GB of unlabelled images that the recipe never uses. Here each of the four files in
use is checked by size and MD5, and the message says which one is wrong and how.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.data.dataset import DataError, DataSet, Normalisation, Split
from benchmarks.data.locations import DATA_DIR_VARIABLE, required_data_dir

NAME = "stl10"
NORMALISATION = Normalisation((0.4467, 0.4398, 0.4066), (0.2603, 0.2566, 0.2713))
CHANNELS, SIZE = 3, 96
IMAGE_BYTES = CHANNELS * SIZE * SIZE
FOLDER = "stl10_binary"


@dataclass(frozen=True)
class BinaryFile:
    """A file of the binary format: its size in bytes and its MD5."""

    size: int
    md5: str


# One byte per label. MD5s as torchvision lists them.
PUBLISHED_FILES: Mapping[str, BinaryFile] = {
    "train_X.bin": BinaryFile(5_000 * IMAGE_BYTES, "918c2871b30a85fa023e0c44e0bee87f"),
    "train_y.bin": BinaryFile(5_000, "5a34089d4802c674881badbb80307741"),
    "test_X.bin": BinaryFile(8_000 * IMAGE_BYTES, "7f263ba9f9e0b06b93213547f721ac82"),
    "test_y.bin": BinaryFile(8_000, "36f9794fa4beb8a2c72628de14fa638e"),
}


def stl10(
    data_dir: str | Path | None = None,
    *,
    download: bool = False,
    files: Mapping[str, BinaryFile] = PUBLISHED_FILES,
) -> DataSet:
    """Return splits of 5,000 / 0 / 8,000 images uint8 [N, 3, 96, 96], labels 0..9, scales unknown.

    The recipe has no validation split, so that split is empty. Read from the folder
    `stl10_binary` of `data_dir` or SESN_DATA_DIR; `download` lets torchvision fetch and unpack
    the published archive (2.6 GB) there if a file is missing or damaged. `files` states what the
    files must be: the published ones unless another set is named in full.

    Raises DataError naming the file that is missing, cut off, or altered.
    """
    root = required_data_dir(data_dir, "STL-10")
    problems = _problems(root, files)
    if problems and download:
        _download(root)
        problems = _problems(root, files)
    if problems:
        raise DataError(
            f"STL-10: {'; '.join(problems)}. Give the directory that contains {FOLDER} by "
            f"data_dir or {DATA_DIR_VARIABLE}, or ask for download=True"
        )
    empty = Split(
        torch.empty(0, CHANNELS, SIZE, SIZE, dtype=torch.uint8), torch.empty(0, dtype=torch.int64)
    )
    train, test = (_read(root, split, files) for split in ("train", "test"))
    return DataSet(NAME, 0, train, empty, test, NORMALISATION)


def _read(root: Path, split: str, files: Mapping[str, BinaryFile]) -> Split:
    # Imported here because it takes seconds and the other data sets do without.
    from torchvision.datasets import STL10  # noqa: PLC0415

    # torchvision checks what its class attributes list: the files in use, not the unlabelled ones.
    lists = {
        f"{part}_list": [[name, files[name].md5] for name in (f"{part}_X.bin", f"{part}_y.bin")]
        for part in ("train", "test")
    }
    reader = type("CheckedSTL10", (STL10,), lists)(str(root), split=split)
    return Split(
        torch.from_numpy(np.ascontiguousarray(reader.data)),
        torch.from_numpy(reader.labels.astype(np.int64)),
    )


def _problems(root: Path, files: Mapping[str, BinaryFile]) -> list[str]:
    missing = [name for name in PUBLISHED_FILES if name not in files]
    if missing:
        raise ValueError(f"files must describe all of {list(PUBLISHED_FILES)}, lacks {missing}")
    found = (_problem(root / FOLDER / name, files[name]) for name in PUBLISHED_FILES)
    return [problem for problem in found if problem is not None]


def _problem(path: Path, expected: BinaryFile) -> str | None:
    if not path.is_file():
        return f"{path} is missing ({expected.size} bytes expected)"
    size = path.stat().st_size
    if size != expected.size:
        kind = "is cut off" if size < expected.size else "is too long"
        return f"{path} {kind} ({size} bytes, {expected.size} expected)"
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "md5").hexdigest()
    if found != expected.md5:
        return f"{path} is altered (MD5 {found}, {expected.md5} expected)"
    return None


def _download(root: Path) -> None:
    from torchvision.datasets import STL10  # noqa: PLC0415

    try:
        STL10(str(root), download=True)
    except (OSError, RuntimeError) as error:
        raise DataError(f"STL-10 could not be fetched into {root}: {error}") from error
