"""What the README shows can be run as written."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch

import verification.__main__
from benchmarks.campaign import command as campaign

README = Path(__file__).parents[2] / "README.md"
SUPPORTS = README.parent / "verification" / "SUPPORTS.md"
CAMPAIGN = README.parent / "benchmarks" / "CAMPAIGN.md"


def blocks(language: str, page: Path = README) -> list[str]:
    """A page's fenced blocks of a language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def without_numbers(text: str) -> list[str]:
    """Lines of which rounding changes no character; the scales stay."""
    return [re.sub(r"(error|explain|gives) [\d.e-]+", r"\1 …", line) for line in text.splitlines()]


@pytest.mark.parametrize("code", blocks("python"), ids=["judge", "layers"])
def test_python_blocks_run(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    exec(compile(code, str(README), "exec"), names)
    printed = capsys.readouterr().out
    assert "FAILED" not in printed
    assert printed.count("PASSED: ") == code.count("print(verdict)")
    if "print(verdict)" in code:
        assert without_numbers(printed) == without_numbers(blocks("text")[0])


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
    with pytest.raises(AssertionError) as caught:
        exec(compile(broken, str(README), "exec"), {})
    shown = without_numbers(blocks("text")[1])
    assert [line for line in shown if line in without_numbers(str(caught.value))] == shown
    assert "likely cause: amplitude: " in shown[1]


@pytest.mark.parametrize("command", blocks("bash", SUPPORTS), ids=["budget"])
def test_commands_of_the_verification_run(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    program, *arguments = shlex.split(command.removeprefix("python -m "))
    assert program == "verification"
    assert verification.__main__.main(arguments) == 0
    wanted = arguments[arguments.index("--wanted") + 1 :]
    printed = capsys.readouterr().out
    assert all(f"{100 * float(error):g} %" in printed for error in wanted)
    assert "truncation" in printed


def test_every_task_of_the_readme_exists() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in (README, CAMPAIGN))
    named = set(re.findall(r"tox -e (\w+)", text))
    menu = (README.parent / "tox.ini").read_text(encoding="utf-8")
    assert named == set(re.findall(r"\[testenv:(\w+)\]", menu))


@pytest.mark.parametrize("page", [README, SUPPORTS], ids=lambda page: page.stem)
def test_linked_files_exist(page: Path) -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)", page.read_text(encoding="utf-8"))
    assert links
    missing = [link for link in links if not (page.parent / link).exists()]
    # The report and its figures are made by the main job; a checkout holds the last ones.
    assert missing == []


def test_the_campaign_has_the_options_that_its_page_names() -> None:
    parser = argparse.ArgumentParser()
    campaign.add_options(parser)
    rows = re.findall(r"^\| (`.*?) \| ", CAMPAIGN.read_text(encoding="utf-8"), re.MULTILINE)
    named = set(re.findall(r"--[a-z-]+", " ".join(rows)))
    assert len(named) > 6
    for option in named:
        assert option in _all_options(parser)


def _all_options(parser: argparse.ArgumentParser) -> set[str]:
    found: set[str] = set()
    for action in parser._actions:
        found |= set(action.option_strings)
        if isinstance(action.choices, dict):
            for child in action.choices.values():
                if isinstance(child, argparse.ArgumentParser):
                    found |= _all_options(child)
    return found
