"""Measured again against recorded: what may differ, for each kind of record, and by how much."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping
from typing import Any

from verification.claims.records import Record

FLOAT = 1e-4
"""Relative difference of errors computed again: float32 sums in another order leave about 1e-6 of
an error and threads change that order; a hundred times as much is allowed for."""
NOISE = 1e-10
"""Below this a relative squared error is rounding itself (float32: (1e-6)² and its growth through a
layer), of which only the size can repeat: within a factor of ten."""
LOSS = 0.01
"""Relative difference of the mean loss of a first epoch.  Between one and two threads and between
versions of the layers it moved by up to 0.3 %, since training enlarges rounding; another seed moves
it by some percent."""
TIMES = 2.0
"""Factor between ratios of times: other machines, and other load on the same one."""

TOLERANCES = {
    "count": "exact",
    "theorem": "same cases and bound; the worst error, which is rounding, within its bound",
    "budget": f"{FLOAT:g} relative; below {NOISE:g} a factor of 10",
    "equivariance": f"{FLOAT:g} relative; below {NOISE:g} a factor of 10",
    "simulation": "exact",
    "training": f"mean loss of the first epoch, {100 * LOSS:g} % relative",
    "timing": f"ratios of median times, a factor of {TIMES:g}",
}


def deviations(old: Record, new: Record) -> list[str]:
    """Say which numbers of a record were not found again within the tolerance of its kind."""
    if new.outcome != old.outcome:
        return [f"ended as {new.outcome}, not {old.outcome}"]
    if old.kind == "theorem":
        return list(_theorem(old.numbers, new.numbers))
    if old.kind == "timing":
        return list(_times(old.numbers["seconds"], new.numbers["seconds"]))
    exact = old.kind in ("count", "simulation")
    return list(_differences("", old.numbers, new.numbers, exact=exact))


def loss_deviations(old: Record, begun: Mapping[str, float]) -> list[str]:
    """Say whether the learning curves of a training begin otherwise than its first epoch again."""
    before = old.numbers["curves"]["train_loss"][0]
    after = begun.get("train_loss", math.nan)
    if math.isclose(before, after, rel_tol=LOSS):
        return []
    return [f"mean loss of the first epoch {after:.4f}, recorded {before:.4f}"]


def _theorem(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for name in ("cases", "bound"):
        if old[name] != new[name]:
            yield f"{name} {new[name]}, recorded {old[name]}"
    # An error above its bound refutes, and then the two must agree on that.
    if (old["worst_error"] > old["bound"]) is not (new["worst_error"] > new["bound"]):
        yield f"worst error {new['worst_error']:.2e}, recorded {old['worst_error']:.2e}"


def _times(old: Mapping[str, list[float]], new: Mapping[str, list[float]]) -> Iterator[str]:
    if set(old) != set(new):
        yield f"timed {', '.join(sorted(new))}, recorded {', '.join(sorted(old))}"
        return
    medians = [{name: statistics.median(side[name]) for name in side} for side in (old, new)]
    first = min(old)
    for name in sorted(old):
        before, after = (side[name] / side[first] for side in medians)
        if not 1 / TIMES <= after / before <= TIMES:
            yield f"{name} over {first} {after:.2f}, recorded {before:.2f}"


def _differences(where: str, old: object, new: object, *, exact: bool) -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in sorted(old.keys() | new.keys()):
            if name in old and name in new:
                yield from _differences(f"{where}.{name}", old[name], new[name], exact=exact)
            elif name in old:
                yield f"{where}.{name}".removeprefix(".") + " is no longer measured"
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for k, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from _differences(f"{where}[{k}]", a, b, exact=exact)
    elif not _agree(old, new, exact=exact):
        yield f"{where.removeprefix('.')} {new!r}, recorded {old!r}"


def _agree(old: object, new: object, *, exact: bool) -> bool:
    if exact or not (isinstance(old, float) and isinstance(new, int | float)):
        return old == new
    if max(abs(old), abs(new)) < NOISE:
        return max(abs(old), abs(new)) <= 10 * min(abs(old), abs(new)) or min(old, new) < 1e-25
    return math.isclose(old, new, rel_tol=FLOAT)
