"""The folder that travels: sources, data, wheels, records and checkpoints, with their hashes."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

from benchmarks.bundle.wheels import pure_distributions, write_wheel
from benchmarks.data.locations import required_data_dir
from benchmarks.data.mnist import PUBLISHED_FILES, read_mnist
from verification.claims.records import read_record
from verification.claims.sources import PACKED, pack, state_of

ROOT = Path(__file__).resolve().parents[2]
_HERE = Path(__file__).parent
_OLDEST = 11  # minor version of Python that this project needs


def make(
    folder: Path,
    *,
    python: str,
    data: str,
    protocol: str,
    data_dir: Path | None,
    evidence: Path,
    checkpoints: Path | None,
    study: str | None = None,
) -> dict[str, int]:
    """Make the bundle in `folder`, which must not exist; return the size of each file in bytes.

    python: major and minor version there, such as 3.12. data, protocol, study: of the campaign.
    evidence: trainings that need not be done again. checkpoints: unfinished ones to go on with.
    Raises ValueError for uncommitted sources, another kind of version, or a folder that exists;
    DataError for missing or damaged data; RecordError for a damaged record; OSError with nothing
    left behind.
    """
    commit, dirty = state_of(ROOT)
    if commit is None or dirty is not False:
        raise ValueError(
            f"{ROOT}: its sources are not those of a commit, so no record could name one: commit "
            "the changes first"
        )
    minor = re.fullmatch(r"3\.(\d+)", python)
    if not minor or int(minor[1]) < _OLDEST:
        raise ValueError(f"python={python!r}: must be a version from 3.{_OLDEST} on, such as 3.12")
    if folder.exists():
        raise ValueError(f"{folder}: exists already; a bundle is a new folder")
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    part.mkdir(parents=True)
    try:
        for name in ("run.sh", "start.py"):
            shutil.copyfile(_HERE / name, part / name)
        _pack_data(part / "data.tar", data, data_dir)
        (part / "source.tar.gz").write_bytes(_sources(pack(ROOT)))
        _pack_state(part / "state.tar.gz", evidence, checkpoints)
        (part / "wheels").mkdir()
        for one in pure_distributions(python):
            write_wheel(one, part / "wheels")
        files = sorted(path for path in part.rglob("*") if path.is_file())
        manifest = {
            "commit": commit,
            "python": python,
            "data": data,
            "protocol": protocol,
            "study": study,
            "files": {
                path.relative_to(part).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
                for path in files
            },
        }
        (part / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return {path.name: path.stat().st_size for path in folder.rglob("*") if path.is_file()}


def _sources(packed: bytes) -> bytes:
    """Every file of the commit, byte by byte as git keeps it, and the packed commit itself."""
    command = ["git", "-C", str(ROOT), "archive", "--format=tar", "HEAD"]
    buffer = io.BytesIO(subprocess.run(command, capture_output=True, check=True).stdout)
    with tarfile.open(fileobj=buffer, mode="a") as tar:
        _add(tar, PACKED, packed)
    return gzip.compress(buffer.getvalue(), 6, mtime=0)


def _pack_data(path: Path, data: str, data_dir: Path | None) -> None:
    with tarfile.open(path, "w") as tar:
        if data != "mnist_scale":
            return  # digits ship inside scikit-learn
        folder = required_data_dir(data_dir, "MNIST-scale")
        read_mnist(folder)  # raises for files that are missing or damaged
        for file in PUBLISHED_FILES:
            # The original, or a file unpacked from it.
            for source in sorted((folder / "MNIST" / "raw").glob(f"{file.name[:12]}*")):
                _add(tar, f"MNIST/raw/{source.name}", source.read_bytes())


def _pack_state(path: Path, evidence: Path, checkpoints: Path | None) -> None:
    with tarfile.open(path, "w:gz") as tar:
        for record in sorted(evidence.glob("training-*.json")):
            read_record(record)
            _add(tar, f"records/{record.name}", record.read_bytes())
        for state in sorted(checkpoints.glob("*.pt")) if checkpoints else ():
            _add(tar, f"checkpoints/{state.name}", state.read_bytes())


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))
