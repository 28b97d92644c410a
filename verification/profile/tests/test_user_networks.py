"""Networks as users have them: each gives a right table or a sentence that says why not."""

from typing import Any

import pytest
import torch
from torch import nn

from verification import profile_network
from verification.profile.tests.test_profile import Cubed

FAST: dict[str, Any] = {"raster": False, "images": 2}


def names(profile) -> list[str]:
    return [unit.name for unit in profile.units]


class Failing(nn.Module):
    """Has children, and raises behind the first or within the second."""

    def __init__(self, within: bool):
        super().__init__()
        self.conv, self.bad = nn.Conv2d(1, 2, 3), nn.Linear(99, 1)
        self.within = within

    def forward(self, x):
        y = self.conv(x)
        if self.within:
            return self.bad(y)
        raise RuntimeError("not here")


class Catching(nn.Module):
    """Goes another way where a child cannot; what that had done leads nowhere."""

    def __init__(self, within: bool):
        super().__init__()
        self.first, self.instead = Failing(within), nn.Conv2d(1, 2, 3)
        self.cube = Cubed()

    def forward(self, x):
        try:
            x = self.first(x)
        except RuntimeError:
            x = self.instead(x)
        return self.cube(x)


@pytest.mark.parametrize("within", [False, True])
def test_a_network_that_catches_what_its_children_raise(within):
    torch.manual_seed(0)
    model = nn.Sequential(Catching(within), nn.Conv2d(2, 1, 1)).double()
    profile = profile_network(model, side=24, **FAST)
    assert names(profile) == ["input", "0.first.conv", "0.instead", "0.cube", "1", "output"]
    assert abs(profile.remainder()) < 1e-6
    assert profile.units[1].share() == 0
    assert profile.notes == (
        "0.cube: has no forward-mode derivative; by central differences in float64",
    )
    assert not any(module._forward_hooks for module in model.modules())
