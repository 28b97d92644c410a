"""Records about the data: MNIST-scale regenerates; whether the authors' script still makes it."""

from __future__ import annotations

import argparse
from pathlib import Path

from tqdm import tqdm

from benchmarks.data.mnist_scale import mnist_scale
from benchmarks.data.mnist_scale_recipe import PUBLISHED, pixel_hash, png_hash
from benchmarks.data.regeneration import regeneration
from benchmarks.options import add_shared
from verification.claims.records import Record, measuring

COMMAND = "python -m benchmarks data"
"""The data directory is not part of it: set SESN_DATA_DIR."""

_AUTHORS_WAYS = ("torchvision_seed_0", "torchvision_seed_1")


def measure_data(data_dir: Path | None, evidence: Path, *, download: bool = False) -> list[Record]:
    """Write a record for each realisation's pixel and PNG hash, and one about the data script.

    Needs MNIST: raises DataError if it is missing or damaged. Takes about five minutes.
    """
    records = []
    realisations = sorted(PUBLISHED.pixel_md5)
    for realisation in tqdm(realisations, desc="data", disable=None):
        made = mnist_scale(realisation, data_dir, download=download)
        for what, value in (("pixels", pixel_hash(made)), ("png", png_hash(made))):
            with measuring(
                "count",
                f"mnist_scale_{realisation}",
                command=COMMAND,
                configuration={"hash": f"MD5 over the {what}"},
                data=made.identity,
                folder=evidence,
            ) as measurement:
                measurement.numbers["value"] = value
            records.append(_written(measurement.record))
    records.append(_data_script(data_dir, evidence))
    return records


def _data_script(data_dir: Path | None, evidence: Path) -> Record:
    with measuring(
        "count",
        "authors_data_script",
        command=COMMAND,
        configuration={"ways": list(_AUTHORS_WAYS)},
        folder=evidence,
    ) as measurement:
        found = [regeneration(realisation, data_dir) for realisation in sorted(PUBLISHED.pixel_md5)]
        measurement.numbers.update(
            value=sum(any(one["ways"][way]["matches"] for way in _AUTHORS_WAYS) for one in found),
            realisations=found,
        )
    return _written(measurement.record)


def _written(record: Record | None) -> Record:
    assert record is not None
    return record


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m benchmarks data`: --data-dir and --download."""
    parser.set_defaults(run=run)
    add_shared(parser, "evidence", "data-dir", "download")


def run(options: argparse.Namespace) -> None:
    """Regenerates all realisations and prints their hashes."""
    for record in measure_data(options.data_dir, options.evidence, download=options.download):
        print(f"{record.subject}: {record.numbers['value']}")
