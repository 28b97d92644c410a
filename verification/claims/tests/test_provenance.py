"""Provenance: which commit, and whether the sources differ from it."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import verification.claims.provenance as provenance_module
from verification.claims.provenance import current_provenance
from verification.claims.sources import PACKED, SourcesWarning, pack, state_of
from verification.claims.tests.records import PROVENANCE


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"started": "yesterday"}, "started must be ISO 8601 in UTC to the second"),
        ({"started": "2025-01-31T12:00:00+02:00"}, "started must be ISO 8601 in UTC"),
        ({"wall_seconds": -1.0}, "wall_seconds must be a number and not negative, got -1.0"),
        ({"wall_seconds": 10**400}, "wall_seconds must be a number and not negative, got 1000"),
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


@pytest.mark.parametrize("length", [20, 31, 60, 100])
def test_a_question_that_git_does_not_answer_is_no_good_answer(checkout: Path, length: int) -> None:
    """With a damaged index an edited file must not look like a clean one."""
    commit = git(checkout, "rev-parse", "HEAD")
    (checkout / "verification" / "claims" / "provenance.py").write_text("edited\n")
    index = checkout / ".git" / "index"
    index.write_bytes(index.read_bytes()[:length])
    if length == 31:
        with pytest.warns(SourcesWarning, match=r"not known: `git status` ended with 128"):
            assert state_of(checkout.resolve()) == (commit, None)
    else:  # git makes something of it, or not
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SourcesWarning)
            assert state_of(checkout.resolve())[1] is not False


def test_a_clean_filter_whose_program_is_missing(checkout: Path) -> None:
    git(checkout, "config", "filter.gone.clean", "no-such-program-anywhere")
    git(checkout, "config", "filter.gone.required", "true")
    (checkout / ".git" / "info" / "attributes").write_text("*.py filter=gone\n")
    (checkout / "verification" / "claims" / "provenance.py").write_text("x = 2\n")
    with pytest.warns(SourcesWarning, match="not known"):
        assert state_of(checkout.resolve())[1] is None


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_a_file_that_git_was_told_not_to_look_at(checkout: Path, flag: str) -> None:
    source = checkout / "verification" / "claims" / "provenance.py"
    git(checkout, "update-index", flag, str(source))
    source.write_text("edited\n")
    with pytest.warns(SourcesWarning, match="told not to look at .*provenance.py"):
        assert state_of(checkout.resolve())[1] is None


def test_without_git_a_checkout_is_not_known(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.warns(SourcesWarning, match="git cannot be run"):
        assert state_of(checkout.resolve()) == (None, None)


@pytest.mark.parametrize("name", [b"caf\xe9", b"ends in a space ", "späti".encode(), b"two\nlines"])
def test_folders_of_any_name_have_a_commit(checkout: Path, name: bytes) -> None:
    folder = checkout.with_name(checkout.name + os.fsdecode(name))
    checkout.rename(folder)
    assert state_of(folder.resolve()) == (git(folder, "rev-parse", "HEAD"), False)
    (folder / os.fsdecode(b"n\xe9w.py")).write_text("")
    assert state_of(folder.resolve())[1] is True


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs to give away")
def test_a_safe_directory_may_be_given_by_variables(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    for path in (checkout, checkout / ".git"):
        os.chown(path, 12345, 12345)
    with pytest.warns(SourcesWarning, match="dubious ownership"):
        assert state_of(checkout.resolve()) == (None, None)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "safe.directory")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "*")
    assert state_of(checkout.resolve())[1] is False


@pytest.fixture
def copy(checkout: Path) -> Path:
    """A copy without git, of a commit with the kinds of entries that git sorts and hashes."""
    for name in ("a.b/c.py", "a/b.py", "a0.py", "notes.md"):
        (checkout / name).parent.mkdir(exist_ok=True)
        (checkout / name).write_text(name)
    (checkout / "link").symlink_to("a0.py")
    (checkout / "a0.py").chmod(0o755)
    git(checkout, "add", ".")
    git(checkout, "commit", "--quiet", "--message", "two")
    folder = checkout.with_name(f"{checkout.name}-copy")
    shutil.copytree(checkout, folder, symlinks=True, ignore=lambda *_: [".git"])
    (folder / PACKED).write_bytes(pack(checkout))
    return folder


def test_a_packed_copy_names_its_commit_without_git(
    checkout: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = git(checkout, "rev-parse", "HEAD")
    monkeypatch.setenv("PATH", "")
    assert state_of(copy) == (commit, False)
    for name in ("reports/REPORT.md", "verification/notes.md"):  # as git would say
        (copy / name).write_text("new\n")
        assert state_of(copy) == (commit, False)


@pytest.mark.parametrize("name", ["a/b.py", "notes.md", "new.py"])
def test_a_changed_copy_is_dirty(copy: Path, name: str) -> None:
    (copy / name).write_text("changed")
    assert state_of(copy)[1] is True


def test_a_copy_that_lacks_a_file_is_dirty(copy: Path) -> None:
    (copy / "link").unlink()
    assert state_of(copy)[1] is True


@pytest.mark.parametrize("change", [(b"one", b"own"), (b"a0.py", b"a1.py"), (b"100644", b"100755")])
def test_a_packed_commit_cannot_be_made_up(copy: Path, change: tuple[bytes, bytes]) -> None:
    """Another message is another commit; other files are none."""
    packed = (copy / PACKED).read_bytes()
    commit = state_of(copy)[0]
    (copy / PACKED).write_bytes(packed.replace(b"two", b"own") if change[0] == b"one" else packed)
    assert state_of(copy)[0] != commit or change[0] != b"one"
    if change[0] != b"one":
        (copy / PACKED).write_bytes(packed.replace(*change, 1))
        with pytest.warns(SourcesWarning, match=r"files are not those of its commit"):
            assert state_of(copy) == (None, None)


@pytest.mark.parametrize("damage", [b"", b"tree 12\n", b"\0x\0"])
def test_a_damaged_packed_commit_is_told(copy: Path, damage: bytes) -> None:
    (copy / PACKED).write_bytes(damage)
    with pytest.warns(SourcesWarning, match="damaged"):
        assert state_of(copy) == (None, None)
