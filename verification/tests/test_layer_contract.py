"""All that the bases and convolutions promise, in seconds: what mutation testing runs.

Every mutant of `sesn_impl/basis.py` and `conv.py` is judged by this file alone; see MUTATION.md.
"""

import copy
import math
import pickle
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from sesn_impl import (
    LiftingConv2d,
    ScaleConv1x1,
    ScaleConv2d,
    ScaleMaxProjection,
    hermite_basis_a,
    hermite_basis_b,
)
from sesn_impl.basis import support_at
from sesn_impl.conv import ProjectedConv2d
from sesn_impl.correlation import correlation
from verification.bases import BasisArguments, describe_basis
from verification.checks import (
    check_closed_form,
    check_follows_weights,
    check_max_projection,
    check_response,
)
from verification.diagnosis import documented_filters
from verification.errors import equivariance_error
from verification.probe import random_probe
from verification.targets import describe
from verification.tolerances import rounding_error, tolerance

SCALES = (1.0, 1.5, 2.3)
BASIS = hermite_basis_b(9, SCALES, 3, max_order=2, mult=1.3)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def randomised(layer):
    """In float64, with every parameter random."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in layer.double().parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return layer


def expected(layer, x: torch.Tensor) -> torch.Tensor:
    """The documented answer: padded filters, one plain convolution for each scale."""
    target = describe(layer)
    documented = documented_filters(target)
    middle, radius = target.window // 2, layer.basis.kernel_size // 2
    inside = slice(middle - radius, middle + radius + 1)
    kernels = torch.from_numpy(documented.kernels[..., inside, inside].copy())
    x = x.unsqueeze(2) if target.lifts else x
    answers = []
    for scale in range(len(target.scales)):
        seen = [
            F.conv2d(x[:, :, i], kernels[:, :, i, scale], None, layer.stride, layer.padding)
            for i in range(x.shape[2])
        ]
        answers.append(torch.stack(seen).sum(0))
    return torch.stack(answers, 2) + torch.from_numpy(documented.bias)[..., None, None]


def agree(a: torch.Tensor, b: torch.Tensor) -> bool:
    return equivariance_error(a.detach(), b.detach()) <= rounding_error(a.dtype)


# --- Bases ----------------------------------------------------------------------------------------


# Built inside the tests: what is built while they are collected is built before any mutation.
@pytest.mark.parametrize(
    ("build", "arguments"),
    [
        (lambda: hermite_basis_a(9, SCALES, 3), BasisArguments("a", 9, SCALES, 3)),
        (lambda: hermite_basis_a(3, (1,), 1), BasisArguments("a", 3, (1.0,), 1)),
        (
            lambda: hermite_basis_b(9, SCALES, 3, max_order=2, mult=1.3),
            BasisArguments("b", 9, SCALES, 3, 1.3, 2),
        ),
        (lambda: hermite_basis_b(17, SCALES, 6), BasisArguments("b", 17, SCALES, 6)),
        (
            lambda: hermite_basis_b(5, (1.0, 1.4), 2, 0),
            BasisArguments("b", 5, (1.0, 1.4), 2, max_order=0),
        ),
        (
            lambda: hermite_basis_b(5, (1, 1.4), 2, mult=1.0001),
            BasisArguments("b", 5, (1.0, 1.4), 2, 1.0001),
        ),
    ],
    ids=["a", "a of one", "b", "b of three widths", "b of order 0", "b of nearly one width"],
)
def test_bases_are_the_documented_ones(build, arguments):
    basis = build()
    described = describe_basis(arguments)
    assert basis.functions.dtype == torch.float64
    assert basis.functions.shape == described.functions.shape
    assert (basis.supports, basis.scales) == (described.supports, described.scales)
    assert all(isinstance(scale, float) for scale in basis.scales)
    for found, wanted in zip(basis.atoms, described.atoms, strict=True):
        assert (found.row_order, found.column_order) == (wanted.row_order, wanted.column_order)
        assert found.relative_width == pytest.approx(wanted.relative_width, rel=1e-12)
    np.testing.assert_allclose(basis.norms, described.norms, rtol=1e-12)
    check_closed_form(basis, arguments.kind).require()
    error = equivariance_error(described.functions, basis.functions)
    assert error <= tolerance("closed_form", torch.float64)
    assert (basis.num_functions, basis.num_scales, basis.kernel_size) == (
        arguments.effective_size**2, len(arguments.scales), arguments.kernel_size,
    )  # fmt: skip


def test_supports_are_odd_and_in_proportion():
    found = [support_at(scale, 15, 5.1) for scale in (1.7, 2.45, 3.54, 5.1)]
    assert found == [5, 7, 11, 15]
    assert [support_at(scale, 9, 2.0) for scale in (0.1, 0.45, 0.67, 1.0, 2.0)] == [1, 3, 3, 5, 9]
    assert support_at(1.0, 7, 1.75) == 5  # just at a whole, even number of pixels


def refused(make, message: str, *arguments, **options) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make(*arguments, **options)


@pytest.mark.parametrize("make", [hermite_basis_a, hermite_basis_b])
def test_arguments_that_make_no_basis_are_named(make):
    for size in (0, -3, 4, 8):
        refused(make, f"kernel_size={size}: must be odd and positive", size, (1.0,), 1)
    for scales in ((), (0.0, 1.0), (-1.0,), (math.inf,), (1.0, math.nan)):
        message = f"scales={scales!r}: must be one or more finite positive numbers"
        refused(make, message, 9, scales, 1)
    for wrong in ((1.0, 1.0), (2.0, 1.0), (1.0, 2.0, 1.5)):
        refused(make, f"scales={wrong!r}: must grow from first to last", 9, wrong, 1)
    for size in (0, -1):
        refused(make, f"effective_size={size}: must be at least 1", 9, (1.0,), size)
    make(1, (0.5,), 1)


def test_options_of_kind_b_are_named():
    refused(hermite_basis_b, "max_order=-1: must be at least 0", 9, (1.0,), 2, max_order=-1)
    for mult in (1.0, 0.5, -2.0, math.inf, math.nan):
        message = f"mult={mult!r}: must be a finite number above 1"
        refused(hermite_basis_b, message, 9, (1.0,), 2, mult=mult)
    assert hermite_basis_b(9, (1.0,), 4).atoms[15].relative_width == pytest.approx(1 / 1.5)


def test_functions_that_vanish_on_their_support_are_refused():
    message = (
        "kernel_size=3 with scales=(1.0, 4.0): at the smallest scale the support is 1 pixels, on "
        "which HermiteFunction(row_order=1, column_order=0, relative_width=1.0) vanishes; use a "
        "larger kernel_size or a narrower range of scales"
    )
    refused(hermite_basis_a, message, 3, (1.0, 4.0), 2)


def test_a_basis_tells_what_it_is():
    assert repr(hermite_basis_a(5, (1.0, 2.0), 1)) == (
        "SteerableBasis(num_functions=1, scales=(1.0, 2.0), supports=(3, 5))"
    )


# --- Convolutions ---------------------------------------------------------------------------------

BUILDS = {
    "lifting": lambda **options: LiftingConv2d(2, 3, BASIS, **options),
    "scale_1": lambda **options: ScaleConv2d(2, 3, BASIS, **options),
    "scale_2": lambda **options: ScaleConv2d(2, 3, BASIS, 2, **options),
    "scale_3": lambda **options: ScaleConv2d(2, 3, BASIS, 3, **options),
}


def image_for(name: str, side: int = 13, batch: int = 2) -> torch.Tensor:
    shape = (batch, 2, side, side - 1) if name == "lifting" else (batch, 2, 3, side, side - 1)
    return noise(*shape)


@pytest.mark.parametrize("name", BUILDS)
@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 4), (3, 1), (1, 7)])
def test_answers_are_those_of_padded_filters(name, stride, padding):
    layer = randomised(BUILDS[name](stride=stride, padding=padding))
    x = image_for(name)
    wanted = expected(layer, x)
    assert agree(layer(x), wanted)
    with torch.no_grad():
        assert agree(layer(x), wanted)
        assert agree(layer.projected(x), wanted.amax(2))
    assert agree(layer.projected(x), wanted.amax(2))
    target = describe(layer)
    check_response(target, random_probe(target, 0)).require()


@pytest.mark.parametrize("name", BUILDS)
def test_without_a_bias_nothing_is_added(name):
    layer = randomised(BUILDS[name](bias=False, padding=4))
    x = image_for(name)
    assert layer.bias is None
    assert "bias" not in layer.state_dict()
    assert agree(layer(x), expected(layer, x))
    assert agree(layer.projected(x), expected(layer, x).amax(2))
    assert not layer(torch.zeros_like(x)).any()


@pytest.mark.parametrize("name", BUILDS)
@pytest.mark.parametrize("side", [5, 21])
def test_gradients_are_those_of_the_documented_answers(name, side):
    """⟨∇, h⟩ along any h is the answer to h, since answers are linear in image and weights."""
    layer = randomised(BUILDS[name](padding=4))
    bias = layer.bias.detach()[:, None, None, None]
    x = image_for(name, side).requires_grad_()
    y = layer(x)
    seen = noise(*y.shape, seed=2)
    by_image, by_weight, by_bias = torch.autograd.grad(
        (y * seen).sum(), [x, layer.weight, layer.bias]
    )
    along = noise(*x.shape, seed=3)
    assert agree_as_sums(by_image * along, seen * (expected(layer, along) - bias))
    assert agree(by_bias, seen.sum((0, 2, 3, 4)))
    step = noise(*layer.weight.shape, seed=4)
    with torch.no_grad():
        layer.weight.copy_(step)
    wanted = expected(layer, x.detach()) - bias
    assert agree_as_sums(by_weight * step, seen * wanted)


def agree_as_sums(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Two sums of many terms, the rounding of each of which is of the size of the largest."""
    size = float(a.abs().sum() + b.abs().sum())
    return bool(abs(float(a.sum() - b.sum())) <= size * rounding_error(a.dtype) ** 0.5)


@pytest.mark.parametrize("name", BUILDS)
def test_answers_follow_the_weights(name):
    check_follows_weights(randomised(BUILDS[name](padding=4)), image_for(name, 5), name).require()


def test_shapes_of_parameters_and_options():
    layer = LiftingConv2d(2, 3, BASIS)
    assert (layer.stride, layer.padding, layer.weight.shape) == (1, 0, (3, 2, 9))
    assert layer.bias is not None
    assert (layer.in_channels, layer.out_channels, layer.bias.shape) == (2, 3, (3,))
    conv = ScaleConv2d(2, 3, BASIS)
    assert (conv.stride, conv.padding, conv.scale_extent) == (1, 0, 1)
    assert conv.weight.shape == (3, 2, 1, 9)
    assert ScaleConv2d(2, 3, BASIS, 3).weight.shape == (3, 2, 3, 9)
    assert list(conv.state_dict()) == ["weight", "bias"]
    assert conv.functions.dtype == torch.float32
    assert "functions" in dict(conv.named_buffers())
    mix = ScaleConv1x1(2, 3)
    assert mix.bias is not None
    assert (mix.stride, mix.weight.shape, mix.bias.shape) == (1, (3, 2), (3,))
    assert (mix.in_channels, mix.out_channels) == (2, 3)
    assert ScaleConv1x1(2, 3, bias=False).bias is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LiftingConv2d(2, 0, BASIS), "out_channels=0: must be at least 1"),
        (lambda: LiftingConv2d(0, 2, BASIS), "in_channels=0: must be at least 1"),
        (lambda: LiftingConv2d(1, 1, BASIS, stride=0), "stride=0: must be at least 1"),
        (lambda: LiftingConv2d(1, 1, BASIS, padding=-1), "padding=-1: must be 0 or more pixels"),
        (lambda: ScaleConv2d(2, 0, BASIS), "out_channels=0: must be at least 1"),
        (
            lambda: ScaleConv2d(1, 1, BASIS, 0),
            "scale_extent=0: must be between 1 and the number of scales, 3",
        ),
        (
            lambda: ScaleConv2d(1, 1, BASIS, 4),
            "scale_extent=4: must be between 1 and the number of scales, 3",
        ),
        (lambda: ScaleConv1x1(0, 1), "in_channels=0: must be at least 1"),
        (lambda: ScaleConv1x1(1, 0), "out_channels=0: must be at least 1"),
        (lambda: ScaleConv1x1(1, 1, 0), "stride=0: must be at least 1"),
    ],
)
def test_options_out_of_range_are_named(make, message):
    refused(make, message)


@pytest.mark.parametrize(
    ("layer", "shape", "allowed"),
    [
        (LiftingConv2d(2, 1, BASIS), (1, 3, 9, 9), "must be [B, C_in=2, H, W]"),
        (LiftingConv2d(2, 1, BASIS), (2, 9, 9), "must be [B, C_in=2, H, W]"),
        (ScaleConv2d(2, 1, BASIS), (1, 2, 9, 9), "must be [B, C_in=2, S=3, H, W]"),
        (ScaleConv2d(2, 1, BASIS), (1, 2, 4, 9, 9), "must be [B, C_in=2, S=3, H, W]"),
        (ScaleConv2d(2, 1, BASIS), (1, 3, 3, 9, 9), "must be [B, C_in=2, S=3, H, W]"),
        (ScaleConv1x1(2, 1), (1, 2, 9, 9), "must be [B, C_in=2, S, H, W]"),
        (ScaleConv1x1(2, 1), (1, 3, 2, 9, 9), "must be [B, C_in=2, S, H, W]"),
        (ScaleMaxProjection(), (1, 2, 9, 9), "must be [B, C, S, H, W]"),
        (
            LiftingConv2d(2, 1, BASIS, padding=2),
            (1, 2, 4, 9),
            "height and width must be at least 5 for kernel_size=9 and padding=2",
        ),
        (
            ScaleConv2d(2, 1, BASIS, padding=1),
            (1, 2, 3, 9, 6),
            "height and width must be at least 7 for kernel_size=9 and padding=1",
        ),
    ],
)
def test_inputs_of_another_shape_are_named(layer, shape, allowed):
    refused(layer, f"x of shape {shape}: {allowed}", torch.zeros(shape))


def test_the_smallest_image_is_answered():
    assert LiftingConv2d(2, 1, BASIS, padding=2)(torch.zeros(1, 2, 5, 5)).shape == (1, 1, 3, 1, 1)


@pytest.mark.parametrize(
    ("layer", "fan_in"),
    [
        (LiftingConv2d(8, 40, BASIS), 72),
        (ScaleConv2d(8, 40, BASIS, 2), 144),
        (ScaleConv1x1(50, 60), 50),
    ],
)
def test_initial_weights_are_uniform_to_one_over_the_root_of_the_fan(layer, fan_in):
    bound = 1 / math.sqrt(fan_in)
    for _ in range(2):
        largest = float(layer.weight.detach().abs().max())
        assert 0.99 * bound < largest <= bound
        assert float(layer.weight.detach().std()) == pytest.approx(bound / math.sqrt(3), rel=0.1)
        assert not layer.bias.any()
        with torch.no_grad():
            layer.weight.fill_(7.0)
            layer.bias.fill_(7.0)
        layer.reset_parameters()


def test_a_float64_layer_uses_the_float64_basis():
    layer = LiftingConv2d(2, 3, BASIS).half().double()
    assert torch.equal(layer.functions, BASIS.functions)
    assert torch.equal(layer.float().functions, BASIS.functions.float())
    assert layer.double() is layer


def test_answers_follow_the_precision():
    layer = randomised(LiftingConv2d(2, 3, BASIS, padding=4))
    x = image_for("lifting")
    with torch.no_grad():
        before = layer(x)
        layer.float()(x.float())
        assert agree(layer.double()(x), expected(layer, x))
    assert before.dtype == torch.float64


def test_mixing_is_a_matrix_at_each_place():
    layer = randomised(ScaleConv1x1(2, 3, stride=2))
    x = noise(2, 2, 3, 5, 4)
    wanted = torch.einsum("oc,bcshw->boshw", layer.weight, x[..., ::2, ::2])
    assert agree(layer(x), wanted + layer.bias[:, None, None, None])


def test_printed_layers_name_their_options():
    told = "scales=(1.0, 1.5, 2.3), supports=(3, 5, 9), stride=2, padding=1, bias=False"
    assert repr(LiftingConv2d(2, 3, BASIS, 2, 1, False)) == f"LiftingConv2d(2, 3, {told})"
    assert repr(ScaleConv1x1(2, 3, 2)) == "ScaleConv1x1(2, 3, stride=2, bias=True)"


# --- Projection -----------------------------------------------------------------------------------


def test_projection_is_the_maximum_over_scales():
    check_max_projection(ScaleMaxProjection(), noise(2, 3, 3, 4, 5), "projection").require()
    layer = randomised(LiftingConv2d(2, 3, BASIS, padding=4))
    assert torch.equal(
        ProjectedConv2d(layer)(image_for("lifting")), layer.projected(image_for("lifting"))
    )


def test_where_scales_tie_the_smallest_has_the_gradient():
    """A basis of one scale's functions, three times: all scales answer alike."""
    functions = BASIS.functions[:, 1:2].expand(-1, 3, -1, -1).clone()
    basis = copy.copy(BASIS)
    object.__setattr__(basis, "functions", functions)
    object.__setattr__(basis, "supports", (9, 9, 9))
    layer = randomised(ScaleConv2d(2, 3, basis, padding=4))
    x = image_for("scale_1")
    x = x[:, :, :1].expand(-1, -1, 3, -1, -1).clone().requires_grad_()
    layer.projected(x).sum().backward()
    assert x.grad is not None
    assert x.grad[:, :, 0].any()
    assert not x.grad[:, :, 1:].any()


def test_a_nan_at_any_scale_is_not_hidden():
    layer = randomised(ScaleConv2d(2, 3, BASIS, padding=4))
    for scale in range(3):
        x = image_for("scale_1")
        x[:, :, scale] = math.nan
        assert layer.projected(x).isnan().all()


# --- What is kept between calls -------------------------------------------------------------------


@pytest.fixture
def made(monkeypatch) -> list[tuple[object, ...]]:
    """Every plan that is made from here on, by its way and sizes."""
    plans: list[tuple[object, ...]] = []

    def counted(way, functions, supports, geometry):
        plans.append((way, geometry.height, geometry.width))
        return correlation(way, functions, supports, geometry)

    monkeypatch.setattr("sesn_impl.conv.correlation", counted)
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


def test_plans_made_under_inference_mode_serve_training():
    for name, build in BUILDS.items():
        for side in (5, 24):
            layer = randomised(build(padding=4))
            x = image_for(name, side)
            with torch.inference_mode():
                layer(x)
            layer(x).sum().backward()
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

    monkeypatch.setattr("sesn_impl.conv.correlation", watched)
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
