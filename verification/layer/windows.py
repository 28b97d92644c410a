"""How large an input must be for its centre to see no border, and what the centre pixel looks at.

Both are found by running the layer. The gradient of the answers at the centre pixel says which
pixels of the input they depend on; it is believed if nothing changes when all others do. Where it
does not say so, as of a layer without gradients, the edges are found by changing one side of the
input at a time.

At stride 1 an output of odd side has its centre pixel over the middle of the input, which lies
between pixels if the input is even. Everywhere else (strides, outputs of even side, levels of a
pyramid) it is taken to look at the middle of what it sees, if that is no farther from there than
half a stride: farther, the layer is off.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from verification.layer.layouts import pixels
from verification.layer.targets import Target
from verification.tolerances import tolerance

_ALL = slice(None)
_SIDES = {1: (17, 65, 257, 1025), 2: (17, 33, 65, 129, 257), 3: (17, 33, 65)}
_UNKNOWN = 33
_ANSWERS = 16
"""Of one image and channel alone, a ReLU may keep most answers at zero whatever changes."""

Edges = tuple[tuple[int, int], ...]
"""First and last pixel that matters, along each axis."""


def located(target: Target, given: bool, stride: int | None) -> tuple[Target, tuple[str, ...]]:
    """The target with its stride, window and centres, and what a reader should know of them.

    given: whether the window is the user's, so that no other size is tried. stride: if it is.
    """
    if stride is None:
        target = _with_stride(target)
        given = given or target.one_size
    if given:
        seen = _View(target, target.window)
        target = replace(target, centres=seen.centres())
        border = target.one_size and seen.sees_border()
        note = f"fixed_size: the centre of {target.window} pixels sees the border"
        return target, (note,) if border else ()
    return _with_window(target)


def _with_window(target: Target) -> tuple[Target, tuple[str, ...]]:
    """The smallest window whose centre sees no border."""
    fallback: _View | None = None
    for side in _SIDES[target.dims]:
        for view in _views(target, side):
            if view.in_the_middle:
                n = view.smallest()
                note = f"window: {n} pixels, found by changing what lies farther out"
                if n == view.side:
                    note = f"window: {n} pixels; other sizes change answers"
                return replace(target, window=n), (note,)
            fallback = fallback or view
        if fallback is not None:
            told = f"window: {fallback.side} pixels, whose centres lie apart or between pixels"
            return replace(target, window=fallback.side, centres=fallback.centres()), (told,)
    most = _SIDES[target.dims][-1]
    note = f"window: none up to {most} pixels keeps the border out of sight; {_UNKNOWN} was used"
    target = replace(target, window=_UNKNOWN)
    return replace(target, centres=_View(target, _UNKNOWN).centres()), (note,)


def _views(target: Target, side: int) -> Iterator[_View]:
    """Inputs of about this side whose centre sees no border, with room to spare."""
    for more in range(2 * min(target.stride, 8) + 1):
        view = _View(target, side + more)
        if view.works and not view.sees_border():
            yield view


class _View:
    """What the centre pixel of an input of one size sees."""

    def __init__(self, target: Target, side: int) -> None:
        self.target, self.side, self.works = target, side, True
        self._edges: list[Edges | None] = []
        self._default = False
        try:
            self.x = noise(target, side, 1)
            y = self._run(self.x)
            if y.shape[1] < _ANSWERS:
                self.x = noise(target, side, math.ceil(_ANSWERS / y.shape[1]))
                y = self._run(self.x)
        except Exception:  # whatever a foreign layer raises, it does not take this size
            self.works = False
            return
        self.answer = self._read(y)
        self.sides = y.shape[y.ndim - target.dims :]

    def _run(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            y = self.target.layer(x)
        if y.ndim not in {2 + self.target.dims, 3 + self.target.dims}:
            raise ValueError(f"output of shape {tuple(y.shape)}: has no pixels")
        return y

    def _read(self, y: Tensor, before: int = 0) -> Tensor:
        """Answers at the centre pixel, or some pixels before it: [B, C, S], of a map [B, C, 1]."""
        y = y if y.ndim == 3 + self.target.dims else y.unsqueeze(2)
        return pixels(y, [n // 2 - before for n in y.shape[3:]]).double()

    # --- what matters ---

    def edges(self) -> list[Edges | None]:
        """Of each scale that is read apart; None where the border is in sight, or nothing is."""
        if not self._edges:
            apart = self.target.centre_only
            groups = [slice(s, s + 1) for s in range(self.answer.shape[2])] if apart else [_ALL]
            self._edges = [self._of_group(group) for group in groups]
        return self._edges

    def _of_group(self, scales: slice) -> Edges | None:
        found = self._by_gradient(scales)
        if found is None or self._changes(self._outside(found), scales):
            found = self._by_halves(scales)
        reach = (self.side - 1) / 2 - self.side // 4  # a dilated filter skips single rings
        middle = (self.side - 1) / 2
        far = any(max(middle - low, high - middle) > reach for low, high in found)
        return None if far else found

    def _by_gradient(self, scales: slice, before: int = 0) -> Edges | None:
        x = self.x.clone().requires_grad_()
        try:
            answers = self._read(self.target.layer(x), before)[..., scales]
            weights = torch.rand(answers.shape, generator=torch.Generator().manual_seed(1)) + 0.5
            (gradient,) = torch.autograd.grad((answers * weights).sum(), x)
        except Exception:  # no gradient, or none that torch can follow
            return None
        dims = self.target.dims
        size = gradient.abs().flatten(0, x.ndim - dims - 1).amax(0)
        seen = size > tolerance("integer_translation", self.target.dtype) ** 0.5 * size.max()
        found = []
        for axis in range(dims):
            at = (
                seen.movedim(axis, 0)
                .reshape(len(seen.movedim(axis, 0)), -1)
                .any(1)
                .nonzero()
                .flatten()
            )
            if not len(at):
                return None
            found.append((int(at[0]), int(at[-1])))
        return tuple(found)

    def _by_halves(self, scales: slice) -> Edges:
        """The first pixel that matters from each side of each axis, by bisection."""
        found = []
        for axis in range(-self.target.dims, 0):
            ends = []
            for from_end in (False, True):
                low, high = 0, self.side - 1
                while low < high:
                    middle = (low + high + 1) // 2
                    outer = slice(self.side - middle, None) if from_end else slice(middle)
                    mask = torch.zeros(self.side, dtype=torch.bool)
                    mask[outer] = True
                    shape = [-1 if n == axis else 1 for n in range(-self.target.dims, 0)]
                    if self._changes(mask.reshape(shape), scales):
                        high = middle - 1
                    else:
                        low = middle
                ends.append(low)
            found.append((ends[0], self.side - 1 - ends[1]))
        return tuple(found)

    def _outside(self, edges: Edges) -> Tensor:
        mask = torch.ones([self.side] * self.target.dims, dtype=torch.bool)
        mask[tuple(slice(low, high + 1) for low, high in edges)] = False
        return mask

    def _changes(self, mask: Tensor, scales: slice = _ALL) -> bool:
        """Whether answers change when all pixels of the mask do."""
        axes = tuple(range(-self.target.dims, 0))
        changed = torch.where(mask, -2.0 * self.x.flip(0, *axes) + 1.0, self.x)
        return not self._same(self._read(self._run(changed)), scales)

    def _same(self, found: Tensor, scales: slice = _ALL) -> bool:
        answer, found = self.answer[..., scales], found[..., scales]
        allowed = tolerance("integer_translation", self.target.dtype) * float(answer.square().sum())
        return found.shape == answer.shape and float((found - answer).square().sum()) <= allowed

    def sees_border(self) -> bool:
        """Whether any scale does, or sees nothing."""
        return not self.works or any(edges is None for edges in self.edges())

    # --- where it looks ---

    def centres(self) -> tuple[tuple[float, ...], ...]:
        """Of each scale: empty where that is the middle of the input."""
        if not self.works or (
            self._odd and self.target.stride == 1 and not self.target.centre_only
        ):
            return ()
        middle = (self.side - 1) / 2
        found = []
        for edges in self.edges():
            later = 0.0 if self._odd else self.target.stride / 2
            supposed = (middle + later,) * self.target.dims
            if edges is not None:
                seen = tuple((low + high) / 2 for low, high in edges)
                stride = max(self.target.stride, edges[0][1] - edges[0][0] + 1)
                far = max(abs(a - b) for a, b in zip(seen, supposed, strict=True))
                supposed = seen if far <= stride / 2 else supposed
            found.append(supposed)
        usual = all(centre == (middle,) * self.target.dims for centre in found)
        return () if usual and self._odd else tuple(found)

    def stride(self) -> int:
        """By how many pixels what the one before the centre sees lies before; 1 if unknown."""
        if not self.works or min(self.sides) < 2:
            return 1
        here, before = (self._by_gradient(_ALL, back) for back in (0, 1))
        if here is None or before is None:
            return max(1, round(self.side / self.sides[-1]))
        return max(1, *(a - b for a, b in zip(here[-1], before[-1], strict=True)))

    @property
    def _odd(self) -> bool:
        return all(n % 2 for n in self.sides)

    @property
    def in_the_middle(self) -> bool:
        """Whether the centre pixel looks at the middle of the input, for every scale."""
        return self.centres() == () and self._odd

    def smallest(self) -> int:
        """The smallest input about the same middle with the same answers."""
        middle = (self.side - 1) / 2
        edges = [pair for each in self.edges() if each is not None for pair in each]
        reach = max(max(middle - low, high - middle) for low, high in edges)
        for n in range(int(2 * reach) + 1, self.side + 1, 2):
            cut = (self.side - n) // 2
            if self._agrees(pixels(self.x, [slice(cut, cut + n)] * self.target.dims)):
                return n
        return self.side

    def _agrees(self, x: Tensor) -> bool:
        try:
            y = self._run(x)
        except Exception:  # as above: a size that is not taken cannot agree
            return False
        odd = all(n % 2 for n in y.shape[y.ndim - self.target.dims :])
        return odd and self._same(self._read(y))


def noise(target: Target, side: int, images: int, seed: int = 0) -> Tensor:
    """Random inputs: [images, C_in, (S,) side, …] of the target's dtype."""
    generator = torch.Generator().manual_seed(seed)
    shape = (images, *target.shape(side))
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(target.dtype)


def _with_stride(target: Target) -> Target:
    """Input pixels per output pixel, from the growth of the output, or from what neighbours see.

    A layer that takes no larger input takes one size only.
    """
    if target.centre_only:
        return target
    sizes = []
    for side in (target.window, target.window + 24)[: 1 if target.one_size else 2]:
        try:
            with torch.no_grad():
                sizes.append(target.layer(noise(target, side, 1)).shape[-1])
        except Exception:  # this size is not taken
            break
    if len(sizes) < 2:
        return replace(target, one_size=True, stride=_View(target, target.window).stride())
    gained = sizes[1] - sizes[0]
    return replace(target, stride=round(24 / gained) if gained > 0 and 24 % gained == 0 else 1)
