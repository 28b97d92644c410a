"""Checks of a layer's conduct: same answers twice, no marks left, no memory of older weights."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from verification.checks.result import CheckResult, described
from verification.reference.errors import relative_change

Module = Callable[[Tensor], Tensor]


def check_determinism(module: Module, x: Tensor, name: str, allowed: float = 0.0) -> CheckResult:
    """Two calls with the same input give the same output.

    The error is the relative squared change. allowed: by default none, so bit for bit; of foreign
    layers, whose sums may run in another order each time, what rounding explains. Modules with
    dropout have to be in eval mode.
    """
    with torch.no_grad():
        first, second = module(x.clone()), module(x.clone())
    error = relative_change(first.double().cpu(), second.double().cpu())
    reason = (
        f"{_differing(first, second)} output values differ between two calls with the same input: "
        "something random or remembered has a part in them, such as a dropout that is left on"
    )
    if math.isnan(error):
        reason = "output values that are not finite cannot be compared between two calls"
    return CheckResult(
        "determinism",
        name,
        error,
        allowed,
        reason,
        configuration=described(x),
    )


def check_input_unchanged(module: Module, x: Tensor, name: str) -> CheckResult:
    """The module leaves its input as it was; the error counts the values that it has changed."""
    given = x.clone()
    with torch.no_grad():
        module(given)
    differing = _differing(x, given)
    return CheckResult(
        "input_unchanged",
        name,
        float(differing),
        0.0,
        f"{differing} values of the input are changed in place by the call: it works on its "
        "argument, not on a copy",
        configuration=described(x),
    )


def check_output_dtype(module: Module, x: Tensor, name: str) -> CheckResult:
    """The output has the dtype of the input; the error is 1 if it does not."""
    with torch.no_grad():
        found = module(x).dtype
    return CheckResult(
        "output_dtype",
        name,
        float(found != x.dtype),
        0.0,
        f"output of dtype {found} for an input of {x.dtype}: the dtype has to be kept",
        configuration=described(x),
    )


def check_follows_weights(module: nn.Module, x: Tensor, name: str) -> CheckResult:
    """After its weights have changed, a module answers as a copy that never had others.

    Changed are all parameters: in place, through `.data`, by loading a state. A copy of a module
    that has been called may carry over what is kept too long: so answers that stay altogether what
    they were, although every weight has grown by half, count as well. The error counts values.
    """
    ways = []
    weighted = any(parameter.count_nonzero() for parameter in module.parameters())
    for way, change in _CHANGES.items():
        called, untouched = copy.deepcopy(module), copy.deepcopy(module)
        with torch.no_grad():
            called(x.clone())
            # What is kept may be made by the first call and used by the second.
            before = called(x.clone()).clone()
        for each in (called, untouched):
            change(each)
        with torch.no_grad():
            after = called(x.clone())
            differing = _differing(untouched(x.clone()), after)
        if weighted and before.count_nonzero() and torch.equal(before, after):
            differing = after.numel()
        if differing:
            ways.append((way, differing))
    kept = 0 if ways else _values_that_stay(module, x)
    if kept:
        ways.append(("weights and no bias changed", kept))
    told = "; ".join(f"{way}, {count} values" for way, count in ways) or "none"
    return CheckResult(
        "follows_weights",
        name,
        float(sum(count for _, count in ways)),
        0.0,
        f"changes of the weights after which outputs are still of the older weights: {told}; "
        "something made of the weights is kept too long",
        configuration=described(x),
    )


def _values_that_stay(module: nn.Module, x: Tensor) -> int:
    """How many values an answer has that is the same for all other weights and the same biases.

    A copy of a module that has been called takes along what was kept of its weights, and then only
    the bias, which is not kept, moves its answers.
    """
    called = copy.deepcopy(module)
    weights = [p for p in called.parameters() if p.ndim > 1 and p.is_floating_point()]
    with torch.no_grad():
        called(x.clone())
        before = called(x.clone()).clone()
        for weight in weights:
            steps = torch.linspace(0.5, 1.5, max(weight.numel(), 1)).reshape(weight.shape)
            weight.add_(steps.to(weight))
        after = called(x.clone())
    stays = bool(weights) and bool(before.count_nonzero()) and torch.equal(before, after)
    return after.numel() if stays else 0


def check_state_complete(
    module: nn.Module, build: Callable[[], nn.Module], x: Tensor, name: str
) -> CheckResult:
    """A module built anew, with other weights, that loads the state answers bit for bit alike.

    Unlike a copy, it has nothing but the state from the first: where a module cannot be built
    anew, `with_another_past` comes near. The error counts values.
    """
    anew = build()
    anew.load_state_dict(module.state_dict())
    with torch.no_grad():
        differing = _differing(module(x.clone()), anew(x.clone()))
    return CheckResult(
        "state_complete",
        name,
        float(differing),
        0.0,
        f"{differing} output values of a module built anew differ after it has loaded the state: "
        "something that the answers depend on is not in the state",
        configuration=described(x),
    )


def with_another_past(module: nn.Module, x: Tensor) -> nn.Module:
    """A copy that has had other numbers and other calls, for a module that cannot be built anew.

    Changed are the state, and all tensors that ask for gradients, wherever the module keeps them;
    then it has answered in training mode, which statistics may follow, and in its own.
    """
    other = copy.deepcopy(module)
    with torch.no_grad():
        for tensor in _learned(other):
            tensor.add_(1.0)
        # A call in training mode may be refused, which is no matter of the state.
        with contextlib.suppress(Exception):
            other.train()(x.clone())
        for part, original in zip(other.modules(), module.modules(), strict=True):
            part.training = original.training
        other(x.clone())
    return other


def _learned(module: nn.Module) -> Iterator[Tensor]:
    """Real tensors of the state, and those that ask for gradients in any attribute: each once."""
    state = [value for value in module.state_dict().values() if isinstance(value, Tensor)]
    places = {tensor.data_ptr() for tensor in state}
    yield from (tensor for tensor in state if tensor.is_floating_point())
    seen: set[int] = set()
    waiting: list[object] = [module]
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, Tensor):
            if each.requires_grad and each.data_ptr() not in places:
                yield each
        elif isinstance(each, nn.Module):
            waiting.extend(vars(each).values())
        elif isinstance(each, dict):
            waiting.extend(each.values())
        elif isinstance(each, list | tuple):
            waiting.extend(each)


def _in_place(module: nn.Module) -> None:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(1.5)


def _through_data(module: nn.Module) -> None:
    for parameter in module.parameters():
        parameter.data *= 1.5


def _by_loading(module: nn.Module) -> None:
    names = {name for name, _ in module.named_parameters()}
    state = module.state_dict()
    module.load_state_dict({k: 1.5 * v if k in names else v for k, v in state.items()})


_CHANGES: dict[str, Callable[[nn.Module], None]] = {
    "in place": _in_place,
    "through .data": _through_data,
    "by loading a state": _by_loading,
}


def _differing(expected: Tensor, found: Tensor) -> int:
    if expected.shape != found.shape:
        return max(expected.numel(), found.numel())
    return int((expected != found).sum())
