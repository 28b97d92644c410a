"""Options and action of `python -m benchmarks data`."""

from __future__ import annotations

import argparse

from benchmarks.data.evidence import measure_data
from benchmarks.options import add_data_dir, add_download, add_evidence


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds --data-dir and --download."""
    parser.set_defaults(run=run)
    add_evidence(parser)
    add_data_dir(parser)
    add_download(parser)


def run(options: argparse.Namespace) -> None:
    """Regenerates all realisations and prints their hashes."""
    for record in measure_data(options.data_dir, options.evidence, download=options.download):
        print(f"{record.subject}: {record.numbers['value']}")
