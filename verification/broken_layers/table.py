"""Every mutant against every check that applies to it: what is killed, and what names the cause."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from verification.broken_layers.broken_layer import Mutant
from verification.broken_layers.intact_layers import BASIS_CHECKS, SPECIMENS, Check, Subject
from verification.checks import CheckResult


@dataclass(frozen=True)
class Outcome:
    """One check on one module. error and threshold are none if the check could not be done."""

    check: str
    killed: bool
    finding: str
    error: float | None = None
    threshold: float | None = None


@dataclass(frozen=True)
class Row:
    """A module, intact or broken, and what became of it in each check."""

    mutant: Mutant | None
    intact: str
    outcomes: tuple[Outcome, ...]

    @property
    def name(self) -> str:
        """Of the mutant, or "intact"."""
        return "intact" if self.mutant is None else self.mutant.name

    @property
    def killers(self) -> tuple[str, ...]:
        """Names of the checks that rejected the module."""
        return tuple(outcome.check for outcome in self.outcomes if outcome.killed)

    @property
    def naming(self) -> tuple[str, ...]:
        """Names of those that say why."""
        if self.mutant is None:
            return ()
        return tuple(o.check for o in self.outcomes if o.killed and self.mutant.names in o.finding)


def judge(intact: str, mutant: Mutant | None = None) -> Row:
    """A kind of module, or a mutant of it, by all checks that apply."""
    specimen = SPECIMENS[intact]
    outcomes = [
        _attempt(name, check, specimen.subject(mutant)) for name, check in specimen.checks.items()
    ]
    basis = specimen.subject(mutant).basis
    if basis is not None:
        for name, check in BASIS_CHECKS.items():
            outcomes.append(_outcome(check(basis, name)))
    return Row(mutant, intact, tuple(outcomes))


def judge_all(mutants: tuple[Mutant, ...]) -> Iterator[Row]:
    """The intact modules, then every mutant of each module that it is made from."""
    for intact in SPECIMENS:
        yield judge(intact)
    for mutant in mutants:
        for intact in mutant.intact:
            yield judge(intact, mutant)


def _attempt(name: str, check: Check, subject: Subject) -> Outcome:
    """A check that cannot be done on a module rejects it: the reason is the finding."""
    try:
        return _outcome(check(subject))
    except Exception as error:
        return Outcome(name, True, f"{type(error).__name__}: {error}")


def _outcome(result: CheckResult) -> Outcome:
    return Outcome(result.check, not result.passed, result.finding, result.error, result.threshold)
