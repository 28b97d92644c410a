"""The derivative of a module that has none, by central differences."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.autograd.forward_ad as fwd
from torch import Tensor, nn

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
        plain, tangents = [], []
        for each in args:
            dual = fwd.unpack_dual(each) if isinstance(each, Tensor) else None
            plain.append(each if dual is None else dual.primal)
            tangents.append(None if dual is None else dual.tangent)
        value = forward(*plain, **kwargs)
        if all(tangent is None for tangent in tangents) or not isinstance(value, Tensor):
            return value
        slope, dtype = _difference(module, forward, plain, tangents, kwargs)
        note(dtype)
        return fwd.make_dual(value, slope.to(value.dtype))

    module.forward = with_tangent
    try:
        yield
    finally:
        del module.forward


def _difference(
    module: nn.Module, forward: Callable[..., Any], plain: list[Any],
    tangents: list[Tensor | None], kwargs: dict[str, Any],
) -> tuple[Tensor, torch.dtype]:  # fmt: skip
    own = next(tangent.dtype for tangent in tangents if tangent is not None)
    try:
        if own != torch.float64:
            return _quotient(_twin(module), plain, tangents, kwargs, torch.float64), torch.float64
    except (RuntimeError, TypeError):  # whatever of it knows no float64
        pass
    return _quotient(forward, plain, tangents, kwargs, own), own


def _twin(module: nn.Module) -> Callable[..., Any]:
    """A copy in float64, without hooks and without this file's forward."""
    patched = module.__dict__.pop("forward")
    try:
        twin = copy.deepcopy(module).double()
    finally:
        module.forward = patched
    forward: Callable[..., Any] = twin.forward
    return forward


def _quotient(
    f: Callable[..., Any], plain: list[Any], tangents: list[Tensor | None],
    kwargs: dict[str, Any], dtype: torch.dtype,
) -> Tensor:  # fmt: skip
    moving = [(x, v) for x, v in zip(plain, tangents, strict=True) if v is not None]
    size = max(float(x.to(dtype).norm()) for x, _ in moving)
    speed = max(float(v.to(dtype).norm()) for _, v in moving)
    step = _STEP.get(dtype, 1e-1) * (size / speed if size and speed else 1.0)
    ends = []
    for signed in (step, -step):
        moved = list(plain)
        for i, (x, v) in enumerate(zip(plain, tangents, strict=True)):
            if isinstance(x, Tensor) and x.is_floating_point():
                moved[i] = x.to(dtype) if v is None else x.to(dtype) + signed * v.to(dtype)
        ends.append(f(*moved, **kwargs))
    quotient: Tensor = (ends[0] - ends[1]) / (2 * step)
    return quotient
