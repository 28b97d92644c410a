"""However a layer is run, changed, copied or shared, it is its textbook form."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from sesn_impl import (
    LiftingConv2d,
    ProjectedConv2d,
    ScaleConv2d,
    hermite_basis_a,
)
from sesn_impl.fast.cost import Algorithm
from sesn_impl.tests.against_textbook import (
    BASIS,
    Layer,
    LayerType,
    assert_same,
    computed_by,
    input_for,
    randomise,
    response_and_gradients,
)
from sesn_impl.textbook import textbook_twin


def change_in_place(layer: Layer) -> None:
    with torch.no_grad():
        layer.weight.mul_(1.5)


def change_through_data(layer: Layer) -> None:
    layer.weight.data[0, 0].mul_(1.5)


def change_by_optimiser(layer: Layer) -> None:
    x = input_for(layer, 2)
    with torch.enable_grad():
        torch.autograd.backward(layer(x).square().mean())
    torch.optim.SGD(layer.parameters(), lr=0.1).step()


def change_by_state(layer: Layer) -> None:
    layer.load_state_dict({name: 2 * tensor for name, tensor in layer.named_parameters()})


def change_dtype(layer: Layer) -> None:
    layer.double()


def change_basis(layer: Layer) -> None:
    layer.basis = hermite_basis_a(7, (1.1, 1.6, 2.1), 3)
    layer.functions = layer.basis.functions.to(layer.functions)


@pytest.mark.parametrize(
    "change",
    [
        change_in_place, change_through_data, change_by_optimiser, change_by_state, change_dtype,
        change_basis,
    ],
)  # fmt: skip
@pytest.mark.parametrize("layer_type", [LiftingConv2d, ScaleConv2d])
@pytest.mark.parametrize("way", [None, "direct", "spectral"])
def test_inference_follows_every_change(
    layer_type: LayerType, change: Callable[[Layer], None], way: Algorithm | None
) -> None:
    layer = randomise(layer_type(2, 3, BASIS, padding=3), 0)
    with computed_by(way), torch.inference_mode():
        before = layer(input_for(layer, 1))
        assert torch.equal(layer(input_for(layer, 1)), before)
    change(layer)
    with computed_by(way), torch.no_grad():
        after, expected = (f(input_for(layer, 1)) for f in (layer, textbook_twin(layer)))
    assert_same([after], [expected])
    assert (after - before).abs().max() > 0.01  # so the comparison can see a stale filter


@pytest.mark.parametrize("way", ["direct", "spectral"])
def test_weights_may_be_batched(way: Algorithm) -> None:
    """Several sets of weights at once, also without gradients."""
    layer = randomise(LiftingConv2d(2, 3, BASIS, padding=3), 0)
    x = input_for(layer, 1)
    sets = {name: torch.stack([p, 2 * p]).detach() for name, p in layer.named_parameters()}
    with computed_by(way), torch.no_grad():
        expected = layer(x)
        both = torch.func.vmap(lambda weights: torch.func.functional_call(layer, weights, x))(sets)
        assert_same([both[0], both[1], layer(x)], [expected, 2 * expected, expected])


def networks() -> list[nn.Module]:
    lift = randomise(LiftingConv2d(2, 3, BASIS, padding=3), 0)
    conv = randomise(ScaleConv2d(2, 3, BASIS, scale_extent=2, padding=3), 0)
    return [lift, conv, ProjectedConv2d(conv)]


@pytest.mark.parametrize("index", range(3))
def test_compiled_and_exported_layers_give_the_same(index: int) -> None:
    network = networks()[index]
    x = input_for(network if index < 2 else network.conv, 1)  # type: ignore[arg-type]
    expected = network(x)
    compiled = torch.compile(network, backend="aot_eager", fullgraph=True)
    exported = torch.export.export(network, (x,)).module()
    assert_same([compiled(x), exported(x)], [expected, expected])


@pytest.mark.parametrize("way", ["direct", "spectral"])
def test_second_derivatives(way: Algorithm) -> None:
    layer = randomise(ScaleConv2d(1, 2, BASIS, scale_extent=2, padding=3), 0).double()
    x = input_for(layer, 1, (3, 2)).requires_grad_()
    with computed_by(way):
        assert torch.autograd.gradcheck(ProjectedConv2d(layer), x)
        assert torch.autograd.gradgradcheck(layer, x)


@pytest.mark.parametrize("way", ["direct", "spectral"])
def test_inference_may_come_before_training(way: Algorithm) -> None:
    layer = randomise(ScaleConv2d(2, 3, BASIS, padding=3), 0)
    x = input_for(layer, 1)
    with computed_by(way):
        with torch.inference_mode():
            layer(x)
        actual = response_and_gradients(layer, x, 2)
    assert_same(actual, response_and_gradients(textbook_twin(layer), x, 2))
