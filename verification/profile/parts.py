"""What a unit alone does wrong, split into what its stride, its padding and the rest of it do."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from verification.profile.actions import Action
from verification.profile.grids import grid_behind, named
from verification.profile.tracing import Step, Unit

STRIDE, BORDER = "stride", "border"
_NONLINEAR = ("relu", "elu", "gelu", "silu", "swish", "sigmoid", "tanh", "mish", "softmax")
_WORDS = (
    ("sampling", ("input", "output")),
    ("pooling", ("pool", "maxprojection", "mean", "amax")),
    ("norm", ("norm",)),
    ("nonlinearity", _NONLINEAR),
    ("join", ("add", "cat", "mul", "stack")),
)


def category(unit: Unit) -> str:
    """What a unit's own part is called: filters, pooling, norm, nonlinearity, join and so on."""
    kind = unit.kind.lower()
    for found, words in _WORDS:
        if any(word in kind for word in words):
            return found
    if kind in {"linear", "flatten", "reshape", "view"}:
        return "readout"
    parameters = unit.module.parameters() if unit.module is not None else ()
    return "filters" if any(each.ndim >= 3 for each in parameters) else "other"


def split(step: Step, defect: Tensor, flow: Tensor, action: Action) -> list[tuple[str, Tensor]]:
    """The defect [1, …] of one image as a sum of parts, each with its name.

    flow: what the action makes of the unit's output. stride: that flow taken before pixels are
    left out, less the flow taken after; it is aliasing, and what a derivative over coarse pixels
    errs by. border: the rest of the defect where windows reach into the padding.
    """
    parts = []
    before = _flow_before_stride(step, action)
    if before is not None:
        parts.append((STRIDE, before - flow))
        defect = defect - parts[0][1]
    ring = _reaches_padding(step)
    if ring is not None:
        parts.append((BORDER, defect * ring))
        defect = defect * ~ring
    return [*parts, (category(step.unit), defect)]


def _flow_before_stride(step: Step, action: Action) -> Tensor | None:
    """The action on the unit's output at stride 1, at the pixels that the stride keeps."""
    module, source = step.unit.module, step.source
    steps = [named(module, "stride", dim) or 1 for dim in (-2, -1)]
    if module is None or source is None or max(steps) == 1 or step.value.ndim not in {4, 5}:
        return None
    fine = _at_stride_one(module, source[:1])
    kept = None if fine is None else fine[..., :: steps[0], :: steps[1]]
    value = step.value[:1]
    if fine is None or kept is None or not _same(kept, value):
        return None
    stride, module.stride = module.stride, 1  # type: ignore[assignment]
    try:
        grid = grid_behind(module, step.source_grid, source, fine)
    finally:
        module.stride = stride
    return action.generator(fine, grid)[..., :: steps[0], :: steps[1]]


def _same(first: Tensor, second: Tensor) -> bool:
    return first.shape == second.shape and torch.allclose(first, second, rtol=1e-3, atol=1e-5)


def _at_stride_one(module: nn.Module, x: Tensor) -> Tensor | None:
    stride = module.stride
    one = (1,) * len(stride) if isinstance(stride, tuple) else 1
    module.stride = one  # type: ignore[assignment]
    try:
        y = module.forward(x)
    except (RuntimeError, TypeError, ValueError):  # a stride that is a constant of other parts too
        return None
    finally:
        module.stride = stride
    return y if isinstance(y, Tensor) else None


def _reaches_padding(step: Step) -> Tensor | None:
    """True at the pixels whose windows reach beyond the input: [H, W]; None if none does."""
    module, source, y = step.unit.module, step.source, step.value
    if module is None or source is None or min(y.ndim, source.ndim) < 4:
        return None
    sides = []
    for dim in (-2, -1):
        dilation, stride = named(module, "dilation", dim) or 1, named(module, "stride", dim) or 1
        padding, taps = named(module, "padding", dim), named(module, "kernel_size", dim)
        if getattr(module, "padding", None) == "same" and taps:
            padding = dilation * (taps - 1) // 2
        if getattr(module, "transposed", False):
            padding = 0
        padding = padding or 0
        reach = dilation * (taps - 1) if taps else 2 * padding
        first = torch.arange(y.shape[dim], device=y.device) * stride - padding
        sides.append((first < 0) | (first + reach > source.shape[dim] - 1))
    ring = sides[0][:, None] | sides[1]
    return ring if bool(ring.any()) else None
