"""Checks of a layer as software: gradients reach every parameter, state survives a round trip.

Checks that a layer's numbers do not depend on how it is run.

Alone or in a batch, with memory laid out in another order, compiled or exported: the sums may run
in another order, so the numbers agree up to rounding, and up to nothing else.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from verification.checks.result import CheckResult, described
from verification.reference.errors import equivariance_error
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
        configuration=described(x),
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


Module = Callable[[Tensor], Tensor]


def check_batch_independence(module: Module, x: Tensor, name: str) -> CheckResult:
    """Each image's output is the same alone, in the batch x [B, …], and in the reversed batch.

    Raises ValueError for a batch of fewer than 2 images.
    """
    if len(x) < 2:
        raise ValueError(f"x of shape {tuple(x.shape)}: must be a batch of 2 images or more")
    with torch.no_grad():
        together = module(x)
        alone = torch.cat([module(image[None]) for image in x])
        reversed_batch = module(x.flip(0)).flip(0)
    error = max(_difference(together, alone), _difference(together, reversed_batch))
    return CheckResult(
        "batch_independence",
        name,
        error,
        tolerance("batch_independence", x.dtype),
        "outputs of a batch against those of each image alone, and of the batch in reverse; a "
        "larger error means that images are mixed, or normalised by what else is in the batch",
        configuration=described(x),
    )


def check_memory_format(module: Module, x: Tensor, name: str) -> CheckResult:
    """The output is the same for x [B, C, (S,) H, W] whatever the order of its values in memory.

    Tried are channels last, columns before rows, and every second pixel of a larger tensor.
    """
    with torch.no_grad():
        expected = module(x.contiguous())
        error = max(_difference(expected, module(other)) for other in _layouts(x))
    return CheckResult(
        "memory_format",
        name,
        error,
        tolerance("memory_format", x.dtype),
        "outputs for channels-last, transposed and strided memory against contiguous memory; a "
        "larger error means that values are read in the order of memory",
        configuration=described(x),
    )


def check_compiled(
    module: nn.Module, x: Tensor, name: str, backend: str | Callable[..., object] = "inductor"
) -> CheckResult:
    """`torch.compile` as one graph gives the same output, and the same gradient of the input.

    backend: as `torch.compile` takes it. Raises torch's own error for what cannot be compiled.
    """
    torch.compiler.reset()
    compiled = torch.compile(module, backend=backend, fullgraph=True)
    error = max(map(_difference, _with_gradient(module, x), _with_gradient(compiled, x)))
    label = backend if isinstance(backend, str) else getattr(backend, "__name__", "other")
    return CheckResult(
        "compiled",
        name,
        error,
        tolerance("compiled", x.dtype),
        f"output and gradient of the module compiled by {label} against the module itself; a "
        "larger error means that the graph froze something that changes, or was changed",
        configuration=described(x),
    )


def check_exported(module: nn.Module, x: Tensor, name: str) -> CheckResult:
    """The program that `torch.export` makes of the module gives the same output.

    Another input than the one that the program was traced with is tried as well.
    """
    program = torch.export.export(module, (x,)).module()
    other = x.flip(0, -1)
    with torch.no_grad():
        error = max(_difference(module(each), program(each)) for each in (x, other))
    return CheckResult(
        "exported",
        name,
        error,
        tolerance("exported", x.dtype),
        "output of the exported program against the module itself, for the traced and for another "
        "input; a larger error means that the trace froze what depends on the input",
        configuration=described(x),
    )


def _layouts(x: Tensor) -> Iterator[Tensor]:
    last = {4: torch.channels_last, 5: torch.channels_last_3d}.get(x.ndim)
    if last is not None:
        yield x.contiguous(memory_format=last)
    yield x.mT.contiguous().mT
    wide = x.new_ones((*x.shape[:-1], 2 * x.shape[-1]))
    wide[..., ::2] = x
    yield wide[..., ::2]


def _with_gradient(module: Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """The output, and the gradient of a fixed projection of it with respect to x."""
    x = x.detach().clone().requires_grad_()
    y = module(x)
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(y.shape, generator=generator, dtype=torch.float64).to(y)
    (gradient,) = torch.autograd.grad((y * weights).sum(), x)
    return y, gradient


def _difference(expected: Tensor, found: Tensor) -> float:
    return equivariance_error(expected.detach().double(), found.detach().double())
