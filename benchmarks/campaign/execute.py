"""All runs of a campaign on a Dask cluster: as many at once as there are workers, best first."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError
from typing import Any
from uuid import uuid4

from distributed import Client, Future, wait
from distributed.comm.core import CommClosedError

from benchmarks import CommandError
from benchmarks.campaign.plan import Task
from benchmarks.campaign.work import (
    ELSEWHERE,
    FAILED,
    FAILURES_IN_A_ROW,
    POSTPONED,
    Report,
    Settings,
    work,
)

PATIENCE = 60  # seconds to wait for a worker, where there is none
_POLL = 1.0  # seconds; how long it takes to notice a new worker


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
    """Run all tasks in their order; return how many ended how.

    A run whose worker died is begun again, where its checkpoint is, on another worker. One that
    another campaign is at is asked for again until it is finished. At the deadline, runs under way
    are left at their next step and no other is begun.
    Raises SchedulerError where the scheduler cannot be reached or goes away, or no worker is left
    and none comes.
    """
    try:
        with Client(cluster) as client:
            client.wait_for_workers(1, timeout=PATIENCE)
            return _Execution(client, tasks, settings, report, run).all()
    except (OSError, CancelledError, CommClosedError, TimeoutError) as error:
        raise SchedulerError(
            f"scheduler {cluster}: cannot be reached, or has no workers ({error}); finished runs "
            "are kept, the others go on by the same command"
        ) from error


class _Execution:
    def __init__(
        self,
        client: Client,
        tasks: Iterable[Task],
        settings: Settings,
        report: Report,
        run: Callable[[Task, Settings], str],
    ) -> None:
        self.client, self.settings, self.report, self.run = client, settings, report, run
        self.waiting = deque(tasks)
        self.futures: dict[Future[Any], Task] = {}
        self.outcomes: Counter[str] = Counter()
        self.failures = 0
        self.last_seen = time.monotonic()

    def all(self) -> Counter[str]:
        while (self.waiting and not self._stopped) or self.futures:
            workers = self._workers()
            if self.settings.over and not workers:
                self._postpone()
                break
            # At least one, so that a task waits at the scheduler for the next worker to come.
            while self.waiting and len(self.futures) < max(1, workers) and not self._stopped:
                self._submit(self.waiting.popleft())
            for future in self._ended():
                self._note(future, self.futures.pop(future))
        return self.outcomes

    @property
    def _stopped(self) -> bool:
        return self.settings.over or self.failures >= FAILURES_IN_A_ROW

    def _workers(self) -> int:
        workers = len(self.client.nthreads())
        if workers:
            self.last_seen = time.monotonic()
        elif time.monotonic() - self.last_seen > PATIENCE:
            raise TimeoutError(f"no worker for {PATIENCE} seconds")
        return workers

    def _postpone(self) -> None:
        """Nobody is there to tell that the time is up."""
        self.client.cancel(list(self.futures))
        for task in self.futures.values():
            self.outcomes[POSTPONED] += 1
            self.report(task, POSTPONED, "")

    def _submit(self, task: Task) -> None:
        key = f"{task.name}-{uuid4().hex}"
        self.futures[self.client.submit(self.run, task, self.settings, key=key, pure=False)] = task

    def _ended(self) -> list[Future[Any]]:
        try:
            wait(list(self.futures), timeout=_POLL, return_when="FIRST_COMPLETED")
        except TimeoutError:
            return []
        return [future for future in self.futures if future.done()]

    def _note(self, future: Future[Any], task: Task) -> None:
        if future.cancelled():
            raise CancelledError(f"{task.name} was cancelled")
        error = future.exception()
        outcome = FAILED if error else str(future.result())
        if outcome == ELSEWHERE and not self._stopped:
            self.waiting.append(task)
            if not self.futures:
                time.sleep(_POLL)
            return
        self.failures = self.failures + 1 if error else 0
        self.outcomes[outcome] += 1
        self.report(task, outcome, f"{type(error).__name__}: {error}" if error else "")
