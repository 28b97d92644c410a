"""Worker processes on this machine, as Dask starts them: on its cores, or some for each GPU."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from logging import CRITICAL
from pathlib import Path

import dask
from distributed import Nanny, Scheduler, SpecCluster
from distributed.utils import get_mp_context

from benchmarks.campaign import pool

PRELOADED = [*pool.PRELOADED, "distributed"]

_CONFIGURATION = {
    # A server process that imports torch once and forks the workers, which then start at once.
    "distributed.worker.multiprocessing-method": pool.start_method(),
    # Nothing leaves this machine, whatever a user asks of other clusters.
    "distributed.comm.require-encryption": False,
    "distributed.comm.default-scheme": "tcp",
    "distributed.scheduler.allowed-failures": pool.DEATHS,
    # A run computes for minutes without giving the interpreter back: no reason to complain.
    "distributed.admin.tick.limit": "1h",
    # Without Dask's own variables, which are about threads, and about memory as `preload` is.
    "distributed.nanny.pre-spawn-environ": {},
}
_HOST = "127.0.0.1"


@contextmanager
def local_cluster(variables: Sequence[Mapping[str, str]]) -> Iterator[SpecCluster]:
    """Start a scheduler in this process, and one worker process for each set of variables.

    A worker that dies is started again.
    """
    with dask.config.set(_CONFIGURATION):
        # Asked of Dask and not of `multiprocessing`: Dask preloads its own list the first time.
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
