"""What a judgement says: one outcome for each check, and a verdict on all of them."""

from __future__ import annotations

import enum
import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any


class Status(enum.StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    EXPECTED_FAILURE = "expected failure"
    UNEXPECTED_PASS = "unexpected pass"
    NOT_APPLICABLE = "not applicable"

    @property
    def accepted(self) -> bool:
        """Whether a layer may be right and end so; an outdated expectation must be withdrawn."""
        return self in {Status.PASSED, Status.EXPECTED_FAILURE, Status.NOT_APPLICABLE}


@dataclass(frozen=True)
class Outcome:
    """One check on one target.

    error: the measured quantity, in the check's own unit; budget: the part of it that is explained
    beforehand (sampling, truncation, rounding); threshold: what it may not exceed.
    reason: one sentence: the finding, why the check does not apply, or why it was expected to fail.
    replay: a shell line that runs exactly this check with this seed; empty if there is none.
    """

    check: str
    target: str
    status: Status
    reason: str
    seed: int
    error: float | None = None
    budget: float | None = None
    threshold: float | None = None
    replay: str = ""

    def __str__(self) -> str:
        measured = ""
        if self.error is not None and self.threshold is not None:
            measured = f" (error {self.error:.3g}, threshold {self.threshold:.3g})"
        replay = f"\n    {self.replay}" if self.replay and not self.status.accepted else ""
        return f"{self.check}: {self.status}{measured}: {self.reason}{replay}"


@dataclass(frozen=True)
class Verdict(Sequence[Outcome]):
    """All outcomes of one target, in the order of the registry, and what they point at.

    findings: sentences of the diagnosis, likeliest cause first; empty where nothing failed.
    notes: what a reader should know besides, such as a ratio that was estimated.
    """

    target: str
    outcomes: tuple[Outcome, ...]
    findings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __getitem__(self, index: Any) -> Any:  # noqa: ANN401  (as Sequence has it)
        return self.outcomes[index]

    def __len__(self) -> int:
        return len(self.outcomes)

    def __iter__(self) -> Iterator[Outcome]:
        return iter(self.outcomes)

    @property
    def passed(self) -> bool:
        """Whether something was checked, and nothing failed against expectation."""
        ran = any(o.status is not Status.NOT_APPLICABLE for o in self.outcomes)
        return ran and not self.complaints

    @property
    def complaints(self) -> tuple[Outcome, ...]:
        """Failures, errors, and expected failures that passed."""
        return tuple(o for o in self.outcomes if not o.status.accepted)

    def of(self, check: str) -> Outcome:
        """The outcome of a check by name. Raises ValueError for one that was not asked for."""
        for outcome in self.outcomes:
            if outcome.check == check:
                return outcome
        raise ValueError(f"check={check!r}: must be one of {', '.join(o.check for o in self)}")

    @property
    def summary(self) -> str:
        """One line: the verdict, and how many checks ended how."""
        counts = Counter(o.status for o in self.outcomes)
        told = ", ".join(f"{counts[status]} {status}" for status in Status if counts[status])
        return f"{'PASSED' if self.passed else 'FAILED'}: {self.target}: {told or 'no check ran'}"

    def __str__(self) -> str:
        lines = [self.summary, *(f"  likely cause: {finding}" for finding in self.findings)]
        return "\n".join([*lines, *(f"  {outcome}" for outcome in self.complaints)])

    def require(self) -> None:
        """Raises AssertionError with the verdict, its findings and all complaints unless passed."""
        if not self.passed:
            raise AssertionError(str(self))

    def to_json(self) -> str:
        """The verdict as JSON; a number that is not finite becomes null."""
        content = {
            "target": self.target,
            "passed": self.passed,
            "summary": self.summary,
            "findings": self.findings,
            "notes": self.notes,
            "outcomes": [
                {key: _finite(value) for key, value in asdict(outcome).items()}
                for outcome in self.outcomes
            ],
        }
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value
