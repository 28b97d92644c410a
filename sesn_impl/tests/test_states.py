"""A state says what its coefficients belong to: it loads there, and nowhere else without a word."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sesn_impl import (
    LiftingConv2d,
    ScaleConv2d,
    SteerableBasis,
    bspline_basis,
    create_model,
    hermite_basis_a,
    hermite_basis_b,
    list_models,
)

BASIS = hermite_basis_a(7, (1.0, 1.5, 2.0), 3)
FOREIGN = {
    "scales": hermite_basis_a(7, (1.1, 1.5, 2.0), 3),
    "all scales times the same": hermite_basis_a(7, (1.001, 1.5015, 2.002), 3),
    "supports": hermite_basis_a(9, (1.0, 1.5, 2.0), 3),
    "fewer scales": hermite_basis_a(7, (1.0, 2.0), 3),
    "basis B": hermite_basis_b(7, (1.0, 1.5, 2.0), 3),
    "mult": hermite_basis_b(7, (1.0, 1.5, 2.0), 3, max_order=1, mult=1.4),
    "b-splines": bspline_basis(7, (1.0, 1.5, 2.0), 3),
}


def layer_of(basis: SteerableBasis) -> ScaleConv2d:
    return ScaleConv2d(2, 3, basis, scale_extent=2, padding=3)


@pytest.mark.parametrize("name", FOREIGN)
def test_state_of_another_basis_is_refused(name: str) -> None:
    state = layer_of(FOREIGN[name]).state_dict()
    mine = layer_of(BASIS)
    assert mine.weight.shape == state["weight"].shape  # so nothing but its origin can tell
    for strict in (True, False):
        with pytest.raises(RuntimeError, match="weight belongs to another basis: scales="):
            mine.load_state_dict(state, strict=strict)


def test_message_names_the_module_and_both_configurations() -> None:
    model, other = create_model("sesn_vector_28"), create_model("sesn_vector_28p")
    with pytest.raises(RuntimeError) as error:
        model.load_state_dict(other.state_dict())
    for name in ("features.0", "features.4", "features.8.conv"):
        assert (
            f"{name}.weight belongs to another basis: scales=(1.5, 2.6, 4.5), supports=(5, 9, 15), "
            "49 functions; here scales=(1.5, 2.6, 4.5), supports=(5, 7, 13), 49 functions"
        ) in str(error.value)


def test_no_published_sesn_takes_the_state_of_another() -> None:
    models = {name: create_model(name) for name in list_models("sesn_scalar_*")}
    for name, model in models.items():
        for other in models.keys() - {name}:
            with pytest.raises(RuntimeError, match=r"belongs to another basis|Missing key\(s\)"):
                model.load_state_dict(models[other].state_dict())


def saved(state: dict[str, Tensor]) -> dict[str, Tensor]:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)  # type: ignore[no-any-return]


ROADS: dict[str, Callable[[dict[str, Tensor]], dict[str, Tensor]]] = {
    "as it is": lambda state: state,
    "through a file": saved,
    "copied": copy.deepcopy,
    "cloned": lambda state: {n: t.clone() for n, t in state.items()},
    "in half precision": lambda state: {n: t.half() for n, t in state.items()},
    "in bfloat16": lambda state: {n: t.bfloat16() for n, t in state.items()},
    "averaged": lambda state: {n: (t + t + t) / 3 for n, t in state.items()},
    "as of earlier versions": lambda state: {
        n: t for n, t in state.items() if "_extra_state" not in n
    },
}


@pytest.mark.parametrize("road", ROADS)
def test_own_state_loads_on_every_road(road: str) -> None:
    torch.manual_seed(0)
    model, other = (nn.Sequential(LiftingConv2d(1, 2, BASIS), layer_of(BASIS)) for _ in range(2))
    matching = other.load_state_dict(
        ROADS[road](model[1].state_dict(prefix="1.") | model[0].state_dict(prefix="0."))
    )
    assert not matching.missing_keys
    assert not matching.unexpected_keys
    torch.testing.assert_close(other[1].weight, model[1].weight, rtol=0.01, atol=1e-3)


def test_half_precision_does_not_hide_another_basis() -> None:
    state = {n: t.half() for n, t in layer_of(FOREIGN["b-splines"]).state_dict().items()}
    with pytest.raises(RuntimeError, match="belongs to another basis"):
        layer_of(BASIS).load_state_dict(state)


def test_a_state_holds_plain_tensors_and_follows_no_cast() -> None:
    layer = layer_of(BASIS)
    state = layer.state_dict()
    assert {name: type(value) for name, value in state.items()} == dict.fromkeys(
        ("weight", "bias", "_extra_state"), Tensor
    )
    assert state["_extra_state"].dtype == layer.half().state_dict()["_extra_state"].dtype
    with torch.device("meta"):
        assert layer_of(BASIS).state_dict()["_extra_state"].device.type == "cpu"


def test_bases_computed_elsewhere_are_the_same_up_to_rounding() -> None:
    noise = 1 + 1e-13 * torch.randn(BASIS.functions.shape, dtype=torch.float64)
    elsewhere = SteerableBasis(
        BASIS.functions * noise, BASIS.scales, BASIS.supports, BASIS.atoms, BASIS.norms
    )
    assert elsewhere.difference(BASIS.signature) == ""


def test_a_missing_weight_is_still_named() -> None:
    state: dict[str, Any] = layer_of(BASIS).state_dict()
    del state["weight"]
    with pytest.raises(RuntimeError, match=r'Missing key\(s\) in state_dict: "weight"\.'):
        layer_of(BASIS).load_state_dict(state)
