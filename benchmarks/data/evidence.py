"""Records about the data: MNIST-scale regenerates; whether the authors' script still makes it."""

from __future__ import annotations

import argparse
from pathlib import Path

from tqdm import tqdm

from benchmarks.data.mnist_scale import mnist_scale
from benchmarks.data.mnist_scale_recipe import PUBLISHED, pixel_hash, png_hash
from benchmarks.data.regeneration import regeneration
from benchmarks.options import add_shared
from benchmarks.session import Session
from verification.claims.records import Record

COMMAND = "python -m benchmarks data"
"""The data directory is not part of it: set SESN_DATA_DIR."""

_AUTHORS_WAYS = ("torchvision_seed_0", "torchvision_seed_1")


def measure_data(data_dir: Path | None, evidence: Path, *, download: bool = False) -> list[Record]:
    """Write a record for each realisation's pixel and PNG hash, and one about the data script.

    Needs MNIST: raises DataError if it is missing or damaged. Takes about five minutes.
    """
    session = Session(COMMAND, evidence)
    realisations = sorted(PUBLISHED.pixel_md5)
    for realisation in tqdm(realisations, desc="data", disable=None):
        made = mnist_scale(realisation, data_dir, download=download)
        for what, value in (("pixels", pixel_hash(made)), ("png", png_hash(made))):
            subject, about = f"mnist_scale_{realisation}", {"hash": f"MD5 over the {what}"}
            with session.measuring("count", subject, about, data=made.identity) as measurement:
                measurement.numbers["value"] = value
    ways = {"ways": list(_AUTHORS_WAYS)}
    with session.measuring("count", "authors_data_script", ways) as measurement:
        found = [regeneration(realisation, data_dir) for realisation in realisations]
        measurement.numbers.update(
            value=sum(any(one["ways"][way]["matches"] for way in _AUTHORS_WAYS) for one in found),
            realisations=found,
        )
    return session.records


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m benchmarks data`: --data-dir and --download."""
    add_shared(parser, "evidence", "data-dir", "download")


def run(options: argparse.Namespace) -> None:
    """Regenerates all realisations and prints their hashes."""
    for record in measure_data(options.data_dir, options.evidence, download=options.download):
        print(f"{record.subject}: {record.numbers['value']}")
