"""Checkpoints in the layout of the released code: they load, compute the same, or are refused."""

from __future__ import annotations

import copy
import io

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sesn_impl import SteerableBasis, create_model, hermite_basis_a, load_released
from sesn_impl.networks.mnist import SESN_CONFIGURATIONS


class Convolution(nn.Module):
    """A convolution as the release keeps it: coefficients, and the basis as a buffer of float32.

    extent: None where it lifts an image.
    """

    def __init__(
        self, before: int, after: int, basis: SteerableBasis, extent: int | None, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        inner = () if extent is None else (extent,)
        shape = (after, before, *inner, basis.num_functions)
        self.weight = nn.Parameter(torch.randn(shape) / 30)
        self.bias = nn.Parameter(torch.randn(after)) if bias else None
        self.register_buffer("basis", basis.functions.float())

    def forward(self, x: Tensor) -> Tensor:
        functions = self.get_buffer("basis")
        padding = functions.shape[-1] // 2
        answers = []
        for scale in range(functions.shape[1]):
            weight = self.weight if self.weight.ndim == 3 else self.weight[:, :, 0]
            filters = torch.einsum("ocn,nyx->ocyx", weight, functions[:, scale])
            seen = x if x.ndim == 4 else x[:, :, scale]
            answers.append(F.conv2d(seen, filters, self.bias, padding=padding))
        return torch.stack(answers, 2)


class Projection(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.amax(2)


class MnistRelease(nn.Module):
    """The released MNIST-scale network: parts `main` and `linear`."""

    def __init__(self, kind: str, size: int, basis: SteerableBasis) -> None:
        super().__init__()
        last = nn.MaxPool2d(8 if size == 56 else 4, padding=2)
        main: list[nn.Module] = []
        for index, (before, after) in enumerate([(1, 32), (32, 63), (63, 95)]):
            lifts, ends = kind == "scalar" or index == 0, index == 2
            main.append(Convolution(before, after, basis, None if lifts else 1))
            flat = kind == "scalar" or ends
            pool = nn.MaxPool2d(2) if flat else nn.MaxPool3d((1, 2, 2))
            norm = nn.BatchNorm2d(after) if flat else nn.BatchNorm3d(after)
            main += [Projection()] if flat else []
            main += [nn.ReLU(), last if ends else pool, norm]
        self.main = nn.Sequential(*main)
        self.linear = nn.Sequential(
            nn.Linear(380, 256, bias=False), nn.BatchNorm1d(256), nn.ReLU(), nn.Dropout(0.7),
            nn.Linear(256, 10),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.linear(self.main(x).flatten(1))
        return logits


def mnist_release(name: str) -> nn.Module:
    basis = SESN_CONFIGURATIONS[name].basis()
    size = 56 if "56" in name else 28
    network = MnistRelease("scalar" if "scalar" in name else "vector", size, basis)
    return nn.Sequential(nn.Upsample(scale_factor=2), network) if size == 56 else network


def wide_release(letter: str) -> dict[str, Tensor]:
    """The state of the released WRN-16-8 of kind a, b or c, entry by entry."""
    smallest = 1.1 if letter == "c" else 0.9
    basis = hermite_basis_a(7, [smallest * 1.41**i for i in range(3)], 3)
    state: dict[str, Tensor] = {}

    def convolution(name: str, *shape: int) -> None:
        state[f"{name}.weight"] = torch.randn(*shape, 9)
        state[f"{name}.basis"] = basis.functions.float()

    def norm(name: str, channels: int) -> None:
        for leaf in ("weight", "bias", "running_mean", "running_var"):
            state[f"{name}.{leaf}"] = torch.rand(channels)
        state[f"{name}.num_batches_tracked"] = torch.tensor(7)

    convolution("conv1", 16, 3)
    for group, (before, after) in enumerate([(16, 128), (128, 256), (256, 512)], 1):
        lifts, extent = letter == "b" and group > 1, 2 if letter == "c" and group == 1 else 1
        first = f"block{group}.layer.0"
        norm(f"{first}.bn1", before)
        if lifts:
            convolution(f"{first}.conv1.1", after, before)
        else:
            convolution(f"{first}.conv1", after, before, extent)
        norm(f"{first}.bn2", after)
        convolution(f"{first}.conv2", after, after, 1)
        state[f"{first}.convShortcut.weight"] = torch.randn(after, before, 1, 1)
        second = f"block{group}.layer.1"
        for place in ("1", "2"):
            norm(f"{second}.bn{place}", after)
            convolution(f"{second}.conv{place}", after, after, 1)
    norm("bn1", 512)
    return state | {"fc.weight": torch.randn(10, 512), "fc.bias": torch.randn(10)}


@pytest.mark.parametrize("name", ["sesn_scalar_28", "sesn_vector_28p", "sesn_vector_56"])
def test_mnist_checkpoint_gives_the_logits_of_its_network(name: str) -> None:
    torch.manual_seed(0)
    released, model = mnist_release(name), create_model(name).eval()
    x = torch.randn(8, 1, 28, 28)
    with torch.no_grad():
        released.train()(x)  # so that the batch norms have a history
        expected = released.eval()(x)
        assert not torch.allclose(model(x), expected, atol=0.1)
        load_released(model, released.state_dict())
        torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("letter", ["a", "b", "c"])
def test_every_tensor_of_a_wide_checkpoint_arrives(letter: str) -> None:
    """Names are checked one by one: norms in front of, and behind, the convolution they go with."""
    torch.manual_seed(0)
    state = wide_release(letter)
    model = create_model(f"wrn_16_8_sesn_{letter}")
    load_released(model, state)
    arrived = model.state_dict()
    first = "1.weight" if letter == "b" else "weight"
    pairs = {
        "entry": "conv1",
        "blocks.2.activation.0": "block2.layer.0.bn1",
        "blocks.2.residual.1": "block2.layer.0.bn2",
        "blocks.2.residual.4": "block2.layer.0.conv2",
        "blocks.5.residual.0": "block3.layer.1.conv1",
        "exit.1.0": "bn1",
        "classifier": "fc",
    }
    for ours, theirs in pairs.items():
        for leaf in ("weight", "bias", "running_var", "num_batches_tracked"):
            if f"{theirs}.{leaf}" in state:
                assert torch.equal(arrived[f"{ours}.{leaf}"], state[f"{theirs}.{leaf}"])
    opening = state[f"block2.layer.0.conv1.{first}"]
    assert torch.equal(arrived[f"blocks.2.residual.0.{first}"], opening)
    shortcut = state["block1.layer.0.convShortcut.weight"][:, :, 0, 0]
    assert torch.equal(arrived["blocks.0.shortcut.weight"], shortcut)
    tensors = {n: t for n, t in arrived.items() if not n.endswith("_extra_state")}
    assert len(tensors) == sum(not name.endswith("basis") for name in state)


def test_checkpoint_of_a_parallel_run_and_through_a_file() -> None:
    torch.manual_seed(0)
    released, model = mnist_release("sesn_vector_28"), create_model("sesn_vector_28")
    file = io.BytesIO()
    torch.save({f"module.{n}": t for n, t in released.state_dict().items()}, file)
    file.seek(0)
    load_released(model, torch.load(file, weights_only=True))
    weight = released.state_dict()["main.4.weight"]
    assert torch.equal(model.state_dict()["features.4.weight"], weight)


def test_what_does_not_fit_is_named_and_nothing_is_loaded() -> None:
    torch.manual_seed(0)
    model = create_model("sesn_scalar_28")
    before = copy.deepcopy(model.state_dict())

    def refused(state: dict[str, Tensor], *sentences: str) -> None:
        with pytest.raises(ValueError, match="state_dict does not fit: ") as error:
            load_released(model, state)
        for sentence in sentences:
            assert sentence in str(error.value)
        assert all(torch.equal(t, before[n]) for n, t in model.state_dict().items())

    good = mnist_release("sesn_scalar_28").state_dict()
    other_basis = "main.0.basis is of other scales, supports or functions"
    refused(mnist_release("sesn_scalar_28p").state_dict(), other_basis)
    vector = mnist_release("sesn_vector_28").state_dict()
    refused(vector, "main.14.weight is missing", "main.3.weight has no place")
    enlarged = mnist_release("sesn_scalar_56").state_dict()
    refused(enlarged, "main.0.weight is missing", "1.main.0.weight has no place")
    shapes = "linear.4.bias is of shape (11,), must be (10,)"
    refused(dict(good) | {"linear.4.bias": torch.zeros(11)}, shapes)
    load_released(model, good)
    load_released(model, {n: t for n, t in good.items() if not n.endswith("basis")})


def test_only_sesn_networks_have_a_released_layout() -> None:
    for name in ("cnn_28", "dss_scalar_28"):
        with pytest.raises(TypeError, match="model of type MnistNet: must be a SESN that"):
            load_released(create_model(name), {})
