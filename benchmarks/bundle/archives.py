"""What comes back: records, logs and checkpoints in few archives of bounded size, always whole."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from benchmarks import CommandError
from verification.atomic_files import write_through

RESULTS = "results.tar.gz"
LARGEST = 15 * 2**20  # bytes of one archive; some machines give back files of 16 MB at most
CHECKPOINT_ARCHIVES = 4
"""So many, and one of results: no more than 8 files, and no more than 64 MiB together with it."""

_PART = ".part"  # one name, so that a killed process leaves one file at the most
_NAME = re.compile(r"(records|logs|checkpoints)/[A-Za-z0-9][A-Za-z0-9._+-]*")
_BLOCK = 512  # bytes: each file of an archive begins at a multiple, after a header of one
_SUMS = "sums.json"  # the last file of an archive: 192 bytes or less for each other one
END = 24 * _BLOCK


class ArchiveError(CommandError):
    """An archive that cannot be read or may not be unpacked; the message names it."""


def leave(
    out: Path, records: Iterable[Path], logs: Iterable[Path], checkpoints: Iterable[Path]
) -> list[str]:
    """Put everything into archives in `out`, each replaced as a whole; return what had no room.

    Of the checkpoints the newest come first. Raises OSError where `out` cannot be written, with the
    archives that were there as they were.
    """
    # A run that ends meanwhile leaves a record in place of its checkpoint: read the latter first.
    groups, rest = _grouped(checkpoints)
    packed = [_tar(_read("checkpoints", group)) for group in groups]
    results = [*_read("records", records), *_read("logs", logs)]
    _replace(out / RESULTS, gzip.compress(_tar(results), 6, mtime=0))
    for index, content in enumerate(packed, start=1):
        _replace(_checkpoints(out, index), content)
    for index in range(len(groups) + 1, CHECKPOINT_ARCHIVES + 1):
        _checkpoints(out, index).unlink(missing_ok=True)
    return [f"{path.name}: no room for this checkpoint" for path in rest]


def archives(out: Path) -> list[Path]:
    """Return the archives in a folder, that of the results first."""
    found = [out / RESULTS, *(_checkpoints(out, k) for k in range(1, CHECKPOINT_ARCHIVES + 1))]
    return [path for path in found if path.exists()]


def contents(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of every file of an archive that `leave` made, as it was left.

    Raises ArchiveError for one that is damaged, or holds anything else, behind what is whole of it.
    """
    files: dict[str, bytes] = {}
    try:
        faults = _read_into(files, archive)
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError) as error:
        faults = f"damaged ({type(error).__name__}: {error})"
    yield from files.items()
    if faults:
        raise ArchiveError(f"{archive}: {faults}")


def _read_into(files: dict[str, bytes], archive: Path) -> str:
    """Put what is whole into `files`; return what is wrong with the rest."""
    data = archive.read_bytes()
    if archive.name == RESULTS:
        data = gzip.decompress(data)  # as a whole: reading on demand never checks its sum
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isfile() else None
            if file is None or not (_NAME.fullmatch(member.name) or member.name == _SUMS):
                return f"holds {member.name!r}, which is none of ours"
            content = file.read()
            if len(content) != member.size:
                return f"cut off within {member.name}"
            if member.name == _SUMS:
                return _keep_unchanged(files, json.loads(content))
            files[member.name] = content
    return "cut off: its sums are missing"


def _keep_unchanged(files: dict[str, bytes], left: dict[str, str]) -> str:
    changed = {name for name, content in files.items() if _sum(content) != left.get(name)}
    for name in changed:
        del files[name]
    lost = sorted(changed | (left.keys() - files.keys()))
    return f"damaged: {', '.join(lost)} changed or missing" if lost else ""


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _checkpoints(out: Path, index: int) -> Path:
    return out / f"checkpoints-{index}.tar"


def _read(kind: str, paths: Iterable[Path]) -> list[tuple[str, bytes]]:
    """What is there at this moment: a finished run's checkpoint may go away under our hands."""
    found = []
    for path in paths:
        with suppress(FileNotFoundError):
            found.append((f"{kind}/{path.name}", path.read_bytes()))
    return found


def _tar(files: Sequence[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    sums = {name: _sum(content) for name, content in files}
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in [*files, (_SUMS, json.dumps(sums).encode())]:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _grouped(paths: Iterable[Path]) -> tuple[list[list[Path]], list[Path]]:
    """Share files out, newest first, each to the first archive that has room; and what has none."""
    found = []
    for path in paths:
        with suppress(FileNotFoundError):
            found.append((-path.stat().st_mtime_ns, path, path.stat().st_size))
    groups: list[list[Path]] = [[] for _ in range(CHECKPOINT_ARCHIVES)]
    room, rest = [LARGEST - END] * CHECKPOINT_ARCHIVES, []
    for _, path, size in sorted(found):
        needed = -(-size // _BLOCK) * _BLOCK + _BLOCK + 192
        free = next((k for k, left in enumerate(room) if left >= needed), None)
        if free is None:
            rest.append(path)
        else:
            groups[free].append(path)
            room[free] -= needed
    return [group for group in groups if group], rest


def _replace(path: Path, content: bytes) -> None:
    part = path.with_name(_PART)
    part.unlink(missing_ok=True)
    try:
        write_through(part, content)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
