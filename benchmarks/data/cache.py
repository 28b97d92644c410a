"""One file per generated data set: written whole or not at all, and checked before it is read.

The file is a line with the SHA-256 of all that follows, and then an uncompressed NumPy archive
of plain arrays. Checking first means that no damaged byte ever reaches a parser.
"""

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.data.dataset import DataError, DataSet, Normalisation, Split
from verification.atomic_files import write_atomically

_DIGEST_LENGTH = 64


def write_cache(data: DataSet, path: Path) -> None:
    """Write `data` (images [N, C, H, W] per split) to `path`, whole or not at all.

    It is written to a temporary file in the same folder, which is then renamed. Any number of
    processes may do so at once: each rename puts a complete file in place.
    Raises OSError where the folder cannot be written or the disk is full; nothing is left then.
    """
    payload = _pack(data)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, digest_line(payload) + payload)


def read_cache(path: Path, name: str, realisation: int, normalisation: Normalisation) -> DataSet:
    """Return the data set (images [N, C, H, W] per split) that `write_cache` put at `path`.

    Raises FileNotFoundError where there is none, DataError where the file is cut off, altered,
    or holds something else.
    """
    content = path.read_bytes()
    line, payload = content[: _DIGEST_LENGTH + 1], content[_DIGEST_LENGTH + 1 :]
    if line != digest_line(payload):
        raise DataError(f"damaged: {len(content)} bytes that do not have the checksum they state")
    try:
        with np.load(io.BytesIO(payload), allow_pickle=False) as arrays:
            held = f"{arrays['name']} {arrays['realisation']}"
            splits = [_unpack(arrays, part) for part in ("train", "validation", "test")]
    except (KeyError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"not in the expected form: {error}") from error
    if held != f"{name} {realisation}":
        raise DataError(f"holds {held}, expected {name} {realisation}")
    return DataSet(name, realisation, splits[0], splits[1], splits[2], normalisation)


def digest_line(payload: bytes) -> bytes:
    """SHA-256 of the payload, which a file of the cache begins with."""
    return hashlib.sha256(payload).hexdigest().encode() + b"\n"


def _pack(data: DataSet) -> bytes:
    arrays = {"name": np.array(data.name), "realisation": np.array(data.realisation)}
    for split_name, split in data.splits.items():
        arrays[f"{split_name}_images"] = split.images.numpy()
        arrays[f"{split_name}_labels"] = split.labels.numpy()
        if split.scales is not None:
            arrays[f"{split_name}_scales"] = split.scales.numpy()
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _unpack(arrays: Any, part: str) -> Split:  # noqa: ANN401 (NumPy's archive type is private)
    scales = f"{part}_scales"
    return Split(
        torch.from_numpy(arrays[f"{part}_images"]),
        torch.from_numpy(arrays[f"{part}_labels"]),
        torch.from_numpy(arrays[scales]) if scales in arrays else None,
    )
