"""Padding, strides, pooling and up-sampling: what the border touches, to the pixel."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from sesn_impl import LiftingConv2d, ScaleConv1x1, ScaleConv2d, hermite_basis_a
from verification.checks import check_border, check_padding
from verification.layer.receptive_field import (
    Enlargement,
    Stages,
    Window,
    moved,
    outputs,
    seen,
    smallest_window,
    stages_of,
    steerable_window,
    untouched,
)
from verification.reference.errors import equivariance_error
from verification.tests.layers import build_basis, build_lifting, build_scale_conv
from verification.tests.tools.profiles import active, cases
from verification.tests.tools.strategies import cut_off_bases, seeds
from verification.tolerances import tolerance

STAGES = st.one_of(
    st.builds(Window, st.integers(1, 7), st.integers(1, 3), st.integers(0, 4)),
    st.builds(Enlargement, st.integers(1, 3)),
)
STACKS = st.lists(STAGES, min_size=1, max_size=4).map(tuple)


def noise(shape: tuple[int, ...], seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def framed(
    stages: Stages, size: int, leading: tuple[int, ...], seed: int
) -> tuple[torch.Tensor, tuple[slice, slice]]:
    """An image with a crop of `size` pixels, as far inside as the stages may look."""
    first, last = seen(stages, 0)
    step = 1
    while True:
        try:
            moved(stages, step)
            break
        except ValueError:
            step += 1
    reach = max(-first, last + 1, 1) + size
    margin = -(-reach // step) * step
    chosen = slice(margin, margin + size)
    side = margin + size + reach
    return noise((*leading, side, side), seed), (chosen, chosen)


@given(cut_off_bases(), st.integers(0, 3), st.integers(1, 3), st.integers(0, 9), seeds())
def test_the_border_of_each_scale_is_that_of_its_support(drawn, extent, stride, padding, seed):
    basis = build_basis(drawn)
    padding = min(padding, basis.kernel_size // 2)
    layer: LiftingConv2d | ScaleConv2d
    if extent == 0:
        layer = build_lifting(basis, seed, padding=padding, stride=stride)
    else:
        extent = min(extent, basis.num_scales)
        layer = build_scale_conv(basis, seed, extent, padding=padding, stride=stride)
    stages = [(steerable_window(layer, scale),) for scale in range(basis.num_scales)]
    leading = (1, 2) if extent == 0 else (1, 2, basis.num_scales)
    image, crop = framed(stages_of(layer), basis.kernel_size + seed % 9, leading, seed)
    check_border(layer, image, crop, stages, type(layer).__name__).require()


MODULES: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "batch_norm_eval": lambda: nn.BatchNorm2d(2).eval(),
    "dropout_eval": lambda: nn.Dropout(0.5).eval(),
    "max_pool": lambda: nn.MaxPool2d(2),
    "padded_max_pool": lambda: nn.MaxPool2d(4, padding=2),
    "average_pool": lambda: nn.AvgPool2d(3, stride=2, padding=1),
    "up_sampling": lambda: nn.Upsample(scale_factor=2, mode="nearest"),
    "convolution": lambda: nn.Conv2d(2, 3, 5, stride=2, padding=1),
    "stack": lambda: nn.Sequential(
        nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(2, 2, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2), nn.BatchNorm2d(2).eval(), nn.Conv2d(2, 2, 3, padding=1), nn.MaxPool2d(2),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
@given(size=st.integers(8, 8 + active().largest_side), seed=seeds())
def test_what_lies_inside_the_receptive_field_does_not_see_the_border(name, size, seed):
    torch.manual_seed(seed % 2**31)
    module = MODULES[name]().double()
    stages = stages_of(module)
    image, crop = framed(stages, size, (1, 2), seed)
    check_border(module, image, crop, [stages], name, every=False).require()


@given(size=st.integers(5, 5 + active().largest_side), stride=st.integers(1, 3), seed=seeds())
def test_mixing_channels_has_no_border(size, stride, seed):
    torch.manual_seed(seed % 2**31)
    layer = ScaleConv1x1(2, 3, stride=stride).double()
    stages = (Window(1, stride),)
    image, crop = framed(stages, size, (1, 2, 3), seed)
    check_border(layer, image, crop, [stages], "ScaleConv1x1").require()


@given(cut_off_bases(), seeds())
@cases(0.25)
def test_interior_does_not_depend_on_padding(drawn, seed):
    """The same weights with less padding give the same numbers, fewer of them."""
    basis = build_basis(drawn)
    full = build_lifting(basis, seed, padding=basis.kernel_size // 2)
    none = build_lifting(basis, seed)
    x = noise((1, 2, basis.kernel_size + 4, basis.kernel_size + 6), seed)
    margin = basis.kernel_size // 2
    with torch.no_grad():
        inside = full(x)[..., margin:-margin, margin:-margin]
        error = equivariance_error(inside, none(x))
    assert error <= tolerance("integer_translation", torch.float64)


# --- Negative controls ----------------------------------------------------------------------------

LAYER = LiftingConv2d(1, 2, hermite_basis_a(7, (1.0, 1.5), 3), padding=3).double()


def mirrored(x: torch.Tensor) -> torch.Tensor:
    """Mirrors the image at its border: another padding, the same receptive field."""
    y: torch.Tensor = LAYER(F.pad(x, [3] * 4, mode="reflect"))
    return y[..., 3:-3, 3:-3]


BROKEN = {
    "circular": lambda x: LAYER(F.pad(x, [7] * 4, mode="circular"))[..., 7:-7, 7:-7].roll(4, -1),
    "sees_the_mean": lambda x: LAYER(x) - x.mean(),
    "knows_its_position": lambda x: LAYER(x) * torch.linspace(0.9, 1.1, x.shape[-1]).double(),
    "shifted": lambda x: LAYER(x.roll(1, -1)),
}


@pytest.mark.parametrize("name", BROKEN)
def test_layers_that_look_elsewhere_are_rejected(name):
    image, crop = framed(stages_of(LAYER), 15, (1, 1), 0)
    result = check_border(BROKEN[name], image, crop, [stages_of(LAYER)], name, every=False)
    result.require_failure("an output depends on more than its receptive field, or on its position")


@pytest.mark.parametrize("size", [5, 9])
def test_another_receptive_field_is_rejected(size):
    """One pixel too few on each side, and one too many."""
    image, crop = framed(stages_of(LAYER), 15, (1, 1), 0)
    claimed = [(Window(size, padding=size // 2),)]
    result = check_border(lambda x: LAYER(x)[:, :, 1:], image, crop, claimed, "claimed")
    result.require_failure("another receptive field than claimed")


def test_the_kind_of_padding_does_not_matter_inside():
    image, crop = framed(stages_of(LAYER), 15, (1, 1), 0)
    check_border(mirrored, image, crop, [stages_of(LAYER)], "mirrored", every=False).require()


def padded_by(mode: str, *scales: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """The layer, with another padding at some scales; "constant" for one of ones."""

    def layer(x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = LAYER(x).clone()
        value = 1.0 if mode == "constant" else None
        framed = LAYER(F.pad(x, [7] * 4, mode=mode, value=value))[..., 7:-7, 7:-7]
        for scale in scales:
            y[:, :, scale] = framed[:, :, scale]
        return y

    return layer


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_one_padding_for_all_scales_passes_and_another_at_one_is_named(mode):
    image = noise((2, 1, 12, 12), 0)
    check_padding(LAYER, image, 3, 1, "zeros").require()
    check_padding(padded_by(mode, 0, 1), image, 3, 1, mode).require()
    for scale in (0, 1):
        result = check_padding(padded_by(mode, scale), image, 3, 1, mode)
        result.require_failure("one scale is padded otherwise")
        assert f"scale {scale} is padded by {mode}, the others by zeros" in result.finding


def test_a_padding_that_is_not_known_accuses_nobody():
    """Ones beyond the border of one scale, zeros at the other: told, not judged."""
    image = noise((2, 1, 12, 12), 0)
    result = check_padding(padded_by("constant", 1), image, 3, 1, "ones")
    result.require()
    assert "not known of scales 1" in result.finding
    with pytest.raises(ValueError, match="margin=3: must be a multiple of the stride, 2"):
        check_padding(LAYER, image, 3, 2, "stride")


def test_an_image_that_ends_with_the_crop_is_named():
    crop = (slice(0, 9), slice(0, 9))
    with pytest.raises(ValueError, match=r"crop=.*must reach farther beyond it"):
        check_border(LAYER, noise((1, 1, 20, 20), 0), crop, [stages_of(LAYER)], "lifting")


# --- Receptive fields -----------------------------------------------------------------------------


def module_for(stages: Stages) -> nn.Module:
    """The stages as a network that adds up what it reads."""
    layers: list[nn.Module] = []
    for stage in stages:
        if isinstance(stage, Enlargement):
            layers.append(nn.Upsample(scale_factor=stage.factor, mode="nearest"))
        else:
            assert isinstance(stage, Window)
            conv = nn.Conv2d(1, 1, (1, stage.size), (1, stage.stride), (0, stage.padding))
            nn.init.ones_(conv.weight)
            layers.append(conv)
    return nn.Sequential(*layers).double()


@given(STACKS, st.integers(12, 24))
def test_receptive_fields_are_where_gradients_are(stages, size):
    count = outputs(stages, size)
    if count < 1 or any(outputs(stages[:i], size) < 1 for i in range(len(stages))):
        return
    x = torch.zeros(1, 1, 1, size, dtype=torch.float64, requires_grad=True)
    y = module_for(stages)(x)[0, 0, 0]
    assert len(y) == count
    for output in range(0, count, 3):
        (gradient,) = torch.autograd.grad(y[output], x, retain_graph=True)
        read = np.flatnonzero(gradient[0, 0, 0].numpy())
        first, last = seen(stages, output)
        # A stride beyond the next window leaves gaps inside, never pixels outside.
        assert all(first <= pixel <= last for pixel in read)
        if untouched(stages, size)[output]:
            assert (read.min(), read.max()) == (first, last)


@given(STACKS)
def test_smallest_windows_have_an_untouched_centre(stages):
    centred = [size for size in range(1, 100) if has_untouched_centre(stages, size)]
    if centred:
        assert smallest_window(stages) == centred[0]


def has_untouched_centre(stages: Stages, size: int) -> bool:
    count = outputs(stages, size)
    if count % 2 == 0 or count < 1:
        return False
    return bool(untouched(stages, size)[count // 2]) and sum(seen(stages, count // 2)) == size - 1


def test_stacks_without_a_centre_are_named():
    """A shift to one side leaves no output in the middle, whatever the size."""
    with pytest.raises(ValueError, match=r"no image up to .* pixels has such a centre"):
        smallest_window((Window(1, 2), Enlargement(2)))


def test_the_published_trunk_by_hand():
    """Two pools of 2 and a window of 5 behind each: 5 + 1 + 2·4 + 2·1 …, every fourth pixel."""
    stages = (Window(5, padding=2), Window(2, 2), Window(5, padding=2), Window(2, 2))
    assert outputs(stages, 28) == 7
    assert seen(stages, 0) == (-6, 9)
    assert moved(stages, 8) == 2
    assert smallest_window(stages) == 20
    with pytest.raises(ValueError, match="shift=1: must be a multiple of the stride, 2"):
        moved(stages, 2)


def test_unknown_modules_are_named_and_can_be_described():
    class Strange(nn.Module):
        pass

    with pytest.raises(ValueError, match="module Strange: has no known receptive field"):
        stages_of(Strange())
    with pytest.raises(ValueError, match=r"size 1\.5: must be a whole number of pixels"):
        stages_of(nn.Upsample(scale_factor=1.5, mode="nearest"))
    assert stages_of(Strange(), {Strange: lambda _: (Window(3),)}) == (Window(3),)
