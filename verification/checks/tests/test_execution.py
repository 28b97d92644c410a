"""The same numbers however a layer is run: batch, memory, precision, compiled, exported."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from sesn_impl import (
    LiftingConv2d,
    ScaleConv1x1,
    ScaleConv2d,
    ScaleMaxProjection,
    create_model,
    hermite_basis_a,
    hermite_basis_b,
    list_models,
)
from sesn_impl.layers import ProjectedConv2d
from verification.checks import (
    check_batch_independence,
    check_compiled,
    check_exported,
    check_gradcheck,
    check_memory_format,
    check_response,
)
from verification.layer.probe import random_probe
from verification.layer.targets import describe
from verification.reference.bases import BasisArguments
from verification.tests.layers import build_basis, build_lifting, build_scale_conv
from verification.tests.tools.profiles import active, cases, deep_only
from verification.tests.tools.strategies import cut_off_bases, seeds

BASIS = hermite_basis_b(9, (1.0, 1.5, 2.2), 4)
DTYPES = st.sampled_from([torch.float64, torch.float32])
EXTENTS = st.integers(0, 3)
STRIDES = st.integers(1, 2)
BATCHES = st.integers(2, 2 + active().largest_count)
SIDES = st.integers(1, active().largest_side)
SESN = list_models("sesn_*")

Modules = dict[str, Callable[[], nn.Module]]
LAYERS: Modules = {
    "lifting": lambda: LiftingConv2d(2, 3, BASIS, padding=4),
    "scale_1": lambda: ScaleConv2d(2, 3, BASIS, padding=4),
    "scale_2": lambda: ScaleConv2d(2, 3, BASIS, 2, padding=4, stride=2),
    "scale_3": lambda: ScaleConv2d(2, 3, BASIS, 3, padding=4),
    "projected_lifting": lambda: ProjectedConv2d(LiftingConv2d(2, 3, BASIS, padding=4)),
    "projected_scale": lambda: ProjectedConv2d(ScaleConv2d(2, 3, BASIS, padding=4)),
    "mix": lambda: ScaleConv1x1(2, 3, stride=2),
    "projection": ScaleMaxProjection,
    "batch_norm_eval": lambda: nn.BatchNorm3d(2).eval(),
    "max_pool": lambda: nn.MaxPool3d((1, 2, 2)),
}
CONVOLUTIONS = [name for name in LAYERS if "lifting" in name or "scale" in name]
TRACED = [*CONVOLUTIONS, "mix"]


def noise(shape: tuple[int, ...], seed: int, dtype: torch.dtype) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def input_for(name: str, batch: int, size: tuple[int, int], seed: int, dtype) -> torch.Tensor:
    scales = () if "lifting" in name else (BASIS.num_scales,)
    return noise((batch, 2, *scales, 3 + size[0], 3 + size[1]), seed, dtype)


@pytest.mark.parametrize("name", LAYERS)
@given(batch=BATCHES, sides=st.tuples(SIDES, SIDES), seed=seeds(), dtype=DTYPES)
@cases(0.5)
def test_images_of_a_batch_do_not_see_each_other(name, batch, sides, seed, dtype):
    torch.manual_seed(seed % 2**31)
    x = input_for(name, batch, sides, seed, dtype)
    check_batch_independence(LAYERS[name]().to(dtype), x, name).require()


@pytest.mark.parametrize("name", LAYERS)
@given(batch=st.integers(1, 3), sides=st.tuples(SIDES, SIDES), seed=seeds(), dtype=DTYPES)
@cases(0.5)
def test_the_order_of_memory_does_not_matter(name, batch, sides, seed, dtype):
    torch.manual_seed(seed % 2**31)
    x = input_for(name, batch, sides, seed, dtype)
    check_memory_format(LAYERS[name]().to(dtype), x, name).require()


@given(cut_off_bases(), EXTENTS, STRIDES, seeds())
@cases(0.5)
def test_gradients_are_those_of_the_outputs(drawn, extent, stride, seed):
    """Of the input, the weight and the bias; sizes from one output pixel on."""
    layer = _layer(drawn, extent, stride, seed)
    scales = () if extent == 0 else (layer.basis.num_scales,)
    side = layer.basis.kernel_size + seed % 3
    x = noise((1, 2, *scales, side, side + 1), seed, torch.float64)
    check_gradcheck(layer, x, type(layer).__name__).require()


@given(st.integers(1, 3), st.integers(1, 3), STRIDES, st.booleans(), seeds())
def test_gradients_of_mixing_channels_are_those_of_the_outputs(inward, outward, stride, bias, seed):
    torch.manual_seed(seed % 2**31)
    layer = ScaleConv1x1(inward, outward, stride, bias).double()
    x = noise((2, inward, 3, 4, 5), seed, torch.float64)
    check_gradcheck(layer, x, "ScaleConv1x1").require()


@given(cut_off_bases(), EXTENTS, STRIDES, seeds(), st.sampled_from([torch.float32, torch.bfloat16]))
@cases(2)
def test_lower_precision_changes_rounding_alone(drawn, extent, stride, seed, dtype):
    layer = _layer(drawn, extent, stride, seed).to(dtype)
    # The documented filters have the coefficients that the layer holds, rounded.
    target = describe(layer)
    check_response(target, random_probe(target, seed)).require()


def _layer(
    drawn: BasisArguments, extent: int, stride: int, seed: int
) -> LiftingConv2d | ScaleConv2d:
    basis = build_basis(drawn)
    if extent == 0:
        return build_lifting(basis, seed, stride=stride)
    return build_scale_conv(basis, seed, min(extent, basis.num_scales), stride=stride)


@pytest.mark.parametrize("name", TRACED)
def test_compiled_layers_give_the_same_numbers(name):
    x = input_for(name, 2, (8, 6), 0, torch.float32)
    check_compiled(LAYERS[name](), x, name, "aot_eager").require()


@pytest.mark.parametrize("name", TRACED)
def test_exported_layers_give_the_same_numbers(name):
    x = input_for(name, 2, (8, 6), 0, torch.float32)
    check_exported(LAYERS[name](), x, name).require()


# --- Whole networks -------------------------------------------------------------------------------


def network(name: str, dtype: torch.dtype = torch.float64) -> nn.Module:
    """In eval mode, with the statistics of some images, as after training."""
    model = create_model(name, dropout=0.0).to(dtype)
    with torch.no_grad():
        for seed in range(3):
            model(noise((8, 1, 28, 28), seed, dtype))
    return model.eval()


@pytest.mark.parametrize("name", SESN)
def test_networks_take_each_image_by_itself_in_any_order_of_memory(name):
    model, x = network(name), noise((3, 1, 28, 28), 0, torch.float64)
    check_batch_independence(model, x, name).require()
    check_memory_format(model, x, name).require()


@pytest.mark.parametrize("name", ["sesn_scalar_28", "sesn_vector_28"])
def test_compiled_and_exported_networks_give_the_same_numbers(name):
    model, x = network(name), noise((2, 1, 28, 28), 0, torch.float64)
    check_exported(model, x, name).require()
    check_compiled(model, x, name, "aot_eager").require()


@deep_only
@pytest.mark.parametrize("name", [*TRACED, *SESN])
def test_machine_code_gives_the_same_numbers(name):
    """Compiled by inductor: 20 s for a layer, 2 minutes for a network."""
    if name in SESN:
        check_compiled(network(name), noise((2, 1, 28, 28), 0, torch.float64), name).require()
    else:
        check_compiled(LAYERS[name](), input_for(name, 2, (8, 6), 0, torch.float32), name).require()


# --- Negative controls ----------------------------------------------------------------------------


def test_batch_statistics_are_rejected():
    x = noise((4, 2, 3, 5, 5), 0, torch.float64)
    reason = "normalised by the batch"
    norm = nn.BatchNorm3d(2).double()
    check_batch_independence(norm, x, "batch_norm_train").require_failure(reason)
    check_batch_independence(lambda x: x - x.mean(0), x, "centred").require_failure(reason)
    check_batch_independence(lambda x: x * _position(x), x, "by place").require_failure(reason)
    with pytest.raises(ValueError, match=r"x of shape \(1, 2\): must be a batch of 2 images"):
        check_batch_independence(norm, torch.zeros(1, 2), "one")


def _position(x: torch.Tensor) -> torch.Tensor:
    return torch.arange(1.0, 1 + len(x), dtype=x.dtype)[:, None, None, None, None]


def test_reading_in_the_order_of_memory_is_rejected():
    def raw(x: torch.Tensor) -> torch.Tensor:
        return x.as_strided(x.shape, torch.empty(x.shape).stride())

    for shape in ((2, 3, 4, 5), (2, 3, 2, 4, 5)):
        result = check_memory_format(raw, noise(shape, 0, torch.float64), "raw")
        result.require_failure("values read in the order of memory")


def test_a_graph_that_is_another_function_is_rejected():
    class Branch(nn.Conv2d):
        """Takes another way when it is traced, as layers do, and a wrong one."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = super().forward(x)
            return y * 1.001 if torch.compiler.is_compiling() else y

    x, reason = noise((2, 2, 6, 6), 0, torch.float32), "another function when it is traced"
    check_compiled(Branch(2, 2, 3), x, "branch", "eager").require_failure(reason)
    check_exported(Branch(2, 2, 3), x, "branch").require_failure(reason)


def test_a_wrong_backward_pass_is_rejected():
    class Halved(torch.autograd.Function):
        @staticmethod
        def forward(ctx, y):
            return y.clone()

        @staticmethod
        def backward(ctx, gradient):
            return gradient * (1 + 1e-6)

    class Wrong(ScaleConv1x1):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y: torch.Tensor = Halved.apply(super().forward(x))
            return y

    x = noise((2, 2, 3, 4, 5), 0, torch.float64)
    check_gradcheck(Wrong(2, 3).double(), x, "wrong").require_failure("another backward pass")
    with pytest.raises(ValueError, match=r"x of dtype torch.float32: must be torch.float64"):
        check_gradcheck(Wrong(2, 3), x.float(), "wrong")


def test_a_basis_of_another_precision_is_rejected():
    """A float64 layer on a float32 basis, a float32 layer on a bfloat16 basis."""
    basis = hermite_basis_a(15, (1.7, 2.4), 3)
    for dtype, rounded in ((torch.float64, torch.float32), (torch.float32, torch.bfloat16)):
        layer = build_lifting(basis, 0, dtype)
        layer.functions = layer.functions.to(rounded).to(dtype)
        target = describe(layer)
        result = check_response(target, random_probe(target, 0))
        result.require_failure("a basis rounded to fewer digits than the layer has")
