"""Trainings and campaigns start where neither Dask nor kornia nor matplotlib is installed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys

class Absent:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in {absent}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
from benchmarks.__main__ import main
code = main({arguments})
heavy = {{name.partition(".")[0] for name in sys.modules}} & {absent}
assert not heavy, heavy
sys.exit(code)
"""
HEAVY = ("dask", "distributed", "kornia", "matplotlib", "torchvision")


def run(arguments: list[str], absent: tuple[str, ...] = HEAVY) -> subprocess.CompletedProcess[str]:
    program = PROGRAM.format(absent=set(absent), arguments=arguments)
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_campaign_trains_without_them(tmp_path: Path) -> None:
    """With own processes, which import in their own way."""
    chosen = ["--columns", "28", "--methods", "cnn", "--realisations", "0", "--workers", "1"]
    folders = ["--evidence", str(tmp_path / "e"), "--checkpoints", str(tmp_path / "r")]
    done = run(["campaign", "run", *chosen, *folders, "--budget", "6s"])
    assert done.returncode == 0, done.stderr
    assert "note: without Dask (ModuleNotFoundError: No module named 'dask')" in done.stdout
    assert re.search(r"(nothing|1 postponed|1 finished); \d of 1 runs finished", done.stdout)


@pytest.mark.parametrize("arguments", [["train", "--model", "cnn_29"], ["campaign", "status"]])
def test_commands_begin_without_them(arguments: list[str], tmp_path: Path) -> None:
    done = run([*arguments, "--evidence", str(tmp_path)])
    assert "Traceback" not in done.stderr
    assert done.returncode == (2 if "train" in arguments else 0), done.stderr


def test_what_is_absent_is_noticed() -> None:
    """The control: a command that needs kornia does not start."""
    done = run(["panels", "--help"], absent=("kornia",))
    assert "No module named 'kornia'" in done.stderr
