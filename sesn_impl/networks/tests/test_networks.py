"""The published networks by name: sizes, options, and that every part of them learns."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from sesn_impl import create_model, hermite_basis_b, list_models
from sesn_impl.networks.plain import by_torch
from sesn_impl.textbook import textbook_twin

CNN = ["cnn_28", "cnn_56"]
SESN = [f"sesn_{kind}_{size}" for kind in ("scalar", "vector") for size in (28, "28p", 56, "56p")]


def test_names() -> None:
    assert list_models("cnn_*") == CNN
    assert list_models("sesn_*") == sorted(SESN)
    assert list_models() == sorted(list_models())
    assert list_models("no such *") == []


@pytest.mark.parametrize("name", CNN + SESN)
def test_published_parameter_count(name: str) -> None:
    parameters = create_model(name).parameters()
    assert sum(p.numel() for p in parameters if p.requires_grad) == 494_549


@pytest.mark.parametrize("name", CNN + SESN)
def test_logits_and_gradients(name: str) -> None:
    """[B, 1, 28, 28] -> [B, 10], and every parameter is used."""
    torch.manual_seed(0)
    model = create_model(name)
    logits = model(torch.randn(2, 1, 28, 28))
    assert logits.shape == (2, 10)
    loss = nn.functional.cross_entropy(logits, torch.tensor([3, 7]))
    assert loss.isfinite()
    names, parameters = zip(*model.named_parameters(), strict=True)
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    unused = [n for n, g in zip(names, gradients, strict=True) if g is None or not g.any()]
    assert unused == []


@pytest.mark.parametrize("name", ["sesn_scalar_28", "sesn_vector_28"])
def test_network_is_its_textbook_twin(name: str) -> None:
    torch.manual_seed(0)
    model = create_model(name).eval()
    x = torch.randn(2, 1, 28, 28)
    with torch.inference_mode():
        expected = textbook_twin(model)(x)
        torch.testing.assert_close(
            model(x), expected, rtol=0, atol=1e-5 * float(expected.abs().max())
        )


def test_twin_shares_parameters_and_nothing_else() -> None:
    model = create_model("sesn_vector_28")
    twin = textbook_twin(model)
    assert {id(p) for p in twin.parameters()} == {id(p) for p in model.parameters()}
    assert not {id(b) for b in twin.buffers()} & {id(b) for b in model.buffers()}
    assert not any(type(m).__name__ in {"LiftingConv2d", "ScaleConv2d"} for m in twin.modules())


@pytest.mark.parametrize("name", ["cnn_28", "sesn_scalar_28", "sesn_vector_28p"])
def test_state_dict_round_trip(name: str) -> None:
    torch.manual_seed(0)
    model, other = create_model(name).eval(), create_model(name).eval()
    x = torch.randn(2, 1, 28, 28)
    assert not torch.equal(model(x), other(x))
    other.load_state_dict(model.state_dict())
    assert torch.equal(model(x), other(x))
    assert all(type(value) is torch.Tensor for value in model.state_dict().values())


@pytest.mark.parametrize(("chosen", "expected"), [(None, 0.7), (0.25, 0.25), (0.0, 0.0)])
def test_dropout(chosen: float | None, expected: float) -> None:
    model = create_model("sesn_scalar_28", dropout=chosen)
    assert [m.p for m in model.modules() if isinstance(m, nn.Dropout)] == [expected]


@pytest.mark.parametrize("dropout", [-0.1, 1.0, float("nan")])
def test_dropout_out_of_range(dropout: float) -> None:
    with pytest.raises(ValueError, match=rf"dropout={dropout}: must be at least 0 and below 1"):
        create_model("cnn_28", dropout=dropout)


@pytest.mark.parametrize("name", [*list_models("*_28"), "sesn_vector_56", "wrn_16_8_sesn_b"])
def test_other_numbers_of_classes_and_channels(name: str) -> None:
    """[B, C_in, H, W] -> [B, num_classes]; what is not given stays as published."""
    side = 32 if name.startswith("wrn") else 28
    model = create_model(name, num_classes=3, in_channels=2).eval()
    with torch.inference_mode():
        assert model(torch.randn(1, 2, side, side)).shape == (1, 3)
    dropout = {m.p for m in model.modules() if isinstance(m, nn.Dropout)}
    assert dropout == {m.p for m in create_model(name).modules() if isinstance(m, nn.Dropout)}


@pytest.mark.parametrize("option", ["num_classes", "in_channels"])
def test_counts_out_of_range(option: str) -> None:
    given: dict[str, Any] = {option: 0}
    with pytest.raises(ValueError, match=f"{option}=0: must be at least 1"):
        create_model("cnn_28", **given)


@pytest.mark.parametrize("name", ["cnn_56", "sesn_scalar_56", "sesn_vector_56p", "dss_scalar_56"])
def test_networks_for_56_pixels_take_images_of_28(name: str) -> None:
    model = create_model(name).eval()
    with torch.inference_mode():
        assert model(torch.zeros(1, 1, 28, 28)).shape == (1, 10)
        message = r"x of shape \(1, 1, 56, 56\): must be \[B, C_in, 28, 28\] \(networks for 56"
        with pytest.raises(ValueError, match=message):
            model(torch.zeros(1, 1, 56, 56))


def test_unknown_name() -> None:
    with pytest.raises(ValueError, match=r"name='cnn_29': unknown model; known are cnn_28, cnn_56"):
        create_model("cnn_29")


def test_unknown_options_are_rejected() -> None:
    with pytest.raises(TypeError, match="size"):
        create_model("cnn_28", size=56)  # type: ignore[call-arg]


@pytest.mark.parametrize("name", ["cnn_28", "cnn_56"])
def test_the_reference_of_costs_is_the_same_network_by_torch_alone(name: str) -> None:
    model = create_model(name).eval()
    x = torch.randn(2, 1, 28, 28)
    expected = model(x)
    reference = by_torch(model)
    layers = [module for module in reference.modules() if not list(module.children())]
    assert all(type(layer).__module__.startswith("torch.") for layer in layers)
    torch.testing.assert_close(reference(x), expected)


@pytest.mark.parametrize("name", ["sesn_scalar_28", "sesn_vector_28"])
def test_another_basis(name: str) -> None:
    """Every layer has the basis that was given, and the parameters are as many."""
    basis = hermite_basis_b(11, (1.3, 2.6), 7, mult=1.3)
    model = create_model(name, basis=basis)
    assert {m.basis for m in model.modules() if hasattr(m, "basis")} == {basis}
    assert sum(p.numel() for p in model.parameters()) == 494_549
    assert model.eval()(torch.randn(2, 1, 28, 28)).shape == (2, 10)


def test_other_networks_take_no_basis() -> None:
    with pytest.raises(ValueError, match="for name='cnn_28': only these take one: sesn_scalar_28"):
        create_model("cnn_28", basis=hermite_basis_b(11, (1.3, 2.6), 7))
