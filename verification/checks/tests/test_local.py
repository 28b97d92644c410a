"""Local scale-invariance: several analytic objects in one image, each at a scale of its own."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sesn_impl import LiftingConv2d, ScaleConv2d, ScaleMaxProjection, hermite_basis_a
from sesn_impl.networks.mnist import SESN_CONFIGURATIONS
from verification.broken_layers import UNEQUAL_SCALES
from verification.checks import (
    check_isolation,
    check_local_invariance,
    check_local_response,
    check_local_winner,
)
from verification.checks.local import (
    closed_form,
    invariance_outcome,
    local_error,
    winner_outcome,
)
from verification.layer.probe import responses
from verification.layer.scenes import Scene, grid_ratio, random_scene
from verification.layer.targets import Target, describe
from verification.tests.layers import build_basis, build_lifting
from verification.tests.tools.profiles import cases
from verification.tests.tools.strategies import complete_bases, cut_off_bases, seeds
from verification.tolerances import tolerance

THEOREM = tolerance("scale_axis_shift", torch.float64)
"""What the relation is held to in float64 when nothing is cut off or undersampled."""
GRID = tuple(3.0 * 1.25**i for i in range(4))
MAXIMUM = ScaleMaxProjection()
FEW = cases(0.2)


def mean_over_scales(y: torch.Tensor) -> torch.Tensor:
    return y.mean(dim=2)


def one_scale_for_the_whole_image(y: torch.Tensor) -> torch.Tensor:
    """Picks the scale by what the image holds altogether: invariant globally, not locally."""
    return y[:, :, y.amax(dim=(0, 1, 3, 4)).argmax()]


def drawn_steps(seed: int, scales: int, objects: int = 3) -> tuple[int, ...]:
    """One whole number for each object, from 1 − S to S − 1."""
    rng = np.random.default_rng(seed)
    return tuple(int(step) for step in rng.integers(1 - scales, scales, objects))


def complete_target(channels: int = 2) -> Target:
    """A lifting layer on four scales, to which the theorem applies up to rounding."""
    basis = hermite_basis_a(2 * int(11 * GRID[-1]) + 1, GRID, 3)
    torch.manual_seed(0)
    return describe(LiftingConv2d(1, channels, basis).double())


@given(complete_bases(), seeds())
@FEW
def test_every_object_keeps_its_response_at_its_own_scale(drawn, seed):
    target = describe(build_lifting(build_basis(drawn), seed))
    scene = random_scene(target, seed, drawn_steps(seed, len(target.scales)))
    result = check_local_response(target, scene)
    result.require()
    assert result.error < THEOREM
    assert local_error(target, scene, MAXIMUM) < THEOREM


@given(complete_bases(), seeds())
@FEW
def test_exactly_the_predicted_maxima_change(drawn, seed):
    target = describe(build_lifting(build_basis(drawn), seed))
    scene = random_scene(target, seed, drawn_steps(seed, len(target.scales)))
    check_local_invariance(target, scene, MAXIMUM).require()
    check_local_winner(target, scene).require()


@given(cut_off_bases(), seeds(), st.sampled_from([torch.float64, torch.float32]))
@FEW
def test_cut_off_bases_stay_within_their_budget(drawn, seed, dtype):
    target = describe(build_lifting(build_basis(drawn), seed, dtype))
    scene = random_scene(target, seed, drawn_steps(seed, len(target.scales)), widths=(2.0, 8.0))
    check_local_response(target, scene).require()
    check_local_invariance(target, scene, MAXIMUM).require()
    check_local_winner(target, scene).require()


@pytest.mark.parametrize("name", SESN_CONFIGURATIONS)
def test_published_configurations_stay_within_their_budget(name):
    target = describe(build_lifting(SESN_CONFIGURATIONS[name].basis(), 0))
    scene = random_scene(target, 0, (1, -1, 0), widths=(2.0, 8.0))
    result = check_local_response(target, scene)
    result.require()
    # What is published is not the theorem: the cut-off shows.
    assert result.error > THEOREM
    check_local_invariance(target, scene, MAXIMUM).require()
    check_local_winner(target, scene).require()


@given(complete_bases(), seeds())
@FEW
def test_objects_do_not_see_each_other(drawn, seed):
    target = describe(build_lifting(build_basis(drawn), seed))
    scene = random_scene(target, seed, drawn_steps(seed, len(target.scales)))
    check_isolation(target, scene).require()


def test_objects_that_touch_are_not_isolated():
    target = complete_target()
    scene = random_scene(target, 0, (1, 0, -1))
    touching = check_isolation(target, replace(scene, places=scene.places / 20))
    touching.require_failure("objects that touch see each other")


def test_predictions_decide_nearly_everything_and_say_both():
    """The checks are not vacuous: responses that hold and that fail are both there in numbers."""
    target = complete_target()
    for outcomes in (
        [invariance_outcome(target, scene, MAXIMUM).counts for scene in _scenes(target)],
        [winner_outcome(target, scene).counts for scene in _scenes(target)],
    ):
        holds, fails, undecided = np.sum(outcomes, axis=0)
        assert holds > 20
        assert fails > 20
        assert undecided <= (holds + fails) / 1000


def _scenes(target: Target) -> list[Scene]:
    return [random_scene(target, seed, (1, 0, -1, 2), points=8) for seed in range(2)]


def test_equal_scales_make_no_failures():
    """Without rescaling nothing leaves the range, whatever the objects are."""
    target = complete_target()
    scene = random_scene(target, 0, (0, 0))
    holds, fails, undecided = invariance_outcome(target, scene, MAXIMUM).counts
    assert (holds, fails, undecided) == (2 * 4 * 2, 0, 0)


def test_winners_leave_the_range_at_the_end_they_are_pushed_to():
    """A wide bump wins at the top scale: enlarged it leaves the range, made smaller it does not."""
    target = complete_target(channels=1)
    scene = random_scene(target, 0, (1, -1), points=8)
    for step in (1, -1):
        pushed = replace(scene, steps=(step, step))
        near, far = closed_form(target, scene.unscaled.probe), closed_form(target, pushed.probe)
        moved = far.winner != near.winner + step
        last = len(GRID) - 1
        leaving = near.winner == (last if step > 0 else 0)
        assert leaving.any()
        assert moved[leaving].all()
        # A winner that stays in range is only ever beaten by one that enters at the other end.
        entered = far.winner == (0 if step > 0 else last)
        assert (moved == (leaving | entered)).all()


# --- Negative controls: each is rejected, by the checks that should see it -----------------------


def test_mean_projection_is_rejected():
    target = complete_target()
    scene = random_scene(target, 0, (1, 0, -1), points=8)
    assert check_local_invariance(target, scene, MAXIMUM).passed
    result = check_local_invariance(target, scene, mean_over_scales)
    result.require_failure("another projection than the maximum over scales")
    assert local_error(target, scene, mean_over_scales) > 1e-3


def test_one_scale_for_the_whole_image_is_rejected_when_objects_differ():
    """A scale chosen once for the image is enough for one factor, not for several."""
    target = complete_target()
    scene = random_scene(target, 0, (1, -1, 0), points=8)
    assert local_error(target, scene, MAXIMUM) < THEOREM
    assert local_error(target, scene, one_scale_for_the_whole_image) > 1e-3
    result = check_local_invariance(target, scene, one_scale_for_the_whole_image)
    result.require_failure("one scale for the whole image")


def test_one_fixed_scale_is_rejected():
    target = complete_target()
    scene = random_scene(target, 0, (1, 0, -1), points=8)
    plain = replace(target, layer=lambda x: target.layer(x)[:, :, :1].expand(-1, -1, 4, -1, -1))
    reason = "one filter for all scales"
    check_local_response(plain, scene).require_failure(reason)
    check_local_invariance(plain, scene, MAXIMUM).require_failure(reason)
    check_local_winner(plain, scene).require_failure(reason)


@pytest.mark.parametrize("mutant", UNEQUAL_SCALES, ids=lambda mutant: mutant.name)
def test_mutants_whose_filters_are_no_copies_are_rejected(mutant):
    intact = complete_target()
    assert isinstance(intact.layer, LiftingConv2d)
    target = mutant.target(intact.layer)
    scene = random_scene(target, 1, (1, 0, -1), points=8)
    reason = f"broken layer: {mutant.name}"
    check_local_response(target, scene).require_failure(reason)
    check_local_invariance(target, scene, MAXIMUM).require_failure(reason)
    # A support cut at 10 σ instead of 5 σ moves a maximum in the eighth digit, its index never.
    if mutant.name != "one_support":
        check_local_winner(target, scene).require_failure(reason)


def test_one_factor_for_all_objects_is_told_from_a_factor_each():
    """What the checks compare with is each object's own step, not a common one."""
    target = complete_target()
    scene = random_scene(target, 0, (1, 0, -1), points=8)
    globally = replace(scene, steps=(1, 1, 1))

    class Mixed(Scene):
        @property
        def probe(self):
            return globally.probe if any(self.steps) else super().probe

    told = Mixed(scene.shapes, scene.places, scene.steps, scene.offsets, scene.ratio)
    check_local_response(target, globally).require()
    check_local_response(target, told).require_failure("one factor for all objects")


# --- Scenes ---------------------------------------------------------------------------------------


def test_scenes_place_what_the_objects_hold():
    target = complete_target()
    scene = random_scene(target, 3, (1, -2))
    together = scene.probe.signal[0].sample_around(scene.probe.points, 1)
    for index, shape in enumerate(scene.shapes):
        alone = shape.sample_around(scene.offsets[index], 1)
        np.testing.assert_allclose(together[4 * index : 4 * index + 4], alone, atol=1e-12)
    assert responses(target, scene.probe).shape == (8, 2, 4)


def test_grid_ratio_takes_published_grids_and_refuses_others():
    assert grid_ratio((1.7, 2.45, 3.54, 5.1)) == pytest.approx(3 ** (1 / 3))
    for scales in ((1.0, 2.0, 3.0), (2.0,)):
        with pytest.raises(ValueError, match=r"scales=\(.*must be a geometric grid"):
            grid_ratio(scales)


@pytest.mark.parametrize("steps", [(), (4,), (0, -4)])
def test_steps_out_of_range_are_named(steps):
    with pytest.raises(ValueError, match=r"steps=.*: must be one or more integers from -3 to 3"):
        random_scene(complete_target(), 0, steps)


def test_scenes_need_a_layer_that_lifts():
    layer = ScaleConv2d(1, 1, hermite_basis_a(15, (1.0, 2.0), 3)).double()
    with pytest.raises(ValueError, match="target ScaleConv2d: must lift images"):
        random_scene(describe(layer), 0, (0,))
