"""A pytest plugin: `pytest --pyargs verification --impl package.module:factory`.

With `--impl` the run judges that layer alone, one test for each check of the registry; no file is
collected. Without it the plugin does nothing, and it loads nothing but pytest until then.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from verification.checks.registry import Check
    from verification.runner.front import Judgement


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--impl` and what goes with it."""
    group = parser.getgroup("verification")
    group.addoption(
        "--impl", metavar="package.module:factory", help="judge this layer and run no other test"
    )
    group.addoption(
        "--impl-expect-failure", action="append", default=[], metavar="CHECK=REASON",
        help="a check that the layer is known to fail (may be repeated)",
    )  # fmt: skip
    group.addoption("--impl-seed", type=int, default=0, metavar="N", help="of random inputs (0)")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `--impl` no file is collected."""
    return True if config.getoption("impl") else None


def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """With `--impl` the tests are the checks of that layer. Raises UsageError."""
    origin = config.getoption("impl")
    if not origin:
        return
    from verification.checks.registry import CHECKS, named  # noqa: PLC0415
    from verification.layer.loading import declared, expectations, load  # noqa: PLC0415
    from verification.runner.engine import warn_unmatched  # noqa: PLC0415
    from verification.runner.front import Judgement  # noqa: PLC0415

    try:
        layer, options = load(origin, config.getoption("impl_seed"))
        described, expected = declared({"name": origin.partition(":")[2], **options})
        expected |= expectations(config.getoption("impl_expect_failure"))
    except ValueError as error:
        raise pytest.UsageError(f"--impl: {error}") from error
    warn_unmatched(expected)
    judgement = Judgement(layer, described, config.getoption("impl_seed"), origin=origin)
    items[:] = [_item(session, judgement, check, expected) for check in named(None, CHECKS)]


class CheckItem(pytest.Item):
    """One check of the layer as a test."""

    judgement: Judgement
    check: Check

    def runtest(self) -> None:
        """Runs the check."""
        self.judgement.test(self.check)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:  # noqa: ANN401
        """The outcome, without the frames that led to it."""
        return str(excinfo.value)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """What the report calls the test."""
        return Path(__file__), None, self.name


def _item(
    session: pytest.Session, judgement: Judgement, check: Check, expected: dict[str, str]
) -> pytest.Item:
    item = CheckItem.from_parent(session, name=f"{judgement.name}[{check.name}]")
    item.judgement, item.check = judgement, check
    if check.name in expected:
        item.add_marker(pytest.mark.xfail(reason=expected[check.name], strict=True))
    return item
