"""All runs of a campaign on a Dask cluster: as many at once as there are workers, best first."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any
from uuid import uuid4

from distributed import Client, Future, wait
from distributed.comm.core import CommClosedError

from benchmarks import CommandError
from benchmarks.campaign.plan import Task
from benchmarks.campaign.schedule import POLL, End, carry_out
from benchmarks.campaign.work import FAILED, POSTPONED, Report, Settings, work

PATIENCE = 60  # seconds to wait for a worker, where there is none


class SchedulerError(CommandError):
    """No scheduler, or none any more; what was finished is on the disk."""


def execute(
    tasks: Iterable[Task],
    settings: Settings,
    cluster: Any,  # noqa: ANN401 (an address, or one of Dask's clusters)
    *,
    report: Report = lambda *_: None,
    run: Callable[[Task, Settings], str] = work,
) -> Counter[str]:
    """Run all tasks as `carry_out` does; return how many ended how.

    A run whose worker died is begun again, where its checkpoint is, on another worker.
    Raises SchedulerError where the scheduler cannot be reached or goes away, or no worker is left
    and none comes.
    """
    try:
        with Client(cluster) as client:
            client.wait_for_workers(1, timeout=PATIENCE)
            return carry_out(tasks, settings, _DaskWorkers(client, settings, run), report)
    except (OSError, CancelledError, CommClosedError, TimeoutError) as error:
        raise SchedulerError(
            f"scheduler {cluster}: cannot be reached, or has no workers ({error}); finished runs "
            "are kept, the others go on by the same command"
        ) from error


class _DaskWorkers:
    def __init__(
        self, client: Client, settings: Settings, run: Callable[[Task, Settings], str]
    ) -> None:
        self.client, self.settings, self.run = client, settings, run
        self.futures: dict[Future[Any], Task] = {}
        self.last_seen = time.monotonic()

    @property
    def running(self) -> Collection[Task]:
        return self.futures.values()

    def begin(self, waiting: deque[Task]) -> None:
        # At least one, so that a task waits at the scheduler for the next worker to come.
        room = max(1, self._count()) - len(self.futures)
        for _ in range(min(room, len(waiting))):
            task = waiting.popleft()
            key = f"{task.name}-{uuid4().hex}"
            future = self.client.submit(self.run, task, self.settings, key=key, pure=False)
            self.futures[future] = task

    def ended(self) -> list[End]:
        self._count()
        with suppress(TimeoutError):
            wait(list(self.futures), timeout=POLL, return_when="FIRST_COMPLETED")
        done = [future for future in self.futures if future.done()]
        return [self._end(future, self.futures.pop(future)) for future in done]

    def lost(self) -> list[End]:
        """All, where there is no worker to whom it could be said that the time is up."""
        if self._count():
            return []
        self.client.cancel(list(self.futures))
        lost = [End(task, POSTPONED) for task in self.futures.values()]
        self.futures.clear()
        return lost

    def _count(self) -> int:
        workers = len(self.client.nthreads())
        if workers:
            self.last_seen = time.monotonic()
        elif time.monotonic() - self.last_seen > PATIENCE:
            raise TimeoutError(f"no worker for {PATIENCE} seconds")
        return workers

    def _end(self, future: Future[Any], task: Task) -> End:
        if future.cancelled():
            raise CancelledError(f"{task.name} was cancelled")
        if error := future.exception():
            return End(task, FAILED, f"{type(error).__name__}: {error}")
        return End(task, str(future.result()))
