"""A pytest plugin: `pytest --sesn-impl package.module:factory` judges that layer.

With this option the run judges the layer alone, one test for each check of the registry and one
for the verdict, and no file is collected. Without it the plugin does nothing, and loads nothing but
pytest.

It is a module of its own, and its options carry the project's name, so that pytest starts in
anybody's project: one with a folder called `verification`, or with an option `--impl`.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from verification.checks.registry import Check
    from verification.runner.front import Judgement

HERE = Path(__file__).resolve().parent
_FACTORY, _EXPECTED, _SEED = "--sesn-impl", "--sesn-expect-failure", "--sesn-seed"
OPTIONS = (
    "scales", "ratio", "layout", "select", "in_channels", "lifts", "takes_scale", "scale_extent",
    "ends", "stride", "window", "fixed_size", "dtype", "device", "output", "tolerance", "name",
)  # fmt: skip
"""Those of `verification.layer.options.Options`, by name alone: nothing is loaded for them."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--sesn-impl` and what goes with it."""
    group = parser.getgroup("sesn", "scale equivariance of one layer")
    group.addoption(
        _FACTORY, metavar="package.module:factory", help="judge this layer and run no other test"
    )
    group.addoption(
        _EXPECTED, action="append", default=[], metavar="CHECK=REASON",
        help="a check that the layer is known to fail (may be repeated)",
    )  # fmt: skip
    group.addoption(_SEED, type=int, metavar="N", help="of random inputs (0)")
    for name in OPTIONS:
        group.addoption(_flag(name), help="as of `python -m verification judge`; yes or no")


def _flag(option: str) -> str:
    return f"--sesn-{option.replace('_', '-')}"


def pytest_configure(config: pytest.Config) -> None:
    """Raises UsageError for options that would have no effect."""
    given = [_EXPECTED] if config.getoption(_EXPECTED) else []
    flags = [_SEED, *map(_flag, OPTIONS)]
    given += [flag for flag in flags if config.getoption(flag) is not None]
    if given and config.getoption(_FACTORY) is None:
        told = " and ".join(given)
        raise pytest.UsageError(f"{told} need {_FACTORY} package.module:factory")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `--sesn-impl` no file is collected."""
    return None if config.getoption(_FACTORY) is None else True


def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """With `--sesn-impl` the tests are the checks of that layer. Raises UsageError."""
    origin, seed = config.getoption(_FACTORY), config.getoption(_SEED) or 0
    if origin is None:
        return
    _find_verification()
    from verification.checks.registry import CHECKS, named  # noqa: PLC0415
    from verification.layer.loading import declared, expectations, load  # noqa: PLC0415
    from verification.layer.options import as_arguments, read_arguments  # noqa: PLC0415
    from verification.runner.engine import warn_unmatched  # noqa: PLC0415
    from verification.runner.front import Judgement  # noqa: PLC0415

    try:
        layer, options = load(origin, seed)
        given = read_arguments({name: config.getoption(_flag(name)) for name in OPTIONS})
        described, expected = declared({"name": origin.partition(":")[2], **options, **given})
        expected |= expectations(config.getoption(_EXPECTED))
    except ValueError as error:
        raise pytest.UsageError(f"{_FACTORY}: {error}") from error
    warn_unmatched(expected)
    replayed = f"{origin} {as_arguments(given)}".strip()
    chosen = named(None, CHECKS)
    judgement = Judgement(layer, described, seed, replayed, chosen, expected)
    items[:] = [_item(session, judgement, check, expected) for check in (*chosen, None)]


def _find_verification() -> None:
    """Imports the package beside this module, also where a nearer folder has its name.

    Raises UsageError if that other folder was imported already: two cannot share the name.
    """
    sys.path.insert(0, str(HERE))
    try:
        found = importlib.import_module("verification")
    finally:
        sys.path.remove(str(HERE))
    places = [Path(place).resolve() for place in found.__path__]
    if places != [HERE / "verification"]:
        raise pytest.UsageError(
            f"{_FACTORY} needs the package 'verification' in {HERE}, but a conftest or plugin has "
            f"imported another one from {', '.join(map(str, places))}; judge the layer without it: "
            "pytest --noconftest"
        )


class CheckItem(pytest.Item):
    """One check of the layer as a test, or its verdict, where `check` is None."""

    judgement: Judgement
    check: Check | None

    def runtest(self) -> None:
        """Runs the check, or all."""
        if self.check is None:
            self.judgement.test_verdict()
        else:
            self.judgement.test(self.check)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:  # noqa: ANN401
        """The outcome, without the frames that led to it."""
        return str(excinfo.value)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """What the report calls the test."""
        return Path(__file__), None, self.name


def _item(
    session: pytest.Session, judgement: Judgement, check: Check | None, expected: dict[str, str]
) -> pytest.Item:
    name = "verdict" if check is None else check.name
    item = CheckItem.from_parent(session, name=f"{judgement.name}[{name}]")
    item.judgement, item.check = judgement, check
    if name in expected:
        item.add_marker(pytest.mark.xfail(reason=expected[name], strict=True))
    return item
