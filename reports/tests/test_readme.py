"""What the README says about the report can be run as written."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from reports.__main__ import main, parser
from reports.tests.synthetic import theorems, write_all

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands() -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [shlex.split(line) for line in lines if line.startswith("python -m reports")]


def test_the_commands_are_known() -> None:
    options = [parser().parse_args(words[3:]) for words in commands()]
    assert len(options) == 3
    assert (options[0].check, options[1].audit) == (True, True)
    assert options[2].against == Path("OTHER/reports/evidence")


def test_the_comparison_runs_on_records(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(write_all(theorems()[:2], tmp_path))
    *words, _ = commands()[2][3:]
    assert main([*words, folder, "--evidence", folder]) == 0
    assert "No verdict changed." in capsys.readouterr().out


def test_the_sections_are_what_a_reader_wants_to_do() -> None:
    headings = re.findall(r"^## (.+)$", README, re.MULTILINE)
    wanted = ["Read the verdicts", "Repeat them", "Check your own layer", "Use the layers"]
    assert [name for name in headings if name in wanted] == wanted
