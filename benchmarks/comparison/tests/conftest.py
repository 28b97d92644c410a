"""Tests on few and small images, where several threads only wait for each other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.comparison.scenes import random_scenes, small_digits
from benchmarks.data import DataSet, digits
from verification.signals.analytic import GaborImage


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


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
