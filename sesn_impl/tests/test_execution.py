"""However a layer is run, changed or copied, it is its textbook form: nothing kept goes stale."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from sesn_impl import (
    LiftingConv2d,
    ProjectedConv2d,
    ScaleConv2d,
    hermite_basis_a,
)
from sesn_impl.fast.correlation import Columns
from sesn_impl.fast.plan import Way
from sesn_impl.tests.against_textbook import (
    BASIS,
    Layer,
    LayerType,
    assert_same,
    computed_by,
    input_for,
    one_thread,
    randomise,
    response_and_gradients,
)
from sesn_impl.tests.textbook import textbook_twin


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    yield from one_thread()


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
    layer.load_state_dict({name: 2 * tensor for name, tensor in layer.state_dict().items()})


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
@pytest.mark.parametrize("way", [None, "direct", "columns", "spectral"])
def test_filters_kept_for_inference_follow_every_change(
    layer_type: LayerType, change: Callable[[Layer], None], way: Way | None
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


def test_filters_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, made = LiftingConv2d(1, 1, BASIS, padding=3), []
    original = Columns.filters

    def counted(way: Columns, coefficients: Tensor, scale: int) -> Tensor:
        made.append(scale)
        return original(way, coefficients, scale)

    monkeypatch.setattr(Columns, "filters", counted)
    with torch.no_grad():
        layer(torch.ones(1, 1, 9, 9))
        layer(torch.ones(1, 1, 9, 9))
    assert made == [0, 1, 2]


@pytest.mark.parametrize("way", ["direct", "columns", "spectral"])
def test_weights_may_be_batched(way: Way) -> None:
    """Several sets of weights at once, also without gradients, where filters are kept."""
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


@pytest.mark.parametrize("way", ["direct", "columns", "spectral"])
def test_second_derivatives(way: Way) -> None:
    layer = randomise(ScaleConv2d(1, 2, BASIS, scale_extent=2, padding=3), 0).double()
    x = input_for(layer, 1, (3, 2)).requires_grad_()
    with computed_by(way):
        assert torch.autograd.gradcheck(ProjectedConv2d(layer), x)
        assert torch.autograd.gradgradcheck(layer, x)


@pytest.mark.parametrize("way", ["direct", "columns", "spectral"])
def test_inference_may_come_before_training(way: Way) -> None:
    layer = randomise(ScaleConv2d(2, 3, BASIS, padding=3), 0)
    x = input_for(layer, 1)
    with computed_by(way):
        with torch.inference_mode():
            layer(x)
        actual = response_and_gradients(layer, x, 2)
    assert_same(actual, response_and_gradients(textbook_twin(layer), x, 2))


def test_plans_of_many_sizes_are_forgotten() -> None:
    layer = randomise(LiftingConv2d(1, 1, BASIS), 0)
    twin = textbook_twin(layer)
    for extra in (*range(12), 0):
        x = input_for(layer, 0, (extra, 0))
        assert_same([layer(x)], [twin(x)])
    assert len(layer._plans) == 8


def test_copies_and_pickles_hold_no_plans() -> None:
    layer = randomise(LiftingConv2d(1, 1, BASIS), 0)
    x = input_for(layer, 0)
    with torch.no_grad():
        y = layer(x)
        for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
            assert not other._plans
            assert torch.equal(other(x), y)
