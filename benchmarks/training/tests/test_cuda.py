"""On a GPU: the numbers of the CPU, the same twice, and no waiting. Elsewhere these are deselected.

    python -m pytest -m cuda -s

torch, NumPy, SciPy, pytest and Hypothesis are enough.
The most telling come first, as their time may be short: arithmetic, layers and networks against the
CPU, steps that repeat; within that, the cheapest. SESN_CUDA_TESTS=cpu rehearses on a CPU what has a
meaning there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmarks.campaign.pool import cores
from benchmarks.conftest import give_recipe
from benchmarks.data import DataSet, Normalisation, Split
from benchmarks.training import recipes
from benchmarks.training.checkpoint import CheckpointError, load_checkpoint
from benchmarks.training.devices import DeviceError, device_name, find_device, named_faults, prepare
from benchmarks.training.evaluation import weights_hash
from benchmarks.training.graph import EAGER, REPLAYED
from benchmarks.training.run import Run
from benchmarks.training.train import train
from sesn_impl import (
    LiftingConv2d,
    ScaleConv1x1,
    ScaleConv2d,
    ScaleMaxProjection,
    create_model,
    hermite_basis_a,
    list_models,
)
from sesn_impl.fast import correlation
from verification.claims.records import Postponed

pytestmark = pytest.mark.cuda

DEVICE = torch.device(os.environ.get("SESN_CUDA_TESTS", "cuda"))
CPU = torch.device("cpu")
ON_CUDA = DEVICE.type == "cuda"
ALGORITHMS = ("direct", "spectral")
KINDS = ("wrn", "cnn", "dss", "sesn", "si_convnet", "ss_cnn", "sevf", "sicnn")


def costly(name: str) -> tuple[bool, bool, int]:
    """By which networks are sorted, the cheapest first."""
    kind = max(k for k, kind in enumerate(KINDS) if kind in name)
    return name.startswith("wrn_"), "_56" in name, kind


NETWORKS = sorted(list_models(), key=costly)
METHODS = sorted(list_models("*_28"), key=costly)
BATCH, TRAIN = 128, 300  # batches of 128, 128 and 44 images
STEPS = 3
FLOAT32 = 3e-5
"""Largest error of float32 against float64, relative to the largest value."""
DOUBLE, NETWORK_DOUBLE = 1e-12, 1e-10


@pytest.fixture(autouse=True)
def arithmetic() -> Iterator[dict[str, Any]]:
    if ON_CUDA and not torch.cuda.is_available():
        pytest.skip("torch finds no CUDA device here")
    if ON_CUDA:
        torch.set_num_threads(min(8, cores()))  # of what the device is compared with
    yield prepare(DEVICE)
    prepare(DEVICE)


@pytest.fixture
def noise(monkeypatch: pytest.MonkeyPatch) -> DataSet:
    """Random images with random labels, and a recipe of two epochs."""
    recipe = replace(recipes.MNIST_SCALE, epochs=2, batch=BATCH)
    give_recipe(monkeypatch, "noise", recipe)

    def split(size: int, seed: int) -> Split:
        generator = torch.Generator().manual_seed(seed)
        images = torch.randint(0, 256, (size, 1, 28, 28), generator=generator, dtype=torch.uint8)
        return Split(images, torch.randint(0, 10, (size,), generator=generator))

    train, validation, test = (split(n, seed) for seed, n in enumerate((TRAIN, 100, 100)))
    return DataSet("noise", 0, train, validation, test, Normalisation((0.5,), (0.3,)))


def run_of(name: str, data: DataSet, device: torch.device = DEVICE) -> Run:
    recipe = recipes.recipe_for("paper", data.name)
    with torch.random.fork_rng():
        return Run(name, data, recipe, augmentation=True, seed=0, device=device)


def error(found: Tensor, expected: Tensor) -> float:
    """Largest difference over the largest magnitude."""
    expected = expected.double()
    difference = (found.detach().cpu().double() - expected).abs().max()
    return float(difference / expected.abs().max().clamp_min(1e-300))


def values_of(model: nn.Module, x: Tensor) -> list[Tensor]:
    """Output and gradients of a fixed sum of it, on the CPU."""
    model.zero_grad()
    y = model(x)
    weights = torch.linspace(-1, 1, y.numel(), dtype=torch.float64).cos().view(y.shape)
    (y * weights.to(y)).sum().backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    return [values.detach().cpu() for values in (y, *gradients)]


def largest_error(found: list[Tensor], expected: list[Tensor]) -> float:
    return max(error(a, b) for a, b in zip(found, expected, strict=True))


def test_what_this_is(arithmetic: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{device_name(DEVICE)}, torch {torch.__version__}, {arithmetic}")
    assert arithmetic["float32"] == "ieee"


LAYERS: dict[str, Callable[[], tuple[nn.Module, tuple[int, ...]]]] = {
    "lifting": lambda: (LiftingConv2d(2, 3, basis(), padding=3), (2, 2, 17, 14)),
    "lifting, stride": lambda: (LiftingConv2d(2, 3, basis(), 2, padding=3), (2, 2, 17, 14)),
    "scale": lambda: (ScaleConv2d(2, 3, basis(), 1, padding=3), (2, 2, 3, 17, 14)),
    "scale, interaction": lambda: (ScaleConv2d(2, 3, basis(), 2, padding=3), (2, 2, 3, 17, 14)),
    "1x1": lambda: (ScaleConv1x1(2, 3), (2, 2, 3, 17, 14)),
    "projection": lambda: (
        nn.Sequential(LiftingConv2d(2, 3, basis(), padding=3), ScaleMaxProjection()),
        (2, 2, 17, 14),
    ),
}


def basis() -> Any:
    return hermite_basis_a(7, (0.9, 1.27, 1.79), 3)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("name", LAYERS)
def test_layers_in_float64(name: str, algorithm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    layer, shape = LAYERS[name]()
    x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    layer.double()
    expected = values_of(layer, x)
    monkeypatch.setattr(correlation, "choose", lambda *_: algorithm)
    assert largest_error(values_of(layer.to(DEVICE), x.to(DEVICE)), expected) <= DOUBLE


def made(name: str, seed: int) -> tuple[nn.Module, Tensor]:
    """A network in float64 in evaluation mode, and images for it."""
    channels, side = (3, 16) if name.startswith("wrn_") else (1, 28)
    torch.manual_seed(seed)
    model = create_model(name).eval().double()
    return model, torch.rand(2, channels, side, side, dtype=torch.float64)


def float32_error(name: str, model: nn.Module, x: Tensor) -> float:
    """Error of float32 against float64 on the device, which the CPU has confirmed.

    Where rounding makes another pixel the largest of its window, or a response positive, single
    gradients are others. In the deep networks that comes with all images: of them the outputs are
    compared, and gradients in float64.
    """
    model, x = model.to(DEVICE), x.to(DEVICE)
    expected = values_of(model.double(), x)
    found = values_of(model.float(), x.float())
    compared = 1 if name.startswith("wrn_") else len(found)  # the output comes first
    return largest_error(found[:compared], expected[:compared])


def confirm(name: str) -> None:
    """In float64 as on the CPU, and in IEEE float32 as in float64.

    Rounding that matters comes with some images and weights; lost digits come with all.
    """
    model, x = made(name, 0)
    expected = values_of(model, x)
    assert largest_error(values_of(model.to(DEVICE), x.to(DEVICE)), expected) <= NETWORK_DOUBLE
    errors = [float32_error(name, model, x)]
    while min(errors) > FLOAT32 and len(errors) < 3:
        errors.append(float32_error(name, *made(name, len(errors))))
    assert min(errors) <= FLOAT32


@pytest.mark.parametrize("name", METHODS)
def test_networks(name: str) -> None:
    confirm(name)


@pytest.mark.skipif(not ON_CUDA, reason="there is no TF32 on a CPU")
@pytest.mark.parametrize("name", ["cnn_28", "sesn_scalar_28", "sesn_vector_28"])
def test_tf32_is_noticed(name: str) -> None:
    """The negative control."""
    if torch.cuda.get_device_capability(DEVICE) < (8, 0):
        pytest.skip("this card has no TF32")
    assert prepare(DEVICE, "tf32")["float32"] == "tf32"
    assert min(float32_error(name, *made(name, seed)) for seed in range(3)) > FLOAT32


@pytest.mark.parametrize("name", METHODS)
def test_replayed_eager_and_repeated_steps_are_bit_identical(name: str, noise: DataSet) -> None:
    """Six steps with two short batches, so that each size is made, recorded and replayed."""
    found = []
    for eager in (True, False, False):
        run = run_of(name, noise)
        if eager:
            run.execute = run.step
        for _ in run.advance():
            pass
        assert run.position == 2 * STEPS
        assert run.execution == (REPLAYED if ON_CUDA and not eager else EAGER)
        found.append((weights_hash(run.model), run.progress.train_loss))
    assert found[1] == found[2]
    assert found[0] == found[1]


def test_the_same_draws_and_images(noise: DataSet) -> None:
    runs = [run_of("cnn_28", noise, device) for device in (CPU, DEVICE)]
    seen = []
    for run in runs:
        run.load()
        step = run.step
        assert all(table.device.type == run.device.type for table in (step.order, *step.masks))
        images = step.images.index_select(0, step.order[1]).float() / 255
        augmented = run.augmentation(images, step.drawn[1])
        seen.append([t.cpu() for t in (step.order, step.drawn, *step.masks, augmented)])
    *draws, (ours, theirs) = zip(*seen, strict=True)
    assert all(torch.equal(a, b) for a, b in draws)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-6)


@pytest.mark.skipif(not ON_CUDA, reason="the host never waits for a CPU")
@pytest.mark.filterwarnings("ignore:Synchronization debug mode")
@pytest.mark.parametrize("name", METHODS)
def test_the_host_waits_for_nothing_in_a_step(name: str, noise: DataSet) -> None:
    run = run_of(name, noise)
    run.step.load(run.draws(range(STEPS)), [0.01] * STEPS)
    run.step(BATCH)
    torch.cuda.set_sync_debug_mode("error")
    try:
        run.step(BATCH)
        with pytest.raises(RuntimeError, match="synchroniz"):
            run.step.losses[0].item()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_stopped_run_goes_on_as_if_nothing_had_happened(noise: DataSet, tmp_path: Path) -> None:
    options: Any = {"augmentation": True, "device": DEVICE, "progress": False}
    straight = train("cnn_28", noise, "paper", **options)
    assert straight.numbers["arithmetic"]["float32"] == "ieee"
    for last in range(2):  # after two steps each
        asked = iter([False])
        with pytest.raises(Postponed):
            train(
                "cnn_28", noise, "paper", checkpoint_dir=tmp_path,
                stop=partial(next, asked, True), **options,
            )  # fmt: skip
        if not last:
            (path,) = tmp_path.iterdir()
            state = load_checkpoint(path)
            assert state is not None
            assert {t.device for t in state["model"].values()} == {CPU}
    record = train("cnn_28", noise, "paper", checkpoint_dir=tmp_path, **options)
    assert record.numbers["weights"] == straight.numbers["weights"]
    assert {s["device"] for s in record.numbers["sessions"]} == {device_name(DEVICE)}


@pytest.mark.skipif(not ON_CUDA, reason="there is one kind of device")
@pytest.mark.parametrize(("first", "second"), [(DEVICE, CPU), (CPU, DEVICE)])
def test_a_run_stays_on_its_kind_of_device(
    noise: DataSet, tmp_path: Path, first: torch.device, second: torch.device
) -> None:
    with pytest.raises(Postponed):
        train("cnn_28", noise, "paper", device=first, checkpoint_dir=tmp_path, stop=lambda: True)
    (path,) = tmp_path.iterdir()
    with pytest.raises(CheckpointError, match=f"begun on .*{second}.*--device {first}"):
        train("cnn_28", noise, "paper", device=second, checkpoint_dir=tmp_path)
    assert path.exists()


@pytest.mark.skipif(not ON_CUDA, reason="memory of a CPU is everybody's")
def test_faults_of_the_device_are_named() -> None:
    match = r"out of memory \(.* GiB free\); run fewer processes"
    with pytest.raises(DeviceError, match=match), named_faults(DEVICE):
        torch.empty(2**50, device=DEVICE)
    count = torch.cuda.device_count()
    with pytest.raises(ValueError, match=f"torch finds {count} CUDA devices here"):
        find_device(f"cuda:{count}")


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in METHODS])
def test_larger_networks(name: str) -> None:
    confirm(name)
