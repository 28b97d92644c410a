"""Options and action of `python -m benchmarks train`."""

from __future__ import annotations

import argparse
import json
from typing import Any

from benchmarks import data
from benchmarks.options import add_shared
from benchmarks.training.devices import find_device
from benchmarks.training.first_epoch import first_epoch
from benchmarks.training.lock import run_name, underway
from benchmarks.training.recipes import PROTOCOLS
from benchmarks.training.train import check, train
from verification.claims.records import Record


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds what is trained, on which data and device, and the folders."""
    add_shared(parser, "evidence")
    parser.add_argument(
        "--model",
        required=True,
        help="a name that create_model knows, or of benchmarks/studies/bases.toml",
    )
    parser.add_argument("--data", choices=data.NAMES, default="digits")
    parser.add_argument("--protocol", choices=PROTOCOLS, default="smoke")
    parser.add_argument(
        "--augmentation", action="store_true", help="also scale training images by 0.5 to 2"
    )
    parser.add_argument("--realisation", type=int, default=0, help="of the data (default 0)")
    parser.add_argument("--seed", type=int, default=0, help="of the run (default 0)")
    add_shared(parser, "checkpoints")
    parser.add_argument(
        "--first-epoch",
        action="store_true",
        help="print how the learning curves begin, as JSON, and write nothing",
    )
    add_shared(parser, "data-dir", "download", "device")


def run(options: argparse.Namespace) -> None:
    """Trains one network, prints its result and where the record lies."""
    what = (options.model, options.augmentation, options.data, options.protocol)
    device = find_device(options.device)
    images = data.load(options.data, options.realisation, options.data_dir, options.download)
    check(options.model, options.data, options.seed)
    chosen: dict[str, Any] = {
        "augmentation": options.augmentation,
        "seed": options.seed,
        "device": device,
    }
    if options.first_epoch:
        print(json.dumps(first_epoch(options.model, images, options.protocol, **chosen)))
        return
    with underway(options.evidence, run_name(*what, options.realisation, options.seed)):
        record = train(
            options.model,
            images,
            options.protocol,
            **chosen,
            checkpoint_dir=options.checkpoints,
            evidence=options.evidence,
        )
    print(_result(record))
    print(options.evidence / record.filename)


def _result(record: Record) -> str:
    what = f"{record.subject}, {record.protocol}, seeds {dict(record.seeds)}"
    if record.outcome != "finished":
        return f"{what}: {record.outcome} after {record.numbers['steps']} steps"
    numbers = record.numbers
    return (
        f"{what}: test error {numbers['test_error']:.2f} %, "
        f"weights of epoch {numbers['best_epoch']} of {record.configuration['epochs']}, "
        f"{1000 * numbers['step_seconds']:.0f} ms per step, "
        f"{sum(session['seconds'] for session in numbers['sessions']):.0f} s of training"
    )
