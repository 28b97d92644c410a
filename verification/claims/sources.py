"""Which commit the sources are of, and whether they differ from it: asked of git, or without it.

Where a folder holds no checkout but the file PACKED, as `pack` makes it in one, the files are
hashed as git hashes them, up to the name of the commit. So a copy carried to a machine without git
leaves records that name their commit, and cannot name one that it is not of.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

PACKED = ".packed-commit"
"""Name of the file: a commit object, a zero byte, and the files of the commit as `git ls-tree`
lists them, each ended by a zero byte."""

_REPORT_OUTPUT = ("reports/evidence", "reports/figures", "reports/REPORT.md")
_SOURCE_SUFFIXES = (".py", ".toml", ".ini", ".cfg", ".txt")
_HASHES = {40: "sha1", 64: "sha256"}  # by the number of their hexadecimal digits
_LINK = "120000"


class SourcesError(ValueError):
    """A packed commit that is not what it says."""


class SourcesWarning(UserWarning):
    """Nobody can say which sources these are: records of them will count for nothing."""


class _GitError(Exception):
    """A question that git did not answer."""


def state_of(root: Path) -> tuple[str | None, bool | None]:
    """Commit of the checkout or packed copy at `root`, and whether its sources differ from it.

    None stands for what is not known: both outside a checkout; with a SourcesWarning that says why
    where there is one, but git does not answer or the packed commit is damaged.
    """
    commit: str | None = None
    try:
        if os.path.lexists(root / ".git"):
            if Path(_path(_git(root, "rev-parse", "--show-toplevel"))).resolve() != root:
                return None, None
            commit = os.fsdecode(_git(root, "rev-parse", "--verify", "HEAD").strip())
            return commit, _differs_by_git(root)
        if (root / PACKED).is_file():
            return _state_of_packed(root)
    except (_GitError, SourcesError, OSError) as error:
        warnings.warn(f"{root}: which sources these are is not known: {error}", SourcesWarning, 3)
        return commit, None
    return None, None


def pack(root: Path) -> bytes:
    """Return what the file PACKED of a copy of HEAD of the checkout at `root` must hold.

    Raises OSError where git does not answer.
    """
    try:
        commit = _git(root, "cat-file", "commit", "HEAD")
        return commit + b"\0" + _git(root, "ls-tree", "-r", "-z", "--full-tree", "HEAD")
    except _GitError as error:
        raise OSError(f"{root}: HEAD cannot be packed: {error}") from error


def unpack(packed: bytes) -> tuple[str, dict[str, tuple[str, str]]]:
    """Return the commit and its files, {path: (mode, hash)}, of what `pack` returned.

    Raises SourcesError where the files are not those that the commit names.
    """
    commit, _, listing = packed.partition(b"\0")
    tree = commit.partition(b"\n")[0].decode("ascii", "replace").removeprefix("tree ")
    algorithm = _HASHES.get(len(tree))
    files = {}
    for line in listing.split(b"\0")[:-1]:
        entry, _, path = line.partition(b"\t")
        parts = entry.decode("ascii", "replace").split()
        if len(parts) != 3 or not path:
            raise SourcesError(f"{PACKED} is damaged at {line[:80]!r}")
        files[os.fsdecode(path)] = (parts[0], parts[2])
    if algorithm is None or _hash_of_tree(files, algorithm) != tree:
        raise SourcesError(f"{PACKED} is damaged: its files are not those of its commit")
    return _hash(algorithm, "commit", commit), files


def _state_of_packed(root: Path) -> tuple[str, bool]:
    commit, files = unpack((root / PACKED).read_bytes())
    algorithm = _HASHES[len(commit)]
    changed = any(
        not _is_report_output(path) and _hash_of_file(root / path, mode, algorithm) != expected
        for path, (mode, expected) in files.items()
    )
    return commit, changed or any(path not in files for path in _sources(root))


def _sources(root: Path) -> Iterator[str]:
    for folder, _, names in os.walk(root):
        for name in names:
            path = (Path(folder) / name).relative_to(root).as_posix()
            if name.endswith(_SOURCE_SUFFIXES) and not _is_report_output(path):
                yield path


def _is_report_output(path: str) -> bool:
    return any(path == output or path.startswith(f"{output}/") for output in _REPORT_OUTPUT)


def _hash_of_file(path: Path, mode: str, algorithm: str) -> str | None:
    try:
        content = os.fsencode(path.readlink()) if mode == _LINK else path.read_bytes()
    except OSError:
        return None
    return _hash(algorithm, "blob", content)


def _hash_of_tree(files: Mapping[str, tuple[str, str]], algorithm: str) -> str:
    """Hash of the tree object that holds these files, as git builds it."""
    entries: dict[str, tuple[str, str]] = {}
    folders: dict[str, dict[str, tuple[str, str]]] = {}
    for path, entry in files.items():
        head, _, rest = path.partition("/")
        if rest:
            folders.setdefault(head, {})[rest] = entry
        else:
            entries[head] = entry
    for name, content in folders.items():
        entries[name] = ("40000", _hash_of_tree(content, algorithm))
    # Git sorts a folder as if its name ended in a slash.
    ordered = sorted(entries, key=lambda name: os.fsencode(name + "/" * (name in folders)))
    return _hash(
        algorithm,
        "tree",
        b"".join(
            entries[name][0].encode() + b" " + os.fsencode(name) + b"\0" + _bytes(entries[name][1])
            for name in ordered
        ),
    )


def _bytes(digits: str) -> bytes:
    try:
        return bytes.fromhex(digits)
    except ValueError as error:
        raise SourcesError(f"{PACKED} is damaged: {digits!r} is no hash") from error


def _hash(algorithm: str, kind: str, content: bytes) -> str:
    digest = hashlib.new(algorithm, usedforsecurity=False)
    digest.update(f"{kind} {len(content)}".encode() + b"\0" + content)
    return digest.hexdigest()


def _differs_by_git(root: Path) -> bool:
    excluded = [f":(exclude){path}" for path in _REPORT_OUTPUT]
    listing = ("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all")
    changes = _git(root, *listing, "--", ".", *excluded).split(b"\0")[:-1]
    suffixes = tuple(suffix.encode() for suffix in _SOURCE_SUFFIXES)
    if any(not line.startswith(b"??") or line.endswith(suffixes) for line in changes):
        return True
    # Files that git was told not to look at: `update-index --assume-unchanged`, `--skip-worktree`.
    for line in _git(root, "ls-files", "-v", "-z", "--", ".", *excluded).split(b"\0")[:-1]:
        path = root / os.fsdecode(line[2:])
        if (line[:1].islower() or line[:1] == b"S") and os.path.lexists(path):
            raise _GitError(f"git was told not to look at {path} (update-index)")
    return False


def _path(output: bytes) -> str:
    """The path that git printed: names may end in a space, and hold any byte."""
    return os.fsdecode(output.removesuffix(b"\n"))


def _git(root: Path, *arguments: str) -> bytes:
    """Output of a git command; raises _GitError where there is none to rely on."""
    # Variables such as GIT_DIR, set inside hooks, would point git at another checkout; settings
    # such as safe.directory may have been given by variables as well.
    environment = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith("GIT_") or name.startswith("GIT_CONFIG_")
    }
    # Reading must not rewrite the index, and nobody else is asked what has changed.
    command = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-C", str(root)]
    try:
        result = subprocess.run(
            [*command, *arguments], capture_output=True, check=False, env=environment
        )
    except OSError as error:
        raise _GitError(f"git cannot be run ({error})") from error
    if result.returncode:
        said = result.stderr.decode(errors="replace").strip().splitlines() or ["nothing"]
        raise _GitError(f"`git {arguments[0]}` ended with {result.returncode}: {said[0]}")
    return result.stdout
