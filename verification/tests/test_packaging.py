"""What is installed: the two packages and the plugin; and what each folder imports is declared."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest
from setuptools import find_packages

from verification import optional_packages
from verification.optional_packages import EXTRAS, MissingExtraError, require

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
DISTRIBUTION = {"PIL": "pillow", "sklearn": "scikit-learn", "pytest_benchmark": "pytest-benchmark"}
OWN = {"sesn_impl", "verification", "benchmarks", "reports"}
USED = {
    "sesn_impl": [],
    "verification": ["figures", "testing"],
    "benchmarks": ["benchmarks"],
    "reports": ["reports"],
}
"""The extras that each folder may use beside the core; its tests may use all."""


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w-]", each)[0] for each in requirements}


def modules(folder: str) -> set[str]:
    """What the files of a folder import that is neither Python's nor the project's."""
    found = set()
    for path in (ROOT / folder).rglob("*.py"):
        if "tests" in path.parts or path.name == "conftest.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
    return found - OWN - set(sys.stdlib_module_names) - {"__future__"}


def test_the_wheel_holds_two_packages_and_the_plugin_without_tests() -> None:
    setup = PYPROJECT["tool"]["setuptools"]
    packages = find_packages(str(ROOT), **setup["packages"]["find"])
    assert {name.partition(".")[0] for name in packages} == {"sesn_impl", "verification"}
    assert not [name for name in packages if "tests" in name.split(".")]
    assert setup["py-modules"] == ["pytest_sesn"]
    assert PROJECT["entry-points"]["pytest11"] == {"sesn": "pytest_sesn"}


def test_nothing_that_is_installed_imports_what_is_not() -> None:
    for folder in ("sesn_impl", "verification"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            outside = re.findall(
                r"^\s*(?:from|import) (?:benchmarks|reports)\b", text, re.MULTILINE
            )
            tests = re.findall(r"^\s*(?:from|import) [\w.]+\.tests\b", text, re.MULTILINE)
            assert "tests" in path.parts or not outside + tests, path


@pytest.mark.parametrize("folder", USED)
def test_what_a_folder_imports_is_declared(folder: str) -> None:
    declared = names(PROJECT["dependencies"])
    for extra in USED[folder]:
        declared |= names(PROJECT["optional-dependencies"][extra])
    used = {DISTRIBUTION.get(name, name) for name in modules(folder)}
    assert used - declared == set()


def test_an_extra_brings_the_modules_that_are_asked_for() -> None:
    declared = PROJECT["optional-dependencies"]
    assert set(EXTRAS) == set(declared) - {"all"}
    for extra, needed in EXTRAS.items():
        assert {DISTRIBUTION.get(name, name) for name in needed} == names(declared[extra])
    assert declared["all"][0] == f"sesn-verification[{','.join(EXTRAS)}]"


def test_a_missing_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for extra in EXTRAS:
        require(extra, "the test")
    monkeypatch.setattr(
        optional_packages, "find_spec", lambda name: None if name == "dask" else name
    )
    sentence = r"benchmarks needs dask, not installed here: .*'sesn-verification\[benchmarks\]'"
    with pytest.raises(MissingExtraError, match=sentence):
        require("benchmarks", "benchmarks")
    monkeypatch.setattr(sys, "argv", ["-m", "all"])
    with pytest.raises(SystemExit) as ended:
        require("benchmarks", "benchmarks")
    assert ended.value.code == 2
    assert re.search(sentence, capsys.readouterr().err)


def test_line_ends_do_not_depend_on_the_users_git() -> None:
    rules = (ROOT / ".gitattributes").read_text(encoding="utf-8").splitlines()
    assert "* text=auto eol=lf" in rules
