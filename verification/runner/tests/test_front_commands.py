"""The shell's command and pytest's plugin, as a user calls them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from torch import nn

import verification
import verification.__main__
from verification.checks.registry import CHECKS
from verification.layer.loading import expectations, load

OWN = """
from sesn_impl import LiftingConv2d, hermite_basis_a
def right():
    return LiftingConv2d(1, 2, hermite_basis_a(11, (1.0, 1.5, 2.25), 3)).double()
def wrong():
    layer = right()
    return (lambda x: layer(x).flip(2)), {"scales": (1.0, 1.5, 2.25), "in_channels": 1}
def nothing():
    return 7
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_layers.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield tmp_path
    sys.modules.pop("own_layers", None)


def judge(*arguments: str) -> int:
    return verification.__main__.main(["judge", *arguments])


def test_the_command_judges_and_writes(own, capsys):
    files = own / "v.json", own / "v.svg"
    only = ["--check", "output", "--check", "scale_equivariance"]
    code = judge("own_layers:right", *only, "--json", str(files[0]), "--figure", str(files[1]))
    printed = capsys.readouterr().out
    assert code == 0
    assert printed.startswith("PASSED: right: largest equivariance error ")
    assert "; ignoring scale gives 0.11; 2 passed\n" in printed
    assert json.loads(files[0].read_text(encoding="utf-8"))["passed"] is True
    assert files[1].read_bytes().startswith(b"<?xml")
    assert sorted(own.glob("*")) == sorted([own / "own_layers.py", *files, *own.glob("__pyc*")])


def test_the_command_fails_with_a_line_that_replays(own, capsys):
    checks = ["--check", "scaled_copies", "--check", "output"]
    assert judge("own_layers:wrong", *checks, "--seed", "3") == 1
    printed = capsys.readouterr().out
    assert printed.startswith("FAILED: wrong: 1 passed, 1 failed\n  likely cause: ")
    line = "python -m verification judge own_layers:wrong --check scaled_copies --seed 3"
    assert line in printed
    assert judge(*line.split()[4:]) == 1
    again = capsys.readouterr().out
    row = next(row for row in printed.splitlines() if row.startswith("scaled_copies"))
    assert row.split() == next(r for r in again.splitlines() if r[:5] == "scale").split()
    assert judge("own_layers:wrong", *checks, "--expect-failure", "scaled_copies=reversed") == 3


def test_a_verdict_is_shown_even_if_its_file_cannot_be_written(own, capsys):
    arguments = ["own_layers:right", "--check", "output", "--json", str(own / "no" / "v.json")]
    assert judge(*arguments) == 2
    told = capsys.readouterr()
    assert told.out.startswith("UNDECIDED: right")
    assert told.err.startswith("error: [Errno 2]")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["own_layers"], "must be package.module:factory"),
        (["no_such:thing"], "no_such cannot be imported"),
        (["own_layers:missing"], "has no callable missing"),
        (["own_layers:nothing"], "must return a layer"),
        (["own_layers:right", "--check", "x"], "check='x': must be one of"),
        (["own_layers:right", "--expect-failure", "border"], "must be CHECK=REASON"),
        (["own_layers:right", "--scales", "1", "2", "--ratio", "2"], "must not be given with"),
        (["own_layers:right", "--check", "output", "--figure", "v.pdf"], "must end in .svg or"),
    ],
)
def test_mistakes_of_usage_are_named(own, capsys, arguments, message):
    assert judge(*arguments) == 2
    assert message in capsys.readouterr().err


def test_factories_and_expectations():
    assert expectations(["border=zero padding = by design"]) == {
        "border": "zero padding = by design"
    }
    layer, options = load("torch.nn:Identity")
    assert isinstance(layer, nn.Identity)
    assert options == {}


def run_plugin(pytester, *arguments):
    pytester.makepyfile(own_layers=OWN, test_other="def test_other(): assert False")
    config = pytester.parseconfig()
    plugin = () if config.pluginmanager.hasplugin("sesn") else ("-p", "pytest_sesn")
    return pytester.runpytest_inprocess(*plugin, "-p", "no:cacheprovider", *arguments)


def test_the_plugin_judges_one_layer_alone(pytester):
    result = run_plugin(
        pytester, "--sesn-impl", "own_layers:wrong",
        "--sesn-expect-failure", "scaled_copies=reversed",
        "-k", "output or scaled_copies or supports or response or verdict", "-rx", "-v",
    )  # fmt: skip
    chosen = {"output", "output_dtype", "scaled_copies", "supports", "response"}
    left_out = sum(not c.optional for c in CHECKS) - len(chosen) - 1
    result.assert_outcomes(passed=2, failed=2, skipped=2, xfailed=1, deselected=left_out)
    result.stdout.fnmatch_lines(["*wrong?output?*PASSED*", "*FAILED: wrong:*", "*XFAIL*reversed*"])
    result.stdout.no_fnmatch_line("*test_other*")


def test_without_its_option_the_plugin_does_nothing(pytester):
    result = run_plugin(pytester)
    result.assert_outcomes(failed=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sesn-impl", "own_layers:nothing"], "must return a layer"),
        (["--sesn-impl", ""], "'': must be package.module:factory"),
        (["--sesn-impl="], "'': must be package.module:factory"),
        (["--sesn-seed", "0"], "--sesn-seed need --sesn-impl"),
        (["--sesn-expect-failure", "border=by design"], "need --sesn-impl"),
    ],
)
def test_a_run_that_would_judge_nothing_is_a_mistake(pytester, arguments, message):
    result = run_plugin(pytester, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{message}*"])


def test_layers_to_be_tested_must_not_be_none():
    with pytest.raises(ValueError, match="must hold at least one"):
        verification.parametrize_with_checks([])


FOREIGN = {
    "verification/__init__.py": "",
    "verification/checks.py": "MINE = True",
    "benchmarks/__init__.py": "MINE = True",
    "reports/__init__.py": "MINE = True",
    "conftest.py": """
def pytest_addoption(parser):
    for name in ("--impl", "--impl-seed", "--case"):
        parser.addoption(name)
""",
    "test_own.py": """
from benchmarks import MINE
from reports import MINE
from verification.checks import MINE
def test_own(): assert MINE
""",
    "own_layers.py": OWN,
}


@pytest.fixture
def foreign(tmp_path):
    """Runs pytest in a project whose names and options are those that one thinks of first."""
    for name, text in FOREIGN.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    root = Path(verification.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}

    def run(*arguments):
        command = [sys.executable, "-m", "pytest", "-p", "pytest_sesn", "-p", "no:cacheprovider"]
        return subprocess.run(
            [*command, *arguments],
            cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", check=False,
        )  # fmt: skip

    return run


def test_a_project_with_the_same_names_runs_its_own_tests(foreign):
    run = foreign()
    assert "1 passed" in run.stdout, run.stdout + run.stderr
    judged = foreign("--sesn-impl", "own_layers:right", "-k", "output")
    assert "2 passed" in judged.stdout, judged.stdout + judged.stderr


def test_two_packages_of_one_name_are_told_apart(foreign, tmp_path):
    with (tmp_path / "conftest.py").open("a") as conftest:
        conftest.write("import verification\n")
    run = foreign("--sesn-impl", "own_layers:right")
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"imported another one from {tmp_path / 'verification'}" in run.stderr


def test_reading_claims_loads_no_torch():
    code = "import sys, verification, pytest_sesn; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = verification.nothing
