"""Checks of a layer as software: gradients reach every parameter, state survives a round trip."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from verification.checks.result import CheckResult
from verification.tolerances import tolerance

_STEP = 1e-3
"""Of central differences. For affine functions any size is exact; larger means less rounding."""
_DIRECTIONS = 8
"""Along which each tensor is moved, and its derivatives are read."""


def check_gradients(module: nn.Module, x: Tensor, name: str) -> CheckResult:
    """Every parameter gets a finite gradient that is not zero; the error counts those that don't.

    The loss is a random projection of the output, so that no symmetry cancels a gradient.
    """
    module.zero_grad()
    y = module(x)
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(y.shape, generator=generator, dtype=y.dtype)
    (y * weights).sum().backward()
    without = [
        key
        for key, parameter in module.named_parameters()
        if parameter.grad is None
        or not torch.isfinite(parameter.grad).all()
        or not parameter.grad.any()
    ]
    return CheckResult(
        "gradients",
        name,
        float(len(without)),
        0.0,
        f"parameters without a finite gradient other than zero: {', '.join(without) or 'none'}; "
        "such a parameter is created but not used",
    )


def check_gradcheck(module: nn.Module, x: Tensor, name: str) -> CheckResult:
    """`torch.autograd.gradcheck`: analytic against numerical gradients, of x and all parameters.

    For modules that are affine in x and in each parameter, in float64: a convolution, a mixing of
    channels. Their central differences (f(θ + ε) − f(θ − ε))/2ε have no error but rounding, which
    is that of f over ε; so the tolerance is √(tolerance of `response`)·‖f‖/ε, and no guess.
    Compared are derivatives along random directions of unit length, of the output along others.

    Raises ValueError for another dtype.
    """
    if x.dtype != torch.float64:
        raise ValueError(f"x of dtype {x.dtype}: must be torch.float64")
    names, parameters = zip(*module.named_parameters(), strict=True)
    values = [tensor.detach().clone() for tensor in (x, *parameters)]
    with torch.no_grad():
        y = module(x)
    generator = torch.Generator().manual_seed(0)
    *along, read = [_directions(tensor, generator) for tensor in (*values, y)]

    def of(*steps: Tensor) -> Tensor:
        moved = [v + torch.tensordot(s, a, 1) for v, s, a in zip(values, steps, along, strict=True)]
        answer = torch.func.functional_call(
            module, dict(zip(names, moved[1:], strict=True)), (moved[0],)
        )
        seen: Tensor = read.flatten(1) @ answer.to(read).flatten()
        return seen

    steps = [torch.zeros(len(directions), dtype=x.dtype).requires_grad_() for directions in along]
    allowed = tolerance("response", x.dtype) ** 0.5 * float(y.norm()) / _STEP
    agrees = torch.autograd.gradcheck(
        of, steps, eps=_STEP, atol=allowed, rtol=0.0, fast_mode=True, raise_exception=False
    )
    return CheckResult(
        "gradcheck",
        name,
        float(not agrees),
        0.0,
        f"gradients of the input, {', '.join(names)} against central differences of step {_STEP:g} "
        f"within {allowed:.3g}; a failure means a backward pass of another function",
        configuration=f"x {tuple(x.shape)}, {x.dtype}",
    )


def _directions(tensor: Tensor, generator: torch.Generator) -> Tensor:
    """A few random directions of unit length: [n, *tensor.shape] float64."""
    count = min(_DIRECTIONS, tensor.numel())
    flat = torch.randn((count, tensor.numel()), generator=generator, dtype=torch.float64)
    flat /= flat.norm(dim=1, keepdim=True)
    return flat.view(count, *tensor.shape)


def check_state_round_trip(module: nn.Module, x: Tensor, name: str) -> CheckResult:
    """A scrambled copy that loads the module's state gives the module's output, bit for bit.

    The error counts the output values that differ, plus entries of the state that are not tensors.
    """
    copied = copy.deepcopy(module)
    with torch.no_grad():
        for parameter in copied.parameters():
            parameter.add_(1.0)
        state = module.state_dict()
        copied.load_state_dict(state)
        differing = int((copied.eval()(x) != module.eval()(x)).sum())
    others = sum(not isinstance(value, Tensor) for value in state.values())
    return CheckResult(
        "state_round_trip",
        name,
        float(differing + others),
        0.0,
        f"{differing} output values differ after loading the state into a scrambled copy, "
        f"{others} entries of the state are not tensors",
    )
