"""What SEVF promises: under a change of scale magnitudes stay and angles turn by one step.

Exact on affine images, which bilinear resizing reproduces; within stated limits on smooth ones.
"""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from torch import Tensor, nn

from sesn_impl.baselines import (
    VectorBatchNorm2d,
    VectorConv2d,
    VectorLiftingConv2d,
    VectorMaxPool2d,
)
from verification.tests.baseline_inputs import (
    EXACT,
    centre,
    noise,
    relative_error,
    smooth_image,
    step_error,
)
from verification.tests.tools.strategies import seeds

DELTA = (2 * math.pi / 3) / 5
"""SEVF's angle for one of the six steps used here."""
STEPS = range(-2, 4)
SMALL, LARGE = 31, 39
"""Sizes whose resizings coincide: 31·1.26^(k+1) and 39·1.26^k round to the same pixels."""


def affine_image(size: int, slope: Tensor) -> Tensor:
    """The same affine function of [−½, ½]² at any size: [1, C, size, size]."""
    t = (torch.arange(size, dtype=torch.float64) + 0.5) / size - 0.5
    rows, columns = torch.meshgrid(t, t, indexing="ij")
    return (1 + slope[:, :1, None] * rows + slope[:, 1:, None] * columns)[None]


@given(seed=seeds())
def test_sevf_responses_move_by_one_step(seed: int) -> None:
    """Exact for affine images, which bilinear resizing reproduces."""
    torch.manual_seed(seed)
    layer = VectorLiftingConv2d(3, 8, 7, padding=3, steps=STEPS).double()
    slope = noise(3, 2, seed=seed)
    small, large = (
        centre(layer.responses(affine_image(n, slope))) for n in (SMALL, LARGE)
    )  # fmt: skip
    assert step_error(small, large, step=-1) <= EXACT
    assert step_error(small, large, step=1) > 1e-3  # the wrong way


def test_sevf_keeps_magnitudes_and_turns_angles() -> None:
    """Smooth images, wherever the winner is clear and not at an end of the scale axis."""
    layer = VectorLiftingConv2d(3, 256, 7, padding=3, steps=STEPS).double()
    vectors = []
    for image in map(smooth_image, range(6)):
        pair = image.sample(SMALL)[None], image.rescaled(LARGE / SMALL).sample(LARGE)[None]
        before, after = (centre(layer.responses(x))[0] for x in pair)  # [C, S]
        assert step_error(before, after, step=-1) < 0.02
        assert step_error(before, after, step=-1) < 0.2 * step_error(before, after, step=1)
        fields = torch.stack([centre(layer(x))[0] for x in pair])  # [2, C, 2]
        vectors.append(fields[:, clear_winners(before, after)])
    u, v = torch.cat(vectors, dim=1)
    assert len(u) >= 30
    assert relative_error(v.norm(dim=1), u.norm(dim=1)) < 0.02
    angles = torch.atan2(v[:, 1], v[:, 0]) - torch.atan2(u[:, 1], u[:, 0])
    assert relative_error(angles, torch.full_like(angles, -DELTA)) <= EXACT


def clear_winners(before: Tensor, after: Tensor) -> Tensor:
    """Channels whose best response leads by more than the responses moved, [C, S] each -> [C]."""
    error = (after[:, :-1] - before[:, 1:]).abs().amax(dim=1)
    best, second = before.topk(2, dim=1).values.T
    inside = (before.argmax(dim=1) > 0) & (after.argmax(dim=1) < len(STEPS) - 1)
    clear: Tensor = inside & (best > 0) & (best - second > 2 * error)
    return clear


def turned_field(field: Tensor, angle: float) -> Tensor:
    """Every vector turned: [B, C, 2, H, W] -> the same."""
    u, v = field.unbind(dim=2)
    c, s = math.cos(angle), math.sin(angle)
    return torch.stack([c * u - s * v, s * u + c * v], dim=2)


def moved_field(seed: int, turn: int) -> tuple[Tensor, Tensor]:
    """Responses at the centre, [1, C, S], to a smooth field and to the enlarged, turned one."""
    torch.manual_seed(seed)
    layer = VectorConv2d(3, 16, 7, padding=3, steps=STEPS, turn=turn).double()
    images = smooth_image(seed), smooth_image(seed + 1000)
    factor = LARGE / SMALL
    small = torch.stack([f.sample(SMALL) for f in images], dim=1)[None]
    large = torch.stack([f.rescaled(factor).sample(LARGE) for f in images], dim=1)[None]
    enlarged = layer.responses(turned_field(large, -DELTA))
    return centre(layer.responses(small)), centre(enlarged)


@pytest.mark.parametrize("seed", range(4))
def test_sevf_reads_turned_fields_one_step_down(seed: int) -> None:
    assert step_error(*moved_field(seed, turn=1), step=-1) < 0.02


@pytest.mark.parametrize("seed", range(4))
def test_sevf_with_the_released_turn_does_not(seed: int) -> None:
    """Negative control, and a finding: both released codes turn filters the other way."""
    assert step_error(*moved_field(seed, turn=-1), step=-1) > 0.2


@pytest.mark.parametrize("layer", [VectorMaxPool2d(2), VectorBatchNorm2d(3)])
def test_sevf_pool_and_norm_commute_with_turning(layer: nn.Module) -> None:
    field = noise(4, 3, 2, 8, 8, seed=0)
    expected = turned_field(layer.double()(field), 1.0)
    assert relative_error(layer(turned_field(field, 1.0)), expected) <= EXACT


def test_componentwise_pool_and_norm_do_not() -> None:
    """Negative control: the ordinary layers, on u and v as if they were channels."""
    field = noise(4, 3, 2, 8, 8, seed=0) * torch.tensor([1.0, 3.0])[:, None, None]
    for layer in (nn.MaxPool2d(2), nn.BatchNorm2d(6).double()):
        pooled, again = (
            layer(f.flatten(1, 2)).unflatten(1, (3, 2)) for f in (field, turned_field(field, 1.0))
        )
        assert relative_error(again, turned_field(pooled, 1.0)) > 0.05
