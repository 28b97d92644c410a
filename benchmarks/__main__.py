"""Command line: `python -m benchmarks COMMAND`, see `python -m benchmarks --help`."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from types import FrameType
from typing import Any, NoReturn

from benchmarks import CommandError
from benchmarks.training.allocator import keep_freed_memory
from verification.console import guarded
from verification.optional_packages import EXTRAS, MissingExtraError, require

_COMMANDS = {
    "train": ("benchmarks.training.command", "train one network"),
    "time": ("benchmarks.timing.command", "time the networks, as ratios in one run"),
    "scaling": (
        "benchmarks.timing.scaling",
        "how the cost of a layer grows with its sizes",
    ),
    "choices": (
        "benchmarks.timing.choices",
        "whether correlations choose the faster algorithm",
    ),
    "theory": ("benchmarks.theory", "counts, theorems, error budgets, raster warps"),
    "data": ("benchmarks.data.evidence", "regenerate MNIST-scale and check its hashes"),
    "compare": ("benchmarks.comparison.command", "all methods of the paper side by side"),
    "campaign": ("benchmarks.campaign.command", "all trainings of the tables, on many workers"),
    "bundle": ("benchmarks.bundle.command", "a campaign for a machine without network"),
    "unbundle": ("benchmarks.bundle.take_back", "take back what a bundle left"),
    "panels": ("benchmarks.panels.command", "the paper's three panels of the error"),
    "gallery": ("benchmarks.gallery.command", "layers of known truth, and what the judge says"),
    "networks": (
        "benchmarks.networks.command",
        "networks before and after training: does it last?",
    ),
    "all": ("benchmarks.main_job", "theory, two smoke trainings and timings, in minutes"),
}
"""Module and purpose of each command.

A module is imported when its command is asked for: a training on a GPU node needs nothing of what
plots, warps or distributes. Its `add_options(parser)` adds the options; its `run(options)`, or what
`add_options` sets in its place, is the action, which returns an exit code or None.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code.

    0; 1 where it found that something is amiss; 2 for a mistake, which is named on stderr; 130
    after an interruption, 143 after SIGTERM.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        options = _parser(given[0] if given else "").parse_args(given)
        return options.run(options) or 0
    except KeyboardInterrupt as interruption:
        print(
            "interrupted; training goes on from its last checkpoint by the same command",
            file=sys.stderr,
        )
        return 143 if isinstance(interruption, _Termination) else 130
    except (ValueError, CommandError, MissingExtraError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser(chosen: str) -> argparse.ArgumentParser:
    """The parser of all commands' names, and of the options of the chosen one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    for name, (module, purpose) in _COMMANDS.items():
        added = commands.add_parser(name, help=purpose)
        if name == chosen:
            chosen_module = _import(name, module)
            added.set_defaults(run=getattr(chosen_module, "run", None))
            chosen_module.add_options(added)
    return parser


def _import(command: str, module: str) -> Any:  # noqa: ANN401 (a module)
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name in EXTRAS["benchmarks"]:
            require("benchmarks", f"benchmarks {command}")
        raise


class _Termination(KeyboardInterrupt):
    """SIGTERM, which ends a command as an interruption does."""


def _terminate(_: int, __: FrameType | None) -> NoReturn:
    raise _Termination


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _terminate)
    keep_freed_memory()
    sys.exit(guarded(main))
