"""Every test: the profile of random cases, what is counted, torch's random state and threads."""

from collections.abc import Iterator
from importlib.util import find_spec

import pytest
import torch

from verification.tests.tools import profiles

pytest_plugins = [
    "pytester",
    "verification.tests.tools.absent",
    "verification.tests.tools.coverage",
]
if find_spec("matplotlib") is not None:  # without it `reports` cannot be imported
    pytest_plugins.append("reports.tests.fixtures")
profiles.load()


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Layers are initialised from torch's global generator."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """On tensors as small as those of tests, threads only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
