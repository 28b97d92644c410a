"""Check that the error budget accounts for all of a real layer's error."""

from __future__ import annotations

from verification.budget.layers import expected_precision, layer_budget
from verification.checks.context import about
from verification.checks.result import CheckResult
from verification.layer.probe import Probe
from verification.layer.targets import Target
from verification.tolerances import SPREAD


def check_error_budget(
    target: Target, probe: Probe, fine: int, coarse: int, image_size: int | None = None
) -> CheckResult:
    """What sampling, truncation, border and scale axis leave of the layer's error is rounding.

    The layer is run on a finite image of image_size² pixels, or on all that its filters reach.
    Raises ValueError as `verification.budget.layers.layer_budget` does.
    """
    budget = layer_budget(target, probe, fine, coarse, image_size)
    expected = expected_precision(target, probe, fine, coarse, image_size)
    causes = ", ".join(f"{name} {part:.3g}" for name, part in list(budget.parts.items())[:-1])
    return CheckResult(
        "error_budget",
        target.name,
        budget.precision,
        SPREAD * expected,
        f"what is left of the error {budget.total:.3g} between scales {fine} and {coarse} after "
        f"{causes}; more than rounding means that the layer is not the documented one",
        **about(target, probe.seed, budget.ratio, expected),
    )
