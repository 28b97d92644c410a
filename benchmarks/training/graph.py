"""A training step as a CUDA graph: captured once for each batch size, replayed from then on."""

from __future__ import annotations

from collections.abc import Callable

import torch

EAGER, REPLAYED = "eager", "CUDA graph"


def capture(work: Callable[[], None]) -> Callable[[], None]:
    """Record what `work` launches on the current CUDA device, without doing it; return its replay.

    Raises RuntimeError for work that waits for the device or cannot be recorded otherwise.
    """
    graph = torch.cuda.CUDAGraph()
    # What other threads of this process do meanwhile is no fault of the work.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        work()
    return graph.replay


class Replayed:
    """A step whose first call with a batch size is made as it is, and whose second is recorded.

    The first call makes what outlives a step: states of the optimiser, constants, workspaces.
    Where recording fails, this call and all later ones are made as they are. `execution` says how
    steps are made: "CUDA graph", or "eager" and why.
    """

    def __init__(
        self,
        step: Callable[[int], None],
        capture: Callable[[Callable[[], None]], Callable[[], None]] = capture,
    ) -> None:
        self.step, self.capture = step, capture
        self.begun: set[int] = set()
        self.replays: dict[int, Callable[[], None]] = {}
        self.execution = EAGER

    def __call__(self, batch: int) -> None:
        """Take one step."""
        if batch in self.begun and batch not in self.replays and ":" not in self.execution:
            self._record(batch)
        self.begun.add(batch)
        replay = self.replays.get(batch)
        if replay:
            replay()
        else:
            self.step(batch)

    def _record(self, batch: int) -> None:
        try:
            self.replays[batch] = self.capture(lambda: self.step(batch))
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            self.replays.clear()
            self.execution = f"{EAGER}: {str(error).splitlines()[0]}"
        else:
            self.execution = REPLAYED
