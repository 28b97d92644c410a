"""Where a measurement comes from: commit, versions, device, threads and time."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from verification.claims.fields import check_mapping, check_text, is_integer, is_number

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
_REPORT_OUTPUT = ("reports/evidence", "reports/figures", "reports/REPORT.md")
_SOURCE_SUFFIXES = (".py", ".toml", ".ini", ".cfg", ".txt")


@dataclass(frozen=True)
class Provenance:
    """Where a record comes from.  `commit` and `dirty` are None outside a checkout."""

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
            check_text("commit", self.commit)
        if not (self.dirty is None or isinstance(self.dirty, bool)):
            raise TypeError(f"dirty must be true, false or null, got {self.dirty!r}")
        check_mapping("versions", self.versions, str)
        check_text("device", self.device)
        if not is_integer(self.threads) or self.threads < 1:
            raise ValueError(f"threads must be a positive integer, got {self.threads!r}")
        if not isinstance(self.started, str) or not _STARTED.fullmatch(self.started):
            raise ValueError(f"started must be ISO 8601 in UTC to the second, got {self.started!r}")
        seconds = self.wall_seconds
        if not is_number(seconds) or seconds < 0:
            raise ValueError(f"wall_seconds must be finite and not negative, got {seconds!r}")


def current_provenance(device: str = "cpu", started: datetime | None = None) -> Provenance:
    """Provenance of a run that starts now (or at `started`), with a wall time of 0 seconds.

    `device` is "cpu" or the name of the accelerator.  The commit is that of the checkout which
    holds this very file, as it was when this was first asked for in this process, which goes on by
    what it has loaded; an installed copy has none.
    """
    import torch  # noqa: PLC0415  (reading records must not load torch)

    commit, dirty = _checkout(Path(__file__).resolve().parents[2])
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


@cache
def _checkout(root: Path) -> tuple[str | None, bool | None]:
    """Commit of the checkout at `root` and whether its sources differ from it."""
    top = _git(root, "rev-parse", "--show-toplevel")
    if top is None or Path(top.strip()).resolve() != root:
        return None, None
    commit = _git(root, "rev-parse", "--verify", "--quiet", "HEAD")
    excluded = [f":(exclude){path}" for path in _REPORT_OUTPUT]
    listing = ("status", "--porcelain", "--untracked-files=all", "--", ".", *excluded)
    changes = (_git(root, *listing) or "").splitlines()
    dirty = any(
        not line.startswith("??") or line.rstrip('"').endswith(_SOURCE_SUFFIXES) for line in changes
    )
    return (commit.strip() if commit else None), dirty


def _git(root: Path, *arguments: str) -> str | None:
    """Output of a git command, or None if git or the checkout is not there."""
    # Variables such as GIT_DIR, set inside hooks, would point git at another checkout.
    environment = {name: text for name, text in os.environ.items() if not name.startswith("GIT_")}
    try:
        result = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )
    except OSError:
        return None
    return result.stdout if result.returncode == 0 else None
