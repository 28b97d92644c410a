"""The step is tensor work on one device, waits for none, and sees the same draws on each."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.conftest import BATCH, EPOCHS, STEPS
from benchmarks.data import DataSet, unit_range
from benchmarks.data.augmentation import Augmentation
from benchmarks.training import recipes
from benchmarks.training.draws import DrawnDropout, Stream
from benchmarks.training.graph import EAGER, REPLAYED, Replayed
from benchmarks.training.run import Run
from benchmarks.training.tests.dry_step import (
    backward_without_streams,
    make_fake,
    prepared,
    shapes_alone,
    step_of,
)
from benchmarks.training.train import train
from sesn_impl import list_models
from sesn_impl.baselines import si_convnet

CPU = torch.device("cpu")
WAITING = ("_local_scalar_dense", "equal", "nonzero", "is_nonzero", "item", "masked_select")
"""Operations whose result the host has to know."""


def run_of(data: DataSet, *, augmentation: bool = True, protocol: str = "paper") -> Run:
    recipe = recipes.recipe_for(protocol, data.name)
    with torch.random.fork_rng(devices=[]):
        return Run("cnn_28", data, recipe, augmentation=augmentation, seed=0, device=CPU)


class NoWaiting(TorchDispatchMode):
    """Raises at whatever asks the device for a value."""

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = function.overloadpacket.__name__
        if name in WAITING:
            raise AssertionError(f"the host waits in {name}")
        return function(*args, **(kwargs or {}))


@pytest.fixture
def _fake_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.autograd, "backward", backward_without_streams)
    monkeypatch.setattr(si_convnet, "axis_plan", shapes_alone(si_convnet.axis_plan))


@pytest.mark.usefixtures("_fake_cuda")
@pytest.mark.parametrize("name", list_models())
def test_every_network_steps_on_a_cuda_device(name: str) -> None:
    """Devices of all tensors fit, and nothing asks for a value: there is none."""
    model = prepared(name)
    with FakeTensorMode():
        make_fake(model, torch.device("cuda"))
        step = step_of(name, model, torch.device("cuda"))
        step(4)
        assert {p.grad.device.type for p in model.parameters() if p.grad is not None} == {"cuda"}


class Mixing(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.ones(1, 1, 28, 28)  # on the CPU


class Asking(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * float(x.mean())


@pytest.mark.usefixtures("_fake_cuda")
@pytest.mark.parametrize("fault", [Mixing(), Asking()], ids=["another device", "a value"])
def test_a_step_that_does_not_fit_the_device_is_noticed(fault: nn.Module) -> None:
    model = prepared("cnn_28")
    with FakeTensorMode():
        make_fake(model, torch.device("cuda"))
        step = step_of("cnn_28", nn.Sequential(fault, model), torch.device("cuda"))
        with pytest.raises(Exception, match=r"device|_local_scalar_dense"):
            step(4)


def test_backward_of_these_tests_is_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    gradients = []
    for backward in (torch.autograd.backward, backward_without_streams):
        monkeypatch.setattr(torch.autograd, "backward", backward)
        torch.manual_seed(0)
        model = prepared("sesn_vector_28")
        step_of("sesn_vector_28", model, CPU)(4)
        gradients.append([p.grad for p in model.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


@pytest.mark.parametrize("name", ["cnn_28", "sesn_scalar_28", "sesn_vector_28", "sicnn_28"])
def test_the_host_waits_for_nothing_in_a_step(name: str) -> None:
    step = step_of(name, prepared(name), CPU)
    step(2)
    with NoWaiting():
        step(2)


@pytest.mark.parametrize(
    "ask",
    [
        lambda x: x.sum().item(),
        lambda x: torch.equal(x, x),
        lambda x: x.nonzero(),
        lambda x: bool((x > 0).any()),
    ],
)
def test_waiting_is_noticed(ask: Callable[[Tensor], object]) -> None:
    """The negative control."""
    with pytest.raises(AssertionError, match="the host waits in"), NoWaiting():
        ask(torch.ones(3))


def test_dropout_drops_what_torch_drops() -> None:
    """Runs that were recorded before masks were drawn apart are repeated bit for bit."""
    x = torch.randn(5, 7, requires_grad=True)
    ours = DrawnDropout(0.7)
    ours(x)
    torch.manual_seed(3)
    theirs = F.dropout(x, 0.7)
    ours.mask = ours.draw(5, torch.Generator().manual_seed(3))
    dropped = ours(x)
    assert torch.equal(dropped, theirs)
    gradients = [torch.autograd.grad(y.square().sum(), x)[0] for y in (dropped, theirs)]
    assert torch.equal(*gradients)
    assert not torch.equal(ours(x), theirs)  # a mask is used once
    assert torch.equal(ours.eval()(x), x)


def test_draws_are_those_of_their_streams(tiny: DataSet) -> None:
    """Order, scaling and masks of any step, drawn as if it were the only one."""
    run = run_of(tiny)
    run.progress.epoch = 1
    draws = run.draws(range(STEPS))
    streams = run.streams
    order = torch.randperm(len(tiny.train), generator=streams.generator(Stream.ORDER, 1))
    images = unit_range(tiny.train.images)
    for step, chosen in enumerate(order.split(BATCH)):
        position, size = STEPS + step, len(chosen)
        assert torch.equal(draws.order[step, :size], chosen)
        alone = run.augmentation.draw(
            size, 28, 28, streams.generator(Stream.AUGMENTATION, position)
        )
        expected = run.augmentation(images[chosen], alone)
        found = run.augmentation(images[chosen], draws.augmentation[step, :size])
        assert torch.equal(found, expected)
        torch.manual_seed(streams.seed(Stream.DROPOUT, position))
        kept = F.dropout(torch.ones(size, 16), 0.5) > 0
        assert torch.equal(draws.masks[0][step, :size], kept)
    later = run.draws(range(2, STEPS))  # as after an interruption
    assert torch.equal(later.masks[0], draws.masks[0][2:])
    assert torch.equal(later.augmentation, draws.augmentation[2:])


def test_crop_flip_and_cutout_are_drawn_after_the_scaling() -> None:
    images, fill = torch.rand(4, 3, 96, 96), (0.4, 0.5, 0.6)
    generators = [torch.Generator().manual_seed(5) for _ in range(2)]
    both = Augmentation(True, True, fill)
    drawn = both.draw(4, 96, 96, generators[0])
    assert drawn.shape == (4, both.numbers)
    expected = images
    for each in (Augmentation(True), Augmentation(False, True, fill)):
        expected = each(expected, each.draw(4, 96, 96, generators[1]))
    assert torch.equal(both(images, drawn), expected)


def test_masks_that_do_not_fit_come_in_parts(
    tiny: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train("cnn_28", tiny, "paper", augmentation=True)
    monkeypatch.setattr("benchmarks.training.run.MASK_BYTES", 1)
    assert run_of(tiny).rows == 1
    parts = train("cnn_28", tiny, "paper", augmentation=True)
    assert parts.numbers["weights"] == whole.numbers["weights"]


def late(run: Run) -> Run:
    """The sums are read at the end of an epoch, as on a device that should not be waited for."""
    run.device = torch.device("meta")  # used for nothing but this, and evaluation
    return run


def advance(run: Run) -> list[int]:
    return [run.position for _ in run.advance()]


def test_sums_read_late_are_the_sums(tiny: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.training.run.mistakes", lambda *_: torch.tensor([True, False]))
    now, then = run_of(tiny), late(run_of(tiny))
    assert advance(now) == advance(then)
    for name in ("train_loss", "train_error", "best_epoch"):
        assert getattr(now.progress, name) == getattr(then.progress, name)
    assert len(then.progress.step_seconds) == EPOCHS * STEPS


@pytest.mark.parametrize("first", [0, 1, STEPS - 1, STEPS + 1])
def test_the_first_loss_that_is_not_finite_ends_the_run(
    tiny: DataSet, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    """However late the host is told."""
    monkeypatch.setattr("benchmarks.training.run.mistakes", lambda *_: torch.tensor([True]))
    steps, seconds = [], []
    for run in (run_of(tiny), late(run_of(tiny))):
        execute, calls = run.execute, itertools.count()

        def spoiling(
            batch: int, run: Run = run, execute: Any = execute, calls: Any = calls
        ) -> None:
            if next(calls) == first:
                with torch.no_grad():
                    next(run.model.parameters()).fill_(float("nan"))
            execute(batch)

        run.execute = spoiling  # type: ignore[assignment]
        advance(run)
        assert run.diverged
        steps.append(run.position)
        seconds.append(len(run.progress.step_seconds))
    assert steps == [first + 1] * 2
    assert seconds == steps


class FakeCapture:
    """Notes what is recorded and replayed; recording does none of the work."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault, self.recorded = fault, 0

    def __call__(self, work: Callable[[], None]) -> Callable[[], None]:
        self.recorded += 1
        if self.fault:
            raise self.fault
        return work


def test_each_size_of_batch_is_made_recorded_and_replayed() -> None:
    made: list[int] = []
    capture = FakeCapture()
    step = Replayed(made.append, capture)
    recorded = []
    for batch in (8, 8, 8, 3, 8, 3, 8, 3):
        step(batch)
        recorded.append(capture.recorded)
    assert made == [8, 8, 8, 3, 8, 3, 8, 3]  # each step once, in order
    assert recorded == [0, 1, 1, 1, 1, 2, 2, 2]
    assert step.execution == REPLAYED


def test_what_cannot_be_recorded_is_made_as_it_is_and_says_why() -> None:
    made: list[int] = []
    capture = FakeCapture(RuntimeError("operation not permitted when stream is capturing\nmore"))
    step = Replayed(made.append, capture)
    for batch in (8, 8, 8, 3, 3):
        step(batch)
    assert made == [8, 8, 8, 3, 3]
    assert capture.recorded == 1
    assert step.execution == f"{EAGER}: operation not permitted when stream is capturing"


def test_a_device_without_memory_is_no_reason_to_go_on() -> None:
    step = Replayed(lambda _: None, FakeCapture(torch.OutOfMemoryError("out of memory")))
    step(8)
    with pytest.raises(torch.OutOfMemoryError):
        step(8)


def test_replayed_steps_end_in_the_same_weights(
    tiny: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    eager = train("cnn_28", tiny, "paper", augmentation=True)
    original, capture = Run.__init__, FakeCapture()

    def replaying(run: Run, *arguments: Any, **options: Any) -> None:
        original(run, *arguments, **options)
        run.execute = Replayed(run.step, capture)

    monkeypatch.setattr(Run, "__init__", replaying)
    replayed = train("cnn_28", tiny, "paper", augmentation=True)
    assert replayed.numbers["weights"] == eager.numbers["weights"]
    assert capture.recorded == 2
    assert [r.numbers["sessions"][0]["execution"] for r in (eager, replayed)] == [EAGER, REPLAYED]
