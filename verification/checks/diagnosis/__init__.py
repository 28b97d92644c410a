"""What a layer with the wrong answers does instead: causes that are named by its filters.

A layer that is linear is known by its answers to single pixels: those are its filters. There are
two yardsticks for them, and both have the same form: what the right filters would become by each of
many simple causes, and how much of the difference that explains.

- Filters that are documented (`against_documentation`): what gives the measured ones is named.
- Filters that nobody has documented (`between_scales`): those of one scale say what those of the
  next should be, by σ⁻²ψ(t/σ).
"""

import contextlib

from verification.checks.diagnosis.against_documentation import explain
from verification.checks.diagnosis.between_scales import diagnose
from verification.checks.diagnosis.causes import CAUSES, Cause
from verification.checks.diagnosis.filters import documented_filters, measure_filters
from verification.layer.probe import complete_pairs, random_probe
from verification.layer.reading import NotAffineError, read_filters
from verification.layer.targets import Target

__all__ = [
    "CAUSES",
    "Cause",
    "causes_of",
    "diagnose",
    "documented_filters",
    "explain",
    "measure_filters",
]


def causes_of(
    target: Target, seed: int, *, between_scales: bool | None = None
) -> tuple[Cause, ...]:
    """What the target's filters point at, likeliest first; told once of the filters that were read.

    between_scales: whether they are held against each other, not against their documentation; by
    default where there is none. Raises NotAffineError for a layer that has no filters at all.
    """
    with contextlib.suppress(NotAffineError):
        read_filters(target, seed)  # again, if its weights have changed
    among = target.filters is None if between_scales is None else between_scales
    read, name = target.readings["filters"], "causes between scales" if among else "causes"
    if target.readings.get(name, (None,))[0] is not read:
        if among:
            causes = diagnose(read_filters(target, seed), target.scales, complete_pairs(target))
        else:
            causes = explain(target, random_probe(target, seed))
        target.readings[name] = read, tuple(causes)
    found: tuple[Cause, ...] = target.readings[name][1]
    return found
