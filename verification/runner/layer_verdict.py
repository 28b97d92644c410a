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
    UNDECIDED = "undecided"
    NOT_APPLICABLE = "not applicable"

    @property
    def accepted(self) -> bool:
        """Whether a layer may be right and end so; an outdated expectation must be withdrawn."""
        return self not in {Status.FAILED, Status.ERROR, Status.UNEXPECTED_PASS}


class Answer(enum.StrEnum):
    """What is known of a layer after all checks."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    UNDECIDED = "UNDECIDED"


@dataclass(frozen=True)
class Outcome:
    """One check on one target.

    error: the measured quantity, in the check's own unit; budget: the part of it that is explained
    beforehand (sampling, truncation, rounding); threshold: what it may not exceed.
    reason: one sentence: the finding, why the check does not apply, or why it was expected to fail.
    ignoring: what a layer that ignores scale would show, for a decisive check of scale.
    pair: the two σ that were compared. cause: identifier of the mistake, if the check names it.
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
    ignoring: float | None = None
    pair: tuple[float, float] | None = None
    cause: str = ""
    replay: str = ""

    def __str__(self) -> str:
        measured = ""
        if self.error is not None and self.threshold is not None:
            measured = f" (error {self.error:.3g}, threshold {self.threshold:.3g})"
        replay = f"\n    {self.replay}" if self.replay and not self.status.accepted else ""
        return f"{self.check}: {self.status}{measured}: {self.reason}{replay}"


_NOTHING_OF_SCALE = (
    "no check of scale could be made or was asked for: it takes two scales or more whose input is "
    "complete, and an output in the declared layout"
)


@dataclass(frozen=True)
class Verdict(Sequence[Outcome]):
    """All outcomes of one target, in the order of the registry, and what they point at.

    findings: sentences of the diagnosis, likeliest cause first; empty where nothing failed.
    causes: identifiers of `checks.diagnosis.CAUSES`, or names of checks that say it all, likeliest
        first.
    notes: what a reader should know besides, such as a window that was found.
    reservations: why the layer cannot pass, whatever its checks say.
    """

    target: str
    outcomes: tuple[Outcome, ...]
    findings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    reservations: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()

    def __getitem__(self, index: Any) -> Any:  # noqa: ANN401  (as Sequence has it)
        return self.outcomes[index]

    def __len__(self) -> int:
        return len(self.outcomes)

    def __iter__(self) -> Iterator[Outcome]:
        return iter(self.outcomes)

    @property
    def answer(self) -> Answer:
        """FAILED if anything failed against expectation; PASSED if a check of scale could tell.

        A check could tell if it was done, and a layer that ignores scale would have failed it.
        """
        if self.complaints:
            return Answer.FAILED
        decided = any(o.status is Status.PASSED for o in self.decisive)
        # What is as documented needs no explanation of its errors by its own filters.
        documented = any(o.check == "response" and o.status is Status.PASSED for o in self)
        doubtful = not documented and any(o.status is Status.UNDECIDED for o in self)
        settled = decided and not doubtful and not self.reservations
        return Answer.PASSED if settled else Answer.UNDECIDED

    @property
    def passed(self) -> bool:
        """Whether the answer is PASSED."""
        return self.answer is Answer.PASSED

    @property
    def failed(self) -> bool:
        """Whether the answer is FAILED."""
        return self.answer is Answer.FAILED

    @property
    def decisive(self) -> tuple[Outcome, ...]:
        """The outcomes that tell a layer from one that ignores scale, if their numbers allow it."""
        return tuple(o for o in self.outcomes if o.ignoring is not None)

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
        """One line: the answer, its numbers, and how many checks ended how."""
        counts = Counter(o.status for o in self.outcomes)
        ended = ", ".join(f"{counts[status]} {status}" for status in Status if counts[status])
        return f"{self.answer}: {self.target}: {self._measured}{ended or 'no check ran'}"

    @property
    def _measured(self) -> str:
        measured = [o for o in self.decisive if o.error is not None]
        if not measured:
            return ""
        # What is measured of the layer's answers comes before what is read off its filters.
        o = next((each for each in measured if each.check != "response"), measured[0])
        what = {"scale_equivariance": "largest equivariance error"}.get(o.check, f"{o.check} error")
        where = "" if o.pair is None else f" between σ = {o.pair[0]:.4g} and {o.pair[1]:.4g}"
        explained = ""
        if o.budget is not None and o.pair is not None:
            explained = f"; sampling and cut-off explain {o.budget:.2g}"
        return f"{what} {o.error:.2g}{where}{explained}; ignoring scale gives {o.ignoring:.2g}; "

    @property
    def missing(self) -> tuple[str, ...]:
        """What would decide an undecided verdict; empty for the others."""
        if self.answer is not Answer.UNDECIDED:
            return ()
        open_ = [f"{o.check}: {o.reason}" for o in self if o.status is Status.UNDECIDED]
        if not (open_ or self.reservations):
            left_out = [o for o in self if o.check == "scale_equivariance"]
            return (_NOTHING_OF_SCALE, *(f"{o.check}: {o.reason}" for o in left_out))
        return (*self.reservations, *open_)

    def __str__(self) -> str:
        lines = [self.summary, *(f"  likely cause: {finding}" for finding in self.findings)]
        lines += [f"  to decide: {each}" for each in self.missing]
        return "\n".join([*lines, *(f"  {outcome}" for outcome in self.complaints)])

    def require(self) -> None:
        """Raises AssertionError with the verdict, its findings and all complaints unless passed."""
        if not self.passed:
            raise AssertionError(str(self))

    def to_json(self) -> str:
        """The verdict as JSON; a number that is not finite becomes null."""
        content = {
            "target": self.target,
            "answer": self.answer,
            "passed": self.passed,
            "summary": self.summary,
            "findings": self.findings,
            "causes": self.causes,
            "notes": self.notes,
            "missing": self.missing,
            "outcomes": [
                {key: _finite(value) for key, value in asdict(outcome).items()}
                for outcome in self.outcomes
            ],
        }
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value
