"""Checks of a layer as software: gradients reach every parameter, state survives a round trip."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from verification.checks.result import CheckResult


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
