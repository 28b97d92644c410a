"""The MNIST-scale networks of the compared methods: sizes, options, and that they learn."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sesn_impl import create_model, list_models
from sesn_impl.baselines import VectorConv2d
from sesn_impl.networks import mnist_baselines

COUNTS = {
    "sicnn": 496_639,
    "si_convnet": 494_549,
    "sevf_scalar": 494_425,
    "sevf_vector": 475_475,
    "dss_scalar": 494_359,
    "dss_vector": 494_359,
    "ss_cnn": 493_688,
}
NAMES = [f"{method}_{size}" for method in COUNTS for size in (28, 56)]


def test_names() -> None:
    assert set(NAMES) <= set(list_models())


@pytest.mark.parametrize("name", NAMES)
def test_published_parameter_count(name: str) -> None:
    parameters = list(create_model(name).parameters())
    assert all(p.requires_grad for p in parameters)
    assert sum(p.numel() for p in parameters) == COUNTS[name.rpartition("_")[0]]


@pytest.mark.parametrize("name", NAMES)
def test_one_training_step(name: str) -> None:
    """[B, 1, 28, 28] -> [B, 10], and every parameter is used."""
    torch.manual_seed(0)
    model = create_model(name)
    logits = model(torch.rand(3, 1, 28, 28))
    assert logits.shape == (3, 10)
    loss = nn.functional.cross_entropy(logits, torch.tensor([3, 7, 7]))
    assert loss.isfinite()
    names, parameters = zip(*model.named_parameters(), strict=True)
    gradients = torch.autograd.grad(loss, parameters)  # an unused parameter is an error
    assert all(g.isfinite().all() for g in gradients)
    assert all(g.any() for n, g in zip(names, gradients, strict=True) if n not in shifts(model))


def shifts(model: nn.Module) -> set[str]:
    """Shifts that the classifier's own batch norm takes away: published, counted, without effect.

    Their gradient is zero but for rounding.
    """
    last = len(list(model.get_submodule("features").children()))
    return {"head.0.bias", f"features.{last - 1}.bias", f"features.{last - 2}.bias"}


@pytest.mark.parametrize("method", COUNTS)
def test_state_dict_round_trip(method: str) -> None:
    torch.manual_seed(0)
    model, other = (create_model(f"{method}_28").eval() for _ in range(2))
    x = torch.rand(2, 1, 28, 28)
    with torch.inference_mode():
        assert not torch.equal(model(x), other(x))
        other.load_state_dict(model.state_dict())
        assert torch.equal(model(x), other(x))
    assert all(type(value) is torch.Tensor for value in model.state_dict().values())


@pytest.mark.parametrize("method", COUNTS)
def test_float64(method: str) -> None:
    torch.manual_seed(0)
    model = create_model(f"{method}_28").eval()
    x = torch.rand(2, 1, 28, 28)
    with torch.inference_mode():
        single, double = model(x), model.double()(x.double())
    assert double.dtype == torch.float64
    torch.testing.assert_close(single.double(), double, rtol=0, atol=1e-3)


@pytest.mark.parametrize("method", COUNTS)
def test_device_move(method: str) -> None:
    model = create_model(f"{method}_28").to("meta")
    assert model(torch.empty(2, 1, 28, 28, device="meta")).device.type == "meta"


@pytest.mark.parametrize("method", COUNTS)
def test_dropout(method: str) -> None:
    for chosen, expected in [(None, 0.7), (0.0, 0.0)]:
        model = create_model(f"{method}_28", dropout=chosen)
        assert [m.p for m in model.modules() if isinstance(m, nn.Dropout)] == [expected]


def test_sevf_vector_can_turn_as_the_released_code_does() -> None:
    for turn in (1, -1):
        layers = mnist_baselines.sevf_vector(28, 1, turn=turn)
        assert [m.turn for m in layers if isinstance(m, VectorConv2d)] == [turn, turn]


def test_ss_cnn_extra_gain_and_shift_change_nothing_at_start() -> None:
    x = torch.rand(2, 3, 4, 4)
    assert torch.equal(mnist_baselines.GainAndShift(3)(x), x)


def test_a_parameter_without_gradient_is_found() -> None:
    """The negative control of the training step: released SS-CNN owns parameters like these."""
    model = create_model("cnn_28")
    model.register_parameter("idle", nn.Parameter(torch.zeros(3)))
    total = model(torch.rand(3, 1, 28, 28)).sum()
    with pytest.raises(RuntimeError, match="not have been used"):
        torch.autograd.grad(total, list(model.parameters()))
