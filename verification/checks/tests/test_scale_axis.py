"""Modules between convolutions: they commute with shifts of the scale axis, or they are broken."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from sesn_impl import ScaleConv1x1, ScaleMaxProjection
from verification.checks import check_commutes_with_scale_shift, check_max_projection
from verification.tests.tools.profiles import active, cases
from verification.tests.tools.strategies import seeds

SIZES = active()
SIDES = st.integers(4, SIZES.largest_side)
SHAPES = st.tuples(
    st.integers(2, SIZES.largest_count),
    st.integers(2, SIZES.largest_count + 1),
    st.integers(2, SIZES.largest_count + 2),
    SIDES,
    SIDES,
)
MODULES = (
    "relu", "batch_norm_train", "batch_norm_eval", "max_pool", "average_pool", "dropout_eval",
    "up_sampling", "conv_1x1", "conv_1x1_stride_2",
)  # fmt: skip


def random_tensor(shape: tuple[int, ...], seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def build(name: str, channels: int) -> nn.Module:
    modules = {
        "relu": nn.ReLU(),
        "batch_norm_train": nn.BatchNorm3d(channels),
        "batch_norm_eval": used_batch_norm(channels),
        "max_pool": nn.MaxPool3d((1, 2, 2)),
        "average_pool": nn.AvgPool3d((1, 2, 2)),
        "dropout_eval": nn.Dropout(0.5).eval(),
        "up_sampling": nn.Upsample(scale_factor=(1, 2, 2), mode="nearest"),
        "conv_1x1": ScaleConv1x1(channels, 3),
        "conv_1x1_stride_2": ScaleConv1x1(channels, 3, stride=2),
    }
    return modules[name].double()


def used_batch_norm(channels: int) -> nn.Module:
    """In eval mode, with the statistics and gains of some training, which the identity has not."""
    norm = nn.BatchNorm3d(channels)
    for tensor in (norm.running_var, norm.weight):
        assert tensor is not None
        nn.init.uniform_(tensor, 0.5, 2.0)
    for tensor in (norm.running_mean, norm.bias):
        assert tensor is not None
        nn.init.normal_(tensor)
    return norm.eval()


@pytest.mark.parametrize("name", MODULES)
@given(shape=SHAPES, seed=seeds())
@cases(2)
def test_modules_commute_with_scale_shifts(name, shape, seed):
    torch.manual_seed(seed % 2**31)
    x = random_tensor(shape, seed)
    check_commutes_with_scale_shift(build(name, shape[1]), x, name).require()


@given(shape=SHAPES, seed=seeds())
@cases(2)
def test_projection_is_the_maximum_over_scales(shape, seed):
    x = random_tensor(shape, seed)
    check_max_projection(ScaleMaxProjection(), x, "ScaleMaxProjection").require()


class _NormPerScale(nn.Module):
    """The mistake of folding scales into channels before normalising, with learned gains."""

    def __init__(self, channels: int, scales: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels * scales).double()
        nn.init.uniform_(self.norm.weight, 0.5, 1.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        normalised: torch.Tensor = self.norm(x.flatten(1, 2))
        return normalised.view(x.shape)


@pytest.mark.parametrize(
    "broken",
    [
        _NormPerScale(3, 4),
        nn.MaxPool3d((2, 1, 1), stride=1),
        lambda x: x * torch.linspace(0.9, 1.1, 4, dtype=x.dtype)[:, None, None],
        lambda x: x.cumsum(dim=2),
    ],
    ids=["norm_per_scale", "pool_over_scales", "gain_per_scale", "leak_along_scales"],
)
def test_modules_that_tell_scales_apart_are_rejected(broken):
    x = random_tensor((2, 3, 4, 6, 6), 0)
    if isinstance(broken, nn.MaxPool3d):
        # One scale less comes out: padded back, as such a network would.
        module = lambda x: nn.functional.pad(broken(x), (0, 0, 0, 0, 0, 1))  # noqa: E731
    else:
        module = broken
    result = check_commutes_with_scale_shift(module, x, "broken")
    result.require_failure("the module tells scales apart")


@pytest.mark.parametrize(
    "broken",
    [lambda x: x.mean(2), lambda x: x.amin(2), lambda x: x[:, :, 0], lambda x: x.abs().amax(2)],
    ids=["mean", "minimum", "first_scale", "magnitude"],
)
def test_other_projections_are_rejected(broken):
    result = check_max_projection(broken, random_tensor((2, 3, 4, 6, 6), 0), "broken")
    result.require_failure("another projection than the maximum over scales")


def test_projection_over_another_axis_is_named():
    with pytest.raises(ValueError, match=r"output of wrong of shape \(2, 4, 6, 6\): must be"):
        check_max_projection(lambda x: x.amax(1), random_tensor((2, 3, 4, 6, 6), 0), "wrong")


def test_missing_scale_axis_is_named():
    with pytest.raises(ValueError, match=r"x of shape \(2, 3, 6, 6\): must be \[B, C, S, H, W\]"):
        check_commutes_with_scale_shift(nn.ReLU(), random_tensor((2, 3, 6, 6), 0), "relu")
