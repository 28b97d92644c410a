"""From layers as they are written to targets as the checks want them: see TARGETS.md.

An adapter only renames axes; nothing is resampled. What the user does not say is found out by
running the layer: channels, number of scales, stride, and the window (`layer.windows`).
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from verification.layer.layouts import Layout, Order, tensor
from verification.layer.options import Options
from verification.layer.targets import OptionError, Target, describe
from verification.layer.windows import located

_USUAL = (28, 32, 56, 64, 96, 128, 224, 299)
"""Sizes that networks are made for which take no other."""
_SIDES = {1: (33, 129, 513, 1025), 2: (33, 65, 129, 257, *_USUAL), 3: (17, 33, 65)}
"""Of the inputs that are tried, by the number of axes of space."""
_CHANNELS = (1, 3, 2, 4, 8, 16, 32, 64)
_HALF = (torch.float16, torch.bfloat16)
_UNKNOWN_RATIO = math.sqrt(2.0)

Run = Callable[[Tensor], Tensor]


class Adapted(nn.Module):
    """A layer whose inputs and outputs are in the checks' own layout, [B, C, S, H, W].

    options: what is said of the layer. Raises ValueError for outputs that are not as it is said.
    """

    def __init__(self, layer: Callable[..., object], options: Options) -> None:
        super().__init__()
        self.layer, self.options = layer, options
        self.layout = Layout.of(options.layout)
        if options.takes_scale:
            each = Order(self.layout.gives.without_scales().axes, listed=True)
            self.layout = Layout(self.layout.takes, each)
        self.missing = options.scale_extent - 1 if options.ends == "drop" else 0
        scales = options.scales
        self.count = len(scales) - self.missing if isinstance(scales, Sequence) else None
        self.centre_only = False

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, (S,) H, W] -> [B, C, S, H', W']."""
        packed = self.layout.packed(x)
        scales = self.options.scales
        if self.options.takes_scale and isinstance(scales, Sequence):
            y: object = [self._selected(packed, sigma) for sigma in scales]
        else:
            y = self._selected(packed)
        stacked, self.centre_only = self.layout.stacked(y, self.count)
        if self.missing and stacked.ndim == 3 + self.layout.dims:
            stacked = nn.functional.pad(stacked, [0, 0] * self.layout.dims + [0, self.missing])
        return stacked

    def _selected(self, x: Tensor | list[Tensor], *sigma: float) -> object:
        """What the layer gives, or the part that was asked for, on the device that x came from."""
        home, device = (x[0] if isinstance(x, list) else x).device, self.options.device
        y = self.layer(x if device is None else _brought(x, torch.device(device)), *sigma)
        select = self.options.select
        if select is not None:
            y = select(y) if callable(select) else _entry(y, select)
        return y if device is None else _brought(y, home)


def _entry(y: object, select: str | int) -> object:
    """By key, index or attribute. Raises OptionError for what the output does not have."""
    try:
        return getattr(y, select) if _has(y, select) else y[select]  # type: ignore[arg-type,index]
    except (KeyError, IndexError, TypeError) as error:
        have: object = type(y).__name__
        if isinstance(y, Mapping):
            have = ", ".join(map(repr, y))
        elif isinstance(y, list | tuple):
            have = f"0 to {len(y) - 1}"
        raise OptionError(f"select={select!r}: the layer's output has {have}") from error


def _has(y: object, select: str | int) -> bool:
    return isinstance(select, str) and not isinstance(y, Mapping) and hasattr(y, select)


def _brought(y: object, device: torch.device) -> object:
    if isinstance(y, list | tuple):
        return [_brought(each, device) for each in y]
    return y.to(device) if isinstance(y, Tensor) else y


def prepare(
    layer: Callable[..., object] | Target, options: Options | None = None
) -> tuple[Target, tuple[str, ...]]:
    """The target of a layer, and notes on what was found out about it.

    A ready `Target` is left as it is, but for a tolerance. Raises ValueError for what cannot be a
    target, and whatever the layer raises.
    """
    options = options or Options()
    if isinstance(layer, Target):
        return replace(layer, tolerance=options.tolerance or layer.tolerance), ()
    if options.device is not None and torch.device(options.device).type == "cpu":
        options = replace(options, device=None)
    if _is_steerable(layer) and _unsaid(options):
        target = describe(layer, options.name)  # type: ignore[arg-type]
        return replace(target, tolerance=options.tolerance), ()
    if _is_half(layer) and options.dtype in {None, *_HALF}:
        target, notes = prepare(
            copy.deepcopy(layer).float(),  # type: ignore[attr-defined]
            replace(options, dtype=None, name=options.name or type(layer).__name__),
        )
        return target, ("dtype: the layer has fewer digits than float32; a copy was judged", *notes)
    adapted: Run = layer  # type: ignore[assignment]
    if not (_unadapted(options) and Layout.of(options.layout).plain):
        adapted = Adapted(layer, options)
    trial = _Trial(adapted, options, _dtypes_of(layer))
    target = _described(trial, options, options.name or type(layer).__name__)
    if target.output == "classes":
        return target, trial.notes
    target, note = located(target, options.window is not None or target.one_size, options.stride)
    return target, (*trial.notes, *note)


def _is_half(layer: object) -> bool:
    """Whether a module is of a type in which rounding would hide most mistakes."""
    return isinstance(layer, nn.Module) and _dtypes_of(layer)[0] in _HALF


def _unsaid(options: Options) -> bool:
    """Whether nothing is said of the layer that its own attributes do not say."""
    told = replace(options, name=None, tolerance=None, in_channels=None, lifts=None)
    return told == Options()


def _unadapted(options: Options) -> bool:
    dropped = options.ends == "drop" and options.scale_extent > 1
    return (
        options.select is None and options.device is None and not (options.takes_scale or dropped)
    )


def _described(trial: _Trial, options: Options, name: str) -> Target:
    """What a trial run tells, all but the window."""
    channels, lifts, y = trial.first()
    dims = Layout.of(options.layout).dims
    kind = options.output or {2 + dims: "map", 2: "classes"}.get(y.ndim, "scales")
    count = y.shape[2] if kind == "scales" and y.ndim == 3 + dims else 1
    grid = options.scales
    if not isinstance(grid, Sequence):
        ratio = _UNKNOWN_RATIO if grid is None else grid
        grid = tuple(float(ratio) ** i for i in range(max(count, 2 if kind != "scales" else count)))
    return Target(
        name=name,
        layer=trial.run,
        scales=tuple(grid),
        in_channels=channels,
        window=trial.side,
        lifts=lifts,
        scale_extent=options.scale_extent,
        stride=options.stride or 1,
        dtype=trial.dtype,
        output=kind,
        estimated=options.scales is None and kind == "scales" and count > 1,
        tolerance=options.tolerance,
        dims=dims,
        one_size=trial.one_size,
        centre_only=getattr(trial.run, "centre_only", False),
    )


def _is_steerable(layer: object) -> bool:
    """Whether the attributes are there and are those of `targets.SteerableLayer`.

    Other people's layers have a `basis` that is a tensor, and a padding of two numbers.
    """
    basis, weight = getattr(layer, "basis", None), getattr(layer, "weight", None)
    return (
        isinstance(weight, Tensor)
        and weight.ndim in {3, 4}
        and all(hasattr(basis, name) for name in ("functions", "scales", "supports", "atoms"))
        and all(isinstance(getattr(layer, name, None), int) for name in ("padding", "stride"))
        and hasattr(layer, "bias")
    )


def _dtypes_of(layer: object) -> list[torch.dtype]:
    """That of its parameters; of a callable without any, the first that it takes."""
    if isinstance(layer, nn.Module):
        for held in (*layer.parameters(), *layer.buffers()):
            if held.is_floating_point():
                return [held.dtype]
    return [torch.float64, torch.float32]


class _Trial:
    """Finds an input that the layer takes."""

    def __init__(self, run: Run, options: Options, dtypes: Sequence[torch.dtype]) -> None:
        self.run, self.options = run, options
        self.dtypes = [options.dtype] if options.dtype else dtypes
        self.dtype = self.dtypes[0]
        given = options.fixed_size or options.window
        self.sides = (given,) if given else _SIDES[Layout.of(options.layout).dims]
        self.side = self.sides[0]
        self.notes: tuple[str, ...] = ()
        self.one_size = options.fixed_size is not None

    def first(self) -> tuple[int, bool, Tensor]:
        """C_in, whether the layer lifts, and its output to zeros; raises the layer's own error."""
        options, dims = self.options, Layout.of(self.options.layout).dims
        lifting = options.takes_scale or options.lifts
        kinds = (True, False) if lifting is None else (bool(lifting),)
        counts = _CHANNELS if options.in_channels is None else (options.in_channels,)
        scales = len(options.scales) if isinstance(options.scales, Sequence) else 2
        trouble: Exception | None = None
        for dtype, side, lifts, count in itertools.product(self.dtypes, self.sides, kinds, counts):
            x = torch.zeros((2, count, *(() if lifts else (scales,)), *[side] * dims), dtype=dtype)
            try:
                with torch.no_grad():
                    y = self.run(x)
            except OptionError:
                raise
            except Exception as error:
                trouble = trouble or error
                continue
            self.side, self.dtype = side, dtype
            self._note_size()
            return count, lifts, tensor(y)
        assert trouble is not None
        raise trouble

    def _note_size(self) -> None:
        """A size that was not given, and is none of those tried first, is the only one."""
        if len(self.sides) > 1 and self.side in _USUAL:
            self.one_size = True
            self.notes = (f"fixed_size: {self.side} pixels; others that were tried are not taken",)
