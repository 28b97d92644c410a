"""What is skipped for want of a module, and what is not."""

import pytest

from verification.optional_packages import MissingExtraError
from verification.tests.tools import absent

SUITE = """
import pytest

@pytest.fixture
def warp():
    from not_here.warps import warp

def test_by_a_fixture(warp): ...
def test_on_its_way():
    try:
        import not_here
    except ImportError:
        raise ValueError("no warp") from None
def test_told_otherwise():
    try:
        import not_here
    except ImportError as error:
        raise ValueError("no warp") from error
def test_a_mistake_where_it_is_replaced():
    try:
        import not_here
    except ImportError:
        import never_declared
def test_what_a_module_has_no_more(): from pathlib import never_there
def test_another(): import never_declared
def test_that_runs(): ...
"""


@pytest.mark.parametrize("modules", [{"not_here"}, {"torch"}])
def test_only_tests_that_need_what_is_absent_are_skipped(pytester, monkeypatch, modules):
    """With the control: where nothing is absent, what cannot be imported fails."""
    monkeypatch.setattr(absent, "MODULES", frozenset(modules))
    pytester.makepyfile(test_of_a_file="import not_here.signals", test_suite=SUITE)
    options = ("-p", "verification.tests.tools.absent", "-p", "no:cacheprovider", "-ra")
    done = pytester.runpytest_inprocess(*options, "--continue-on-collection-errors")
    if "torch" in modules:
        done.assert_outcomes(passed=1, failed=5, errors=2)
        return
    done.assert_outcomes(passed=1, failed=3, skipped=4)
    done.stdout.fnmatch_lines([
        "*SKIPPED * test_of_a_file.py:1: needs not_here, not installed here",
        "FAILED test_suite.py::test_a_mistake_where_it_is_replaced - *",
        "FAILED test_suite.py::test_what_a_module_has_no_more - *",
        "FAILED test_suite.py::test_another - *No module named 'ne*",
    ])  # fmt: skip


def test_an_extra_that_is_missing_says_so_itself():
    assert absent.sentence(MissingExtraError("figures need it"), frozenset()) == "figures need it"
    assert absent.sentence(ValueError("other"), frozenset({"kornia"})) is None
