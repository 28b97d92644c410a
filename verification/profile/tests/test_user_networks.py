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
    """Has children, and raises behind the first."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)

    def forward(self, x):
        self.conv(x)
        raise RuntimeError("not here")


class Catching(nn.Module):
    """Goes another way, by a module or by a function, where a child cannot."""

    def __init__(self, child: nn.Module, instead: nn.Module | None):
        super().__init__()
        self.first, self.instead, self.cube = child, instead, Cubed()

    def forward(self, x):
        try:
            x = self.first(x)
        except RuntimeError:
            x = self.instead(x) if self.instead else torch.tanh(x)
        return self.cube(x)


@pytest.mark.parametrize(
    ("child", "instead", "units"),
    [
        (Failing, True, ["0.first.conv", "0.instead"]),
        (Failing, False, ["0.first.conv", "0.tanh"]),
        (lambda: nn.Linear(99, 1), True, ["0.instead"]),
        (lambda: nn.Linear(99, 1), False, ["0.tanh"]),
    ],
)
def test_a_network_that_catches_what_its_children_raise(child, instead, units):
    torch.manual_seed(0)
    caught = Catching(child(), nn.Conv2d(1, 1, 3) if instead else None)
    model = nn.Sequential(caught, nn.Conv2d(1, 1, 1)).double()
    profile = profile_network(model, side=24, **FAST)
    assert names(profile) == ["input", *units, "0.cube", "1", "output"]
    assert abs(profile.remainder()) < 1e-6
    assert profile.units[-4].share() != 0  # of what was gone on with
    assert profile.notes == (
        "0.cube: has no forward-mode derivative; by central differences in float64",
    )
    assert not any(module._forward_hooks for module in model.modules())
