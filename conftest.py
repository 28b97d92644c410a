"""Hypothesis profiles: `ci` always draws the same cases, `deep` draws many new ones."""

import os

import pytest
import torch
from hypothesis import HealthCheck, settings

settings.register_profile(
    "ci", deadline=None, derandomize=True, database=None, max_examples=25,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
settings.register_profile("smoke", settings.get_profile("ci"), max_examples=5)
settings.register_profile(
    "deep", settings.get_profile("ci"), derandomize=False, max_examples=500, print_blob=True
)
settings.load_profile(os.environ.get("SESN_PROFILE", "ci"))


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Layers are initialised from torch's global generator."""
    torch.manual_seed(0)
