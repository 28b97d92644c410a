"""Properties of scale-equivariant layers as functions; each returns a `CheckResult`."""

from verification.budget import basis_ranks
from verification.checks.backward import check_gradient_density, check_gradient_equivariance
from verification.checks.border import check_border, check_padding, check_zero_border
from verification.checks.equivariance import (
    check_closed_form,
    check_error_budget,
    check_integer_translation,
    check_ranks,
    check_response,
    check_scale_axis_shift,
    check_scale_equivariance,
    check_sigma_law,
    check_theorem,
    expected_failures,
    failing_pairs,
)
from verification.checks.local import (
    check_field_invariance,
    check_field_response,
    check_isolation,
    check_local_invariance,
    check_local_response,
    check_local_winner,
)
from verification.checks.modules import (
    check_batch_independence,
    check_compiled,
    check_exported,
    check_gradcheck,
    check_gradients,
    check_memory_format,
    check_state_round_trip,
)
from verification.checks.result import CheckResult
from verification.checks.scale_axis import check_commutes_with_scale_shift, check_max_projection
from verification.checks.side_effects import (
    check_determinism,
    check_follows_weights,
    check_input_unchanged,
    check_output_dtype,
    check_state_complete,
    with_another_past,
)

__all__ = [
    "CheckResult",
    "basis_ranks",
    "check_batch_independence",
    "check_border",
    "check_closed_form",
    "check_commutes_with_scale_shift",
    "check_compiled",
    "check_determinism",
    "check_error_budget",
    "check_exported",
    "check_field_invariance",
    "check_field_response",
    "check_follows_weights",
    "check_gradcheck",
    "check_gradient_density",
    "check_gradient_equivariance",
    "check_gradients",
    "check_input_unchanged",
    "check_integer_translation",
    "check_isolation",
    "check_local_invariance",
    "check_local_response",
    "check_local_winner",
    "check_max_projection",
    "check_memory_format",
    "check_output_dtype",
    "check_padding",
    "check_ranks",
    "check_response",
    "check_scale_axis_shift",
    "check_scale_equivariance",
    "check_sigma_law",
    "check_state_complete",
    "check_state_round_trip",
    "check_theorem",
    "check_zero_border",
    "expected_failures",
    "failing_pairs",
    "with_another_past",
]
