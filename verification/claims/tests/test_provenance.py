"""Provenance: which commit, and whether the sources differ from it."""

from __future__ import annotations

import dataclasses
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import verification.claims.provenance as provenance_module
from verification.claims.provenance import current_provenance
from verification.claims.tests.records import PROVENANCE


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"started": "yesterday"}, "started must be ISO 8601 in UTC to the second"),
        ({"started": "2025-01-31T12:00:00+02:00"}, "started must be ISO 8601 in UTC"),
        ({"wall_seconds": -1.0}, "wall_seconds must be finite and not negative, got -1.0"),
        ({"device": ""}, "device must be text that is not empty"),
        ({"dirty": 1}, "dirty must be true, false or null, got 1"),
    ],
)
def test_a_provenance_says_which_field_is_wrong(changes: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        dataclasses.replace(PROVENANCE, **changes)


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a checkout with one commit and let the provenance look at it."""
    (tmp_path / "verification" / "claims").mkdir(parents=True)
    (tmp_path / "reports").mkdir()
    source = tmp_path / "verification" / "claims" / "provenance.py"
    source.write_text("x = 1\n")
    (tmp_path / "reports" / "REPORT.md").write_text("old\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "one")
    monkeypatch.setattr(provenance_module, "__file__", str(source))
    return tmp_path


def test_provenance_of_a_clean_commit(checkout: Path) -> None:
    started = datetime(2025, 1, 31, 12, tzinfo=UTC)
    found = current_provenance(started=started)
    assert (found.commit, found.dirty) == (git(checkout, "rev-parse", "HEAD"), False)
    assert found.started == "2025-01-31T12:00:00Z"
    assert found.versions.keys() >= {"python", "torch", "numpy", "scipy", "hypothesis"}


@pytest.mark.parametrize(
    ("name", "dirty"),
    [
        ("verification/claims/provenance.py", True),
        ("verification/new.py", True),
        ("verification/notes.md", False),
        ("reports/REPORT.md", False),
        ("reports/evidence/count-0.json", False),
        ("reports/build.py", True),
    ],
)
def test_only_sources_make_a_checkout_dirty(checkout: Path, name: str, dirty: bool) -> None:
    path = checkout / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("changed\n")
    assert current_provenance().dirty is dirty


def test_a_hook_of_another_checkout_does_not_mislead(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = git(checkout, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(checkout / "elsewhere"))
    assert current_provenance().commit == commit


def test_outside_a_checkout_there_is_no_commit(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = checkout / "environment" / "verification" / "claims" / "provenance.py"
    monkeypatch.setattr(provenance_module, "__file__", str(inner))
    inner.parent.mkdir(parents=True)
    found = current_provenance()
    assert (found.commit, found.dirty) == (None, None)
    monkeypatch.setenv("PATH", "")
    assert current_provenance().commit is None
