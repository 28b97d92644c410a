"""How modules behave apart from their numbers: answers that follow the weights."""

import pytest
import torch
from torch import Tensor, nn

from verification.checks import check_follows_weights


class Kept(nn.Linear):
    """Keeps its first answer's weights for ever."""

    kept: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.kept is None:
            self.kept = self.weight.detach().clone()
        return x @ self.kept.T


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("called_before", [False, True])
def test_a_stale_copy_of_the_weights_is_found(called_before):
    module = Kept(3, 2)
    if called_before:
        module(noise(1, 3))
    result = check_follows_weights(module, noise(4, 3), "kept")
    result.require_failure("the weights are kept from the first call")
    assert result.error == 3 * 4 * 2  # every value, by all three ways of changing weights


@pytest.mark.parametrize("module", [nn.Linear(3, 2), nn.ReLU(), nn.BatchNorm1d(3)])
def test_modules_that_follow_or_have_no_weights_pass(module):
    module(noise(4, 3))
    check_follows_weights(module, noise(4, 3), "module").require()
