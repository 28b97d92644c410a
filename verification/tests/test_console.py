"""Printing never decides an answer, a crash is no answer, files have the rights of the umask."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from verification.atomic_files import write_atomically
from verification.console import CRASH

ROOT = Path(__file__).parents[2]
WRONG = """
from torch.nn.functional import conv2d
import torch
def blur(x, s):
    u = torch.arange(-int(5 * s), int(5 * s) + 1, dtype=x.dtype)
    g = torch.exp(-(u**2) / (2 * s**2))
    return conv2d(x, (g[:, None] * g)[None, None], padding=len(u) // 2)
def wrong():
    return (lambda x: [blur(x, s) for s in (1, 1.5, 2)]), {
        "scales": (1, 1.5, 2), "layout": "list", "in_channels": 1}
"""


def run(folder: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "0"}
    environment |= options.pop("env", {})
    options.setdefault("stdout", subprocess.PIPE)
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        stderr=subprocess.PIPE,
        check=False,
        **options,
    )


def guarded(body: str) -> list[str]:
    return ["-c", f"import sys\nfrom verification.console import guarded\n{body}"]


def test_a_verdict_outlives_the_callers_encoding_and_matplotlib(tmp_path: Path) -> None:
    (tmp_path / "own_layers.py").write_text(WRONG, encoding="utf-8")
    (tmp_path / "rc").write_text("text.usetex: True\nbackend: qtagg\n", encoding="utf-8")
    settings = {
        "PYTHONIOENCODING": "cp1252",
        "MPLBACKEND": "module://not_installed_here.backend_inline",
        "MATPLOTLIBRC": str(tmp_path / "rc"),
    }
    command = ["-m", "verification", "judge", "own_layers:wrong", "--check", "scaled_copies"]
    done = run(tmp_path, *command, "--json", "v.json", "--figure", "v.svg", env=settings)
    assert done.returncode == 1, done.stderr
    assert (tmp_path / "v.svg").read_bytes().startswith(b"<?xml")
    assert done.stdout.startswith(b"FAILED: wrong")
    assert rb"\u03c3" in done.stdout  # σ
    verdict = json.loads((tmp_path / "v.json").read_text(encoding="utf-8"))
    assert verdict["passed"] is False
    assert "σ" in json.dumps(verdict, ensure_ascii=False)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("code", [0, 1])
def test_an_output_that_cannot_be_written_leaves_the_answer(tmp_path: Path, code: int) -> None:
    with Path("/dev/full").open("wb") as full:
        done = run(
            tmp_path,
            *guarded(f"sys.exit(guarded(lambda: print('σ' * 99999) or print() or {code}))"),
            stdout=full,
        )
    assert done.returncode == code
    assert done.stderr.count(b"standard output cannot be written") == 1
    assert b"Traceback" not in done.stderr


def test_a_reader_who_leaves_changes_nothing(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = run(
        tmp_path, *guarded("sys.exit(guarded(lambda: print('x' * 99999) or 1))"), stdout=writing
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


def test_a_crash_is_no_answer(tmp_path: Path) -> None:
    done = run(tmp_path, *guarded("sys.exit(guarded(lambda: 1 / 0))"))
    assert done.returncode == CRASH
    assert CRASH not in {0, 1, 2}
    assert b"ZeroDivisionError" in done.stderr


def test_all_commands_are_guarded() -> None:
    for package in ("verification", "benchmarks", "reports"):
        text = (ROOT / package / "__main__.py").read_text(encoding="utf-8")
        assert "sys.exit(guarded(main))" in text


def test_files_have_the_rights_that_the_umask_leaves(tmp_path: Path) -> None:
    path = tmp_path / "verdict.json"
    for umask, rights in ((0o022, 0o644), (0o002, 0o664), (0o077, 0o600)):
        old = os.umask(umask)
        try:
            write_atomically(path, b"a\nb")
        finally:
            os.umask(old)
        assert stat.S_IMODE(path.stat().st_mode) == rights
        assert path.read_bytes() == b"a\nb"


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_atomically(tmp_path / "folder", b"x")
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "none" / "file", b"x")
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]
