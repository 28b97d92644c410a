"""Every test: the profile of random cases, what is counted, and torch's random state."""

import pytest
import torch

from verification.testing import profiles

pytest_plugins = ["pytester", "verification.testing.coverage"]
profiles.load()


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Layers are initialised from torch's global generator."""
    torch.manual_seed(0)
