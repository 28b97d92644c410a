"""What a run counts, when it is too little, and whether a failure's line replays that failure."""

import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from verification.checks import CheckResult
from verification.tests.tools import coverage, profiles
from verification.tests.tools.coverage import Minimum, Tally, counting, is_complete, summary

SUITE = """
import pytest
from hypothesis import assume, given, settings, strategies as st
from verification.checks import CheckResult
from verification.tests.tools.strategies import cut_off_bases

def check(error, target="layer"):
    return CheckResult("example", target, error, 1.0, "an example")

@given(st.integers(0, 1000))
@settings(max_examples=20, database=None)
def test_property(n):
    assume(n % 2 == 0)
    check(0.5).require()

@pytest.mark.parametrize("limit", [100, 2000])
@given(n=st.integers(0, 1000), drawn=cut_off_bases())
@settings(max_examples=50, database=None)
def test_limit(limit, n, drawn):
    assert n < limit

def test_control():
    check(2.0, "broken").require_failure("twice the threshold")
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(test_suite=SUITE)
    return pytester


def run(suite: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return suite.runpytest_inprocess("-p", "verification.tests.tools.coverage", *arguments)


def test_results_cases_and_expected_failures_are_counted(suite):
    outcome = run(suite, "-k", "property or control")
    outcome.assert_outcomes(passed=2, deselected=2)
    outcome.stdout.fnmatch_lines(
        [
            "*verified*",
            "1 checks gave 21 results on 2 targets; 20 generated cases of 1 properties (*",
            "1 expected failures:",
            " *1 × twice the threshold",
        ]
    )


def test_parallel_workers_lose_nothing(suite):
    outcome = run(suite, "-n", "1", "-k", "property or control")
    outcome.assert_outcomes(passed=2)
    outcome.stdout.fnmatch_lines(
        ["1 checks gave 21 results on 2 targets; 20 generated cases of 1 properties (*"]
    )


def test_a_failure_is_replayed_by_its_line(suite):
    """The smallest failing case alone, with its parameter, and it fails as before."""
    outcome = run(suite, "-k", "limit")
    outcome.assert_outcomes(passed=1, failed=1)
    (line,) = [line for line in outcome.outlines if "--sesn-case" in line]
    assert "n=100, drawn=BasisArguments(" in line
    assert "test_limit[100]" in line
    words = shlex.split(line)
    assert words[:4] == [f"SESN_PROFILE={profiles.active().name}", "python", "-m", "pytest"]
    again = run(suite, *words[4:])
    again.assert_outcomes(failed=1)
    again.stdout.fnmatch_lines(["*assert 100 < 100"])
    passing = run(suite, words[4], "--sesn-case", words[6].replace("n=100", "n=99"))
    passing.assert_outcomes(passed=1)


def test_the_line_works_when_pasted(tmp_path):
    """In a shell, in the folder of the project, on one of its own properties."""
    line = (
        f"SESN_PROFILE=smoke {sys.executable} -m pytest -q "
        "verification/tests/tools/test_strategies.py::test_scale_grids_stay_in_range "
        "--sesn-case 'dict(scales=(1.0, 3.0))'"
    )
    folder = Path(coverage.__file__).parents[3]
    done = subprocess.run(line, shell=True, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "assert (3.0 / 1.0)" in done.stdout
    assert "test_scale_grids_stay_in_range --sesn-case 'dict(scales=(1.0, 3.0))'" in done.stdout


def test_what_cannot_be_written_is_not_promised(suite):
    suite.makepyfile(
        test_suite="""
        from hypothesis import given, settings, strategies as st

        @given(st.builds(object))
        @settings(database=None)
        def test_objects(thing):
            assert False

        def test_fixed():
            assert False
        """
    )
    outcome = run(suite)
    outcome.stdout.fnmatch_lines(
        ["*python -m pytest test_suite.py::test_objects  # all its cases: *cannot be evaluated*"]
    )
    assert any(
        line.endswith("python -m pytest test_suite.py::test_fixed") for line in outcome.outlines
    )


@pytest.mark.parametrize(
    ("test", "case", "message"),
    [
        ("test_property", "dict(m=3)", "must give n"),
        ("test_property", "3", "must be a dict of the drawn arguments"),
        ("test_control", "dict()", "test_control draws nothing"),
    ],
)
def test_cases_that_do_not_fit_are_named(suite, test, case, message):
    outcome = run(suite, f"test_suite.py::{test}", "--sesn-case", case)
    outcome.assert_outcomes(failed=1)
    outcome.stdout.fnmatch_lines([f"*{message}*"])


# --- The minimum ----------------------------------------------------------------------------------


def test_the_recorded_minimum_demands_thousands_of_cases_and_says_why():
    minimum = Minimum.read()
    assert minimum.generated_cases >= 5000
    assert minimum.checks >= 18
    assert len(minimum.reason) > 20


def test_what_falls_short_is_told():
    minimum = Minimum(generated_cases=3, checks=1, reason="for the test")
    enough = Tally(cases=3)
    enough.made(CheckResult("example", "layer", 0.0, 1.0, ""))
    assert minimum.missing(enough) == []
    assert minimum.missing(Tally(cases=2)) == [
        "generated cases: 2 ran, 3 is the minimum: for the test",
        "checks: 0 ran, 1 is the minimum: for the test",
    ]


def test_a_complete_run_with_too_few_cases_fails(suite, monkeypatch):
    monkeypatch.setenv(profiles.VARIABLE, "ci")
    monkeypatch.setattr(coverage, "FOLDER", suite.path)
    monkeypatch.setattr(Minimum, "read", lambda: Minimum(1000, 0, "for the test"))
    arguments = ("--deselect", "test_suite.py::test_limit[100]")
    selected = run(suite, *arguments)
    assert selected.ret == pytest.ExitCode.OK
    suite.makepyfile(test_suite=SUITE.replace("[100, 2000]", "[2000]"))
    complete = run(suite)
    assert complete.ret == pytest.ExitCode.TESTS_FAILED
    complete.assert_outcomes(passed=3)
    complete.stdout.fnmatch_lines(
        ["FAILED: generated cases: 70 ran, 1,000 is the minimum: for the test"]
    )


@pytest.mark.parametrize(
    ("arguments", "profile", "complete"),
    [
        (["verification"], "ci", True),
        (["."], "ci", True),
        (["verification", "reports"], "ci", True),
        (["verification/tests"], "ci", False),
        (["reports"], "ci", False),
        (["verification", "-k", "basis"], "ci", False),
        (["verification", "-m", "hypothesis"], "ci", False),
        (["verification", "-x"], "ci", False),
        (["verification", "--deselect", "verification/tests/test_basis.py"], "ci", False),
        (["verification"], "smoke", False),
    ],
)
def test_only_complete_runs_are_judged(pytester, monkeypatch, arguments, profile, complete):
    monkeypatch.setenv(profiles.VARIABLE, profile)
    folder = pytester.mkdir("verification")
    for name in ("verification/tests", "reports"):
        (pytester.path / name).mkdir()
    monkeypatch.setattr(coverage, "FOLDER", folder)
    given = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text("utf-8"))
    always = given["tool"]["pytest"]["ini_options"]["addopts"]
    pytester.makeini(f"[pytest]\naddopts = {always}\nmarkers = cuda: needs a GPU\n")
    config = pytester.parseconfig("-p", "verification.tests.tools.coverage", *arguments)
    assert is_complete(config) is complete


# --- Results --------------------------------------------------------------------------------------


def test_a_result_tells_its_circumstances():
    result = CheckResult(
        "example", "layer", 2.0, 1.0, "an example", floor=0.5, requested=1.5, realised=1.49,
        configuration="K_S 2", seed=7,
    )  # fmt: skip
    assert str(result) == (
        "example on layer FAILED: error 2, threshold 1, floor 0.5: an example "
        "(factor requested 1.5, realised 1.49, configuration K_S 2, seed 7)"
    )
    with pytest.raises(AssertionError, match="example on layer FAILED"):
        result.require()


def test_a_failure_that_must_be_and_is_not_is_named():
    with pytest.raises(AssertionError, match=r"passed.*: an example; it must fail: it is broken"):
        CheckResult("example", "layer", 0.5, 1.0, "an example").require_failure("it is broken")


def test_the_innermost_block_listens():
    """So that a suite run inside a test is not counted twice."""
    outer, inner = Tally(), Tally()
    with counting(outer):
        CheckResult("example", "layer", 0.5, 1.0, "")
        with counting(inner):
            CheckResult("example", "other layer", 0.5, 1.0, "")
    CheckResult("example", "third layer", 0.5, 1.0, "")
    assert list(outer.results) == [("example", "layer")]
    assert list(inner.results) == [("example", "other layer")]
    assert list(summary(inner, "ci"))[1] == "0 expected failures"
