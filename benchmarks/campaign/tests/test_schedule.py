"""The order of runs, whoever does them: by workers that end each run as a script says."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.campaign import schedule
from benchmarks.campaign.plan import Task
from benchmarks.campaign.schedule import AGAIN, FAILURES_IN_A_ROW, End, carry_out
from benchmarks.campaign.tests.conftest import TASK
from benchmarks.campaign.work import ELSEWHERE, FAILED, POSTPONED, Settings

A, B, C = (replace(TASK, realisation=k) for k in range(3))


class Scripted:
    """One worker: `outcomes` of the runs in the order in which they are begun; then "finished"."""

    def __init__(self, *outcomes: str) -> None:
        self.outcomes, self.begun = deque(outcomes), list[Task]()
        self.running: list[Task] = []

    def begin(self, waiting: deque[Task]) -> None:
        if waiting and not self.running:
            self.running.append(waiting.popleft())
            self.begun.append(self.running[0])

    def ended(self) -> list[End]:
        if self.outcomes and self.outcomes[0] == "never":
            return []
        outcome = self.outcomes.popleft() if self.outcomes else "finished"
        return [End(self.running.pop(), outcome, "why" if outcome in (AGAIN, FAILED) else "")]

    def lost(self) -> list[End]:
        lost, self.running = [End(task, POSTPONED) for task in self.running], []
        return lost


def done(
    tmp_path: Path, workers: Scripted, tasks: list[Task], deadline: float | None = None
) -> tuple[Counter[str], list[str]]:
    settings = Settings(tmp_path, tmp_path, "0" * 40, True, deadline=deadline)
    told: list[str] = []
    ends = carry_out(tasks, settings, workers, lambda _, outcome, problem: told.append(outcome))
    return ends, told


def test_a_run_that_is_begun_again_comes_first_and_is_told(tmp_path: Path) -> None:
    workers = Scripted(AGAIN)
    assert done(tmp_path, workers, [A, B]) == (
        Counter(finished=2), [AGAIN, "finished", "finished"],
    )  # fmt: skip
    assert workers.begun == [A, A, B]


def test_a_run_of_another_campaign_is_asked_for_behind_all_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "POLL", 0.0)
    workers = Scripted(ELSEWHERE)
    assert done(tmp_path, workers, [A, B])[0] == Counter(finished=2)
    assert workers.begun == [A, B, A]


def test_failures_in_a_row_end_it_and_others_do_not(tmp_path: Path) -> None:
    tasks = [replace(TASK, seed=k) for k in range(9)]
    fails = [FAILED] * FAILURES_IN_A_ROW
    assert done(tmp_path, Scripted(*fails), tasks)[0] == Counter(failed=FAILURES_IN_A_ROW)
    mixed = Scripted(*fails[1:], "finished", *fails)
    ends = done(tmp_path, mixed, tasks)[0]
    assert ends == Counter(failed=2 * FAILURES_IN_A_ROW - 1, finished=1)


@pytest.mark.parametrize("last", ["finished", ELSEWHERE])
def test_what_ends_after_the_failures_begins_no_other(tmp_path: Path, last: str) -> None:
    tasks = [replace(TASK, seed=k) for k in range(2 * FAILURES_IN_A_ROW)]
    workers = Scripted(*[FAILED] * FAILURES_IN_A_ROW, last)
    workers.running = tasks[: FAILURES_IN_A_ROW + 1]  # all of them at once
    ends = done(tmp_path, workers, tasks[FAILURES_IN_A_ROW + 1 :])[0]
    assert ends == Counter({FAILED: FAILURES_IN_A_ROW, last: 1})
    assert workers.begun == []


def test_after_the_deadline_nothing_is_begun_and_what_is_lost_is_postponed(tmp_path: Path) -> None:
    assert done(tmp_path, Scripted(), [A], deadline=0.0) == (Counter(), [])
    workers = Scripted("never")
    workers.running = [C]  # begun before the deadline, by a worker that does not answer
    assert done(tmp_path, workers, [A], deadline=0.0)[0] == Counter(postponed=1)
    assert workers.begun == []
