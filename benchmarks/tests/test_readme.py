"""What the README shows can be run as written."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch

import verification.__main__

README = Path(__file__).parents[2] / "README.md"


def blocks(language: str) -> list[str]:
    """The README's fenced blocks of a language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("code", blocks("python"), ids=["judge", "layers"])
def test_python_blocks_run(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    exec(compile(code, str(README), "exec"), names)
    printed = capsys.readouterr().out
    assert "FAILED" not in printed
    assert printed.count("PASSED: ") == code.count("print(verdict)")


@pytest.mark.parametrize(("rate", "learns"), [("0.02", True), ("0.0", False)])
def test_the_network_of_ones_own_learns_in_ten_lines(rate: str, learns: bool) -> None:
    torch.manual_seed(0)
    code = blocks("python")[1]
    assert len([line for line in code.splitlines() if line.strip()]) == 10
    names: dict[str, Any] = {}
    exec(compile(code.replace("lr=0.02", f"lr={rate}"), str(README), "exec"), names)
    assert (float(names["loss"].detach()) < 0.5) == learns  # ln 2 is chance


def test_a_layer_is_judged_in_ten_lines() -> None:
    code = blocks("python")[0]
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    broken = code.replace("/ sigma\n", "\n").replace("print(verdict)", "verdict.require()")
    with pytest.raises(AssertionError, match=r"likely cause: amplitude: .* σ\^0 in place of σ\^-2"):
        exec(compile(broken, str(README), "exec"), {})


@pytest.mark.parametrize("command", blocks("bash"), ids=["budget"])
def test_commands_of_the_verification_run(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    program, *arguments = shlex.split(command.removeprefix("python -m "))
    assert program == "verification"
    assert verification.__main__.main(arguments) == 0
    wanted = arguments[arguments.index("--wanted") + 1 :]
    printed = capsys.readouterr().out
    assert all(f"{100 * float(error):g} %" in printed for error in wanted)
    assert "truncation" in printed


def test_every_task_of_the_readme_exists() -> None:
    text = README.read_text(encoding="utf-8")
    named = set(re.findall(r"tox -e (\w+)", text))
    menu = (README.parent / "tox.ini").read_text(encoding="utf-8")
    assert named == set(re.findall(r"\[testenv:(\w+)\]", menu))


def test_linked_files_exist() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)", README.read_text(encoding="utf-8"))
    assert links
    missing = [link for link in links if not (README.parent / link).exists()]
    # The report and its figures are made by the main job; a checkout holds the last ones.
    assert missing == []
