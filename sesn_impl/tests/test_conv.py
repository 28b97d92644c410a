"""The layers against their textbook form, over the whole domain of their options."""

from __future__ import annotations

import copy
import itertools
import pickle
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from sesn_impl import (
    LiftingConv2d,
    ProjectedConv2d,
    ScaleConv1x1,
    ScaleConv2d,
    ScaleMaxProjection,
    SteerableBasis,
    hermite_basis_a,
    hermite_basis_b,
)
from sesn_impl.basis import support_at
from sesn_impl.correlation import Columns
from sesn_impl.plan import Way
from sesn_impl.tests.textbook import TextbookLiftingConv2d, TextbookScaleConv2d, textbook_twin

# Inputs and weights are of unit size, so errors are compared with the larger of 1 and the result.
# Both forms sum the same products in another order: a few hundred roundings of 2⁻²⁴ or 2⁻⁵³.
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-13}

Layer = LiftingConv2d | ScaleConv2d
LayerType = type[LiftingConv2d] | type[ScaleConv2d]
BASIS = hermite_basis_a(7, (1.0, 1.5, 2.0), 3)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """On tensors this small, threads only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@st.composite
def bases(draw: st.DrawFn) -> SteerableBasis:
    """Bases of both kinds with 1-3 scales, V up to 9, supports down to a single pixel."""
    smallest, ratio = draw(st.floats(0.8, 2.0)), draw(st.floats(1.1, 2.0))
    scales = [smallest * ratio**i for i in range(draw(st.integers(1, 3)))]
    kernel_size = draw(st.sampled_from([1, 3, 5, 7, 9]))
    if support_at(scales[0], kernel_size, scales[-1]) == 1:  # odd functions vanish on one pixel
        return hermite_basis_a(kernel_size, scales, 1)
    effective_size = draw(st.integers(1, 3))
    if draw(st.booleans()):
        return hermite_basis_a(kernel_size, scales, effective_size)
    max_order, mult = draw(st.integers(0, 2)), draw(st.floats(1.2, 2.0))
    return hermite_basis_b(kernel_size, scales, effective_size, max_order=max_order, mult=mult)


@st.composite
def layers(draw: st.DrawFn) -> Layer:
    """Lifting and scale convolutions with random coefficients, float32 or float64."""
    basis = draw(bases())
    in_channels, out_channels = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    options: dict[str, Any] = {
        "stride": draw(st.integers(1, 3)),
        "padding": draw(st.integers(0, basis.kernel_size)),
        "bias": draw(st.booleans()),
    }
    layer: Layer
    if draw(st.booleans()):
        layer = LiftingConv2d(in_channels, out_channels, basis, **options)
    else:
        extent = draw(st.integers(1, basis.num_scales))
        layer = ScaleConv2d(in_channels, out_channels, basis, extent, **options)
    return randomise(layer.to(draw(st.sampled_from(list(TOLERANCE)))), draw(seeds))


seeds = st.integers(0, 2**32 - 1)


def randomise(layer: Layer, seed: int) -> Layer:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(generator=generator)
    return layer


def input_for(layer: Layer, seed: int, extra: tuple[int, int] = (5, 3)) -> Tensor:
    """[B, C_in, H, W] or [B, C_in, S, H, W], `extra` pixels larger than the layer's smallest."""
    smallest = max(1, layer.basis.kernel_size - 2 * layer.padding)
    scales = [layer.basis.num_scales] if isinstance(layer, ScaleConv2d) else []
    shape = [2, layer.in_channels, *scales, smallest + extra[0], smallest + extra[1]]
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, dtype=layer.weight.dtype, generator=generator)


def response_and_gradients(layer: nn.Module, x: Tensor, seed: int) -> list[Tensor]:
    """The layer's response to x, and the gradients of a random functional of it."""
    x = x.clone().requires_grad_()
    y: Tensor = layer(x)
    functional = torch.randn(y.shape, dtype=y.dtype, generator=torch.Generator().manual_seed(seed))
    return [y.detach(), *torch.autograd.grad((y * functional).sum(), [x, *layer.parameters()])]


def assert_same(actual: Iterable[Tensor], expected: Iterable[Tensor]) -> None:
    for a, e in zip(actual, expected, strict=True):
        assert a.shape == e.shape
        assert a.dtype == e.dtype
        error, size = (a - e).abs().max().item(), max(1.0, e.abs().max().item())
        assert error <= TOLERANCE[a.dtype] * size


@contextmanager
def computed_by(way: Way | None) -> Iterator[None]:
    """All layers correlate in this way, whatever it costs; None: as they choose."""
    with pytest.MonkeyPatch.context() as patch:
        if way is not None:
            patch.setattr("sesn_impl.conv.choose", lambda *_: way)
        yield


ways = st.sampled_from([None, "direct", "columns", "spectral"])


@settings(deadline=None, derandomize=True, max_examples=200)
@given(layers(), ways, seeds, st.tuples(st.integers(0, 6), st.integers(0, 6)))
def test_response_and_gradients_are_the_textbook_ones(
    layer: Layer, way: Way | None, seed: int, extra: tuple[int, int]
) -> None:
    x = input_for(layer, seed, extra)
    with computed_by(way):
        actual = response_and_gradients(layer, x, seed)
    assert_same(actual, response_and_gradients(textbook_twin(layer), x, seed))


@settings(deadline=None, derandomize=True, max_examples=50)
@given(layers(), ways, seeds)
def test_projected_convolution_is_a_projection_after_it(
    layer: Layer, way: Way | None, seed: int
) -> None:
    x, network = input_for(layer, seed), ProjectedConv2d(layer)
    with computed_by(way):
        actual = response_and_gradients(network, x, seed)
    assert_same(actual, response_and_gradients(textbook_twin(network), x, seed))


def test_projection_keeps_what_is_not_a_number() -> None:
    layer = randomise(LiftingConv2d(1, 1, BASIS, padding=3), 0)
    x = input_for(layer, 0, (20, 20))
    x[0, 0, 3, 3] = torch.nan
    projected = ProjectedConv2d(layer)(x)
    assert torch.equal(projected.isnan(), ScaleMaxProjection()(layer(x)).isnan())
    assert projected.isnan().any()


def swap_axes(basis: SteerableBasis) -> Tensor:
    return basis.functions.transpose(-1, -2)


def flip_filters(basis: SteerableBasis) -> Tensor:
    return basis.functions.flip(-1, -2)


def normalise_each_scale(basis: SteerableBasis) -> Tensor:
    return torch.nn.functional.normalize(basis.functions.flatten(2), dim=2).view_as(basis.functions)


def shift_scales(basis: SteerableBasis) -> Tensor:
    return basis.functions.roll(1, dims=1)


@pytest.mark.parametrize("damage", [swap_axes, flip_filters, normalise_each_scale, shift_scales])
@pytest.mark.parametrize("layer_type", [LiftingConv2d, ScaleConv2d])
def test_comparison_rejects_a_layer_with_other_filters(
    layer_type: LayerType, damage: Callable[[SteerableBasis], Tensor]
) -> None:
    layer = randomise(layer_type(2, 3, BASIS, padding=3), 0)
    x = input_for(layer, 1)
    expected = response_and_gradients(textbook_twin(layer), x, 2)
    layer.functions = damage(BASIS).to(layer.functions)
    with pytest.raises(AssertionError):
        assert_same(response_and_gradients(layer, x, 2), expected)


def test_textbook_form_is_the_formula() -> None:
    """The oracle itself, at one output pixel, by the sums of its docstring."""
    lift = TextbookLiftingConv2d(2, 1, BASIS, stride=2, bias=False).double()
    conv = TextbookScaleConv2d(2, 1, BASIS, scale_extent=2, stride=2, bias=False).double()
    x = torch.randn(1, 2, 3, 9, 9, dtype=torch.float64)
    scale, psi = 1, BASIS.functions[:, 1]  # [N_b, V, V]
    lifted = mixed = torch.zeros((), dtype=torch.float64)
    for c, n in itertools.product(range(2), range(9)):
        # [V, V] under output pixel (1, 0) at stride 2, at this scale and at the one above
        here, above = x[0, c, scale, 2:9, :7], x[0, c, scale + 1, 2:9, :7]
        lifted = lifted + lift.weight[0, c, n] * (here * psi[n]).sum()
        mixed = mixed + conv.weight[0, c, 0, n] * (here * psi[n]).sum()
        mixed = mixed + conv.weight[0, c, 1, n] * (above * psi[n]).sum()
    torch.testing.assert_close(lift(x[:, :, scale])[0, 0, scale, 1, 0], lifted)
    torch.testing.assert_close(conv(x)[0, 0, scale, 1, 0], mixed)


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


@pytest.mark.parametrize("layer_type", [LiftingConv2d, ScaleConv2d])
def test_float64_layer_uses_the_float64_basis_whatever_it_was_before(layer_type: LayerType) -> None:
    layer = layer_type(1, 1, BASIS).bfloat16().float().double()
    assert torch.equal(layer.functions, BASIS.functions)
    widened = BASIS.functions.float().double()
    assert not torch.equal(widened, BASIS.functions)  # so the line above can fail


@pytest.mark.parametrize(
    "make",
    [
        lambda: LiftingConv2d(2, 3, BASIS),
        lambda: ScaleConv2d(2, 3, BASIS, scale_extent=2),
        lambda: ScaleConv1x1(2, 3),
    ],
    ids=["lifting", "scale", "1x1"],
)
def test_state_dict_round_trip(make: Callable[[], nn.Module]) -> None:
    """It holds what was learned, and nothing that follows from the configuration."""
    layer, other = make(), make()
    state = layer.state_dict()
    assert sorted(state) == ["bias", "weight"]
    assert not torch.equal(other.state_dict()["weight"], state["weight"])
    other.load_state_dict(state)
    assert all(torch.equal(other.state_dict()[name], tensor) for name, tensor in state.items())


@pytest.mark.parametrize("stride", [1, 2])
def test_scale_conv_1x1_mixes_channels_alike_at_every_scale(stride: int) -> None:
    mix = ScaleConv1x1(2, 3, stride=stride)
    assert mix.bias is not None
    nn.init.normal_(mix.bias)
    x = torch.randn(2, 2, 3, 5, 4)
    expected = torch.einsum("oc,bcshw->boshw", mix.weight, x[..., ::stride, ::stride])
    torch.testing.assert_close(mix(x), expected + mix.bias[:, None, None, None])


def test_max_projection_takes_the_largest_response_over_scale() -> None:
    x = torch.tensor([[1.0, -5.0], [3.0, -2.0], [2.0, -9.0]]).view(1, 1, 3, 1, 2)
    assert torch.equal(ScaleMaxProjection()(x), torch.tensor([3.0, -2.0]).view(1, 1, 1, 2))


@pytest.mark.parametrize("layer_type", [LiftingConv2d, ScaleConv2d])
@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((0, 1), {}, r"in_channels=0: must be at least 1"),
        ((1, -2), {}, r"out_channels=-2: must be at least 1"),
        ((1, 1), {"stride": 0}, r"stride=0: must be at least 1"),
        ((1, 1), {"padding": -1}, r"padding=-1: must be 0 or more pixels"),
    ],
)
def test_options_out_of_range(
    layer_type: LayerType, arguments: tuple[int, int], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        layer_type(*arguments, BASIS, **options)


@pytest.mark.parametrize("extent", [0, 4])
def test_scale_extent_out_of_range(extent: int) -> None:
    message = rf"scale_extent={extent}: must be between 1 and the number of scales, 3"
    with pytest.raises(ValueError, match=message):
        ScaleConv2d(1, 1, BASIS, scale_extent=extent)


@pytest.mark.parametrize("name", ["in_channels", "out_channels", "stride"])
def test_scale_conv_1x1_options_out_of_range(name: str) -> None:
    options: dict[str, Any] = {"in_channels": 1, "out_channels": 1, name: 0}
    with pytest.raises(ValueError, match=rf"{name}=0: must be at least 1"):
        ScaleConv1x1(**options)


@pytest.mark.parametrize("layer_type", [LiftingConv2d, ScaleConv2d, ScaleConv1x1])
def test_unknown_options_are_rejected(layer_type: Callable[..., nn.Module]) -> None:
    with pytest.raises(TypeError, match="dilation"):
        layer_type(1, 1, BASIS, dilation=2)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (LiftingConv2d(2, 1, BASIS), (1, 3, 9, 9), r"\(1, 3, 9, 9\): must be \[B, C_in=2, H, W\]"),
        (LiftingConv2d(2, 1, BASIS), (2, 9, 9), r"\(2, 9, 9\): must be \[B, C_in=2, H, W\]"),
        (LiftingConv2d(2, 1, BASIS), (1, 2, 9, 6), r"height and width must be at least 7"),
        (LiftingConv2d(2, 1, BASIS, padding=2), (1, 2, 2, 9), r"at least 3 .* padding=2"),
        (ScaleConv2d(2, 1, BASIS), (1, 2, 2, 9, 9), r"must be \[B, C_in=2, S=3, H, W\]"),
        (ScaleConv2d(2, 1, BASIS), (1, 2, 9, 9), r"must be \[B, C_in=2, S=3, H, W\]"),
        (ScaleConv2d(2, 1, BASIS), (1, 2, 3, 6, 9), r"height and width must be at least 7"),
        (ScaleConv1x1(2, 1), (1, 3, 3, 9, 9), r"must be \[B, C_in=2, S, H, W\]"),
        (ScaleMaxProjection(), (1, 3, 9, 9), r"must be \[B, C, S, H, W\]"),
    ],
)
def test_inputs_of_another_shape(layer: nn.Module, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layer(torch.zeros(shape))
