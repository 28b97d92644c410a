"""Options and actions of `python -m benchmarks campaign run|status|check`."""

from __future__ import annotations

import argparse
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import torch

from benchmarks import data
from benchmarks.campaign import pool
from benchmarks.campaign.ledger import final, run_of
from benchmarks.campaign.plan import Task, plan
from benchmarks.campaign.pool import GPU_VARIABLE, environments, threads_per_worker
from benchmarks.campaign.status import Status, duration, status, table
from benchmarks.campaign.work import FAILED, Settings
from benchmarks.options import add_shared
from benchmarks.studies.plans import STUDIES
from benchmarks.training.devices import device_name
from benchmarks.training.recipes import PROTOCOLS
from verification.claims.reading import load_claims
from verification.claims.records import current_provenance, read_records
from verification.claims.validity import check

AUTO = "auto"


def add_options(parser: argparse.ArgumentParser) -> None:
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
    add_shared(parser, "data-dir", "checkpoints")
    parser.add_argument("--budget", type=seconds, help="stop after, for example, 25m or 8h")
    parser.add_argument("--scheduler", help="address of a Dask scheduler (default: own workers)")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs to use (default none)")
    parser.add_argument(
        "--per-gpu",
        type=lambda text: text if text == AUTO else int(text),
        default=1,
        metavar="N",
        help="processes on each GPU (1), or auto: as many as pay, found by trying",
    )
    parser.add_argument("--threads", type=int, help="of each worker (default: the cores, shared)")


def _add_plan_options(parser: argparse.ArgumentParser) -> None:
    add_shared(parser, "evidence")
    parser.add_argument("--data", choices=data.NAMES, default="digits")
    parser.add_argument("--protocol", choices=PROTOCOLS, default="smoke")
    parser.add_argument("--study", choices=STUDIES, help="its runs, and not those of the tables")
    parser.add_argument("--columns", nargs="+", default=[], help="28 28+ 56 56+ (default all)")
    parser.add_argument("--methods", nargs="+", default=[], help="such as cnn sesn_scalar")
    parser.add_argument("--realisations", type=int, nargs="+", help="of the data (default all)")
    parser.add_argument("--seeds", type=int, nargs="+", help="of the runs (default 0)")
    parser.add_argument("--workers", type=int, help="processes (default one for each core)")


def planned(options: argparse.Namespace) -> list[Task]:
    """The runs that the options of a command name. Raises ValueError as `plan` does."""
    return plan(
        load_claims(),
        data=options.data,
        protocol=options.protocol,
        columns=options.columns,
        methods=options.methods,
        realisations=options.realisations,
        seeds=options.seeds,
        study=options.study,
    )


def _status(options: argparse.Namespace) -> None:
    clean = current_provenance().dirty is False
    device = _device(torch.cuda.is_available())
    state = status(planned(options), options.evidence, clean=clean, device=device)
    print(table(state, options.workers or 1))


def _check(options: argparse.Namespace) -> int:
    tasks = planned(options)
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
    begin, tasks = time.time(), planned(options)
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
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        print(f"note: the shell made this process ignore INT; `kill {os.getpid()}` ends it cleanly")
    device = _device(options.gpus > 0)
    state = status(tasks, options.evidence, clean=clean, device=device)
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
    data.load(state.missing[0].data, state.missing[0].realisation, options.data_dir)
    if options.per_gpu == AUTO:
        variables = _as_many_as_pay(options, state.missing[0], settings)
        settings = replace(settings, threads=options.threads or threads_per_worker(len(variables)))
    outcomes = _execute(state.missing, settings, variables, options.scheduler)
    after = status(tasks, options.evidence, clean=clean, device=device)
    print(_summary(outcomes, after, time.time() - begin))
    return 1 if outcomes[FAILED] else 0


def _device(on_gpu: bool) -> str:
    """What records call the device that the runs to come are made on."""
    found = on_gpu and torch.cuda.is_available()
    return device_name(torch.device("cuda")) if found else ("cuda" if on_gpu else "cpu")


def _variables(options: argparse.Namespace) -> list[dict[str, str]]:
    if options.gpus > torch.cuda.device_count():
        raise ValueError(
            f"gpus={options.gpus}: torch finds {torch.cuda.device_count()} CUDA devices here"
        )
    visible = os.environ.get(GPU_VARIABLE)
    per_gpu = options.per_gpu
    if per_gpu == AUTO:
        if not options.gpus:
            raise ValueError(f"per_gpu={AUTO!r}: give the number of GPUs as well (--gpus)")
        per_gpu = 1
    return environments(options.workers, options.gpus, per_gpu, visible)


def _as_many_as_pay(
    options: argparse.Namespace, task: Task, settings: Settings
) -> list[dict[str, str]]:
    from benchmarks.campaign import per_gpu  # noqa: PLC0415 (tries trainings)

    visible = os.environ.get(GPU_VARIABLE)
    (first, *_) = environments(None, options.gpus, 1, visible)
    best = per_gpu.best_number(task, settings, first, say=lambda text: print(text, flush=True))
    print(f"{best} processes on each GPU", flush=True)
    return environments(None, options.gpus, best, visible)


def _execute(
    tasks: list[Task],
    settings: Settings,
    variables: list[dict[str, str]],
    scheduler: str | None,
) -> Counter[str]:
    """On somebody's scheduler, on workers of our own by Dask, or without Dask."""
    try:
        # A GPU node may have no Dask, and a user's broken settings of it end its import.
        from benchmarks.campaign import cluster, execute  # noqa: PLC0415
    except Exception as error:
        if scheduler:
            reason = _line(error)
            raise ValueError(f"scheduler={scheduler}: Dask cannot be imported: {reason}") from error
        print(f"note: without Dask ({_line(error)}): processes of the standard library", flush=True)
        return pool.execute(tasks, settings, variables, report=_report)
    if scheduler:
        return execute.execute(tasks, settings, scheduler, report=_report)
    with cluster.local_cluster(variables) as own:
        return execute.execute(tasks, settings, own, report=_report)


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def _report(task: Task, outcome: str, problem: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {task.name}: {outcome} {problem}".rstrip(), flush=True)


def _summary(outcomes: Counter[str], state: Status, passed: float) -> str:
    ends = ", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items()))
    return (
        f"{duration(passed)}: {ends or 'nothing'}; "
        f"{len(state.finished)} of {len(state.tasks)} runs finished"
    )
