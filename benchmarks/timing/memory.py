"""Peak memory of a training step, in its own process: `python -m benchmarks.timing.memory cnn_28`.

What the process held at most during a step (VmHWM, which the kernel keeps) minus what it held
before it (VmRSS): so it counts activations, gradients and the work space of the convolutions, which
no counter of torch sees on a CPU, but neither program nor weights nor the optimiser's state. Large
blocks are mapped one by one, so that what was freed is not counted again. Linux only.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.timing import TEXTBOOK
from benchmarks.timing.rounds import Timed
from sesn_impl import list_models

WARM_UP_BATCH = 2
STEPS = 3
PROCESS = Path("/proc/self")
_ONE_MAP_PER_BLOCK = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "1"}
"""For glibc's allocator, which otherwise raises its threshold and keeps freed blocks."""


def peak_memory(name: str, batch: int, textbook: bool = False) -> list[int] | None:
    """Bytes that each of three training steps of a 28×28 network needs on the CPU.

    None where the system does not tell. batch: images, at least 2; textbook: whether its layers
    take their textbook form. Takes many seconds, for a process of its own. Raises ValueError for
    an unknown name or a batch out of range, RuntimeError with the process's own words if it fails.
    """
    if name not in list_models():
        raise ValueError(f"name={name!r}: unknown model; known are {', '.join(list_models())}")
    if batch < 2:
        raise ValueError(f"batch={batch!r}: must be at least 2, for batch normalisation")
    if not (PROCESS / "clear_refs").exists():
        return None
    environment = os.environ | _ONE_MAP_PER_BLOCK
    environment["OMP_NUM_THREADS"] = str(torch.get_num_threads())
    command = [sys.executable, "-m", "benchmarks.timing.memory", name, "--batch", str(batch)]
    run = subprocess.run(
        [*command, "--textbook"] if textbook else command,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode != 0:
        raise RuntimeError(f"peak memory of {name}: {run.stderr.strip() or run.returncode}")
    return [int(line) for line in run.stdout.split()]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print for each step the bytes that it needs beyond what the process held before."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.timing.memory", description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--textbook", action="store_true")
    options = parser.parse_args(arguments)
    timed = Timed(options.model, options.batch, TEXTBOOK if options.textbook else "")
    images, labels = timed.images, timed.labels
    timed.images, timed.labels = images[:WARM_UP_BATCH], labels[:WARM_UP_BATCH]
    timed.step()
    timed.images, timed.labels = images, labels
    for _ in range(STEPS):
        before = _held("VmRSS")
        (PROCESS / "clear_refs").write_text("5", encoding="ascii")  # lets the maximum start anew
        timed.step()
        print(_held("VmHWM") - before)


def _held(name: str) -> int:
    """Bytes of memory of this process: VmRSS now, VmHWM at most."""
    lines = (PROCESS / "status").read_text(encoding="ascii").splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith(f"{name}:"))
    return 1024 * int(kilobytes)


if __name__ == "__main__":
    main()
