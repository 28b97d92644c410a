"""Layers as software: gradients, state, options; on layers and on whole networks."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from sesn_impl import (
    LiftingConv2d,
    ScaleConv1x1,
    ScaleConv2d,
    create_model,
    hermite_basis_a,
    hermite_basis_b,
    list_models,
)
from verification.checks import check_gradients, check_state_round_trip

BASIS = hermite_basis_b(15, (1.7, 2.45, 3.54, 5.1), 7)
LAYERS = {
    "lifting": (lambda: LiftingConv2d(2, 3, BASIS, padding=7), (2, 2, 9, 9)),
    "scale_1": (lambda: ScaleConv2d(2, 3, BASIS, padding=7), (2, 2, 4, 9, 9)),
    "scale_3": (lambda: ScaleConv2d(2, 3, BASIS, scale_extent=3, padding=7), (2, 2, 4, 9, 9)),
    "mix": (lambda: ScaleConv1x1(2, 3), (2, 2, 4, 9, 9)),
}
SESN_MODELS = [*list_models("cnn_*"), *list_models("sesn_*")]


@pytest.mark.parametrize("name", LAYERS)
def test_every_parameter_of_a_layer_gets_a_gradient(name):
    make, shape = LAYERS[name]
    check_gradients(make(), torch.randn(shape), name).require()


@pytest.mark.parametrize("name", ["cnn_28", "sesn_scalar_28", "sesn_vector_28", "sesn_vector_56"])
def test_every_parameter_of_a_network_gets_a_gradient(name):
    check_gradients(create_model(name, dropout=0.0), torch.randn(2, 1, 28, 28), name).require()


@pytest.mark.parametrize("name", LAYERS)
def test_state_of_a_layer_survives_a_round_trip(name):
    make, shape = LAYERS[name]
    check_state_round_trip(make(), torch.randn(shape), name).require()


@pytest.mark.parametrize("name", ["cnn_28", "sesn_scalar_28", "sesn_vector_28"])
def test_state_of_a_network_survives_a_round_trip(name):
    check_state_round_trip(create_model(name), torch.randn(2, 1, 28, 28), name).require()


class _BiasNeverAdded(nn.Conv2d):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.conv2d(x, self.weight)


def test_an_unused_parameter_is_found():
    result = check_gradients(_BiasNeverAdded(1, 2, 3), torch.randn(1, 1, 5, 5), "unused")
    result.require_failure("a parameter that is created and never used")
    assert "bias" in result.finding


class _HiddenState(nn.Conv2d):
    """Multiplies by a number that no state dict holds and that a copy loses."""

    def __init__(self) -> None:
        super().__init__(1, 2, 3)
        self.gain = torch.tensor(1.0)

    def __deepcopy__(self, memo: dict[int, object]) -> "_HiddenState":
        copied = _HiddenState()
        copied.gain = self.gain + 1
        return copied

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.gain * super().forward(x)


def test_state_outside_the_state_dict_is_found():
    result = check_state_round_trip(_HiddenState(), torch.randn(1, 1, 5, 5), "hidden")
    result.require_failure("state that no state dict holds")


@pytest.mark.parametrize(
    ("make", "arguments", "unknown"),
    [
        (LiftingConv2d, (1, 2, BASIS), {"dilation": 2}),
        (ScaleConv2d, (1, 2, BASIS), {"groups": 2}),
        (ScaleConv1x1, (1, 2), {"num_scales": 4}),
        (hermite_basis_a, (7, (1.0, 2.0), 3), {"mult": 2}),
        (create_model, ("cnn_28",), {"pretrained": True}),
    ],
)
def test_unknown_options_are_rejected(
    make: Callable[..., Any], arguments: tuple[Any, ...], unknown: dict[str, Any]
):
    with pytest.raises(TypeError, match=next(iter(unknown))):
        make(*arguments, **unknown)


def test_networks_are_listed():
    assert len(SESN_MODELS) == 10
