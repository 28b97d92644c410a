"""Command line: `python -m verification COMMAND`, see `python -m verification --help`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from verification.broken_layers import command as broken_layers
from verification.budget import command as budget
from verification.claims.rules import command as rules
from verification.console import guarded
from verification.optional_packages import MissingExtraError
from verification.profile import command as profiling
from verification.runner import command as judging


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code: 2 for a mistake, which is named on stderr.

    Else 0; of a layer that was judged 1 if it failed, 3 if that is undecided.
    """
    options = _parser().parse_args(arguments)
    try:
        code: int | None = options.run(options)
    except (ValueError, OSError, MissingExtraError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return code or 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m verification", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    budget.add_options(
        commands.add_parser(
            "budget",
            help="predict the error of a basis, and the support for a wanted one",
            description=budget.__doc__,
        )
    )
    rules.add_options(
        commands.add_parser(
            "simulate",
            help="how often the verdict rules are wrong, where the truth is known",
            description=rules.__doc__,
        )
    )
    broken_layers.add_options(
        commands.add_parser(
            "mutants",
            help="broken layers against all checks: who rejects whom, and who names the cause",
            description=broken_layers.__doc__,
        )
    )
    judging.add_options(
        commands.add_parser("judge", help="judge a layer of one's own", description=judging.__doc__)
    )
    profiling.add_options(
        commands.add_parser(
            "profile",
            help="where any network loses scale, layer by layer",
            description=profiling.__doc__,
        )
    )
    return parser


if __name__ == "__main__":
    sys.exit(guarded(main))
