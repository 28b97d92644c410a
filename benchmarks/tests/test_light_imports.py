"""Trainings, campaigns and tests for CUDA start without Dask, kornia, matplotlib and the like."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys
from importlib.machinery import PathFinder

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, *place):
        return None if name.partition(".")[0] in {absent} else super().find_spec(name, *place)

sys.meta_path[:] = [Without if each is PathFinder else each for each in sys.meta_path]
from {module} import main
code = main({arguments})
heavy = {{name.partition(".")[0] for name in sys.modules}} & {absent}
assert not heavy, heavy
sys.exit(code)
"""
CUDA_TESTS = "benchmarks/training/tests/test_cuda.py"
HEAVY = ("dask", "distributed", "kornia", "matplotlib", "torchvision")


def run(
    arguments: list[str], absent: tuple[str, ...] = HEAVY, module: str = "benchmarks.__main__"
) -> subprocess.CompletedProcess[str]:
    program = PROGRAM.format(absent=set(absent), arguments=arguments, module=module)
    # Plugins of pytest that were taken away are not to be looked for.
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False,
        env=environment,
    )  # fmt: skip


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


def test_tests_for_cuda_are_collected_on_a_bare_node() -> None:
    """With torch, NumPy, SciPy, pytest and Hypothesis alone; what needs more is skipped."""
    needs_kornia = "verification/reference/tests/test_warps.py"
    bare = (*HEAVY, "PIL", "pytest_benchmark", "sklearn", "tqdm")
    arguments = ["-m", "cuda", "--collect-only", "-q", CUDA_TESTS, needs_kornia, "reports/tests"]
    done = run(arguments, bare, "pytest")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{CUDA_TESTS}::test_layers_in_float64[" in done.stdout
    assert f"SKIPPED [1] {needs_kornia}:1: needs kornia, not installed here" in done.stdout
    assert "reports needs matplotlib, not installed here" in done.stdout
    assert not re.search("error", done.stdout, re.IGNORECASE)


def test_what_is_absent_is_noticed() -> None:
    """The control: a command that needs tqdm does not start."""
    done = run(["panels", "--help"], absent=("tqdm",))
    assert "No module named 'tqdm'" in done.stderr
