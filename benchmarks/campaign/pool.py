"""A campaign on processes of this machine, by the standard library alone.

Each worker is a process that outlives its runs, so that torch and its GPU are set up once. It is
told what to do through a pipe; when the pipe closes, because the campaign has ended or was killed,
the worker leaves its run in a checkpoint and ends.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from benchmarks.campaign import schedule
from benchmarks.campaign import work as work_module
from benchmarks.campaign.plan import Task
from benchmarks.campaign.schedule import AGAIN, End, carry_out
from benchmarks.campaign.work import FAILED, POSTPONED, Report, Settings, work

DEATHS = 20
"""So often may workers die of one run before it is given up: each goes on from its checkpoint."""
PRELOADED = ["benchmarks.campaign.preload", "benchmarks.campaign.work", "torch._dynamo"]
"""Modules that a worker needs, the last of them at the optimiser's first step."""
GPU_VARIABLE = "CUDA_VISIBLE_DEVICES"

GRACE = 60.0  # seconds from the end of the time until a worker that does not answer is killed
_SOCKET_PATH = 60  # bytes of a folder's name that leave room for a socket's name within 108


@dataclass(frozen=True)
class _Answer:
    """What came of a call in a worker: its result, or what went wrong."""

    result: Any = None
    problem: str = ""
    memory: bool = False


def cores() -> int:
    """How many processors this process may use, by its affinity and its control group."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        count = os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(count, round(int(quota) / int(period))))
    except (OSError, ValueError):  # no such group, or no limit
        return count


def environments(
    workers: int | None, gpus: int = 0, per_gpu: int = 1, visible: str | None = None
) -> list[dict[str, str]]:
    """Return the variables that each worker process is started with.

    Without GPUs: `workers` processes (None: one for each core). With GPUs: `per_gpu` processes for
    each, which see no other; `visible` is what CUDA_VISIBLE_DEVICES says here (None: everything).
    Raises ValueError for counts below 1, and for both kinds of count at once.
    """
    for name, value in (("workers", workers), ("per_gpu", per_gpu)):
        if value is not None and value < 1:
            raise ValueError(f"{name}={value!r}: must be 1 or more")
    if gpus < 0 or (gpus and workers is not None):
        raise ValueError(f"gpus={gpus!r}, workers={workers!r}: give one of the two, not below 0")
    if not gpus:
        return [{} for _ in range(workers or cores())]
    names = visible.split(",") if visible else [str(index) for index in range(gpus)]
    if len(names) < gpus:
        raise ValueError(f"gpus={gpus!r}: {GPU_VARIABLE}={visible} names {len(names)}")
    return [{GPU_VARIABLE: name} for name in names[:gpus] for _ in range(per_gpu)]


def threads_per_worker(workers: int) -> int:
    """Share the cores of this machine among its workers, at least one each."""
    return max(1, cores() // workers)


def start_method() -> str:
    """How worker processes are started: forked by a server that has imported torch once.

    The server listens at a socket in the temporary folder, whose name the system limits to about
    100 bytes; under a longer one, and where there is no such server, each process starts anew.
    """
    short = len(os.fsencode(tempfile.gettempdir())) <= _SOCKET_PATH
    known = multiprocessing.get_all_start_methods()
    return "forkserver" if short and "forkserver" in known else "spawn"


class Worker:
    """A process of its own that calls functions when it is told to.

    variables: of its environment, set before it has touched a GPU. company: how many workers,
    itself included, shared its memory when its task was begun.
    """

    def __init__(self, variables: Mapping[str, str], context: BaseContext | None = None) -> None:
        self.variables = dict(variables)
        self.context = context or context_of_workers()
        self.task: Task | None = None
        self.company = 0
        self.process, self.pipe = self._start()

    @property
    def group(self) -> str:
        """What it shares with other workers: a GPU, or the machine's memory."""
        return self.variables.get(GPU_VARIABLE, "")

    def call(self, function: Callable[..., Any], *arguments: Any) -> None:  # noqa: ANN401
        """Have the worker call a function; `answer` waits for what comes of it."""
        self.pipe.send((function, arguments))

    def answer(self) -> _Answer | None:
        """Return what came of the call, None where the worker died of it."""
        try:
            found: _Answer = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            return None
        return found

    def restart(self) -> None:
        """Start another process in the place of one that died."""
        self.pipe.close()
        self.process, self.pipe = self._start()

    def close(self) -> None:
        """Let it leave what it is at, and end."""
        self.pipe.close()

    def join(self, timeout: float) -> None:
        """Wait for its end, and bring it about after `timeout` seconds."""
        self.process.join(timeout)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()

    def _start(self) -> tuple[BaseProcess, Connection]:
        ours, theirs = self.context.Pipe()
        # Of every context, but the types know it of the concrete ones alone.
        process = self.context.Process(  # type: ignore[attr-defined]
            target=_serve, args=(theirs, self.variables), daemon=True
        )
        process.start()
        theirs.close()
        return process, ours


@contextmanager
def workers(variables: Sequence[Mapping[str, str]]) -> Iterator[list[Worker]]:
    """Start one worker for each set of variables; at the end all have left their runs."""
    context, started = context_of_workers(), list[Worker]()
    try:
        for one in variables:
            started.append(Worker(one, context))
        yield started
    finally:
        for worker in started:
            worker.close()
        end = time.monotonic() + GRACE
        for worker in started:
            worker.join(max(0.0, end - time.monotonic()))


def execute(
    tasks: Iterable[Task],
    settings: Settings,
    variables: Sequence[Mapping[str, str]],
    *,
    report: Report = lambda *_: None,
    run: Callable[[Task, Settings], str] = work,
) -> Counter[str]:
    """Run all tasks in their order on one worker for each set of variables; count how they ended.

    As `carry_out` does. A run whose worker died goes on, from its checkpoint, on another one. Where
    a run finds too little memory, one worker less is at its GPU from then on; the last one that
    finds too little fails.
    """
    with workers(variables) as started:
        return carry_out(tasks, settings, _Processes(started, settings, run), report)


class _Processes:
    def __init__(
        self, workers: list[Worker], settings: Settings, run: Callable[[Task, Settings], str]
    ) -> None:
        self.workers, self.settings, self.run = workers, settings, run
        self.deaths: Counter[Task] = Counter()

    @property
    def running(self) -> list[Task]:
        return [worker.task for worker in self.workers if worker.task is not None]

    def begin(self, waiting: deque[Task]) -> None:
        for worker in self.workers:
            if worker.task is None and waiting:
                worker.task, worker.company = waiting.popleft(), self._alike(worker)
                try:
                    worker.call(self.run, worker.task, self.settings)
                except OSError:  # it died while it had nothing to do
                    worker.restart()
                    worker.call(self.run, worker.task, self.settings)

    def ended(self) -> list[End]:
        busy = [worker for worker in self.workers if worker.task is not None]
        ready = wait([worker.pipe for worker in busy], timeout=schedule.POLL)
        return [self._end(worker) for worker in busy if worker.pipe in ready]

    def lost(self) -> list[End]:
        deadline = self.settings.deadline
        if deadline is None or time.time() <= deadline + GRACE:
            return []
        lost = [End(task, POSTPONED, "its worker did not answer") for task in self.running]
        for worker in self.workers:
            worker.task = None
        return lost

    def _end(self, worker: Worker) -> End:
        answer, task = worker.answer(), worker.task
        assert task is not None
        worker.task = None
        if answer is None:
            return self._death(worker, task)
        if answer.memory and worker.company > 1:
            return self._go_on_with_fewer(worker, task, answer.problem)
        return End(task, FAILED if answer.problem else str(answer.result), answer.problem)

    def _death(self, worker: Worker, task: Task) -> End:
        self.deaths[task] += 1
        code = worker.process.exitcode
        worker.restart()
        if self.deaths[task] <= DEATHS:
            return End(task, AGAIN)
        return End(task, FAILED, f"{DEATHS} workers died of it, the last with code {code}")

    def _go_on_with_fewer(self, worker: Worker, task: Task, problem: str) -> End:
        if self._alike(worker) > 1:  # as many as it shared the memory with may be gone by now
            worker.close()
            self.workers.remove(worker)
            worker.join(GRACE)
        place = f"GPU {worker.group}" if worker.group else "this machine"
        left = f"{self._alike(worker)} processes on {place} from now on"
        return End(task, AGAIN, f"({problem}); {left}")

    def _alike(self, worker: Worker) -> int:
        return sum(other.group == worker.group for other in self.workers)


def context_of_workers() -> BaseContext:
    """What starts them, and imports for them once."""
    context = multiprocessing.get_context(start_method())
    context.set_forkserver_preload(PRELOADED)
    return context


def _serve(pipe: Connection, variables: Mapping[str, str]) -> None:
    """Answer calls until the pipe closes."""
    os.environ.update(variables)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the campaign says when to stop
    calls: deque[Any] = deque()
    came = threading.Semaphore(0)

    def listen() -> None:
        """Notices in the middle of a run that nobody is there any more."""
        try:
            while True:
                calls.append(pipe.recv())
                came.release()
        except (EOFError, OSError):
            calls.append(None)
            work_module.ABANDONED.set()
            came.release()
            time.sleep(GRACE)
            os._exit(1)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        came.acquire()
        call = calls.popleft()
        if call is None:
            return
        answer = _answer(*call)
        try:
            pipe.send(answer)
        except OSError:
            return


def _answer(function: Callable[..., Any], arguments: Sequence[Any]) -> _Answer:
    import torch  # noqa: PLC0415 (the campaign itself need not load it)

    try:
        return _Answer(function(*arguments))
    except (torch.OutOfMemoryError, MemoryError) as error:
        problem = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    except Exception as error:
        return _Answer(problem=f"{type(error).__name__}: {error}")
    # Outside the handler, whose frames hold the tensors.
    torch.cuda.empty_cache()  # of a process that has used a GPU
    return _Answer(problem=problem, memory=True)
