"""Where a measurement comes from: commit, versions, device, threads and time."""

from __future__ import annotations

import importlib.metadata
import platform
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from verification.claims.fields import (
    as_not_negative,
    as_positive_integer,
    as_text,
    check,
    check_mapping,
)
from verification.claims.sources import state_of

PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "kornia",
    "hypothesis",
    "scikit-learn",
    "torchvision",
    "pillow",
    "pytest-benchmark",
    "dask",
    "matplotlib",
)
_STARTED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|\+00:00)")


@dataclass(frozen=True)
class Provenance:
    """Where a record comes from.  `commit` and `dirty` are None where nobody can say."""

    commit: str | None
    dirty: bool | None
    versions: dict[str, str]
    device: str
    threads: int
    started: str
    wall_seconds: float

    def __post_init__(self) -> None:
        """Raise TypeError or ValueError naming the field that is not what it must be."""
        if self.commit is not None:
            check(as_text, commit=self.commit)
        if not (self.dirty is None or isinstance(self.dirty, bool)):
            raise TypeError(f"dirty must be true, false or null, got {self.dirty!r}")
        check_mapping("versions", self.versions, str)
        check(as_text, device=self.device)
        check(as_positive_integer, threads=self.threads)
        if not isinstance(self.started, str) or not _STARTED.fullmatch(self.started):
            raise ValueError(f"started must be ISO 8601 in UTC to the second, got {self.started!r}")
        check(as_not_negative, wall_seconds=self.wall_seconds)


def current_provenance(device: str = "cpu", started: datetime | None = None) -> Provenance:
    """Provenance of a run that starts now (or at `started`), with a wall time of 0 seconds.

    `device` is "cpu" or the name of the accelerator.  The commit is that of the checkout, or the
    packed copy (see `sources`), which holds this very file, as it was when this was first asked for
    in this process, which goes on by what it has loaded; an installed copy has none.
    """
    import torch  # noqa: PLC0415  (reading records must not load torch)

    commit, dirty = _state_of(Path(__file__).resolve().parents[2])
    moment = datetime.now(UTC) if started is None else started.astimezone(UTC)
    return Provenance(
        commit=commit,
        dirty=dirty,
        versions=_versions(),
        device=device,
        threads=torch.get_num_threads(),
        started=moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        wall_seconds=0.0,
    )


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


_state_of = cache(state_of)
