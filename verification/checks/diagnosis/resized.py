"""Filters of a coarse scale that are those of a finer one, resized as an image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from verification.checks.diagnosis.alike import best_factor
from verification.checks.diagnosis.causes import Cause
from verification.checks.diagnosis.pairs import Pair
from verification.reference.analytic import FloatArray

_MODES: tuple[tuple[str, bool | None], ...] = (
    ("nearest", None), ("bilinear", False), ("bilinear", True), ("bicubic", False),
    ("bicubic", True), ("area", None),
)  # fmt: skip
_LEFT = 1e-6
"""Share of a filter's energy that may be left over: resizing is a formula, and met exactly."""
_OFF = 0.2
"""How far a factor may be from 1/k², as a share: sizes are rounded, and scales are not."""


def resized(pairs: Sequence[Pair]) -> Iterator[Cause]:
    """Yields the kind of resizing that gives the coarse filters of most pairs."""
    found = [match for pair in pairs if (match := match_of(pair)) is not None]
    if found:
        sides = ", ".join("→".join(map(str, match.sides)) for match in found)
        worst = next((match for match in found if match.mistaken), found[0])
        says = f"resized: filters of {sides} pixels are resized as images ({worst.mode})"
        says += f"{worst.mistaken}: sample the formula at each scale"
        yield Cause("resized", says, len(found) / len(pairs))


@dataclass(frozen=True)
class Match:
    """Resizing that gives coarse filters from fine ones: mode, sides in pixels, common factor."""

    mode: str
    sides: tuple[int, int]
    factor: float

    @property
    def mistaken(self) -> str:
        """Why the result cannot be a copy by σ⁻²ψ(t/σ); empty if it may be."""
        fine, coarse = self.sides
        wanted = (fine / coarse) ** 2
        if abs(self.factor / wanted - 1) > _OFF:
            return f", with a factor of {self.factor:.4g}, where k = {coarse}/{fine} needs 1/k²"
        if fine % 2 != coarse % 2:
            return ", to an even size, which has no centre pixel: half a pixel off"
        steps = self.mode == "nearest" and coarse % fine != 0
        return ", which leaves steps of unequal width" if steps else ""


def match_of(pair: Pair) -> Match | None:
    """The resizing that gives the coarse filters; None if none does, or if they are constant."""
    if pair.found.ndim != 4:  # one or three axes of space
        return None
    fine, coarse = _block(pair.found), _block(pair.source)
    sides = fine.shape[-1], coarse.shape[-1]
    if min(sides) < 2 or sides[0] == sides[1] or np.ptp(fine) <= _OFF * np.abs(fine).max():
        return None
    size = float((coarse**2).sum())
    for mode, aligned in _MODES:
        made = F.interpolate(
            torch.from_numpy(fine), size=coarse.shape[-2:], mode=mode, align_corners=aligned
        ).numpy()
        factor = best_factor(coarse, made)
        if float(((coarse - factor * made) ** 2).sum()) <= _LEFT * size:
            return Match(mode, sides, factor)
    return None


def _block(taps: FloatArray) -> FloatArray:
    """The smallest rectangle of pixels outside which filters [C_out, I, W, W] are rounding."""
    largest = np.abs(taps).max(axis=(0, 1))
    rows, columns = np.nonzero(largest > _LEFT * largest.max(initial=0.0))
    if not len(rows):
        return taps[..., :0, :0]
    inside = (slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
    return np.ascontiguousarray(taps[..., inside[0], inside[1]])
