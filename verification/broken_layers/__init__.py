"""Layers broken on purpose, one real-world mistake each: what the checks must reject.

A mutant is made from an intact module. It is judged against the intact module's documentation, so
that a mistake in the filters cannot hide behind a description that shares it.
"""

from verification.broken_layers.broken_layer import Mutant, SteerableConv, with_basis
from verification.broken_layers.equivalent import EQUIVALENT_MUTANTS, Equivalent
from verification.broken_layers.execution import EXECUTION_MUTANTS
from verification.broken_layers.filters import FILTER_MUTANTS, basis_with_physicists_polynomials
from verification.broken_layers.gradients import GRADIENT_MUTANTS
from verification.broken_layers.inter_scale import INTER_SCALE_MUTANTS
from verification.broken_layers.modules import MODULE_MUTANTS
from verification.broken_layers.scales import SCALE_MUTANTS

GROUPS = {
    "filters": FILTER_MUTANTS,
    "scales": SCALE_MUTANTS,
    "neighbouring scales": INTER_SCALE_MUTANTS,
    "execution": EXECUTION_MUTANTS,
    "gradients": GRADIENT_MUTANTS,
    "other modules": MODULE_MUTANTS,
}
"""All mutants, by what is broken."""
MUTANTS = tuple(mutant for group in GROUPS.values() for mutant in group)
UNEQUAL_SCALES = tuple(
    mutant
    for mutant in MUTANTS
    if mutant.name
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
    "EQUIVALENT_MUTANTS",
    "GROUPS",
    "MUTANTS",
    "UNEQUAL_SCALES",
    "Equivalent",
    "Mutant",
    "SteerableConv",
    "basis_with_physicists_polynomials",
    "with_basis",
]
