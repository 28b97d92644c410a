"""However a layer is called, its answers are the documented ones, and no call leaves a trace.

One of the files that mutation testing runs.
"""

import copy
import pickle

import pytest
import torch

from sesn_impl import LiftingConv2d, ScaleConv2d
from verification.tests.contract import BASIS, BUILDS, agree, expected, image_for, randomised


@pytest.mark.parametrize("algorithm", ["direct", "spectral"])
@pytest.mark.parametrize("name", BUILDS)
def test_every_algorithm_gives_the_documented_answers(monkeypatch, name, algorithm):
    monkeypatch.setattr("sesn_impl.fast.correlation.choose", lambda *_: algorithm)
    for options in ({"padding": 4}, {"stride": 2, "padding": 3}):
        layer = randomised(BUILDS[name](**options))
        x = image_for(name)
        with torch.inference_mode():
            layer(x)
        y = layer(x.requires_grad_())
        assert agree(y, expected(layer, x.detach()))
        y.square().sum().backward()
        assert layer.weight.grad is not None


def test_copies_give_the_same_in_every_precision():
    layer = randomised(LiftingConv2d(2, 3, BASIS, padding=4))
    x = image_for("lifting")
    before = len(pickle.dumps(layer))
    with torch.no_grad():
        layer(x)
    assert len(pickle.dumps(layer)) == before
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert agree(other(x), expected(layer, x))
    assert agree(layer.float().double()(x), expected(layer, x))


def test_a_replaced_basis_is_noticed():
    layer = randomised(LiftingConv2d(2, 3, BASIS, padding=4))
    x = image_for("lifting")
    layer(x)
    layer.functions = 2 * layer.functions
    bias = layer.bias[:, None, None, None]
    assert agree(layer(x) - bias, 2 * (expected(layer, x) - bias))


@pytest.mark.parametrize("name", BUILDS)
def test_weights_that_were_assigned_meet_the_basis_in_their_precision(name):
    original = randomised(BUILDS[name](padding=4))
    with torch.device("meta"):
        layer = BUILDS[name](padding=4)
    assert layer(image_for(name).float().to("meta")).is_meta
    layer.load_state_dict(original.state_dict(), assign=True)
    assert agree(layer(image_for(name)), expected(original, image_for(name)))
    plain = BUILDS[name](padding=4)
    plain.load_state_dict(original.state_dict(), assign=True)
    assert agree(plain(image_for(name)), expected(original, image_for(name)))


def test_what_was_seen_before_changes_nothing():
    """No image size, weight or mode of earlier calls is in a later answer."""
    layer = randomised(ScaleConv2d(2, 3, BASIS, 2, padding=4))
    before = {name: id(value) for name, value in vars(layer).items()}
    for side in (9, 31, 12, 9):
        with torch.no_grad():
            layer.weight.mul_(1.5)
            x = image_for("scale_2", side)
            assert agree(layer(x), expected(layer, x))
    assert {name: id(value) for name, value in vars(layer).items()} == before


def test_weights_under_a_transformation_stand_for_many():
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


def test_a_graph_being_traced_holds_plain_convolutions(monkeypatch):
    layer = randomised(LiftingConv2d(2, 3, BASIS, padding=4))
    x = image_for("lifting")
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    monkeypatch.setattr("sesn_impl.fast.correlation.spectral", None)
    assert agree(layer(x), expected(layer, x))
