"""Worker processes on this machine, as Dask starts them: on its cores, or some for each GPU."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from logging import CRITICAL
from pathlib import Path

import dask
from dask.system import CPU_COUNT
from distributed import Nanny, Scheduler, SpecCluster
from distributed.utils import get_mp_context

PRELOADED = [
    "benchmarks.campaign.preload",
    "distributed",
    "benchmarks.campaign.work",
    "torch._dynamo",
]
"""Modules that a worker needs, the last of them at the optimiser's first step."""
DEATHS = 20
"""So often may workers die of one run before it is given up: each goes on from its checkpoint."""

_CONFIGURATION = {
    # A server process that imports torch once and forks the workers, which then start at once.
    "distributed.worker.multiprocessing-method": "forkserver",
    "distributed.scheduler.allowed-failures": DEATHS,
    # A run computes for minutes without giving the interpreter back: no reason to complain.
    "distributed.admin.tick.limit": "1h",
    # Without Dask's own variables, which are about threads, and about memory as `preload` is.
    "distributed.nanny.pre-spawn-environ": {},
}
_HOST = "127.0.0.1"


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
        return [{} for _ in range(workers or CPU_COUNT)]
    names = visible.split(",") if visible else [str(index) for index in range(gpus)]
    if len(names) < gpus:
        raise ValueError(f"gpus={gpus!r}: CUDA_VISIBLE_DEVICES={visible} names {len(names)}")
    return [{"CUDA_VISIBLE_DEVICES": name} for name in names[:gpus] for _ in range(per_gpu)]


def threads_per_worker(workers: int) -> int:
    """Share the cores of this machine among its workers, at least one each."""
    return max(1, CPU_COUNT // workers)


@contextmanager
def local_cluster(variables: Sequence[Mapping[str, str]]) -> Iterator[SpecCluster]:
    """Start a scheduler in this process, and one worker process for each set of variables.

    A worker that dies is started again.
    """
    with dask.config.set(_CONFIGURATION):
        get_mp_context().set_forkserver_preload(PRELOADED)
        options = {"host": _HOST, "dashboard": False, "dashboard_address": ":0"}
        workers = {
            index: {
                "cls": Nanny,
                "options": {
                    **options,
                    "nthreads": 1,
                    "memory_limit": 0,
                    "silence_logs": CRITICAL,
                    "env": {**variables[index], "PYTHONPATH": _search_path()},
                },
            }
            for index in range(len(variables))
        }
        scheduler = {"cls": Scheduler, "options": options}
        with SpecCluster(workers=workers, scheduler=scheduler, silence_logs=CRITICAL) as cluster:
            yield cluster


def _search_path() -> str:
    """Where workers find this project when it is not installed."""
    here = Path(__file__).resolve().parents[2]
    return os.pathsep.join([str(here), *filter(None, [os.environ.get("PYTHONPATH")])])
