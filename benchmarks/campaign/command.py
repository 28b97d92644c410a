"""Options and actions of `python -m benchmarks campaign run|status|check`."""

from __future__ import annotations

import argparse
import os
import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks import data
from benchmarks.campaign.cluster import environments, local_cluster, threads_per_worker
from benchmarks.campaign.execute import FAILED, execute
from benchmarks.campaign.ledger import final, run_of
from benchmarks.campaign.plan import Task, plan
from benchmarks.campaign.status import Status, duration, status, table
from benchmarks.campaign.work import Settings
from benchmarks.training.recipes import PROTOCOLS
from verification.claims.reading import load_claims
from verification.claims.records import current_provenance, read_records
from verification.claims.validity import check


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Adds the commands `run`, `status` and `check`, each with its options."""
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(
        name: str, run: Callable[[argparse.Namespace], object], what: str
    ) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = commands.add_parser(name, help=what)
        added.set_defaults(run=run)
        _add_plan_options(added)
        return added

    _add_run_options(command("run", _run, "train what is missing, the most telling runs first"))
    command("status", _status, "what is finished, under way and missing")
    checking = command("check", _check, "which records are no runs of the protocol, and why")
    checking.add_argument(
        "--complete", action="store_true", help="missing runs are a failure as well"
    )


def seconds(text: str) -> float:
    """Read a time span such as 90s, 25m, 2h or 1h30m; raises ArgumentTypeError for others."""
    match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text)
    if not match or not text:
        raise argparse.ArgumentTypeError(f"{text!r} is no time span such as 90s, 25m or 1h30m")
    hours, minutes, rest = (int(part or 0) for part in match.groups())
    return float(3600 * hours + 60 * minutes + rest)


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-dir", type=Path, help="where data lie (or set SESN_DATA_DIR)")
    parser.add_argument(
        "--checkpoints", type=Path, default=Path("runs"), help="folder to resume from (runs)"
    )
    parser.add_argument("--budget", type=seconds, help="stop after, for example, 25m or 8h")
    parser.add_argument("--scheduler", help="address of a Dask scheduler (default: own workers)")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs to use (default none)")
    parser.add_argument("--per-gpu", type=int, default=1, help="processes on each GPU (1)")
    parser.add_argument("--threads", type=int, help="of each worker (default: the cores, shared)")


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
    parser.add_argument("--workers", type=int, help="processes (default one for each core)")


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


def _check(options: argparse.Namespace) -> int:
    tasks = _tasks(options)
    names = {task.name for task in tasks}
    records = [r for r in read_records(options.evidence) if run_of(r) in names]
    found = check(records)
    for record, reasons in found.rejected:
        print(f"{record.filename}: {run_of(record)}: {'; '.join(reasons)}")
    rejected = {record.digest for record, _ in found.rejected}
    done = {run_of(r) for r in records if final(r, clean=True) and r.digest not in rejected}
    diverged = {run_of(r) for r in records if r.outcome == "diverged"}
    missing = [task.name for task in tasks if task.name not in done]
    for name in missing if options.complete else []:
        print(f"{name}: missing")
    print(
        f"{len(done)} of {len(tasks)} runs are there and follow the protocol"
        f"{f' ({len(diverged)} of them diverged)' if diverged else ''}, {len(missing)} are "
        f"missing; {len(rejected)} records rejected"
    )
    return 1 if rejected or (missing and options.complete) else 0


def _run(options: argparse.Namespace) -> int:
    begin, tasks = time.time(), _tasks(options)
    deadline = None if options.budget is None else begin + options.budget
    if options.threads is not None and options.threads < 1:
        raise ValueError(f"threads={options.threads}: must be 1 or more")
    for name in ("evidence", "checkpoints"):
        folder = getattr(options, name)
        if any(path.is_file() for path in (folder, *folder.parents)):
            raise ValueError(f"{name}={folder}: there is a file where a folder is needed")
    provenance = current_provenance()
    clean = provenance.dirty is False
    if not clean:
        print("note: the sources are not those of a commit; verdicts will not count these runs")
    state = status(tasks, options.evidence, clean=clean)
    variables = [] if options.scheduler else _variables(options)
    print(table(state, len(variables) or 1), flush=True)
    if not state.missing:
        return 0
    data_dir = data.given_data_dir(options.data_dir)  # the variable may be another one elsewhere
    settings = Settings(
        evidence=options.evidence.resolve(),
        checkpoints=options.checkpoints.resolve(),
        commit=provenance.commit,
        clean=clean,
        data_dir=data_dir and data_dir.resolve(),
        device="cuda" if options.gpus else "cpu",
        threads=options.threads or (threads_per_worker(len(variables)) if variables else None),
        deadline=deadline,
    )
    if settings.over:
        print(_summary(Counter(), state, 0.0))
        return 0
    # A mistake about the data is one line here, instead of one for each run.
    data.load(options.data, state.missing[0].realisation, options.data_dir)
    if options.scheduler:
        outcomes = execute(state.missing, settings, options.scheduler, report=_report)
    else:
        with local_cluster(variables) as cluster:
            outcomes = execute(state.missing, settings, cluster, report=_report)
    after = status(tasks, options.evidence, clean=clean)
    print(_summary(outcomes, after, time.time() - begin))
    return 1 if outcomes[FAILED] else 0


def _variables(options: argparse.Namespace) -> list[dict[str, str]]:
    if options.gpus > torch.cuda.device_count():
        raise ValueError(
            f"gpus={options.gpus}: torch finds {torch.cuda.device_count()} CUDA devices here"
        )
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return environments(options.workers, options.gpus, options.per_gpu, visible)


def _report(task: Task, outcome: str, problem: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {task.name}: {outcome} {problem}".rstrip(), flush=True)


def _summary(outcomes: Counter[str], state: Status, passed: float) -> str:
    ends = ", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items()))
    return (
        f"{duration(passed)}: {ends or 'nothing'}; "
        f"{len(state.finished)} of {len(state.tasks)} runs finished"
    )
