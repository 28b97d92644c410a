"""Modules that are not installed: tests that need them are skipped.

A GPU node often has torch, NumPy, SciPy, pytest and Hypothesis alone. What can be tested there is
tested, and what needs more is skipped with a sentence. Where everything is installed this pytest
plugin does nothing.
"""

from __future__ import annotations

from collections.abc import Generator
from importlib.util import find_spec

import pytest

from verification.optional_packages import EXTRAS, MissingExtraError

MODULES = frozenset({"kornia", "sklearn", "tqdm"}.union(*EXTRAS.values()))
"""What the project imports beside torch, NumPy and SciPy."""


def missing() -> frozenset[str]:
    """Those of MODULES that are not installed here."""
    return frozenset(name for name in MODULES if find_spec(name) is None)


def sentence(error: BaseException | None, absent: frozenset[str]) -> str | None:
    """Why a test cannot be run here; None if its error has nothing to do with what is absent.

    An error raised `from` another is that one told otherwise, also `from None`. One that merely
    happens where another is being handled is a mistake of its own.
    """
    while error is not None:
        if isinstance(error, MissingExtraError):
            return str(error)
        name = error.name if isinstance(error, ModuleNotFoundError) else None
        root = (name or "").partition(".")[0]
        if root in absent:
            return f"needs {root}, not installed here"
        told = error.__context__ if error.__suppress_context__ else None
        error = error.__cause__ or told
    return None


class Skipping:
    """Skips in place of failing, for want of a module."""

    def __init__(self, absent: frozenset[str]) -> None:
        self.absent = absent

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """A file that cannot be imported."""
        report = yield
        call: pytest.CallInfo[object] | None = getattr(report, "call", None)
        self._skip(report, call, collector)
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """A test that imports it on its way, or a fixture that does."""
        report = yield
        self._skip(report, call, item)
        return report

    def _skip(
        self,
        report: pytest.CollectReport | pytest.TestReport,
        call: pytest.CallInfo[object] | pytest.CallInfo[None] | None,
        where: pytest.Item | pytest.Collector,
    ) -> None:
        if report.failed and call is not None and call.excinfo is not None:
            why = sentence(call.excinfo.value, self.absent)
            if why is not None:
                report.outcome = "skipped"
                report.longrepr = (str(where.path), 1, f"Skipped: {why}")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Accepts what pyproject.toml gives to a plugin that may be missing."""
    if find_spec("pytest_benchmark") is None:
        parser.addoption("--benchmark-disable", action="store_true", help="has no effect here")


def pytest_configure(config: pytest.Config) -> None:
    """Skips only where something is missing."""
    absent = missing()
    if absent:
        config.pluginmanager.register(Skipping(absent), "verification-absent")
