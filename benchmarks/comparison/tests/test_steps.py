"""Each method moves its responses on by one step, as well as its own words say and no better."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmarks.comparison.floor import SMALLEST_SCALE, HermiteFilters
from benchmarks.comparison.responses import first_response, seeded_model
from benchmarks.comparison.settings import METHODS
from benchmarks.comparison.steps import ScaleAxis, scale_axis, step_errors
from verification.reference.analytic import GaborImage

POINT = (0.3, -1.1)
STEPS = {
    "sicnn": [1.5, 1.489, 1.493, 1.49, 1.497, 1.493],
    "si_convnet": [1.493, 1.497, 1.49, 1.493, 1.489, 1.5],
    "sevf_scalar": [1.26] * 7,
    "sevf_vector": [1.26] * 7,
    "dss_scalar": [2],
    "dss_vector": [2],
    "ss_cnn": [7 / 5, 9 / 7, 11 / 9, 13 / 11],
    "sesn_scalar": [1.441, 1.445, 1.441],
    "sesn_vector": [1.733, 1.731],
}


def axis_of(method: str, seed: int = 0) -> ScaleAxis:
    axis = scale_axis(seeded_model(f"{method}_28", seed))
    assert axis is not None
    return axis


def test_every_method_but_the_plain_one_has_an_axis() -> None:
    assert scale_axis(seeded_model("cnn_28", 0)) is None
    assert {"cnn", *STEPS} == set(METHODS)


@pytest.mark.parametrize("method", STEPS)
def test_steps_are_the_published_ones(method: str) -> None:
    assert axis_of(method).steps == pytest.approx(STEPS[method], rel=1e-3)


@pytest.mark.parametrize("method", STEPS)
def test_the_maximum_of_the_stack_is_the_response_that_is_compared(
    method: str, few_digits: Tensor
) -> None:
    """So the stack is the method's own, biases zero."""
    model, x = seeded_model(f"{method}_28", 0), few_digits[:1]
    axis = scale_axis(model)
    assert axis is not None
    with torch.inference_mode():
        stack = axis.respond(x)
        assert stack.shape[2] == len(axis.sizes)
        expected = first_response(model)(x)
    torch.testing.assert_close(stack.amax(dim=2).relu(), expected, rtol=1e-4, atol=1e-5)


class FollowingFilters(nn.Module):
    """Filters at several scales that nothing cuts off: [B, 1, n, n] -> [B, C, S, n, n]."""

    def __init__(self, scales: list[float]) -> None:
        super().__init__()
        self.filters = [HermiteFilters(0, scale) for scale in scales]

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([filters(x) for filters in self.filters], dim=2)


def test_exact_filters_keep_the_promise_and_wrong_sizes_break_it(scenes: GaborImage) -> None:
    scales = [SMALLEST_SCALE, 1.4 * SMALLEST_SCALE, 2 * SMALLEST_SCALE]
    respond = FollowingFilters(scales)
    for error in step_errors(ScaleAxis(respond, tuple(scales)), scenes, POINT):
        assert error.error < 1e-10
        assert error.chance > 0.5
    for error in step_errors(ScaleAxis(respond, (1.0, 1.2, 1.4)), scenes, POINT):
        assert error.error > 1e-3


@pytest.mark.parametrize("method", STEPS)
def test_a_method_keeps_its_own_step_better_than_another(method: str, scenes: GaborImage) -> None:
    """The negative control: the same responses, said to be for sizes in the other order."""
    axis = axis_of(method)
    backwards = ScaleAxis(axis.respond, tuple(1 / size for size in axis.sizes))
    right, wrong = (
        [item.error / item.chance for item in step_errors(each, scenes, POINT)]
        for each in (axis, backwards)
    )
    assert np.mean(right) < np.mean(wrong)
