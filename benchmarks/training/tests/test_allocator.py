"""A process that keeps its memory makes no page faults where one by Dask's settings makes them."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from benchmarks.training.allocator import keep_freed_memory

PROGRAM = """
import resource, sys, threading
from benchmarks.training.allocator import keep_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def work():
    if sys.argv[1] == "late":
        assert keep_freed_memory()
    for _ in range(2):
        begin = faults()
        for mebibytes in map(int, sys.argv[3:]):
            b"x" * (mebibytes << 20)
    print(faults() - begin)

if sys.argv[1] == "early":
    assert keep_freed_memory()
if sys.argv[2] == "thread":
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
else:
    work()
"""
AS_DASK_DOES = {"MALLOC_TRIM_THRESHOLD_": "65536"}
BELOW_64, ABOVE_64 = (5, 20, 40), (5, 40, 100)  # MiB


def faulty_share(moment: str, place: str, mebibytes: tuple[int, ...]) -> float:
    """Page faults at the second time that such blocks are filled, by the number of their pages."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, moment, place, *map(str, mebibytes)],
        env=os.environ | AS_DASK_DOES,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout) * os.sysconf("SC_PAGE_SIZE") / (sum(mebibytes) << 20)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
@pytest.mark.parametrize(
    ("moment", "place", "mebibytes"),
    [
        ("early", "main", ABOVE_64),
        ("early", "thread", ABOVE_64),
        ("late", "thread", BELOW_64),
    ],
)
def test_freed_blocks_are_handed_out_again(
    moment: str, place: str, mebibytes: tuple[int, ...]
) -> None:
    assert faulty_share("never", place, mebibytes) > 0.9
    assert faulty_share(moment, place, mebibytes) < 0.1


def test_other_c_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert not keep_freed_memory()
