"""Counts what a run has verified: a pytest plugin, also for suites elsewhere.

    python -m pytest -p verification.tests.tools.coverage ...

At the end it says how many checks gave how many results on how many targets, in how many
generated cases, and which failures were expected, with their reasons. A *generated case* is one set
of drawn arguments with which a Hypothesis property ran to its end; a case that is discarded or
fails does not count. Each test's figures travel with its report, so nothing is lost between
parallel workers.

A complete run of this package's tests under the profile `ci` fails if it covered less than
`minimum.toml` demands. A failing test is given a line that replays it: see `replay`.
"""

from __future__ import annotations

import functools
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from verification.checks.result import CheckResult
from verification.tests.tools import profiles, replay

FOLDER = Path(__file__).parents[2]
MINIMUM = Path(__file__).with_name("minimum.toml")
_KEY = "verification"
_SELECTING = (
    "keyword",
    "markexpr",
    "deselect",
    "ignore",
    "ignore_glob",
    "collectonly",
    "sesn_case",
)
_ALWAYS = "not cuda"
"""What pyproject.toml always selects: no test of this package is for CUDA."""
_MISSING = pytest.ExitCode.TESTS_FAILED


@dataclass
class Tally:
    """What ran: generated cases, properties they are of, results, and failures by reason."""

    cases: int = 0
    properties: int = 0
    results: Counter[tuple[str, str]] = field(default_factory=Counter)
    expected: Counter[str] = field(default_factory=Counter)

    def made(self, result: CheckResult) -> None:
        """Counts a result by the names of check and target."""
        self.results[result.check, result.target] += 1

    def failed_as_expected(self, result: CheckResult, reason: str) -> None:
        """Counts a failure by its reason."""
        self.expected[reason] += 1

    @property
    def checks(self) -> int:
        """How many different checks gave a result."""
        return len({check for check, _ in self.results})

    @property
    def targets(self) -> int:
        """How many targets of different names were judged."""
        return len({target for _, target in self.results})

    def to_json(self) -> dict[str, Any]:
        """Plain values, as a test report can carry them."""
        results = [[*names, count] for names, count in self.results.items()]
        return {"cases": self.cases, "results": results, "expected": dict(self.expected)}

    def add(self, other: dict[str, Any]) -> None:
        """Adds what `to_json` gave for one test."""
        self.cases += other["cases"]
        self.properties += other["cases"] > 0
        self.results.update({(check, name): n for check, name, n in other["results"]})
        self.expected.update(other["expected"])


@dataclass(frozen=True)
class Minimum:
    """What a complete run under `ci` must at least cover, and why."""

    generated_cases: int
    checks: int
    reason: str

    @classmethod
    def read(cls, path: Path = MINIMUM) -> Minimum:
        """Reads the recorded minimum."""
        return cls(**tomllib.loads(path.read_text(encoding="utf-8")))

    def missing(self, tally: Tally) -> list[str]:
        """Sentences about what fell short; empty if nothing did."""
        pairs = {
            "generated cases": (tally.cases, self.generated_cases),
            "checks": (tally.checks, self.checks),
        }
        return [
            f"{name}: {found:,} ran, {wanted:,} is the minimum: {self.reason}"
            for name, (found, wanted) in pairs.items()
            if found < wanted
        ]


_MAKE, _REQUIRE_FAILURE = CheckResult.__init__, CheckResult.require_failure


@contextmanager
def counting(tally: Tally) -> Iterator[None]:
    """Counts every result that is made inside the block, and outside an inner one.

    Results know of no one that counts them: their class is instrumented while tests run.
    """

    def make(result: CheckResult, *arguments: Any, **fields: Any) -> None:
        _MAKE(result, *arguments, **fields)
        tally.made(result)

    def require_failure(result: CheckResult, reason: str) -> None:
        _REQUIRE_FAILURE(result, reason)
        tally.failed_as_expected(result, reason)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CheckResult, "__init__", make)
        patch.setattr(CheckResult, "require_failure", require_failure)
        yield


class Accounting:
    """The plugin's state: the figures of the test under way, and of all so far."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.case: str | None = config.getoption("--sesn-case")
        self.current = Tally()
        self.drawn: dict[str, Any] | None = None
        self.total, self.own = Tally(), Tally()
        self.missing: list[str] = []
        self.printed = time.monotonic()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Listens to one test, its generated cases included."""
        self.current, self.drawn = Tally(), None
        test = replay.inner_test(item)
        if test is not None and not hasattr(test, "counted_by"):
            # Hypothesis documents this attribute as the one that plugins may wrap.
            item.obj.hypothesis.inner_test = self._counting(test)  # type: ignore[attr-defined]
        self.item = item
        with counting(self.current):
            return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> object | None:
        """Runs the one case of `--sesn-case` in place of generated ones."""
        if self.case is None:
            return None
        replay.run(pyfuncitem, self.case)
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Gives a test's figures, and the line that replays a failure, to its report."""
        report = yield
        if call.when == "call":
            report.user_properties = [*report.user_properties, (_KEY, self.current.to_json())]
            if report.failed:
                report.sections.append(("Replay this case", replay.command(item, self._arguments)))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Adds the figures of a test, wherever it ran."""
        for name, figures in report.user_properties:
            if name == _KEY and isinstance(figures, dict):
                self.total.add(figures)
                if _within(self.config.rootpath / report.nodeid.partition("::")[0]):
                    self.own.add(figures)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fails a complete run that covered too little."""
        if is_complete(self.config) and not hasattr(self.config, "workerinput"):
            self.missing = Minimum.read().missing(self.own)
            if self.missing and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = _MISSING

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Prints what was verified."""
        if not (self.total.results or self.total.cases):
            return
        terminalreporter.section("verified")
        for line in summary(self.total, profiles.active().name):
            terminalreporter.write_line(line)
        for line in self.missing:
            terminalreporter.write_line(f"FAILED: {line}", red=True)

    @property
    def _arguments(self) -> dict[str, Any] | None:
        """Drawn arguments of the last case: Hypothesis runs the smallest failing one last."""
        if self.drawn is None or not isinstance(self.item, pytest.Function):
            return None
        return {name: v for name, v in self.drawn.items() if name not in self.item.funcargs}

    def _counting(self, test: replay.Property) -> replay.Property:
        @functools.wraps(test)
        def counting(*arguments: object, **drawn: object) -> None:
            self.drawn = drawn
            test(*arguments, **drawn)
            self.current.cases += 1
            self._progress()

        counting.counted_by = self  # type: ignore[attr-defined]
        return counting

    def _progress(self) -> None:
        wait, now = profiles.active().progress_seconds, time.monotonic()
        if wait is None or now - self.printed < wait:
            return
        self.printed = now
        capture = self.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():
            print(f"{self.item.nodeid}: {self.current.cases:,} cases", file=sys.stderr, flush=True)


def summary(tally: Tally, profile: str) -> Iterable[str]:
    """Lines that say what was verified, and which failures were expected, by their reasons."""
    yield (
        f"{tally.checks} checks gave {tally.results.total():,} results on {tally.targets} targets; "
        f"{tally.cases:,} generated cases of {tally.properties} properties (profile {profile})"
    )
    yield f"{tally.expected.total():,} expected failures" + (":" if tally.expected else "")
    for reason, count in sorted(tally.expected.items(), key=lambda pair: (-pair[1], pair[0])):
        yield f"{count:8,} × {reason}"


def is_complete(config: pytest.Config) -> bool:
    """Whether nothing of this package's tests was left out of a run under the profile `ci`."""
    if profiles.active().name != "ci" or config.option.maxfail or _selects(config):
        return False
    starts = [(config.invocation_params.dir / argument).resolve() for argument in config.args]
    return any(start == FOLDER or start in FOLDER.parents for start in starts)


def _selects(config: pytest.Config) -> bool:
    given = {name: config.getoption(name, None) for name in _SELECTING}
    return any(value for value in given.values() if value != _ALWAYS)


def _within(path: Path) -> bool:
    return FOLDER in path.resolve().parents


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--sesn-case`."""
    group = parser.getgroup("verification")
    group.addoption(
        "--sesn-case",
        metavar="DICT",
        help="run one case of a property: its arguments",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Starts counting."""
    config.pluginmanager.register(Accounting(config), "verification-accounting")
