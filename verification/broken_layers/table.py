"""Every broken layer judged as a user's is: what rejects it, and whether its cause is named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from verification.broken_layers.broken_layer import BrokenLayer
from verification.broken_layers.intact_layers import SPECIMENS
from verification.runner import engine
from verification.runner.layer_verdict import Outcome, Status, Verdict


@dataclass(frozen=True)
class Row:
    """A module, intact or broken, and the verdict on it."""

    broken: BrokenLayer | None
    intact: str
    verdict: Verdict

    @property
    def name(self) -> str:
        """Of the broken layer, or "intact"."""
        return "intact" if self.broken is None else self.broken.name

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
        cause = None if self.broken is None else self.broken.cause
        return tuple(o for o in self.killers if (o.cause or o.check) == cause)


def judge(
    intact: str, broken: BrokenLayer | None = None, checks: Iterable[str] | None = None
) -> Row:
    """A kind of module, or a broken one, by all checks of its kind, or by some."""
    specimen = SPECIMENS[intact]
    chosen = specimen.checks if checks is None else checks
    return Row(broken, intact, engine.judge(specimen.target(broken), chosen))


def judge_all(layers: tuple[BrokenLayer, ...]) -> Iterator[Row]:
    """The intact modules, then every broken layer made from each."""
    for intact in SPECIMENS:
        yield judge(intact)
    for broken in layers:
        for intact in broken.intact:
            yield judge(intact, broken)
