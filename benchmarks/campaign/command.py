"""Options and actions of `python -m benchmarks campaign run|status`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from benchmarks import data
from benchmarks.campaign.plan import Task, plan
from benchmarks.campaign.status import status, table
from benchmarks.recipes import PROTOCOLS
from verification.claims import load_claims
from verification.evidence import current_provenance


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Adds the commands `run` and `status`, each with its options."""
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(
        name: str, run: Callable[[argparse.Namespace], object], what: str
    ) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = commands.add_parser(name, help=what)
        added.set_defaults(run=run)
        _add_plan_options(added)
        return added

    command("status", _status, "what is finished, under way and missing")


def _add_plan_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--evidence", type=Path, default=Path("reports/evidence"), help="folder of the records"
    )
    parser.add_argument("--data", choices=data.NAMES, default="digits")
    parser.add_argument("--protocol", choices=PROTOCOLS, default="smoke")
    parser.add_argument("--columns", nargs="+", default=[], help="28 28+ 56 56+ (default all)")
    parser.add_argument("--methods", nargs="+", default=[], help="such as cnn sesn_scalar")
    parser.add_argument("--realisations", type=int, nargs="+", help="of the data (default all)")
    parser.add_argument("--seeds", type=int, nargs="+", help="of the runs (default 0)")
    parser.add_argument("--workers", type=int, help="processes (default one for two cores)")


def _tasks(options: argparse.Namespace) -> list[Task]:
    return plan(
        load_claims(),
        data=options.data,
        protocol=options.protocol,
        columns=options.columns,
        methods=options.methods,
        realisations=options.realisations,
        seeds=options.seeds,
    )


def _status(options: argparse.Namespace) -> None:
    clean = current_provenance().dirty is False
    state = status(_tasks(options), options.evidence, clean=clean)
    print(table(state, options.workers or 1))
