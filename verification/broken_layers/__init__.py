"""Layers broken on purpose, one real-world mistake each: what the checks must reject.

A broken layer is made from an intact module. It is judged against the intact module's
documentation, so that a mistake in the filters cannot hide behind a description that shares it.
"""

from verification.broken_layers.broken_layer import BrokenLayer, SteerableConv, with_basis
from verification.broken_layers.equivalent import EQUIVALENT_LAYERS, Equivalent
from verification.broken_layers.execution import BROKEN_EXECUTION
from verification.broken_layers.filters import BROKEN_FILTERS, basis_with_physicists_polynomials
from verification.broken_layers.gradients import BROKEN_GRADIENTS
from verification.broken_layers.inter_scale import BROKEN_NEIGHBOURS
from verification.broken_layers.modules import BROKEN_MODULES
from verification.broken_layers.scales import BROKEN_SCALES

GROUPS = {
    "filters": BROKEN_FILTERS,
    "scales": BROKEN_SCALES,
    "neighbouring scales": BROKEN_NEIGHBOURS,
    "execution": BROKEN_EXECUTION,
    "gradients": BROKEN_GRADIENTS,
    "other modules": BROKEN_MODULES,
}
"""All of them, by what is broken."""
BROKEN_LAYERS = tuple(broken for group in GROUPS.values() for broken in group)
UNEQUAL_SCALES = tuple(
    broken
    for broken in BROKEN_LAYERS
    if broken.name
    in (
        "normalised_by_scale",
        "sigma_forgotten",
        "sigma_once",
        "scales_reversed",
        "one_support",
    )
)
"""Those whose filters at different scales are no copies of each other, for any basis."""

__all__ = [
    "BROKEN_LAYERS",
    "EQUIVALENT_LAYERS",
    "GROUPS",
    "UNEQUAL_SCALES",
    "BrokenLayer",
    "Equivalent",
    "SteerableConv",
    "basis_with_physicists_polynomials",
    "with_basis",
]
