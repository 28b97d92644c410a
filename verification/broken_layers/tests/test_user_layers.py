"""Layers with one mistake each, as users write them: rejected by the user's call."""

import pytest

from verification import check_scale_equivariance
from verification.broken_layers.user_layers import USER_LAYERS, UserLayer
from verification.checks.diagnosis.causes import CAUSES
from verification.checks.registry import CHECKS
from verification.tests.tools.profiles import deep_only

QUICK = ("one_kernel", "power_missing", "mirrored_at_one_scale", "resized_without_factor",
         "reshape_without_permute", "threshold_with_sigma", "bias_with_sigma",
         "plain_convolution")  # fmt: skip


def rejected(layer: UserLayer, seed: int = 0) -> None:
    verdict = check_scale_equivariance(layer.make(seed), layer.scales, seed=seed, **layer.options)
    assert verdict.failed, verdict
    assert set(layer.causes) & set(verdict.causes), verdict


@pytest.mark.parametrize("layer", [e for e in USER_LAYERS if e.name in QUICK], ids=lambda e: e.name)
def test_a_mistake_is_rejected_and_named(layer):
    rejected(layer)


@deep_only
@pytest.mark.parametrize("layer", USER_LAYERS, ids=lambda layer: layer.name)
def test_every_mistake_is_rejected_and_named(layer):
    rejected(layer)


def test_there_are_enough_and_each_is_one_of_its_kind():
    assert len({layer.name for layer in USER_LAYERS}) == len(USER_LAYERS)
    assert len({layer.story for layer in USER_LAYERS}) == len(USER_LAYERS)
    assert len(USER_LAYERS) >= 40
    known = {*CAUSES, *(check.name for check in CHECKS)}
    assert all(layer.causes and known.issuperset(layer.causes) for layer in USER_LAYERS)
