"""Every layer in every situation that PyTorch layers get into: the answer is the same.

The matrix is the product of two tables, `every_layer.LAYERS` and SITUATIONS, and grows with either.
"""

from __future__ import annotations

import copy
import io
import pickle
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    set_model_state_dict,
)
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torchvision.models.feature_extraction import create_feature_extractor

from sesn_impl import create_model, leaf_modules
from sesn_impl.tests.every_layer import LAYERS, image_for


def in_threads(layer: nn.Module, name: str, expected: Tensor) -> None:
    sizes = [(14, 11), (19, 19), (9, 30)]
    with torch.inference_mode():
        wanted = [layer(image_for(name, *size)) for size in sizes]
    wrong: list[int] = []

    def work(first: int) -> None:
        with torch.inference_mode():
            for i in range(first, first + 12):
                found = layer(image_for(name, *sizes[i % 3]))
                if not torch.allclose(found, wanted[i % 3], atol=1e-5):
                    wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def in_and_out_of_autocast(layer: nn.Module, name: str, expected: Tensor) -> None:
    x = image_for(name)
    with torch.no_grad():
        with torch.autocast("cpu", dtype=torch.bfloat16):
            narrow = layer(x)
        close = (narrow.float() - expected).abs() < 0.1
        assert close.float().mean() >= (0.99 if "SEVF" in name else 1.0)  # other winners there
        assert torch.equal(layer(x), expected)


def compiled(layer: nn.Module, name: str, expected: Tensor) -> None:
    same(torch.compile(layer, backend="eager", fullgraph=True)(image_for(name)), expected)


def exported(layer: nn.Module, name: str, expected: Tensor) -> None:
    same(torch.export.export(layer, (image_for(name),)).module()(image_for(name)), expected)


def to_onnx(layer: nn.Module, name: str, expected: Tensor, folder: Path) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="ONNX is no dependency of this project")
    pytest.importorskip("onnxscript", reason="ONNX is no dependency of this project")
    path = folder / "layer.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(layer.eval(), (image_for(name),), path, dynamo=True, verbose=False)
    session = runtime.InferenceSession(path)
    inputs = {session.get_inputs()[0].name: image_for(name).numpy()}
    same(torch.from_numpy(session.run(None, inputs)[0]), expected, 1e-4)


def traced_and_saved(layer: nn.Module, name: str, expected: Tensor) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # checks of shapes become constants; and it is deprecated
        traced = torch.jit.trace(layer, image_for(name))
        file = io.BytesIO()
        torch.jit.save(traced, file)
        file.seek(0)
        same(torch.jit.load(file)(image_for(name)), expected)


def extracted_by_fx(layer: nn.Module, name: str, expected: Tensor) -> None:
    model = nn.Sequential(layer, nn.ReLU()).train(layer.training)
    options = {"leaf_modules": leaf_modules(model)}
    last = "0.4" if isinstance(layer, nn.Sequential) else "0"
    found = create_feature_extractor(model, [last], tracer_kwargs=options)(image_for(name))
    same(found[last], expected)


def under_functional_transforms(layer: nn.Module, name: str, expected: Tensor) -> None:
    x, weights = image_for(name), {n: p.detach() for n, p in layer.named_parameters()}

    def answers(weights: dict[str, Tensor], x: Tensor) -> Tensor:
        def of_one(image: Tensor) -> Tensor:
            y: Tensor = torch.func.functional_call(layer, weights, image[None])
            return y[0]

        all_answers: Tensor = torch.func.vmap(of_one)(x)
        return all_answers

    same(answers(weights, x), expected)
    gradients = torch.func.grad(lambda w: answers(w, x).square().sum())(weights) if weights else {}
    torch.autograd.backward(layer(x.requires_grad_()).square().sum())
    for parameter_name, parameter in layer.named_parameters():
        assert parameter.grad is not None
        size = float(parameter.grad.abs().max()) + 1
        same(gradients[parameter_name], parameter.grad, 1e-4 * size)


def distributed(layer: nn.Module, name: str, expected: Tensor, folder: Path) -> None:
    if not list(layer.parameters()):
        pytest.skip("there is nothing to synchronise in a layer without parameters")
    address = f"file://{folder / 'store'}"
    torch.distributed.init_process_group("gloo", init_method=address, rank=0, world_size=1)
    try:
        parallel = nn.parallel.DistributedDataParallel(layer)
        y = parallel(image_for(name))
        same(y, expected)
        torch.autograd.backward(y.square().sum())
        assert all(p.grad is not None for p in layer.parameters())
    finally:
        torch.distributed.destroy_process_group()


def sharded(layer: nn.Module, name: str, expected: Tensor, folder: Path) -> None:
    if not list(layer.parameters()):
        pytest.skip("there is nothing to shard in a layer without parameters")
    address = f"file://{folder / 'store'}"
    torch.distributed.init_process_group("gloo", init_method=address, rank=0, world_size=1)
    try:
        fully_shard(layer, mesh=init_device_mesh("cpu", (1,)))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "FSDP2-wrapped module .* returned a view")
            y = layer(image_for(name))
        same(y, expected)
        torch.autograd.backward(y.square().sum())
        assert all(p.grad is not None for p in layer.parameters())
        whole = get_model_state_dict(layer, options=StateDictOptions(full_state_dict=True))
        other = LAYERS[name]()
        other.load_state_dict(whole)
        same(other(image_for(name)), expected)
        set_model_state_dict(layer, whole, options=StateDictOptions(full_state_dict=True))
    finally:
        torch.distributed.destroy_process_group()


def copied(layer: nn.Module, name: str, expected: Tensor) -> None:
    assert torch.equal(copy.deepcopy(layer)(image_for(name)), expected)


def pickled(layer: nn.Module, name: str, expected: Tensor) -> None:
    assert torch.equal(pickle.loads(pickle.dumps(layer))(image_for(name)), expected)


def made_on_meta_and_assigned(layer: nn.Module, name: str, expected: Tensor) -> None:
    with torch.device("meta"):
        other = LAYERS[name]()
    other.load_state_dict(layer.state_dict(), assign=True)
    assert torch.equal(other(image_for(name)), expected)


def made_on_meta_and_emptied(layer: nn.Module, name: str, expected: Tensor) -> None:
    with torch.device("meta"):
        other = LAYERS[name]()
    other.to_empty(device="cpu").load_state_dict(layer.state_dict())
    assert torch.equal(other(image_for(name)), expected)
    assert torch.equal(
        other.double()(image_for(name).double()), layer.double()(image_for(name).double())
    )


def emptied(layer: nn.Module, name: str, expected: Tensor) -> None:
    other = LAYERS[name]().to_empty(device="cpu")
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other(image_for(name)), expected)


def saved_and_loaded(layer: nn.Module, name: str, expected: Tensor) -> None:
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    other = LAYERS[name]()
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(other(image_for(name)), expected)


def moved_through_dtypes(layer: nn.Module, name: str, expected: Tensor) -> None:
    fine = layer.double()(image_for(name).double())
    same(fine.float(), expected)
    assert layer.half()(image_for(name).half()).dtype == torch.float16
    same(layer.float()(image_for(name)), expected, 0.02)  # weights have been rounded on the way


def after_120_image_sizes(layer: nn.Module, name: str, expected: Tensor) -> None:
    before = set(vars(layer))
    with torch.inference_mode():
        for size in range(120):
            layer(image_for(name, 9 + size % 12, 9 + size // 12, 1))
        same(layer(image_for(name)), expected)
    assert set(vars(layer)) == before


def of_an_empty_batch(layer: nn.Module, name: str, expected: Tensor) -> None:
    y = layer(image_for(name, batch=0).requires_grad_())
    assert y.shape == (0, *expected.shape[1:])
    torch.autograd.backward(y.sum())
    assert all(p.grad is not None and not p.grad.any() for p in layer.parameters())


def in_other_memory_orders(layer: nn.Module, name: str, expected: Tensor) -> None:
    x = image_for(name)
    layout = torch.channels_last if x.ndim == 4 else torch.channels_last_3d
    same(layer(x.to(memory_format=layout)), expected)
    same(layer(x.flip(-1).flip(-1).mT.contiguous().mT), expected)


def trained_after_inference(layer: nn.Module, name: str, expected: Tensor) -> None:
    with torch.inference_mode():
        layer(image_for(name))
    x = image_for(name).requires_grad_()
    y = layer(x)
    same(y, expected)
    torch.autograd.backward(y.square().sum())
    assert all(t.grad is not None and t.grad.isfinite().all() for t in (x, *layer.parameters()))


SITUATIONS: list[Callable[..., None]] = [
    in_threads, in_and_out_of_autocast, compiled, exported, to_onnx, traced_and_saved,
    extracted_by_fx, under_functional_transforms, distributed, sharded, copied, pickled,
    made_on_meta_and_assigned, made_on_meta_and_emptied, emptied, saved_and_loaded,
    moved_through_dtypes, after_120_image_sizes, of_an_empty_batch, in_other_memory_orders,
    trained_after_inference,
]  # fmt: skip


def same(found: Tensor, expected: Tensor, error: float = 1e-5) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=error)


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("name", LAYERS)
def test_layer_in_situation(name: str, situation: Callable[..., None], tmp_path: Path) -> None:
    torch.manual_seed(0)
    layer = LAYERS[name]()
    expected = layer(image_for(name)).detach()
    with_folder = situation in (distributed, sharded, to_onnx)
    situation(layer, name, expected, **({"folder": tmp_path} if with_folder else {}))


class _KeepsFilters(nn.Module):
    """What the matrix is for: filters kept from the first call, by the size of the image."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 3, padding=1)
        self.of_size = lambda x: f"filters_{x.shape[-2]}_{x.shape[-1]}"

    def forward(self, x: Tensor) -> Tensor:
        name = self.of_size(x)
        if not hasattr(self, name):
            kept = self.conv.weight.detach().to(torch.get_autocast_dtype("cpu"))
            setattr(self, name, kept if torch.is_autocast_enabled("cpu") else self.conv.weight + 0)
        return nn.functional.conv2d(x, getattr(self, name), self.conv.bias, padding=1)


@pytest.mark.parametrize(
    "situation",
    [in_and_out_of_autocast, pickled, moved_through_dtypes, after_120_image_sizes,
     trained_after_inference],
)  # fmt: skip
def test_a_layer_that_keeps_filters_fails(situation: Callable[..., None]) -> None:
    torch.manual_seed(0)
    layer, fresh = _KeepsFilters(), situation is trained_after_inference
    expected = nn.functional.conv2d(
        image_for("lifting"), layer.conv.weight, layer.conv.bias, padding=1
    )
    if not fresh and situation is not in_and_out_of_autocast:
        layer(image_for("lifting"))
    with pytest.raises((AssertionError, RuntimeError, AttributeError, pickle.PicklingError)):
        situation(layer, "lifting", expected.detach())


@pytest.mark.parametrize(
    "name", ["sesn_scalar_28", "sesn_vector_56", "sevf_vector_28", "dss_scalar_28"]
)
def test_features_of_whole_networks(name: str) -> None:
    torch.manual_seed(0)
    model, x = create_model(name).eval(), torch.randn(2, 1, 28, 28)
    options = {"leaf_modules": leaf_modules(model)}
    with torch.no_grad():
        extracted = create_feature_extractor(
            model, ["features.0", "head.4"], tracer_kwargs=options, suppress_diff_warning=True
        )(x)
        torch.testing.assert_close(extracted["head.4"], model(x))
