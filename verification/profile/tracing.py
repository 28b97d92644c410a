"""Follows an image through anybody's network, unit by unit, whatever the units are.

A unit is one call of a module that calls no other, or one operation between modules (an addition, a
flattening), in the order in which they run. Tensors carry, as an attribute, the grid on which their
pixels lie; it follows strides, paddings and windows where a module names them, and else the frame.
"""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.autograd.forward_ad as fwd
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from verification.profile.actions import Axis, Grid
from verification.profile.differences import differenced
from verification.profile.grids import grid_behind, moved, moves, moving
from verification.profile.trees import floating, outputs, replaced, tensors

_GRID = "_sesn_profile_grid"
_OF_A_FUNCTION = "re-set the forward grad"
"""Torch's answer to tangents that are set within a `torch.autograd.Function`."""
_DETACHING = (Tensor.detach, Tensor.data.__get__)  # type: ignore[attr-defined]
_NO_FORWARD_MODE = ("forward ad", "forward mode ad", "forward-mode", "jvp")


@dataclass(frozen=True)
class Unit:
    """One step of the network: its place in the order, its name, and what it is."""

    index: int
    name: str
    kind: str
    module: nn.Module | None


@dataclass(frozen=True)
class Step:
    """A unit and what it made of its input, as plain tensors; the tangents may be missing."""

    unit: Unit
    source: Tensor | None
    source_grid: Grid | None
    value: Tensor
    tangent: Tensor | None
    grid: Grid | None


Move = Callable[[Tensor], Any]
"""A function that moves values, of the tensor that the image has become."""
Visit = Callable[[Step], Tensor | None]
"""Sees each step; what it returns, if anything, is the unit's tangent from there on."""


class Tracer:
    """A network in evaluation mode, which is left as it was found when the block ends.

    output: path of the tensor that is the last unit, such as output['out']; None: the first one.
    calling: modules that call others, once `learn` has seen them. whole: names of those that are
    one unit all the same, as what they do between is a `torch.autograd.Function` of their own.
    aliasing: whether it writes into views of its maps; then views are no units, which are copies.
    by_differences: names of units whose derivative is by central differences, as they have none.
    """

    def __init__(self, model: nn.Module, output: str | None = None) -> None:
        self.model, self.output = model, output
        self.by_differences: dict[str, str] = {}
        self.whole: set[str] = set()
        self.calling: set[nn.Module] = set()
        self.aliasing = False
        self._names = {id(each): _plain(name) for name, each in model.named_modules()}

    def learn(self, x: Tensor) -> None:
        """Find which modules call others, by [B, C, H, W]: some use their children's weights alone.

        What a weight is computed by, as a parametrization, is not counted.
        """
        stack: list[nn.Module] = []

        def enter(module: nn.Module, args: Any) -> None:  # noqa: ANN401
            if stack and ".parametrizations." not in f".{self.name(module)}.":
                self.calling.add(stack[-1])
            stack.append(module)

        def leave(*_: Any) -> None:  # noqa: ANN401
            stack.pop()

        with contextlib.ExitStack() as undo, torch.no_grad():
            for module in dict.fromkeys(self.model.modules()):
                undo.callback(module.register_forward_pre_hook(enter).remove)
                # Also where it raises what the network catches.
                undo.callback(module.register_forward_hook(leave, always_call=True).remove)
            self.model(x)

    def run(self, x: Tensor, tangent: Tensor | None, visit: Visit) -> Tensor:
        """The chosen output for [B, C, H, W], a dual tensor if a tangent is given.

        The image is the first unit, and the output the last. Where a module has no forward-mode
        derivative the run is repeated with its differences.
        Tangents, those of `visit` too, only within `fwd.dual_level()`.
        """
        while True:
            walk = _Walk(self, visit)
            start = x.clone() if tangent is None else fwd.make_dual(x.clone(), tangent.clone())
            try:
                with torch.no_grad(), walk.watching():
                    _mark(start, (Axis(x.shape[-2]), Axis(x.shape[-1])))
                    start = walk.step("input", "input", None, start, start)
                    name, end = self.chosen(self.model(start))
                    return walk.step(name, "output", None, end, end)
            except (NotImplementedError, RuntimeError) as error:
                message = str(error).lower()
                name = self.name(walk.origin(error))
                if _OF_A_FUNCTION in message and name not in self.whole:
                    self.whole.add(name)
                    continue
                if name in self.by_differences or not any(w in message for w in _NO_FORWARD_MODE):
                    raise
                self.by_differences[name] = ""

    def chosen(self, tree: Any, *, followed: bool = True) -> tuple[str, Tensor]:  # noqa: ANN401
        """Name and tensor of the last unit. Raises ValueError where none can be followed."""
        found = outputs(tree)
        if not found:
            raise ValueError(
                f"the network gives {type(tree).__name__}: must be a floating tensor, or tuples, "
                "lists, mappings and dataclasses that hold one"
            )
        name = self.output or next(iter(found))
        if name not in found:
            raise ValueError(f"output={self.output!r}: must be one of {list(found)}")
        if followed and not hasattr(found[name], _GRID):
            raise ValueError(
                f"{name} cannot be followed back to the image: it does not depend on it, or its "
                "numbers were taken out of torch or made integers in between"
            )
        return name, found[name]

    def name(self, module: nn.Module) -> str:
        """As `named_modules` has it; the network itself is called by its class."""
        return self._names.get(id(module)) or type(module).__name__


class _Walk(TorchFunctionMode):
    """One run: keeps track of the modules that are being called and names what they do."""

    def __init__(self, tracer: Tracer, visit: Visit) -> None:
        super().__init__()
        self.tracer, self.visit = tracer, visit
        self.stack: list[nn.Module] = []
        self.closed = 0  # leaves, and this class's own work: nothing within them is a unit
        self.calls: Counter[str] = Counter()
        self.failed: tuple[BaseException | None, nn.Module] = (None, tracer.model)

    def innermost(self) -> nn.Module:
        return self.stack[-1] if self.stack else self.tracer.model

    def origin(self, error: BaseException) -> nn.Module:
        """The module in which an error was raised that has come through all others."""
        failed, module = self.failed
        return module if error is failed else self.innermost()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Hooks on all modules, taken away afterwards."""
        modules = dict.fromkeys(self.tracer.model.modules())
        with contextlib.ExitStack() as undo:
            for module in modules:
                for handle in (
                    module.register_forward_pre_hook(self._enter),
                    module.register_forward_hook(self._leave, with_kwargs=True, always_call=True),
                ):
                    undo.callback(handle.remove)
                if self.tracer.name(module) in self.tracer.by_differences:
                    undo.enter_context(differenced(module, self._note(module)))
            undo.enter_context(self)
            yield

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None,  # noqa: ANN401
    ) -> Any:  # fmt: skip  # noqa: ANN401
        result = function(*args, **(kwargs or {}))
        if self.closed:
            return result
        name = getattr(function, "__name__", str(function)).strip("_")
        marked = [each for each in tensors((args, kwargs or {})) if hasattr(each, _GRID)]
        if not marked or name.endswith("_like") or name.startswith("new_"):
            return result  # nothing that the image has become
        source = max(marked, key=lambda each: grid_of(each) is not None)
        if name == "setitem" and not hasattr(args[0], _GRID):
            _mark(args[0], grid_of(source) if _same_frame(args[0], source) else None)
        if function in _DETACHING:
            result = args[0].view_as(args[0])  # the same numbers, with their tangent

        def again(places: Tensor) -> Any:  # noqa: ANN401
            return function(*(places if each is source else each for each in args), **kwargs or {})

        move = again if moves(name) else None
        whole = isinstance(result, Tensor) and result.is_floating_point()
        if not whole or (self.tracer.aliasing and result._is_view()):
            self._mark_parts(result, source, move)
            return result
        path = self.tracer.name(self.innermost()) if len(self.stack) > 1 else ""
        new = self.step(f"{path}.{name}".strip("."), name, None, source, result, move)
        if new is not result and args and result is args[0]:  # in place: others may hold it
            self._quietly(result.copy_, new)
            _mark(result, grid_of(new))
            return result
        return new

    def _mark_parts(self, result: Any, source: Tensor, move: Move | None) -> None:  # noqa: ANN401
        """What is no unit: several tensors at once, or complex ones, whose frame is not known."""
        if isinstance(result, Tensor) and result.is_complex():
            _mark(result, None)
        parts = floating(result)
        if not parts:
            return
        grids = [grid_behind(None, grid_of(source), source, part) for part in parts]
        if move and grid_of(source):
            grids = self._quietly(moved, move, grid_of(source), source)
        for part, grid in zip(parts, grids, strict=True):
            _mark(part, grid)

    def _quietly(self, function: Callable[..., Any], *args: Any) -> Any:  # noqa: ANN401
        """Call, where nothing that is done is a unit."""
        self.closed += 1
        try:
            return function(*args)
        finally:
            self.closed -= 1

    def _enter(self, module: nn.Module, args: Any) -> None:  # noqa: ANN401
        self.stack.append(module)
        self.closed += self._is_leaf(module)

    def _leave(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> Any:  # noqa: ANN401
        self.stack.pop()
        self.closed -= self._is_leaf(module)
        error = sys.exc_info()[1] if output is None else None
        if error is not None and error is not self.failed[0]:
            self.failed = error, module
        if self.closed or not self._is_leaf(module):
            return None
        given = list(tensors((args, kwargs)))
        source = next((each for each in given if hasattr(each, _GRID)), None)
        if source is None or not floating(output):
            return None
        kind = type(module).__name__
        first, *others = floating(output)
        move = moving(module, source, first)
        seen = self.step(self.tracer.name(module), kind, module, source, first, move)
        if isinstance(output, Tensor):
            return seen
        for other in others:
            _mark(other, grid_behind(module, grid_of(source), source, other))
        return replaced(output, lambda each: seen if each is first else each)

    def _is_leaf(self, module: nn.Module) -> bool:
        tracer = self.tracer
        own = tracer.name(module) in tracer.by_differences.keys() | tracer.whole
        if module is tracer.model and not type(module).__module__.startswith("torch.nn"):
            return own
        return own or module not in tracer.calling

    def _note(self, module: nn.Module) -> Callable[[torch.dtype], None]:
        name = self.tracer.name(module)

        def note(dtype: torch.dtype) -> None:
            self.tracer.by_differences[name] = str(dtype).removeprefix("torch.")

        return note

    def step(
        self, name: str, kind: str, module: nn.Module | None, source: Tensor | None,
        output: Tensor, move: Move | None = None,
    ) -> Tensor:  # fmt: skip
        """Has a unit seen; its output, with the tangent that it has from there on."""
        self.closed += 1
        try:
            source_grid = None if source is None else grid_of(source)
            value, tangent = fwd.unpack_dual(output)
            grid = None if source is None else grid_behind(module, source_grid, source, value)
            if source is not None and source_grid and move:
                (grid,) = moved(move, source_grid, source)
            self.calls[name] += 1
            times = self.calls[name]
            unit = Unit(
                sum(self.calls.values()) - 1,
                name if times == 1 else f"{name} #{times}",
                kind,
                module,
            )
            plain = None if source is None else fwd.unpack_dual(source).primal
            new = self.visit(Step(unit, plain, source_grid, value, tangent, grid))
            if new is not None:
                # A view of another tensor would have its tangent set there as well.
                output = fwd.make_dual(value.clone() if output._is_view() else value, new)
            _mark(output, grid)
        finally:
            self.closed -= 1
        return output


def grid_of(x: Tensor) -> Grid | None:
    """Where the tensor's pixels lie, if that is known."""
    grid: Grid | None = getattr(x, _GRID, None)
    return grid


def _mark(x: Tensor, grid: Grid | None) -> None:
    """Says of a tensor that the image has become it, and on which grid."""
    setattr(x, _GRID, grid)


def _same_frame(x: Tensor, y: Tensor) -> bool:
    return x.ndim == y.ndim and x.shape[-2:] == y.shape[-2:]


def _plain(name: str) -> str:
    """Without what `torch.compile` adds."""
    return ".".join(part for part in name.split(".") if part != "_orig_mod")
