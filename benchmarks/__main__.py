"""Command line: `python -m benchmarks COMMAND`, see `python -m benchmarks --help`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import data, main_job, theory
from benchmarks.campaign import command as campaign
from benchmarks.campaign.execute import SchedulerError
from benchmarks.campaign.lock import UnderwayError, underway
from benchmarks.campaign.plan import run_name
from benchmarks.comparison import command as comparison
from benchmarks.data.evidence import measure_data
from benchmarks.networks import command as networks
from benchmarks.panels import command as panels
from benchmarks.timing import MODELS, scaling
from benchmarks.timing.measure import TimingError, measure, summary
from benchmarks.training.allocator import keep_freed_memory
from benchmarks.training.checkpoint import CheckpointError
from benchmarks.training.devices import find_device
from benchmarks.training.first_epoch import first_epoch
from benchmarks.training.recipes import PROTOCOLS
from benchmarks.training.train import check, train
from verification.claims.records import Record
from verification.console import guarded

_Parser = argparse.ArgumentParser
_DATA_DIR_HELP = "where data lie (or set SESN_DATA_DIR)"
_CHECKPOINTS_HELP = "folder to resume from (runs)"
_MISTAKES = (
    ValueError,
    data.DataError,
    CheckpointError,
    TimingError,
    UnderwayError,
    SchedulerError,
    OSError,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code.

    0; 1 where it found that something is amiss; 2 for a mistake, which is named on stderr; 130
    after an interruption.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        return options.run(options) or 0
    except KeyboardInterrupt:
        print(
            "interrupted; training goes on from its last checkpoint by the same command",
            file=sys.stderr,
        )
        return 130
    except _MISTAKES as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _train(options: argparse.Namespace) -> None:
    what = (options.model, options.augmentation, options.data, options.protocol)
    device = find_device(options.device)
    images = data.load(options.data, options.realisation, options.data_dir, options.download)
    check(options.model, options.data, options.seed)
    if options.first_epoch:
        begun = first_epoch(
            options.model,
            images,
            options.protocol,
            augmentation=options.augmentation,
            seed=options.seed,
            device=device,
        )
        print(json.dumps(begun))
        return
    with underway(options.evidence, run_name(*what, options.realisation, options.seed)):
        record = train(
            options.model,
            images,
            options.protocol,
            augmentation=options.augmentation,
            seed=options.seed,
            device=device,
            checkpoint_dir=options.checkpoints,
            evidence=options.evidence,
        )
    print(_result(record))
    print(options.evidence / record.filename)


def _time(options: argparse.Namespace) -> None:
    records = measure(
        rounds=options.rounds,
        batch=options.batch,
        device=find_device(options.device),
        evidence=options.evidence,
        models=options.models,
        memory=options.memory,
    )
    print(summary(records))
    for record in records:
        print(options.evidence / record.filename)


def _scaling(options: argparse.Namespace) -> None:
    records = scaling.measure_scaling(rounds=options.rounds, evidence=options.evidence)
    print(scaling.summary(records))
    for record in records:
        print(options.evidence / record.filename)


def _theory(options: argparse.Namespace) -> None:
    for record in theory.measure(options.cases, options.seed, options.evidence):
        print(options.evidence / record.filename)


def _data(options: argparse.Namespace) -> None:
    for record in measure_data(options.data_dir, options.evidence, download=options.download):
        print(f"{record.subject}: {record.numbers['value']}")


def _main_job(options: argparse.Namespace) -> None:
    main_job.run(options.data, options.data_dir, options.evidence, options.checkpoints)


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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(name: str, run: Callable[[argparse.Namespace], None], what: str) -> _Parser:
        added = commands.add_parser(name, help=what)
        added.set_defaults(run=run)
        added.add_argument(
            "--evidence", type=Path, default=Path("reports/evidence"), help="folder of the records"
        )
        return added

    _add_training_options(command("train", _train, "train one network"))
    _add_timing_options(command("time", _time, "time the networks, as ratios in one run"))
    scaling_options = command("scaling", _scaling, "how the cost of a layer grows with its sizes")
    scaling_options.add_argument("--rounds", type=int, default=5, help="timed rounds (default 5)")
    theory_options = command("theory", _theory, "counts, theorems, error budgets, raster warps")
    theory_options.add_argument("--cases", type=int, default=200, help="per theorem (200)")
    theory_options.add_argument("--seed", type=int, default=0, help="of all cases (0)")
    _add_data_options(command("data", _data, "regenerate MNIST-scale and check its hashes"))
    comparison.add_options(
        command("compare", comparison.run, "all methods of the paper side by side")
    )
    campaign.add_commands(
        commands.add_parser("campaign", help="all trainings of the tables, on many workers")
    )
    panels.add_options(command("panels", panels.run, "the paper's three panels of the error"))
    networks.add_options(
        command("networks", networks.run, "networks before and after training: does it last?")
    )
    job = command("all", _main_job, "theory, two smoke trainings and timings, in minutes")
    job.add_argument("--data", choices=data.NAMES[:2], default="digits")
    job.add_argument("--data-dir", type=Path, help=_DATA_DIR_HELP)
    job.add_argument("--checkpoints", type=Path, default=Path("runs"), help=_CHECKPOINTS_HELP)
    return parser


def _add_training_options(parser: _Parser) -> None:
    parser.add_argument("--model", required=True, help="a name that create_model knows")
    parser.add_argument("--data", choices=data.NAMES, default="digits")
    parser.add_argument("--protocol", choices=PROTOCOLS, default="smoke")
    parser.add_argument(
        "--augmentation", action="store_true", help="also scale training images by 0.5 to 2"
    )
    parser.add_argument("--realisation", type=int, default=0, help="of the data (default 0)")
    parser.add_argument("--seed", type=int, default=0, help="of the run (default 0)")
    parser.add_argument("--checkpoints", type=Path, default=Path("runs"), help=_CHECKPOINTS_HELP)
    parser.add_argument(
        "--first-epoch",
        action="store_true",
        help="print how the learning curves begin, as JSON, and write nothing",
    )
    _add_data_options(parser)
    _add_device_option(parser)


def _add_timing_options(parser: _Parser) -> None:
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds (default 5)")
    parser.add_argument("--batch", type=int, default=128, help="images per batch (default 128)")
    parser.add_argument(
        "--models", nargs="+", default=MODELS, help=f"networks (default {' '.join(MODELS)})"
    )
    parser.add_argument("--memory", action="store_true", help="also the peak memory of a step")
    _add_device_option(parser)


def _add_data_options(parser: _Parser) -> None:
    parser.add_argument("--data-dir", type=Path, help=_DATA_DIR_HELP)
    parser.add_argument("--download", action="store_true", help="fetch data that are missing")


def _add_device_option(parser: _Parser) -> None:
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, cuda:1, …")


if __name__ == "__main__":
    keep_freed_memory()
    sys.exit(guarded(main))
