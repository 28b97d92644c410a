"""The STL-10 networks: sizes, the trunk against its textbook form, and that they learn."""

from __future__ import annotations

import copy
import math
from functools import cache

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sesn_impl import LiftingConv2d, ScaleConv2d, create_model, list_models
from sesn_impl.baselines import DilatedScaleConv2d, LogRadialConv2d
from sesn_impl.layers import ScaleMaxProjection
from sesn_impl.networks.stl10 import SsCnn
from sesn_impl.networks.wrn import Plain, PreActivationBlock, WideResNet

COUNTS = {
    "wrn_16_8": 10_961_370,
    "wrn_16_8_sicnn": 10_975_770,
    "wrn_16_8_si_convnet": 10_961_370,
    "wrn_16_8_dss": 10_939_482,
    "wrn_16_8_ss_cnn": 10_846_835,
    "wrn_16_8_sesn_a": 10_961_370,
    "wrn_16_8_sesn_b": 10_961_370,
    "wrn_16_8_sesn_c": 10_979_802,
}


@cache
def untrained(name: str) -> nn.Module:
    """One copy for all tests: eight networks of 11 million parameters take a while to draw."""
    torch.manual_seed(0)
    return create_model(name)


def test_names() -> None:
    assert list_models("wrn_*") == sorted(COUNTS)


@pytest.mark.parametrize("name", COUNTS)
def test_published_parameter_count(name: str) -> None:
    parameters = list(untrained(name).parameters())
    assert all(p.requires_grad for p in parameters)
    assert sum(p.numel() for p in parameters) == COUNTS[name]


@pytest.mark.parametrize("name", COUNTS)
def test_one_training_step(name: str) -> None:
    """[B, 3, 96, 96] -> [B, 10], and every parameter is used."""
    torch.manual_seed(0)
    model = untrained(name)
    logits = model(torch.randn(1, 3, 96, 96))
    assert logits.shape == (1, 10)
    loss = F.cross_entropy(logits, torch.tensor([3]))
    assert loss.isfinite()
    names, parameters = zip(*model.named_parameters(), strict=True)
    gradients = torch.autograd.grad(loss, parameters)  # an unused parameter is an error
    assert all(g.isfinite().all() for g in gradients)
    assert [n for n, g in zip(names, gradients, strict=True) if not g.any()] == []


@pytest.mark.parametrize("name", COUNTS)
def test_device_and_precision(name: str) -> None:
    model = copy.deepcopy(untrained(name)).double().to("meta")
    y = model(torch.empty(2, 3, 96, 96, dtype=torch.float64, device="meta"))
    assert (y.shape, y.dtype) == ((2, 10), torch.float64)


@pytest.mark.parametrize("name", ["wrn_16_8_si_convnet", "wrn_16_8_dss", "wrn_16_8_sesn_b"])
def test_state_dict_round_trip(name: str) -> None:
    model, other = copy.deepcopy(untrained(name)).eval(), create_model(name).eval()
    x = torch.randn(1, 3, 12, 12)
    with torch.inference_mode():
        assert not torch.equal(model(x), other(x))
        other.load_state_dict(model.state_dict())
        assert torch.equal(model(x), other(x))
    assert all(type(value) is torch.Tensor for value in model.state_dict().values())
    assert not any(p.dtype != torch.float32 for p in model.parameters())


@pytest.mark.parametrize("name", ["wrn_16_8", "wrn_16_8_sesn_b"])
def test_dropout(name: str) -> None:
    for chosen, expected in [(None, 0.3), (0.1, 0.1)]:
        dropouts = [m.p for m in create_model(name, dropout=chosen).modules() if _drops(m)]
        assert dropouts == [expected] * 6


def _drops(module: nn.Module) -> bool:
    return isinstance(module, nn.Dropout)


def textbook_wrn(model: WideResNet, x: Tensor) -> Tensor:
    """The plain network written out, in evaluation: [B, 3, H, W] -> [B, 10]."""
    weights = {k: v for k, v in model.state_dict().items() if "num_batches" not in k}

    def activated(y: Tensor, name: str) -> Tensor:
        mean, var = weights[f"{name}.running_mean"], weights[f"{name}.running_var"]
        gain, shift = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return F.relu(F.batch_norm(y, mean, var, gain, shift))

    y = F.conv2d(x, weights["entry.weight"], padding=1)
    for i, stride in enumerate((1, 1, 2, 1, 2, 1)):
        a = activated(y, f"blocks.{i}.activation.0")
        residual = F.conv2d(a, weights[f"blocks.{i}.residual.0.weight"], None, stride, 1)
        residual = activated(residual, f"blocks.{i}.residual.1")
        residual = F.conv2d(residual, weights[f"blocks.{i}.residual.4.weight"], padding=1)
        if i % 2 == 0:
            y = F.conv2d(a, weights[f"blocks.{i}.shortcut.weight"], stride=stride)
        y = y + residual
    features = activated(y, "exit.0").mean(dim=(2, 3))
    return F.linear(features, weights["classifier.weight"], weights["classifier.bias"])


def test_plain_network_is_its_textbook_form() -> None:
    torch.manual_seed(0)
    model = WideResNet(Plain()).double()
    x = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    with torch.inference_mode():
        model(x)  # moves the running statistics away from 0 and 1
        torch.testing.assert_close(model.eval()(x), textbook_wrn(model, x), rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("name", "lifting", "extents"),
    [
        ("wrn_16_8_sesn_a", 1, [1] * 12),
        ("wrn_16_8_sesn_b", 3, [1] * 10),
        ("wrn_16_8_sesn_c", 1, [2] + [1] * 11),
    ],
)
def test_sesn_variants(name: str, lifting: int, extents: list[int]) -> None:
    modules = list(untrained(name).modules())
    assert sum(isinstance(m, LiftingConv2d) for m in modules) == lifting
    assert sum(isinstance(m, ScaleMaxProjection) for m in modules) == lifting
    assert [m.scale_extent for m in modules if isinstance(m, ScaleConv2d)] == extents
    smallest = {m.basis.scales[0] for m in modules if isinstance(m, ScaleConv2d)}
    assert smallest == {1.1 if name.endswith("c") else 0.9}


def test_sesn_b_projects_before_groups_2_and_3() -> None:
    blocks = [m for m in untrained("wrn_16_8_sesn_b").modules() if _is_block(m)]
    projecting = [i for i, m in enumerate(blocks) if isinstance(m.residual[0], nn.Sequential)]  # type: ignore[index]
    assert projecting == [2, 4]


def _is_block(module: nn.Module) -> bool:
    return isinstance(module, PreActivationBlock)


def test_dss_drops_a_copy_after_each_scale_convolution() -> None:
    layers = [m for m in untrained("wrn_16_8_dss").modules() if isinstance(m, DilatedScaleConv2d)]
    spatial = [m for m in layers if m.kernel_size == 3]
    assert [m.num_scales for m in spatial] == [4, 4, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2]
    assert [m.scale_extent for m in spatial] == [1, 2, 1, 1, 1, 2] + [1] * 7
    assert [m.num_scales for m in layers if m.kernel_size == 1] == [3, 2, 2]


def test_ss_cnn_can_have_the_sizes_that_the_released_groups_run_with() -> None:
    for sizes in [(3, 5, 7), (3,)]:
        model = WideResNet(SsCnn(sizes))
        layers = [m for m in model.modules() if isinstance(m, LogRadialConv2d)]
        assert [m.sizes for m in layers] == [(3, 5, 7)] + [sizes] * 12
        assert sum(p.numel() for p in model.parameters()) == COUNTS["wrn_16_8_ss_cnn"]


@pytest.mark.parametrize(
    ("name", "layer", "fan_out"),
    [
        ("wrn_16_8", "blocks.5.residual.4", 9 * 512),
        ("wrn_16_8_sesn_c", "blocks.0.residual.0", 9 * 128 * 2),
        ("wrn_16_8_sesn_a", "blocks.4.shortcut", 512),
        ("wrn_16_8_sicnn", "blocks.3.residual.0", 9 * 256),
    ],
)
def test_coefficients_start_normal(name: str, layer: str, fan_out: int) -> None:
    weight = untrained(name).get_parameter(f"{layer}.weight").detach()
    assert float(weight.std()) == pytest.approx(math.sqrt(2 / fan_out), rel=0.02)
