"""What a check returns: a finding that can be printed, stored or raised.

`about` says on which case a result was measured, so that a failure can be understood.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypedDict

import torch

from verification.checks.power import POWER
from verification.layer.targets import Target


@dataclass(frozen=True)
class CheckResult:
    """One check on one target.

    check, target: names; passed: whether error ≤ threshold.
    error: the measured quantity, in the check's own unit; threshold: what it may not exceed.
    finding: one sentence that says what was compared and, on failure, what that points at.
    ignoring: of a decisive check of scale, the error that a layer that ignores scale would show in
    this very case; see `checks.power`.
    passing: up to which error the check passes, where that is less than the threshold: between the
    two neither is shown.
    pair: the two σ that were compared. cause: which mistake of the diagnosis' catalogue a failure
    is, where the check itself can tell.
    floor: what the error would be for a perfect target, where that is not 0: rounding, or a warp.
    requested, realised: factor that the check asked for and the one it was measured with, ratios.
    configuration: the target, and what it was probed with; seed: of that probe.
    """

    check: str
    target: str
    error: float
    threshold: float
    finding: str
    floor: float | None = None
    requested: float | None = None
    realised: float | None = None
    configuration: str = ""
    seed: int | None = None
    ignoring: float | None = None
    passing: float | None = None
    pair: tuple[float, float] | None = None
    cause: str = ""

    @property
    def passed(self) -> bool:
        """Whether the measured error stays within the threshold; a NaN does not."""
        return self.error <= self.threshold

    @property
    def convincing(self) -> bool:
        """Whether the error is explained, and far below that of ignoring scale if that is known."""
        if self.passing is not None and not self.error <= self.passing:
            return False
        if self.ignoring is None:
            return True
        return self.ignoring > 0 and self.error <= POWER * self.ignoring

    def __str__(self) -> str:
        verdict = "passed" if self.passed else "FAILED"
        floor = "" if self.floor is None else f", floor {self.floor:.3g}"
        return (
            f"{self.check} on {self.target} {verdict}: error {self.error:.3g}, "
            f"threshold {self.threshold:.3g}{floor}: {self.finding}{self._context}"
        )

    @property
    def _context(self) -> str:
        known = {
            "factor requested": self.requested,
            "realised": self.realised,
            "configuration": self.configuration or None,
            "seed": self.seed,
        }
        given = [f"{name} {value}" for name, value in known.items() if value is not None]
        return f" ({', '.join(given)})" if given else ""

    def require(self) -> None:
        """Raises AssertionError with the finding unless the check passed."""
        if not self.passed:
            raise AssertionError(str(self))

    def require_failure(self, reason: str) -> None:
        """Raises AssertionError if the check passed; `reason` says why it must not."""
        if self.passed:
            raise AssertionError(f"{self}; it must fail: {reason}")


def worst(results: Iterable[CheckResult]) -> CheckResult:
    """The result that exceeds its threshold most; of those that do not, the least convincing."""
    return max(results, key=_share)


def _share(result: CheckResult) -> tuple[bool, bool, float]:
    share = 0.0 if result.error <= 0 else float("inf")
    if result.threshold > 0:
        share = result.error / result.threshold
    return (not result.passed, not result.convincing, share)


class NotApplicableError(ValueError):
    """A check that cannot say anything of this layer, for the reason given."""


class Context(TypedDict):
    """The optional fields of a `CheckResult`."""

    floor: float
    requested: float | None
    realised: float | None
    configuration: str
    seed: int | None


def about(
    target: Target, seed: int | None, ratio: float | None = None, floor: float = 0.0
) -> Context:
    """The target, the probe's seed, the ratio by which an analytic image was rescaled.

    Such an image is rescaled by just what was asked for. floor: a relative squared error; one
    rounding is its least.
    """
    return {
        "floor": max(floor, torch.finfo(target.dtype).eps ** 2),
        "requested": ratio,
        "realised": ratio,
        "configuration": target.configuration,
        "seed": seed,
    }


def described(x: torch.Tensor) -> str:
    """An input, as the configuration of a result has it."""
    return f"x {tuple(x.shape)}, {x.dtype}"
