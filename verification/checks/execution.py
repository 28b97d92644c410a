"""Checks that a layer's numbers do not depend on how it is run.

Alone or in a batch, with memory laid out in another order, compiled or exported: the sums may run
in another order, so the numbers agree up to rounding, and up to nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from verification.checks.result import CheckResult
from verification.reference.errors import equivariance_error
from verification.tolerances import tolerance

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
        configuration=_described(x),
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
        configuration=_described(x),
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
        configuration=_described(x),
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
        configuration=_described(x),
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


def _described(x: Tensor) -> str:
    return f"x {tuple(x.shape)}, {x.dtype}"
