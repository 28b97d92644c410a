"""A state says what its weights belong to: it loads there, and nowhere else without a word."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sesn_impl import (
    LiftingConv2d,
    ScaleConv2d,
    SteerableBasis,
    baselines,
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
        with pytest.raises(RuntimeError, match="ScaleConv2d has another configuration than"):
            mine.load_state_dict(state, strict=strict)


def test_message_names_the_module_and_both_configurations() -> None:
    model, other = create_model("sesn_vector_28"), create_model("sesn_vector_28p")
    with pytest.raises(RuntimeError) as error:
        model.load_state_dict(other.state_dict())
    for name in ("features.0", "features.4", "features.8.conv"):
        assert (
            f"{name} has another configuration than the state: "
            "supports (5, 7, 13) here, (5, 9, 15) there"
        ) in str(error.value)


@pytest.mark.parametrize("method", ["sesn_scalar_*", "sesn_vector_*", "ss_cnn_*"])
def test_no_published_network_takes_the_state_of_another_size(method: str) -> None:
    models = {name: create_model(name) for name in list_models(method)}
    for name, model in models.items():
        for other in models.keys() - {name}:
            with pytest.raises(RuntimeError, match=r"another configuration|Missing key\(s\)"):
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
    with pytest.raises(RuntimeError, match="another configuration"):
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
    layer_of(BASIS).load_state_dict(layer_of(elsewhere).state_dict())


def test_a_missing_weight_is_still_named() -> None:
    state: dict[str, Any] = layer_of(BASIS).state_dict()
    del state["weight"]
    with pytest.raises(RuntimeError, match=r'Missing key\(s\) in state_dict: "weight"\.'):
        layer_of(BASIS).load_state_dict(state)


SCALES, OTHERS = (0.5, 1.0, 2.0), (0.6, 1.0, 2.0)
BASELINES: dict[str, tuple[Callable[..., nn.Module], dict[str, Any], dict[str, Any], str]] = {
    "SiCNN, lifting": (
        partial(baselines.ColumnLiftingConv2d, 1, 2, 3), {"scales": SCALES},
        {"scales": OTHERS}, r"scales \(0.5, 1, 2\) here, \(0.6, 1, 2\) there",
    ),
    "SiCNN": (
        partial(baselines.ColumnConv2d, 1, 2, 3), {"scales": SCALES},
        {"scales": SCALES[1:]}, "number of scales 3 here, 2 there",
    ),
    "SiCNN, norm": (
        baselines.ColumnBatchNorm2d, {"channels": 2, "num_columns": 6},
        {"channels": 3, "num_columns": 4}, r"channels and columns \(2, 6\) here, \(3, 4\) there",
    ),
    "SI-ConvNet": (
        partial(baselines.ScaleInvariantConv2d, 1, 2, 3), {"scales": SCALES},
        {"scales": OTHERS}, r"scales \(0.5, 1, 2\) here, \(0.6, 1, 2\) there",
    ),
    "SEVF, scalar": (
        partial(baselines.MagnitudeConv2d, 1, 2, 3), {}, {"base": 1.3}, "base 1.26 here, 1.3 there"
    ),
    "SEVF, lifting": (
        partial(baselines.VectorLiftingConv2d, 1, 2, 3), {"steps": (-1, 0, 1)},
        {"steps": (0, 1, 2)}, r"steps \(-1, 0, 1\) here, \(0, 1, 2\) there",
    ),
    "SEVF, angles": (
        partial(baselines.VectorConv2d, 1, 2, 3), {}, {"angle_range": 1.0}, "angle_range 2.094"
    ),
    "SEVF, turn": (
        partial(baselines.VectorConv2d, 1, 2, 3), {}, {"turn": -1}, "turn 1 here, -1 there"
    ),
    "DSS, blurs": (
        partial(baselines.GaussianScaleSpace, 2), {"zero_scale": 0.25}, {"zero_scale": 0.5},
        "zero_scale 0.25 here, 0.5 there",
    ),
    "DSS": (
        partial(baselines.DilatedScaleConv2d, 1, 2, 3), {"num_scales": 3}, {"num_scales": 4},
        "num_scales 3 here, 4 there",
    ),
    "DSS, base": (
        partial(baselines.DilatedScaleConv2d, 1, 2, 3, 3), {}, {"base": 3}, "base 2 here, 3 there"
    ),
    "SS-CNN": (
        partial(baselines.LogRadialConv2d, 1, 2, reference_size=5), {"sizes": (3, 5)},
        {"sizes": (3, 7)}, r"sizes \(3, 5\) here, \(3, 7\) there",
    ),
    "SS-CNN, steered": (
        lambda **o: baselines.LogRadialConv2d(1, 2, (3, 5), **o), {"reference_size": 5},
        {"reference_size": 3}, "reference_size 5 here, 3 there",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BASELINES)
def test_compared_methods_refuse_the_state_of_another_configuration(name: str) -> None:
    make, mine, others, message = BASELINES[name]
    layer, state = make(**mine), make(**others).state_dict()
    parameters = {n: tuple(t.shape) for n, t in state.items() if n != "_extra_state"}
    assert all(tuple(layer.state_dict()[n].shape) == s for n, s in parameters.items())
    for strict in (True, False):
        with pytest.raises(RuntimeError, match=message):
            layer.load_state_dict(state, strict=strict)
    for road in ROADS.values():
        layer.load_state_dict(road(make(**mine).state_dict()))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"scales": 3}, "its entry _extra_state is of type dict"),
        (torch.zeros(0), r"number of scales 3 here, \(\) there"),
        (torch.cat([layer_of(BASIS).get_extra_state(), torch.ones(2)]), "2 numbers more there"),
    ],
)
def test_what_is_no_configuration(entry: Any, message: str) -> None:
    state = {**layer_of(BASIS).state_dict(), "_extra_state": entry}
    with pytest.raises(RuntimeError, match=message):
        layer_of(BASIS).load_state_dict(state)


def test_a_state_without_values_says_nothing() -> None:
    state = {n: t.to("meta") for n, t in layer_of(BASIS).state_dict().items()}
    layer_of(BASIS).load_state_dict(state, assign=True)
