"""Passes through a network: of images and what they become, and of their tangents.

The chain rule. Let A be the generator of the action on each unit's output y = m(x). Up to there the
network has the Lie derivative e_m = ẏ − Ay, the unit alone d_m = Dm[Ax] − Ay, and

    e_m = Dm[e_x] + d_m,

so the whole at the output is Σ_m J_m d_m, with J_m the derivative of all that follows m. The first
pass has two copies of an image in a batch, which a network in evaluation mode treats alike: one has
its tangent set to Ay behind each unit, which yields every d_m; the other is left alone, which
yields every e_m. Further passes have no tangent but, in each copy, one d_m, or a part of it,
behind m.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
import torch.autograd.forward_ad as fwd
from torch import Tensor

from verification.profile.actions import REACH, Action
from verification.profile.images import Pair, sampled, velocity
from verification.profile.parts import split
from verification.profile.result import Change, Contribution, UnitProfile
from verification.profile.tracing import Step, Tracer, Visit
from verification.reference.analytic import GaborImage

_PARTS_PER_PASS = 16
_ROUNDINGS = 30.0
"""Parts of so many roundings of what the action does are none; the remainder has them."""


class Passes:
    """The units of a network, filled in by every pass; each pass moves the bar."""

    def __init__(self, tracer: Tracer, device: torch.device, dtype: torch.dtype, bar: Any) -> None:  # noqa: ANN401
        self.tracer, self.device, self.dtype, self.bar = tracer, device, dtype, bar
        self.units: list[UnitProfile] = []

    @property
    def notes(self) -> list[str]:
        """What has been done otherwise than for most networks."""
        notes = [
            f"{unit}: has no forward-mode derivative; by central differences in {dtype}"
            for unit, dtype in self.tracer.by_differences.items()
        ]
        end = self.units[-1]
        for kind, change in end.changes.items():
            if "," in kind:
                continue
            if not change.unrelated:
                notes.append(
                    f"{end.name}: is the same for all images, so nothing is relative to it"
                )
                break
            if kind.endswith("lie") and not change.error:
                notes.append(f"{end.name}: its derivative is zero, as that of steps is")
                break
        merged = [unit.name for unit in self.units if not unit.changes]
        if merged:
            notes.append(
                "what rescaling does to these is not known, so what they lose is counted with the "
                f"next unit: {', '.join(merged)}"
            )
        return notes

    def prepare(self, image: Tensor) -> None:
        """Finds modules without a derivative, or one with what they call, by [1, C, H, H].

        Raises ValueError where a derivative is lost.
        """
        x = image.to(self.device, self.dtype)
        self.tracer.learn(x)
        with torch.no_grad():
            _, plain = self.tracer.chosen(self.tracer.model(x), followed=False)
        if not self._follows(x, plain):
            self.tracer.aliasing = True
            if not self._follows(x, plain):
                raise ValueError("the network has another output while its layers are followed")

    def _follows(self, x: Tensor, plain: Tensor) -> bool:
        """Whether the network does what it does when it is not followed."""
        with warnings.catch_warnings(), fwd.dual_level():
            # Torch's own forward mode, when first used, is written in what torch has given up.
            warnings.filterwarnings("ignore", ".torch.jit.script. is deprecated", FutureWarning)
            end = fwd.unpack_dual(self.tracer.run(x, x, _moving)).primal
        return near(end, plain)

    def compare(self, key: str, action: Action, pair: Pair) -> None:
        """Changes of every unit's output between images and what they become.

        Raises ValueError for an output that is not finite, or none that the action is known for.
        """
        count = len(pair.images)

        def see(step: Step) -> None:
            unit = self.unit(step)
            if not bool(torch.isfinite(step.value).all()):
                raise ValueError(f"unit {unit.name!r}: its output is not finite")
            if not _known(step, action, 2 * count):
                return
            before, after = step.value.chunk(2)
            there, known = action.act(before, step.grid, pair.amount)
            rougher, _ = action.act(before, step.grid, pair.amount, REACH - 1)
            unit.changes[key] = Change(
                error=_size((after - there) * known),
                unrelated=_size((before - before.roll(1, 0)) * known),
                floor=_size((rougher - there) * known),
            )

        x = torch.cat([pair.images, pair.acted]).to(self.device, self.dtype)
        self.tracer.run(x, None, see)
        self.tick(key)
        end = self.units[-1]
        if key not in end.changes:
            raise ValueError(
                f"{end.name} of shape {end.shape} for each image: what rescaling does to it is not "
                "known: must be [B, C], or [B, C, H, W] in the image's frame ([B, C, S, H, W] with "
                "scale_ratio); choose another by output="
            )

    def differentiate(
        self, action: Action, images: list[GaborImage], *, contributions: bool = True
    ) -> None:
        """Lie derivatives of every unit; and what each contributes to that of the output.

        Raises ValueError if `compare` has not been there before.
        """
        runs = [_Tangents(self, action, image) for image in images]
        for run in runs:
            run.measure(contributions)
        kind = "lie" if action.kind == "rescaling" else "translation lie"
        unrelated = {"lie": "analytic", "translation lie": "translation"}[kind]
        for index, unit in enumerate(self.units):
            sizes = [run.sizes[index] for run in runs if index in run.sizes]
            if sizes and unrelated in unit.changes:
                error, own, floor = (sum(column) / len(runs) for column in zip(*sizes, strict=True))
                reference = unit.changes[unrelated].unrelated
                unit.changes[kind] = Change(error, reference, floor)
                unit.changes[f"{kind}, own"] = Change(own, reference, floor)
        if contributions:
            self._contribute(runs, kind, self.units[-1].changes[unrelated].unrelated)

    def _contribute(self, runs: list[_Tangents], kind: str, reference: float) -> None:
        whole = sum(run.whole_size for run in runs)
        for index, part in dict.fromkeys(key for run in runs for key in run.pushed):
            pushed = [run.pushed.get((index, part), (0.0, 0.0)) for run in runs]
            size, share = (
                sum(each for each, _ in pushed) / len(runs),
                sum(each for _, each in pushed),
            )
            self.units[index].contributions.setdefault(kind, []).append(
                Contribution(
                    part,
                    relative=size / reference if reference else float("nan"),
                    share=share / whole if whole else 0.0,
                )
            )

    def unit(self, step: Step) -> UnitProfile:
        """What is kept of a step's unit. Raises ValueError if it is another one than before."""
        known, unit = self.units, step.unit
        if unit.index == len(known):
            known.append(UnitProfile(unit.index, unit.name, unit.kind, tuple(step.value.shape[1:])))
        if unit.index >= len(known) or known[unit.index].name != unit.name:
            raise ValueError(f"unit {unit.name!r}: the network takes another way from run to run")
        return known[unit.index]

    def tick(self, doing: str) -> None:
        """Moves the bar by one pass."""
        self.bar.set_postfix_str(doing, refresh=False)
        self.bar.update()


class _Tangents:
    """The passes of one image's tangent.

    sizes: of each unit: squared norms of e_m, of d_m, and of what the derivative over pixels errs
    by. pushed: of each part of a unit that does anything wrong, its squared norm at the output, and
    its product with the whole.
    """

    def __init__(self, passes: Passes, action: Action, image: GaborImage) -> None:
        self.passes, self.action = passes, action
        x, v = sampled(image, action.side), velocity(image, action.side, action)
        self.image, self.tangent = (each.to(passes.device, passes.dtype)[None] for each in (x, v))
        self.sizes: dict[int, tuple[float, float, float]] = {}
        self.pushed: dict[tuple[int, str], tuple[float, float]] = {}
        self.whole_size = 0.0

    def measure(self, contributions: bool) -> None:
        """One pass for all e_m and d_m, and then as many as it takes to push all parts."""
        parts: dict[tuple[int, str], Tensor] = {}
        whole = self._measure(parts if contributions else None)
        self.whole_size = float(whole @ whole)
        keys = list(parts)
        for first in range(0, len(keys), _PARTS_PER_PASS):
            chunk = keys[first : first + _PARTS_PER_PASS]
            found = self._push({key: parts.pop(key) for key in chunk})
            for key, pushed in zip(chunk, found, strict=True):
                self.pushed[key] = float(pushed @ pushed), float(pushed @ whole)

    def _measure(self, parts: dict[tuple[int, str], Tensor] | None) -> Tensor:
        """The whole at the output, flat; keeps the parts of each d_m that exceed rounding."""
        passes, action = self.passes, self.action
        negligible = (_ROUNDINGS * torch.finfo(passes.dtype).eps) ** 2

        def see(step: Step) -> Tensor | None:
            index = passes.unit(step).index
            last = step.unit.kind == "output"
            if not _known(step, action, 2) and not last:
                return None
            value = step.value[:1]
            tangent = torch.zeros_like(step.value) if step.tangent is None else step.tangent
            flow = action.generator(value, step.grid)
            defect, total = tangent[:1] - flow, tangent[1:] - flow
            rougher = action.generator(value, step.grid, REACH - 1)
            self.sizes[index] = _size(total), _size(defect), _size(rougher - flow)
            for part, share in split(step, defect, flow, action) if parts is not None else ():
                if parts is not None and _size(share) > negligible * _size(flow):
                    parts[index, part] = share
            return torch.cat([flow, total if last else tangent[1:]])

        x, v = (each.expand(2, *each.shape[1:]) for each in (self.image, self.tangent))
        return self._run(x, v, see)[1]

    def _push(self, parts: dict[tuple[int, str], Tensor]) -> Tensor:
        """What each part becomes at the output: [parts, numbers]."""
        rows = list(parts)

        def see(step: Step) -> Tensor | None:
            index = self.passes.unit(step).index
            here = [key for key in rows if key[0] == index]
            if not here and not (step.unit.kind == "output" and step.tangent is None):
                return None
            new = torch.zeros_like(step.value) if step.tangent is None else step.tangent.clone()
            for key in here:
                new[rows.index(key)] += parts[key][0]
            return new

        return self._run(self.image.expand(len(rows), *self.image.shape[1:]), None, see)

    def _run(self, x: Tensor, tangent: Tensor | None, see: Visit) -> Tensor:
        with fwd.dual_level():
            end = fwd.unpack_dual(self.passes.tracer.run(x, tangent, see)).tangent
        self.passes.tick(self.action.kind)
        flat: Tensor = end.flatten(1).double()
        return flat


def _moving(step: Step) -> Tensor:
    """A tangent of zeros behind every unit that has one."""
    if step.tangent is None:
        raise ValueError(
            f"unit {step.unit.name!r}: its derivative is lost: torch gives none in inference mode, "
            "through integers and in quantised layers"
        )
    return torch.zeros_like(step.value)


def _known(step: Step, action: Action, count: int) -> bool:
    """Whether the unit's output is one of so many images that the action is known for."""
    return len(step.value) == count and action.acts_on(step.value, step.grid)


def near(x: Tensor, y: Tensor) -> bool:
    """Whether two outputs of finite numbers are the same but for rounding."""
    x, y = x.nan_to_num(), y.nan_to_num()
    rounding = torch.finfo(y.dtype).eps ** 0.5 * y.abs().max()
    return bool((x - y).abs().max() <= rounding)


def _size(y: Tensor) -> float:
    """Squared norm per image of a batch."""
    return float(y.double().square().sum()) / len(y)
