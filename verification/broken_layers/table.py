"""Every mutant judged as a user's layer is: what rejects it, and whether its cause is named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from verification.broken_layers.broken_layer import Mutant
from verification.broken_layers.intact_layers import SPECIMENS
from verification.runner import engine
from verification.runner.verdict import Outcome, Status, Verdict


@dataclass(frozen=True)
class Row:
    """A module, intact or broken, and the verdict on it."""

    mutant: Mutant | None
    intact: str
    verdict: Verdict

    @property
    def name(self) -> str:
        """Of the mutant, or "intact"."""
        return "intact" if self.mutant is None else self.mutant.name

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """Of the checks that apply."""
        return tuple(o for o in self.verdict if o.status is not Status.NOT_APPLICABLE)

    @property
    def killers(self) -> tuple[Outcome, ...]:
        """Of the checks that rejected the module: a crash inside a check is no finding."""
        return tuple(o for o in self.outcomes if o.status is Status.FAILED)

    @property
    def naming(self) -> tuple[Outcome, ...]:
        """Of those whose finding is the mistake that was made."""
        cause = None if self.mutant is None else self.mutant.cause
        return tuple(o for o in self.killers if (o.cause or o.check) == cause)


def judge(intact: str, mutant: Mutant | None = None, checks: Iterable[str] | None = None) -> Row:
    """A kind of module, or a mutant of it, by all checks of its kind, or by some."""
    specimen = SPECIMENS[intact]
    chosen = specimen.checks if checks is None else checks
    return Row(mutant, intact, engine.judge(specimen.target(mutant), chosen))


def judge_all(mutants: tuple[Mutant, ...]) -> Iterator[Row]:
    """The intact modules, then every mutant of each module that it is made from."""
    for intact in SPECIMENS:
        yield judge(intact)
    for mutant in mutants:
        for intact in mutant.intact:
            yield judge(intact, mutant)
