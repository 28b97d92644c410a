"""Is it true? Property-based verification of scale-equivariant layers, and verdicts on claims.

    from verification import check_scale_equivariance, parametrize_with_checks, profile_network

judge any layer, and tell where any network loses scale; see `verification/TARGETS.md`. Reading
claims and records loads neither torch nor kornia: import the instruments by module, for example
`from verification.layer.targets import describe` and `from verification.checks import ...`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verification.profile.measure import profile_network
    from verification.runner.front import check_scale_equivariance, parametrize_with_checks

__all__ = ["check_scale_equivariance", "parametrize_with_checks", "profile_network"]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    # Loaded when first asked for: the judge needs torch, and most of this package does not.
    if name == "profile_network":
        from verification.profile import measure  # noqa: PLC0415

        return measure.profile_network
    if name in __all__:
        from verification.runner import front  # noqa: PLC0415

        return getattr(front, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
