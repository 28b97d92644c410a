"""From layers as they are written to targets as the checks want them: see TARGETS.md.

An adapter only renames axes; nothing is resampled. What the user does not say is found out by
running the layer: channels, number of scales, stride, and how large an image must be for its centre
to see no border.

Layouts: B images, C channels, S scales, H rows, W columns; (CS) is one axis on which scales vary
fastest, (SC) one on which channels do; "list" has one tensor [B, C, H_s, W_s] for each scale.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from verification.layer.options import LAYOUTS, Options
from verification.layer.targets import OptionError, Target, describe
from verification.tolerances import tolerance

_SIDES = (17, 33, 65, 129, 257)
_CHANNELS = (1, 3, 2, 4, 8, 16, 32, 64)
_NOISES = 16
_UNKNOWN_RATIO = math.sqrt(2.0)

Run = Callable[[Tensor], Tensor]


class Adapted(nn.Module):
    """A layer whose inputs and outputs are in the checks' own layout, [B, C, S, H, W].

    layout: of the output, and of the input if it has a scale axis. count: S, where it is needed to
    part a folded axis. missing: how many scales the layer drops at the coarse end; zeros take their
    place. Raises ValueError for an unknown layout, or outputs that are not in it.
    """

    def __init__(
        self, layer: Callable[..., object], layout: str, count: int | None, missing: int = 0
    ) -> None:
        super().__init__()
        if layout not in LAYOUTS:
            raise OptionError(f"layout={layout!r}: must be one of {', '.join(LAYOUTS)}")
        if layout.startswith("B(") and count is None:
            raise OptionError(f"layout={layout!r}: scales must be given, to part the folded axis")
        self.layer, self.layout, self.count, self.missing = layer, layout, count, missing
        self.centre_only = False

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, (S,) H, W] -> [B, C, S, H', W']."""
        y = self.layer(self._packed(x) if x.ndim == 5 else x)
        unpacked = self._unpacked(y)
        if self.missing and unpacked.ndim == 5:
            unpacked = nn.functional.pad(unpacked, [0, 0, 0, 0, 0, self.missing])
        return unpacked

    def _packed(self, x: Tensor) -> object:
        if self.layout == "BSCHW":
            return x.transpose(1, 2)
        if self.layout == "B(CS)HW":
            return x.flatten(1, 2)
        if self.layout == "B(SC)HW":
            return x.transpose(1, 2).flatten(1, 2)
        return list(x.unbind(2)) if self.layout == "list" else x

    def _unpacked(self, y: object) -> Tensor:
        if self.layout == "list":
            return self._stacked(y)
        if not isinstance(y, Tensor):
            raise ValueError(f"output of type {type(y).__name__}: must be a tensor {self.layout}")
        if self.layout == "BSCHW":
            return y.transpose(1, 2) if y.ndim == 5 else y
        if self.layout.startswith("B("):
            assert self.count is not None
            if y.ndim != 4 or y.shape[1] % self.count:
                raise ValueError(
                    f"output of shape {tuple(y.shape)}: must be {self.layout} with a multiple of "
                    f"{self.count} scales on axis 1"
                )
            if self.layout == "B(CS)HW":
                return y.reshape(y.shape[0], -1, self.count, *y.shape[2:])
            return y.reshape(y.shape[0], self.count, -1, *y.shape[2:]).transpose(1, 2)
        return y

    def _stacked(self, y: object) -> Tensor:
        """One tensor for each scale; of unequal sizes the centre pixels, so as not to resample."""
        if not isinstance(y, list | tuple) or not y or not all(isinstance(t, Tensor) for t in y):
            raise ValueError(f"output of type {type(y).__name__}: must be a list of tensors")
        if len({tuple(t.shape) for t in y}) == 1:
            return torch.stack(list(y), dim=2)
        self.centre_only = True
        if any(side % 2 == 0 for t in y for side in t.shape[-2:]):
            sizes = ", ".join("×".join(map(str, t.shape[-2:])) for t in y)
            raise ValueError(
                f"outputs of {sizes} pixels: unequal sizes must be odd, so that each has a centre; "
                "choose a window for which they are"
            )
        centres = [t[..., t.shape[-2] // 2, t.shape[-1] // 2] for t in y]
        return torch.stack(centres, dim=2)[..., None, None]


class OnDevice(nn.Module):
    """A layer that runs elsewhere: its inputs are brought there, its outputs back."""

    def __init__(self, layer: Callable[..., object], device: str) -> None:
        super().__init__()
        self.layer, self.device = layer, device

    def forward(self, x: Tensor | list[Tensor]) -> object:
        """[...] -> what the layer gives, on the device that x came from."""
        if isinstance(x, Tensor):
            return _brought(self.layer(x.to(self.device)), x.device)
        return _brought(self.layer([t.to(self.device) for t in x]), x[0].device)


def _brought(y: object, device: torch.device) -> object:
    if isinstance(y, list | tuple):
        return [_brought(each, device) for each in y]
    return y.to(device) if isinstance(y, Tensor) else y


def prepare(
    layer: Callable[..., object] | Target, options: Options | None = None
) -> tuple[Target, tuple[str, ...]]:
    """The target of a layer, and notes on what was found out about it.

    A ready `Target` is left as it is. Raises ValueError for what cannot be a target, and whatever
    the layer raises.
    """
    if isinstance(layer, Target):
        return layer, ()
    options = options or Options()
    scales, layout, extent = options.scales, options.layout, options.scale_extent
    stride, window = options.stride, options.window
    elsewhere = options.device is not None and torch.device(options.device).type != "cpu"
    if scales is None and layout == "BCSHW" and _is_steerable(layer) and not elsewhere:
        return describe(layer, options.name), ()  # type: ignore[arg-type]
    grid = tuple(scales) if isinstance(scales, Sequence) else None
    missing = extent - 1 if options.ends == "drop" else 0
    adapted: Run = layer  # type: ignore[assignment]
    if options.device is not None and elsewhere:
        adapted = OnDevice(layer, options.device)
    if layout != "BCSHW" or missing:
        adapted = Adapted(adapted, layout, None if grid is None else len(grid) - missing, missing)
    notes: list[str] = []
    dtypes = [options.dtype] if options.dtype else _dtypes_of(layer)
    trial = _Trial(adapted, dtypes, None if grid is None else len(grid), window)
    channels, lifted, y = trial.first(options.in_channels, options.lifts)
    dtype = trial.dtype
    kind = options.output or {5: "scales", 4: "map", 2: "classes"}.get(y.ndim, "scales")
    count = y.shape[2] if kind == "scales" and y.ndim == 5 else 1
    ratio = scales if isinstance(scales, int | float) else _UNKNOWN_RATIO
    if grid is None:
        grid = tuple(float(ratio) ** i for i in range(max(count, 2 if kind != "scales" else count)))
    target = Target(
        name=options.name or type(layer).__name__,
        layer=adapted,
        scales=grid,
        in_channels=channels,
        window=window or trial.side,
        lifts=lifted,
        scale_extent=extent,
        stride=stride or 1,
        dtype=dtype,
        output=kind,
        estimated=scales is None and kind == "scales" and count > 1,
    )
    if kind != "classes":
        if stride is None:
            target = replace(target, stride=_stride(target, y))
        if window is None:
            target, note = _with_window(target)
            notes.append(note)
    return target, tuple(notes)


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
        for tensor in (*layer.parameters(), *layer.buffers()):
            if tensor.is_floating_point():
                return [tensor.dtype]
    return [torch.float64, torch.float32]


class _Trial:
    """Finds an input that the layer takes."""

    def __init__(
        self, run: Run, dtypes: Sequence[torch.dtype], scales: int | None, side: int | None
    ) -> None:
        self.run, self.dtypes, self.scales = run, dtypes, scales
        self.dtype = dtypes[0]
        self.sides = _SIDES[1:] if side is None else (side,)
        self.side = self.sides[0]

    def first(self, channels: int | None, lifts: bool | None) -> tuple[int, bool, Tensor]:
        """C_in, whether the layer lifts, and its output to zeros; raises the layer's own error."""
        kinds = (True, False) if lifts is None else (lifts,)
        counts = _CHANNELS if channels is None else (channels,)
        trouble: Exception | None = None
        for dtype, side, lifted, count in itertools.product(self.dtypes, self.sides, kinds, counts):
            inner = () if lifted else (self.scales or 2,)
            x = torch.zeros((2, count, *inner, side, side), dtype=dtype)
            try:
                with torch.no_grad():
                    y = self.run(x)
            except Exception as error:
                trouble = trouble or error
                continue
            if not isinstance(y, Tensor):
                raise ValueError(
                    f"output of type {type(y).__name__}: must be a tensor; a list needs "
                    'layout="list"'
                )
            self.side, self.dtype = side, dtype
            return count, lifted, y
        assert trouble is not None
        raise trouble


# --- Windows --------------------------------------------------------------------------------------


def _stride(target: Target, y: Tensor) -> int:
    """Input pixels per output pixel, from the growth of the output."""
    grown = _run(target, _noise(target, target.window + 24))
    gained = grown.shape[-1] - y.shape[-1]
    return round(24 / gained) if gained > 0 and 24 % gained == 0 else 1


def _with_window(target: Target) -> tuple[Target, str]:
    """The smallest window whose centre sees no border, by perturbing what lies farther out."""
    for side in (side + more for side in _SIDES for more in range(0, 2 * target.stride + 1, 2)):
        try:
            x = _noise(target, side)
            answer = _centre(target, x)
        except Exception:  # whatever a foreign layer raises, it does not take this size
            continue
        reach = _reach(target, x, answer)
        if reach is None:
            continue
        for n in range(2 * reach + 1, side + 1, 2):
            cut = (side - n) // 2
            cropped = x[..., cut : cut + n, cut : cut + n]
            if _agrees(target, cropped, answer):
                found = f"window: {n} pixels, found by changing what lies farther out"
                return replace(target, window=n), found
        return replace(target, window=side), f"window: {side} pixels; other sizes change answers"
    most = _SIDES[-1]
    note = f"window: none up to {most} pixels keeps the border out of sight; {_SIDES[1]} was used"
    return replace(target, window=_SIDES[1]), note


def _reach(target: Target, x: Tensor, answer: Tensor) -> int | None:
    """The least h such that only the central (2h + 1)² pixels matter; None if all do."""
    side = x.shape[-1]
    # A band half as wide as the centre must not matter: a dilated filter skips single rings.
    low, high = 0, side // 2 - side // 4
    if not _same(target, _centre(target, _changed_outside(x, high)), answer):
        return None
    while low < high:
        middle = (low + high) // 2
        if _same(target, _centre(target, _changed_outside(x, middle)), answer):
            high = middle
        else:
            low = middle + 1
    return low


def _changed_outside(x: Tensor, reach: int) -> Tensor:
    middle = x.shape[-1] // 2
    inside = slice(middle - reach, middle + reach + 1)
    changed = -2.0 * x.flip(0, -1, -2) + 1.0
    changed[..., inside, inside] = x[..., inside, inside]
    return changed


def _agrees(target: Target, x: Tensor, answer: Tensor) -> bool:
    try:
        return _same(target, _centre(target, x), answer)
    except Exception:  # as above: a size that is not taken cannot agree
        return False


def _same(target: Target, found: Tensor, answer: Tensor) -> bool:
    allowed = tolerance("integer_translation", target.dtype) * float(answer.square().sum())
    return found.shape == answer.shape and float((found - answer).square().sum()) <= allowed


def _noise(target: Target, side: int) -> Tensor:
    """Several images: of one alone, a ReLU may keep most answers at zero whatever changes."""
    inner = () if target.lifts else (len(target.scales),)
    generator = torch.Generator().manual_seed(0)
    shape = (_NOISES, target.in_channels, *inner, side, side)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(target.dtype)


def _run(target: Target, x: Tensor) -> Tensor:
    with torch.no_grad():
        return target.layer(x)


def _centre(target: Target, x: Tensor) -> Tensor:
    y = _run(target, x).double()
    if y.ndim < 4 or y.shape[-1] % 2 == 0 or y.shape[-2] % 2 == 0:
        raise ValueError(f"output of shape {tuple(y.shape)}: must have odd sides")
    return y[..., y.shape[-2] // 2, y.shape[-1] // 2]
