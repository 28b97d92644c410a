"""Plans and filters that layers keep between calls serve nothing that they are not right for.

One of the files that mutation testing runs.
"""

import copy
import pickle

import pytest
import torch

from sesn_impl import LiftingConv2d, ScaleConv2d
from sesn_impl.fast.correlation import correlation
from verification.tests.contract import BASIS, BUILDS, agree, expected, image_for, randomised


@pytest.fixture
def made(monkeypatch) -> list[tuple[object, ...]]:
    """Every plan that is made from here on, by its way and sizes."""
    plans: list[tuple[object, ...]] = []

    def counted(way, functions, supports, geometry):
        plans.append((way, geometry.height, geometry.width))
        return correlation(way, functions, supports, geometry)

    monkeypatch.setattr("sesn_impl.layers.correlation", counted)
    return plans


def test_a_plan_is_made_once_for_each_of_eight_sizes(made):
    layer = randomised(LiftingConv2d(2, 3, BASIS, padding=4))
    sides = range(9, 18)
    for side in [*sides[:8], *sides[:8]]:
        layer(image_for("lifting", side))
    assert len(made) == 8
    layer(image_for("lifting", sides[8]))  # a ninth takes the place of the oldest
    layer(image_for("lifting", sides[1]))
    assert len(made) == 9
    layer(image_for("lifting", sides[0]))
    assert len(made) == 10
    assert made[-1][1:] == (9, 8)


def test_plans_are_made_anew_for_another_precision_and_for_copies(made):
    layer = randomised(LiftingConv2d(2, 3, BASIS, padding=4))
    x = image_for("lifting")
    layer(x)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        before = len(made)
        assert agree(other(x), expected(layer, x))
        assert len(made) == before + 1
    before = len(made)
    layer.float().double()(x)
    assert len(made) == before + 1


def test_a_replaced_basis_is_noticed():
    layer = randomised(LiftingConv2d(2, 3, BASIS, padding=4))
    x = image_for("lifting")
    layer(x)
    layer.functions = 2 * layer.functions
    bias = layer.bias[:, None, None, None]
    assert agree(layer(x) - bias, 2 * (expected(layer, x) - bias))


@pytest.mark.parametrize("way", ["direct", "columns", "spectral"])
@pytest.mark.parametrize("name", BUILDS)
def test_plans_made_under_inference_mode_serve_training(monkeypatch, made, name, way):
    # Left to itself a layer takes other ways for inference than for training.
    monkeypatch.setattr("sesn_impl.layers.choose", lambda *_: way)
    layer = randomised(BUILDS[name](padding=4))
    x = image_for(name)
    with torch.inference_mode():
        layer(x)
    y = layer(x.requires_grad_())
    assert len(made) == 1
    y.square().sum().backward()
    assert agree(y, expected(layer, x.detach()))
    assert layer.weight.grad is not None


@pytest.fixture
def filters_made(monkeypatch) -> list[int]:
    """The scale of every filter that is made from here on."""
    scales: list[int] = []

    def watched(way, functions, supports, geometry):
        plan = correlation(way, functions, supports, geometry)
        make = plan.filters

        def filters(coefficients: torch.Tensor, scale: int) -> torch.Tensor:
            scales.append(scale)
            return make(coefficients, scale)

        monkeypatch.setattr(plan, "filters", filters)
        return plan

    monkeypatch.setattr("sesn_impl.layers.correlation", watched)
    return scales


def test_filters_are_kept_for_inference_alone(filters_made):
    layer = randomised(ScaleConv2d(2, 3, BASIS, 2, padding=4))
    x = image_for("scale_2")
    with torch.no_grad():
        for _ in range(3):
            layer(x)
    assert filters_made == [0, 1, 2]
    for _ in range(2):
        layer(x)
    assert filters_made == [0, 1, 2] * 3
    with torch.no_grad():
        layer.weight.mul_(2.0)
        layer(x)
        layer(x)
        assert filters_made == [0, 1, 2] * 4
        layer(image_for("scale_2", 31))
    assert filters_made == [0, 1, 2] * 5


def test_kept_filters_are_none_of_a_transformation():
    """Under vmap a weight stands for many: filters made of one must not serve another."""
    layer = randomised(LiftingConv2d(2, 3, BASIS, padding=4))
    x = image_for("lifting", 5)
    weights = torch.stack([layer.weight.detach(), 2 * layer.weight.detach()])

    def answer(weight: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = torch.func.functional_call(layer, {"weight": weight}, (x,))
        return y

    with torch.no_grad():
        layer(x)
        together = torch.vmap(answer)(weights)
        for weight, found in zip(weights, together, strict=True):
            assert agree(found, answer(weight))


def test_empty_batches_have_empty_answers():
    layer = LiftingConv2d(2, 3, BASIS, padding=4)
    assert layer(torch.zeros(0, 2, 5, 6)).shape == (0, 3, 3, 5, 6)


def test_while_a_graph_is_traced_plans_are_made_and_not_kept(monkeypatch, made):
    layer = randomised(LiftingConv2d(2, 3, BASIS, padding=4))
    x = image_for("lifting")
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    for _ in range(2):
        assert agree(layer(x), expected(layer, x))
    assert made == [("direct", 13, 12)] * 2


def test_copies_carry_nothing_that_was_kept():
    layer = randomised(LiftingConv2d(2, 3, BASIS, padding=4))
    fresh = len(pickle.dumps(layer))
    with torch.no_grad():
        layer(image_for("lifting"))
    assert len(pickle.dumps(layer)) == fresh
