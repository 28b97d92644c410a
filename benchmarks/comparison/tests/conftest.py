"""Few and small images."""

from __future__ import annotations

import numpy as np
import pytest
from torch import Tensor

from benchmarks.comparison.scenes import random_scenes, small_digits
from benchmarks.data import DataSet, digits
from verification.reference.analytic import GaborImage


@pytest.fixture(scope="session")
def data() -> DataSet:
    """The digits."""
    return digits.digits()


@pytest.fixture(scope="session")
def few_digits(data: DataSet) -> Tensor:
    """Four small digits, [4, 1, 28, 28] in [0, 1]."""
    return small_digits(data)[:4]


@pytest.fixture(scope="session")
def scenes() -> GaborImage:
    """Eight analytic images."""
    return random_scenes(np.random.default_rng(0), 8)
