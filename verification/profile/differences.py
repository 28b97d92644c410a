"""The derivative of a module that has none, by central differences."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.autograd.forward_ad as fwd
from torch import Tensor, nn

from verification.profile.trees import floating, replaced

_STEP = {torch.float64: 1e-5, torch.float32: 5e-3}
"""Relative to the input: about the cube root of the machine epsilon; 1e-1 for narrower types."""


@contextlib.contextmanager
def differenced(module: nn.Module, note: Callable[[torch.dtype], None]) -> Iterator[None]:
    """Within the block the module has a forward-mode derivative, with respect to its arguments.

    It is (f(x + hv) − f(x − hv))/2h, in float64 if a copy of the module runs there, else in the
    dtype of x; `note` is told which.
    """
    forward = module.forward

    def with_tangent(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        given = (args, kwargs)
        duals = [fwd.unpack_dual(each) for each in floating(given)]
        plain, tangents = [dual.primal for dual in duals], [dual.tangent for dual in duals]
        value = _called(forward, given, plain)
        if all(tangent is None for tangent in tangents) or not floating(value):
            return value
        slopes, dtype = _difference(module, forward, given, plain, tangents)
        note(dtype)
        left = iter(slopes)
        return replaced(value, lambda y: fwd.make_dual(y, next(left).to(y.dtype)))

    module.forward = with_tangent
    try:
        yield
    finally:
        del module.forward


def _called(f: Callable[..., Any], given: Any, tensors: list[Tensor]) -> Any:  # noqa: ANN401
    """What a function makes of the given arguments with these in place of their tensors."""
    left = iter(tensors)
    args, kwargs = replaced(given, lambda _: next(left))
    return f(*args, **kwargs)


def _difference(
    module: nn.Module, forward: Callable[..., Any], given: Any,  # noqa: ANN401
    plain: list[Tensor], tangents: list[Tensor | None],
) -> tuple[list[Tensor], torch.dtype]:  # fmt: skip
    own = next(tangent.dtype for tangent in tangents if tangent is not None)
    try:
        if own != torch.float64:
            return _quotients(_twin(module), given, plain, tangents, torch.float64), torch.float64
    except (RuntimeError, TypeError):  # whatever of it knows no float64
        pass
    return _quotients(forward, given, plain, tangents, own), own


def _twin(module: nn.Module) -> Callable[..., Any]:
    """A copy in float64, without hooks and without this file's forward."""
    patched = module.__dict__.pop("forward")
    try:
        twin = copy.deepcopy(module).double()
    finally:
        module.forward = patched
    forward: Callable[..., Any] = twin.forward
    return forward


def _quotients(
    f: Callable[..., Any], given: Any, plain: list[Tensor],  # noqa: ANN401
    tangents: list[Tensor | None], dtype: torch.dtype,
) -> list[Tensor]:  # fmt: skip
    """One for every floating tensor of the output."""
    moving = [(x, v) for x, v in zip(plain, tangents, strict=True) if v is not None]
    size = max(float(x.to(dtype).norm()) for x, _ in moving)
    speed = max(float(v.to(dtype).norm()) for _, v in moving)
    step = _STEP.get(dtype, 1e-1) * (size / speed if size and speed else 1.0)
    ends = []
    for signed in (step, -step):
        moved = [
            x.to(dtype) if v is None else x.to(dtype) + signed * v.to(dtype)
            for x, v in zip(plain, tangents, strict=True)
        ]
        ends.append(floating(_called(f, given, moved)))
    return [(above - below) / (2 * step) for above, below in zip(*ends, strict=True)]
