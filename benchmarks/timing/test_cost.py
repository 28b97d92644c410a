"""Time of a forward pass and of a training step, beside the plain CNN and the textbook form.

Each round times the plain CNN, the textbook form (where there is one), a matrix product and the
model, one after the other, so that a machine that is busy for a while is busy for all of them, and
only the ratios of a round are worth reading. In a plain test run every function is called once, on
a small batch.
"""

from __future__ import annotations

import copy
import math
import os
import time
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.timing import (
    BATCH_VARIABLE,
    DEVICE_VARIABLE,
    MATRIX,
    MATRIX_SIDE,
    MODELS,
    MODELS_VARIABLE,
    ROUNDS_VARIABLE,
    TEXTBOOK,
    references,
)
from benchmarks.training.allocator import keep_freed_memory
from benchmarks.training.recipes import MNIST_SCALE
from benchmarks.training.run import make_optimiser
from sesn_impl import create_model
from sesn_impl.networks.plain import by_torch
from sesn_impl.textbook import textbook_twin

NAMES = os.environ.get(MODELS_VARIABLE, ",".join(MODELS)).split(",")
BATCH = int(os.environ.get(BATCH_VARIABLE, "4"))
ROUNDS = int(os.environ.get(ROUNDS_VARIABLE, "1"))
DEVICE = torch.device(os.environ.get(DEVICE_VARIABLE, "cpu"))
AGREEMENT = 1e-5  # of the largest logit: both forms sum the same products in another order

Work = Callable[[], Tensor]


@pytest.fixture(scope="module", autouse=True)
def _memory_is_kept() -> None:
    """As in trainings: page faults would be timed otherwise, most where there is most to keep."""
    keep_freed_memory()


@pytest.fixture(scope="module")
def batch() -> tuple[Tensor, Tensor]:
    """Inputs [B, 1, 28, 28] of unit variance and labels [B]."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(BATCH, 1, 28, 28, generator=generator)
    return images.to(DEVICE), torch.randint(10, (BATCH,), generator=generator).to(DEVICE)


def forward(model: nn.Module, images: Tensor, labels: Tensor) -> Work:
    """Inference on the batch: logits [B, 10]."""
    model.eval()

    def work() -> Tensor:
        with torch.inference_mode():
            logits: Tensor = model(images)
        return logits

    return work


def step(model: nn.Module, images: Tensor, labels: Tensor) -> Work:
    """One training step of the published recipe on the batch: the loss."""
    model.train()
    optimiser = make_optimiser(model, MNIST_SCALE.optimiser)

    def work() -> Tensor:
        optimiser.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        torch.autograd.backward(loss)
        optimiser.step()
        return loss.detach()

    return work


@pytest.mark.parametrize("make_work", [forward, step])
@pytest.mark.parametrize("name", NAMES)
def test_cost(
    name: str,
    make_work: Callable[[nn.Module, Tensor, Tensor], Work],
    batch: tuple[Tensor, Tensor],
    benchmark: BenchmarkFixture,
) -> None:
    torch.manual_seed(0)
    model = create_model(name).to(DEVICE)
    rivals = {rival: by_torch(create_model(rival)).to(DEVICE) for rival in references(name)}
    if not name.startswith("cnn"):
        rivals[TEXTBOOK] = copy.deepcopy(textbook_twin(model))
        assert_same_logits(model, rivals[TEXTBOOK], batch[0])
    works = {rival: make_work(rival_model, *batch) for rival, rival_model in rivals.items()}
    works[MATRIX] = matrix_product()
    seconds: dict[str, list[float]] = {rival: [] for rival in works}

    def time_rivals() -> None:
        for rival, work in works.items():
            seconds[rival].append(time_of(work))

    target = complete(make_work(model, *batch))
    with FlopCounterMode(display=False) as counter:
        target()
    # The first round warms up: memory, kernel selection, lazy imports.
    result = benchmark.pedantic(  # type: ignore[no-untyped-call]
        target, setup=time_rivals, rounds=ROUNDS, warmup_rounds=1
    )
    assert all(math.isfinite(value) for value in result.flatten().tolist())
    benchmark.extra_info |= {
        "model": name,
        "work": make_work.__name__,
        "multiply_adds": counter.get_total_flops() // 2,
        "rivals": {rival: times[-ROUNDS:] for rival, times in seconds.items()},
    }


def test_disagreement_is_noticed(batch: tuple[Tensor, Tensor]) -> None:
    """The comparison inside the benchmark rejects a model with slightly other weights."""
    model = create_model("sesn_scalar_28").to(DEVICE)
    other = copy.deepcopy(model)
    with torch.no_grad():
        next(other.parameters()).mul_(1.001)
    with pytest.raises(AssertionError):
        assert_same_logits(model, other, batch[0])


def assert_same_logits(model: nn.Module, other: nn.Module, images: Tensor) -> None:
    """The logits [B, 10] of two networks in evaluation mode differ by rounding only."""
    actual, expected = (forward(network, images, images)() for network in (model, other))
    assert (actual - expected).abs().max() <= AGREEMENT * expected.abs().max()


def matrix_product() -> Work:
    """A product of two matrices of side `MATRIX_SIDE`."""
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(MATRIX_SIDE, MATRIX_SIDE, generator=generator).to(DEVICE)
    return lambda: matrix @ matrix


def complete(work: Work) -> Work:
    """The same work, waiting until the device has done it."""

    def completed() -> Tensor:
        result = work()
        if DEVICE.type == "cuda":
            torch.cuda.synchronize(DEVICE)
        return result

    return completed


def time_of(work: Work) -> float:
    """Seconds that the work takes, with the garbage collector left alone."""
    begin = time.perf_counter()
    complete(work)()
    return time.perf_counter() - begin
