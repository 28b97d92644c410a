"""Options and action of `python -m benchmarks bundle`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import data
from benchmarks.bundle.make import make
from benchmarks.options import add_shared
from benchmarks.studies.plans import STUDIES
from benchmarks.training.recipes import PROTOCOLS


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the folder, the Python it is for, and what the campaign is of."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="the bundle: a new folder")
    here = "{}.{}".format(*sys.version_info[:2])
    parser.add_argument("--python", default=here, help=f"version of the Python there ({here})")
    parser.add_argument("--data", choices=data.NAMES[:2], default="mnist_scale")
    parser.add_argument("--protocol", choices=PROTOCOLS, default="paper")
    parser.add_argument("--study", choices=STUDIES, help="its runs, and not those of the tables")
    add_shared(parser, "data-dir", "evidence")
    parser.add_argument("--checkpoints", type=Path, help="unfinished runs to go on with (none)")


def run(options: argparse.Namespace) -> None:
    """Makes the bundle and prints its files."""
    sizes = make(
        options.folder,
        python=options.python,
        data=options.data,
        protocol=options.protocol,
        study=options.study,
        data_dir=options.data_dir,
        evidence=options.evidence,
        checkpoints=options.checkpoints,
    )
    for name, size in sorted(sizes.items()):
        print(f"{size / 2**20:7.2f} MiB  {name}")
    print(f"{sum(sizes.values()) / 2**20:7.2f} MiB  in all")
    print(f"there: bash {options.folder.name}/run.sh BUDGET_SECONDS OUT")
