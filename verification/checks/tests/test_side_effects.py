"""How modules behave apart from their numbers: what they keep, touch, and forget."""

import pytest
import torch
from torch import Tensor, nn

from verification.checks import (
    check_determinism,
    check_follows_weights,
    check_input_unchanged,
    check_output_dtype,
    check_state_complete,
    with_another_past,
)
from verification.tolerances import tolerance


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


# --- State ----------------------------------------------------------------------------------------


class Listed(nn.Linear):
    """Its factors are parameters in a plain list."""

    def __init__(self) -> None:
        super().__init__(3, 2)
        self.factors = [nn.Parameter(torch.ones(2))]

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * self.factors[0]


class ModulesListed(nn.Linear):
    """A module in a plain list inside a dictionary."""

    def __init__(self) -> None:
        super().__init__(3, 3)
        self.parts = {"after": [nn.Linear(3, 2)]}

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.parts["after"][0](super().forward(x))
        return y


class OwnStatistics(nn.Linear):
    """Centres by a mean that training moves, in a plain attribute."""

    def __init__(self) -> None:
        super().__init__(3, 2)
        self.mean = torch.zeros(3)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * x.mean(0)
        return super().forward(x - self.mean)


class NotPersistent(nn.Linear):
    """The same mean in a buffer that the state leaves out; a constant there is no mistake."""

    mean: Tensor

    def __init__(self, fixed: bool = False) -> None:
        super().__init__(3, 2)
        self.register_buffer("mean", torch.ones(3), persistent=False)
        self.fixed, self.constant = fixed, torch.ones(3)

    def forward(self, x: Tensor) -> Tensor:
        if self.training and not self.fixed:
            self.mean = 0.9 * self.mean + 0.1 * x.mean(0)
        return super().forward(x - self.mean * self.constant)


def of_a_copy(module: nn.Module):
    module = module.eval()
    return check_state_complete(module, lambda: with_another_past(module, noise(4, 3)),
                                noise(4, 3), "copy")  # fmt: skip


@pytest.mark.parametrize("broken", [Kept, Listed, ModulesListed, OwnStatistics, NotPersistent])
def test_what_answers_depend_on_and_the_state_does_not_hold_is_found(broken):
    module = Kept(3, 2) if broken is Kept else broken()
    result = of_a_copy(module)
    result.require_failure("something learned is not in the state")
    assert "is not in the state" in result.finding


def test_what_is_in_the_state_or_never_changes_is_no_mistake():
    shared = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout(0.5))
    shared.append(shared[0])
    weighted = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
    for module in (nn.Linear(3, 2), shared, weighted, nn.ReLU(), NotPersistent(fixed=True)):
        of_a_copy(module).require()


class TrainedOnly(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            raise RuntimeError("as one is that knows of no training")
        return super().forward(x)


def test_a_module_that_refuses_to_train_is_judged_all_the_same():
    module = TrainedOnly(3, 2).eval()
    with_another_past(module, noise(4, 3))
    of_a_copy(module).require()
    assert not module.training


# --- Same answers, same dtype, untouched input ----------------------------------------------------


def test_determinism_is_to_the_bit_unless_rounding_is_granted():
    calls = iter((0.0, 1e-15, 0.0, 1e-15))

    def drifting(x: Tensor) -> Tensor:
        return x.double() * (1 + next(calls))

    x = noise(4, 3).double()
    check_determinism(drifting, x, "drifting").require_failure("another last digit")
    check_determinism(drifting, x, "drifting", tolerance("batch_independence", x.dtype)).require()
    check_determinism(torch.zeros_like, x, "zeros").require()
    infinite = check_determinism(lambda x: x / 0, x, "infinite")
    infinite.require_failure("nothing can be compared")
    assert infinite.finding == (
        "output values that are not finite cannot be compared between two calls"
    )


def test_a_changed_input_and_a_cast_are_found():
    x = noise(4, 3)
    result = check_input_unchanged(lambda x: x.mul_(2.0), x.clone(), "in place")
    result.require_failure("an operation in place")
    assert result.error == 12
    check_input_unchanged(nn.Linear(3, 2), x, "linear").require()
    check_output_dtype(lambda x: x.double(), x, "cast").require_failure("a cast")
    check_output_dtype(nn.Linear(3, 2), x, "linear").require()


class KeptBesideItsBias(nn.Module):
    """Keeps its weight for ever, and its bias not."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.kept: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.kept is None:
            self.kept = self.layer.weight.detach().clone()
        return nn.functional.linear(x, self.kept, self.layer.bias)


def test_weights_kept_before_the_copy_are_found():
    module = KeptBesideItsBias()
    module(noise(4, 3))
    found = check_follows_weights(module, noise(4, 3), "kept")
    assert found.error > 0
    assert "weights and no bias changed" in found.finding
    check_follows_weights(nn.Linear(3, 2), noise(4, 3), "linear").require()
