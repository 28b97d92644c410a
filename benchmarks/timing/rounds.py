"""The loop that everything is timed by: works in turns, so that ratios within a round are fair.

A machine that is busy for a while is busy for all works of a round. Only ratios of times of one
round are worth reading; both sides have the same threads, and keep the memory that they freed.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.timing import MATRIX_SIDE, TEXTBOOK
from benchmarks.training.recipes import MNIST_SCALE
from benchmarks.training.run import make_optimiser
from sesn_impl import create_model
from sesn_impl.networks.plain import by_torch
from sesn_impl.textbook import textbook_twin

FRAME = 28
TORCH = "torch"
WORKS = ("forward", "step")
CPU = torch.device("cpu")

Work = Callable[[], Tensor]
Key = TypeVar("Key", bound=Hashable)


class Timed:
    """A network with its optimiser on one batch of noise, doing either kind of work.

    form: its own; `TORCH`, its plain layers being torch's own; or `TEXTBOOK`.
    """

    def __init__(self, name: str, batch: int, form: str = "", device: torch.device = CPU) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model: nn.Module = create_model(name)
            images = torch.randn(batch, 1, FRAME, FRAME)
            labels = torch.randint(10, (batch,))
        if form:
            model = {TORCH: by_torch, TEXTBOOK: textbook_twin}[form](model)
        self.model = model.to(device)
        self.images, self.labels = images.to(device), labels.to(device)
        self.optimiser = make_optimiser(self.model, MNIST_SCALE.optimiser)

    def step(self) -> Tensor:
        """One training step of the published recipe: the loss."""
        self.model.train()
        self.optimiser.zero_grad()
        loss = F.cross_entropy(self.model(self.images), self.labels)
        torch.autograd.backward(loss)
        self.optimiser.step()
        return loss.detach()

    def forward(self) -> Tensor:
        """Logits [B, 10] in evaluation mode."""
        self.model.eval()
        with torch.inference_mode():
            logits: Tensor = self.model(self.images)
        return logits

    def work(self, name: str) -> Work:
        """One of `WORKS`."""
        chosen: Work = getattr(self, name)
        return chosen

    def multiply_adds(self, work: str = "forward") -> int:
        """Of the work, for the whole batch: half of what torch's counter calls operations."""
        with FlopCounterMode(display=False) as counter:
            self.work(work)()
        return int(counter.get_total_flops() // 2)


def matrix_product(device: torch.device) -> Work:
    """A product of two matrices of side `MATRIX_SIDE`."""
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(MATRIX_SIDE, MATRIX_SIDE, generator=generator).to(device)
    return lambda: matrix @ matrix


def interleaved(
    works: Mapping[Key, Callable[[], object]], rounds: int,
    done: Callable[[Key], object] | None = None, warm_up: bool = True,
) -> dict[Key, list[float]]:  # fmt: skip
    """Seconds of each work in each round, [rounds] each.

    done: called after each work of each round. warm_up: whether one more round comes first, for
    memory, the selection of kernels and lazy imports.
    """
    seconds: dict[Key, list[float]] = {key: [] for key in works}
    for _ in range(warm_up + rounds):
        for key, work in works.items():
            seconds[key].append(time_of(work))
            if done is not None:
                done(key)
    return {key: times[warm_up:] for key, times in seconds.items()}


def time_of(work: Callable[[], object]) -> float:
    """Seconds that the work takes, until the device has done it."""
    begin = time.perf_counter()
    result = work()
    if isinstance(result, Tensor) and result.device.type == "cuda":
        torch.cuda.synchronize(result.device)
    return time.perf_counter() - begin


def ratio_of(own: Sequence[float], other: Sequence[float]) -> dict[str, float]:
    """Time over time, paired by rounds: median and quartiles (all equal for a single round)."""
    ratios = [a / b for a, b in zip(own, other, strict=True)]
    lower, median, upper = statistics.quantiles(ratios * 2 if len(ratios) == 1 else ratios, n=4)
    return {"median": median, "lower_quartile": lower, "upper_quartile": upper}
