"""How many processes on one GPU train the most, found by trying."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import torch

from benchmarks.campaign.plan import Task
from benchmarks.campaign.pool import Worker
from benchmarks.campaign.work import Settings, images
from benchmarks.training.devices import find_device, prepare
from benchmarks.training.recipes import recipe_for
from benchmarks.training.run import Run

COUNTS = (1, 2, 4, 8)
GAIN = 1.1
"""So much more must be trained by twice as many processes for them to be worth it."""
SECONDS = 2.0
WARM_UP = 5
"""Steps before the clock starts: they choose algorithms and capture graphs."""

_begun: list[tuple[torch.device, Iterator[None]]] = []


def best_count(pace: Callable[[int], float | None], say: Callable[[str], None]) -> int:
    """Return the number of processes after which more of them gain less than a tenth.

    pace: steps per second of so many processes together, None where they find too little memory.
    """
    best, highest = COUNTS[0], 0.0
    for count in COUNTS:
        found = pace(count)
        if found is None:
            say(f"{count} processes on a GPU find too little memory")
            break
        say(f"{count} processes on a GPU: {found:.1f} steps/s")
        if found < GAIN * highest:
            break
        best, highest = count, found
    return best


def best_number(
    task: Task, settings: Settings, variables: dict[str, str], say: Callable[[str], None]
) -> int:
    """Try 1, 2, 4, 8 processes on the GPU of `variables`, all at steps of `task`; return the best.

    Nothing is kept of these steps. Raises RuntimeError where even one process cannot do them.
    """
    started: list[Worker] = []

    def pace(count: int) -> float | None:
        fresh = [Worker(variables) for _ in range(count - len(started))]
        started.extend(fresh)
        for worker in fresh:
            worker.call(begin, task, settings)
        if _results(fresh, count) is None:
            return None
        for worker in started:
            worker.call(advance, SECONDS)
        found = _results(started, count)
        return None if found is None else sum(found)

    try:
        return best_count(pace, say)
    finally:
        for worker in started:
            worker.close()
        for worker in started:
            worker.join(10.0)


def _results(workers: Sequence[Worker], count: int) -> list[float] | None:
    answers = [worker.answer() for worker in workers]
    if count > 1 and any(answer is None or answer.memory for answer in answers):
        return None
    results = []
    for answer in answers:
        if answer is None or answer.problem:
            problem = "its worker died" if answer is None else answer.problem
            raise RuntimeError(f"per_gpu='auto': a step could not be tried: {problem}")
        results.append(float(answer.result or 0.0))
    return results


def begin(task: Task, settings: Settings) -> None:
    """In a worker: set a run up and warm it."""
    if settings.threads:
        torch.set_num_threads(settings.threads)
    device = find_device(settings.device)
    prepare(device)
    run = Run(
        task.model,
        images(task.data, task.realisation, settings.data_dir),
        recipe_for(task.protocol, task.data),
        augmentation=task.augmentation,
        seed=task.seed,
        device=device,
    )
    steps = run.advance()
    for _ in range(WARM_UP):
        next(steps)
    _wait_for(device)
    _begun.append((device, steps))


def advance(seconds: float) -> float:
    """In a worker: go on for some seconds; return steps per second."""
    device, steps = _begun[-1]
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds and next(steps, StopIteration) is None:
        count += 1
        if count % 8 == 0:  # no longer queue than that
            _wait_for(device)
    _wait_for(device)
    return count / (time.perf_counter() - start)


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
