"""One run of a campaign, as a worker does it: only what is missing, and nobody else's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch

from benchmarks import data
from benchmarks.campaign.ledger import finished_record
from benchmarks.campaign.plan import Task
from benchmarks.training.allocator import keep_freed_memory
from benchmarks.training.devices import find_device
from benchmarks.training.lock import UnderwayError, underway
from benchmarks.training.train import forget_checkpoint, train
from verification.claims.records import Postponed, current_provenance

ALREADY = "already finished"
ELSEWHERE = "under way elsewhere"
POSTPONED = "postponed"
FAILED = "failed"

Report = Callable[[Task, str, str], None]
"""Told of every run that ends: task, outcome, and what went wrong, if anything did."""

ABANDONED = threading.Event()
"""Set in a worker when its campaign is gone: the run is left as at the deadline."""

_ONE_AT_A_TIME = threading.Lock()
"""A training owns the random state of its process."""


@dataclass(frozen=True)
class Settings:
    """What all runs of a campaign share; the folders are the same for every worker.

    commit, clean: of the sources that the campaign was started from; its workers must have them.
    threads: of torch in each worker; None: as the worker has it.
    deadline: seconds since the epoch at which a run is left at its next step; None: never.
    """

    evidence: Path
    checkpoints: Path
    commit: str | None
    clean: bool
    data_dir: Path | None = None
    device: str = "cpu"
    threads: int | None = None
    deadline: float | None = None

    @property
    def over(self) -> bool:
        """Whether the time is up, or the campaign of this worker is gone."""
        return ABANDONED.is_set() or (self.deadline is not None and time.time() >= self.deadline)


def work(task: Task, settings: Settings) -> str:
    """Train one run if it is missing, from its checkpoint if there is one.

    Returns the outcome of its record, or ALREADY, ELSEWHERE or POSTPONED. Raises ValueError for a
    worker of other sources than the campaign's, and what `train` and `data.load` do.
    """
    with _ONE_AT_A_TIME:
        if settings.over:
            return POSTPONED
        _check_sources(settings)
        keep_freed_memory()  # for foreign workers, which Dask starts by its own settings
        if settings.threads:
            torch.set_num_threads(settings.threads)
        try:
            with underway(settings.evidence, task.name):
                return _train(task, settings)
        except UnderwayError:
            return ELSEWHERE
        except Postponed:
            return POSTPONED


def _train(task: Task, settings: Settings) -> str:
    # Asked again under the lock: another campaign may have finished it in the meantime.
    if record := finished_record(settings.evidence, task, clean=settings.clean):
        forget_checkpoint(record, settings.checkpoints)
        return ALREADY
    record = train(
        task.model,
        images(task.data, task.realisation, settings.data_dir),
        task.protocol,
        augmentation=task.augmentation,
        seed=task.seed,
        device=find_device(settings.device),
        checkpoint_dir=settings.checkpoints,
        evidence=settings.evidence,
        stop=lambda: settings.over,
        progress=False,
    )
    return record.outcome


def _check_sources(settings: Settings) -> None:
    own = current_provenance()
    if (own.commit, own.dirty is False) != (settings.commit, settings.clean):
        raise ValueError(
            f"this worker's sources are {_sources(own.commit, own.dirty is False)}, the campaign's "
            f"are {_sources(settings.commit, settings.clean)}: start workers and campaign from "
            "checkouts of one commit"
        )


def _sources(commit: str | None, clean: bool) -> str:
    return f"{commit[:7] if commit else 'no checkout'}{'' if clean else ' with changes'}"


@lru_cache(maxsize=2)
def images(name: str, realisation: int, data_dir: Path | None) -> data.DataSet:
    """Return a data set, kept for the next run of this process."""
    return data.load(name, realisation, data_dir)
