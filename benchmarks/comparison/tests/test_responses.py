"""Every method's response is one rectified map; batch norms take the images' statistics."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from benchmarks.comparison.responses import (
    calibrate,
    first_response,
    seeded_model,
    trunk_response,
)
from benchmarks.comparison.settings import METHODS
from sesn_impl.baselines.sevf import magnitude

CHANNELS = {"sevf_vector": (23, 68), "ss_cnn": (30, 90)}


@pytest.mark.parametrize("method", METHODS)
def test_responses_are_maps(method: str, few_digits: Tensor) -> None:
    model = seeded_model(f"{method}_28", 0)
    first, last = CHANNELS.get(method, (32, 95))
    with torch.inference_mode():
        response = first_response(model)(few_digits[:1])
        deep = trunk_response(model)(few_digits[:1])
    assert (response.shape, deep.shape) == ((1, first, 28, 28), (1, last, 7, 7))
    for found in (response, deep):
        assert found.min() >= 0
        assert found.max() > 0
        assert torch.isfinite(found).all()


@pytest.mark.parametrize("method", METHODS)
def test_nothing_in_nothing_out(method: str) -> None:
    """Without biases a first layer answers to an empty image with zeros."""
    response = first_response(seeded_model(f"{method}_28", 0))
    with torch.inference_mode():
        assert response(torch.zeros(1, 1, 28, 28)).abs().max() == 0


def test_biases_of_the_network_itself_stay() -> None:
    model = seeded_model("cnn_28", 0)
    bias = model.get_parameter("features.0.bias").detach()
    kept = bias.clone()
    response = first_response(model)
    assert kept.abs().min() > 0
    assert torch.equal(bias, kept)
    assert response.layers.get_parameter("0.bias").abs().max() == 0


def test_scales_are_pooled_by_their_maximum_and_vectors_by_their_length(
    few_digits: Tensor,
) -> None:
    x = few_digits[:1]
    with torch.inference_mode():
        sesn = seeded_model("sesn_vector_28", 0)
        stack = sesn.get_submodule("features.0")(x)
        torch.testing.assert_close(first_response(sesn)(x), stack.amax(dim=2).relu())
        sevf = seeded_model("sevf_vector_28", 0)
        field = sevf.get_submodule("features.0")(x)
        torch.testing.assert_close(first_response(sevf)(x), magnitude(field))


def test_a_seed_gives_the_same_network_and_leaves_no_trace() -> None:
    before = torch.get_rng_state()
    one, other, third = (seeded_model("cnn_28", seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    name = "features.0.weight"
    assert torch.equal(one.get_parameter(name), other.get_parameter(name))
    assert not torch.equal(one.get_parameter(name), third.get_parameter(name))


@pytest.mark.parametrize("method", ["cnn", "sevf_vector", "dss_vector"])
def test_calibrated_statistics_are_those_of_the_images(method: str, few_digits: Tensor) -> None:
    """In evaluation mode the features are then those of training mode on the same images."""
    model = seeded_model(f"{method}_28", 0)
    features = model.get_submodule("features")
    with torch.no_grad():
        untouched = features(few_digits)
        calibrate(model, few_digits)
        assert not model.training
        found = features(few_digits)
        expected = features.train()(few_digits)
    # A running variance is divided by n − 1, a batch's by n, which is 16 in the last layer.
    torch.testing.assert_close(found, expected, rtol=0.1, atol=0.05)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(untouched, expected, rtol=0.1, atol=0.05)


def test_calibration_leaves_momentum_and_random_state() -> None:
    model = seeded_model("sevf_vector_28", 0)
    momenta = [norm.momentum for norm in norms(model)]
    before = torch.get_rng_state()
    calibrate(model, torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(torch.get_rng_state(), before)
    assert [norm.momentum for norm in norms(model)] == momenta
    assert set(momenta) == {0.1, 0.5}


def norms(model: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in model.modules() if hasattr(module, "momentum")]  # type: ignore[misc]


def test_networks_of_other_make_are_refused() -> None:
    model = nn.Module()
    model.features = nn.Linear(2, 2)
    with pytest.raises(TypeError, match="features of Module: must be a Sequential"):
        first_response(model)
