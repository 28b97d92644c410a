"""What a check returns: a finding that can be printed, stored, or raised."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CheckResult:
    """One check on one target.

    check, target: names; passed: whether error ≤ threshold.
    error: the measured quantity, in the check's own unit; threshold: what it may not exceed.
    finding: one sentence that says what was compared and, on failure, what that points at.
    """

    check: str
    target: str
    error: float
    threshold: float
    finding: str

    @property
    def passed(self) -> bool:
        """Whether the measured error stays within the threshold; a NaN does not."""
        return self.error <= self.threshold

    def __str__(self) -> str:
        verdict = "passed" if self.passed else "FAILED"
        return (
            f"{self.check} on {self.target} {verdict}: error {self.error:.3g}, "
            f"threshold {self.threshold:.3g}: {self.finding}"
        )

    def require(self) -> None:
        """Raises AssertionError with the finding unless the check passed."""
        if not self.passed:
            raise AssertionError(str(self))
