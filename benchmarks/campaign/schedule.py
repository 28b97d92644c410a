"""The runs of a campaign in their order: which is begun, or begun again, and until when.

Who does the work is somebody else's business: Dask's workers, or processes of this machine.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple, Protocol

from benchmarks.campaign.plan import Task
from benchmarks.campaign.work import ELSEWHERE, FAILED, Report, Settings

AGAIN = "begun again"
FAILURES_IN_A_ROW = 3
"""After so many, something is wrong with more than a run: no other one is begun."""
POLL = 1.0  # seconds; how long it takes to notice a new worker


class End(NamedTuple):
    """How a run ended for a worker: an outcome of `work`, FAILED, or AGAIN; what went wrong."""

    task: Task
    outcome: str
    problem: str = ""


class Workers(Protocol):
    """Who does the work."""

    @property
    def running(self) -> Collection[Task]:
        """Runs that were begun and have not ended."""

    def begin(self, waiting: deque[Task]) -> None:
        """Take as many runs from the left as there are workers for."""

    def ended(self) -> Sequence[End]:
        """Runs that have ended; waits for one, POLL seconds at the most."""

    def lost(self) -> Sequence[End]:
        """After the deadline: runs that nobody will end any more."""


def carry_out(
    tasks: Iterable[Task], settings: Settings, workers: Workers, report: Report
) -> Counter[str]:
    """Have all tasks done in their order; return how many ended how.

    A run that its worker could not end is begun again before all others. One that another campaign
    is at is asked for again behind all others, until it is finished. At the deadline, runs under
    way are left at their next step and no other is begun.
    """
    waiting, outcomes, failures, failing = deque(tasks), Counter[str](), 0, False
    while waiting or workers.running:
        stopped = settings.over or failing
        if stopped and not workers.running:
            break
        if not stopped:
            workers.begin(waiting)
        ends = [*workers.ended(), *(workers.lost() if settings.over else ())]
        for task, outcome, problem in ends:
            if outcome == AGAIN:
                waiting.appendleft(task)
                if problem:
                    report(task, AGAIN, problem)
            elif outcome == ELSEWHERE and not settings.over and not failing:
                waiting.append(task)
                if not workers.running:
                    time.sleep(POLL)
            else:
                failures = failures + 1 if outcome == FAILED else 0
                failing = failing or failures >= FAILURES_IN_A_ROW  # whatever ends after that
                outcomes[outcome] += 1
                report(task, outcome, problem)
    return outcomes
