"""The front door: judge any layer, in Python or in a test file of one's own."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from verification.checks.diagnosis import Cause
from verification.checks.diagnosis.ratios import with_estimated_scales
from verification.checks.registry import CHECKS, Check, named
from verification.layer.adapters import prepare
from verification.layer.options import Options, checked_seed
from verification.layer.targets import OptionError, Target
from verification.runner.engine import (
    conclude,
    expecting,
    judge,
    likely_causes,
    mode_notes,
    replay_line,
    run_check,
    undisturbed,
    warn_unmatched,
)
from verification.runner.layer_verdict import Outcome, Status, Verdict

if TYPE_CHECKING:
    import pytest


def check_scale_equivariance(
    layer: Callable[..., object] | Target,
    scales: Sequence[float] | float | None = None,
    *,
    checks: Iterable[str] | None = None,
    expected_failures: Mapping[str, str] | None = None,
    seed: int = 0,
    raise_on_failure: bool = False,
    origin: str = "",
    **options: Any,  # noqa: ANN401  (as Options has them)
) -> Verdict:
    """Judges a layer: an outcome for every check, and sentences on what is wrong.

    layer: a callable, or a ready `Target`. scales: σ of its output scales, or the ratio of
    neighbours; estimated if not given. options: see `verification.layer.options.Options`.
    checks: names of the registry, by default all that are not slow. expected_failures: a reason for
    each check that is known to fail. seed: of all random inputs.

    Raises ValueError for an unknown check or option, or a value that is not allowed; AssertionError
    if the layer fails and `raise_on_failure` is set. What a layer does wrong is never raised
    otherwise.
    """
    seed = checked_seed(seed)
    known = tuple(check.name for check in named(checks, CHECKS))
    said = Options.of({**options, "scales": scales})
    label = said.name or getattr(layer, "name", None) or type(layer).__name__
    try:
        with undisturbed(layer, seed):
            target, notes = _prepared(layer, said)
    except OptionError:
        raise
    except Exception as error:
        verdict = _unusable(str(label), error, known[0] if known else "output", seed)
    else:
        verdict = judge(target, known, expected_failures, seed, origin)
        verdict = replace(verdict, notes=(*notes, *mode_notes(layer)))
    if raise_on_failure:
        verdict.require()
    return verdict


def _prepared(
    layer: Callable[..., object] | Target, options: Options
) -> tuple[Target, tuple[str, ...]]:
    """`adapters.prepare`, with scales that were not given estimated."""
    target, notes = prepare(layer, options)
    if isinstance(layer, Target) or not target.estimated:
        return target, notes
    target, note = with_estimated_scales(target)
    return target, (*notes, note)


def _unusable(name: str, error: Exception, check: str, seed: int) -> Verdict:
    words = " ".join(str(error).split())[:400]
    reason = f"no input was found that the layer takes; it raised {type(error).__name__}: {words}"
    return Verdict(name, (Outcome(check, name, Status.ERROR, reason, seed),))


# --- Tests ----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Judgement:
    """A layer to be judged check by check: prepared once, when it is first needed.

    options: what is said of the layer. checks: that the verdict is of, by default all that are not
    slow; expected: reason by check, of those that are known to fail.
    """

    layer: Callable[..., object] | Target
    options: Options = field(default_factory=Options)
    seed: int = 0
    origin: str = ""
    checks: tuple[Check, ...] = named(None, CHECKS)
    expected: Mapping[str, str] = field(default_factory=dict)
    _outcomes: dict[str, Outcome] = field(default_factory=dict, init=False)

    @property
    def name(self) -> str:
        """How the layer is called in test names."""
        named_layer = self.options.name or getattr(self.layer, "name", None)
        return str(named_layer or getattr(self.layer, "__name__", type(self.layer).__name__))

    @functools.cached_property
    def target(self) -> Target:
        """The prepared target; raises what the layer raises."""
        with undisturbed(self.layer, self.seed):
            return _prepared(self.layer, self.options)[0]

    def outcome(self, check: Check) -> Outcome:
        """One check's outcome, whatever the layer does; run once."""
        if check.name not in self._outcomes:
            try:
                found = run_check(check, self.target, self.seed)
            except Exception as error:  # of `target`; a check raises nothing
                found = _unusable(self.name, error, check.name, self.seed).outcomes[0]
            line = replay_line(check, self.origin, self.seed)
            self._outcomes[check.name] = replace(found, replay=line)
        return self._outcomes[check.name]

    @property
    def verdict(self) -> Verdict:
        """Of all checks, those that have run as tests included."""
        try:
            target = self.target
        except Exception as error:
            return _unusable(self.name, error, self.checks[0].name, self.seed)
        outcomes = [expecting(self.outcome(c), self.expected.get(c.name)) for c in self.checks]
        return conclude(target, outcomes, self.seed)

    def test_verdict(self) -> None:
        """The verdict as a test: skips what is undecided, with what would decide it.

        Raises AssertionError for a layer that failed, with the verdict and its likely causes.
        """
        import pytest  # noqa: PLC0415

        verdict = self.verdict
        if verdict.failed:
            raise AssertionError(str(verdict))
        if not verdict.passed:
            pytest.skip(f"undecided: {'; '.join(verdict.missing)}")

    def test(self, check: Check) -> None:
        """One check as a test: skips what does not apply or cannot be decided.

        Raises AssertionError for a failure, with what it points at and its likely causes.
        """
        import pytest  # noqa: PLC0415

        outcome = self.outcome(check)
        if outcome.status is Status.NOT_APPLICABLE:
            pytest.skip(outcome.reason)
        if outcome.status is Status.UNDECIDED:
            pytest.skip(f"undecided: {outcome.reason}")
        if not outcome.status.accepted:
            causes: tuple[Cause, ...] = ()
            if outcome.status is Status.FAILED:
                causes = likely_causes(self.target, {check.name}, self.seed)
            likely = "".join(f"\n    likely cause: {cause}" for cause in causes)
            raise AssertionError(f"{outcome}\n    points at: {check.points_at}{likely}")


@dataclass(frozen=True)
class BoundCheck:
    """What a test made by `parametrize_with_checks` is given: call it."""

    judgement: Judgement
    check: Check | None

    def __call__(self) -> None:
        """Runs the check as a test; without one, all, for the verdict."""
        if self.check is None:
            self.judgement.test_verdict()
        else:
            self.judgement.test(self.check)


def parametrize_with_checks(
    layers: Iterable[Callable[..., object] | Target],
    scales: Sequence[float] | float | None = None,
    *,
    checks: Iterable[str] | None = None,
    expected_failures: Mapping[str, str] | None = None,
    seed: int = 0,
    **options: Any,  # noqa: ANN401  (as Options has them)
) -> pytest.MarkDecorator:
    """One test for each layer and check, and one for each verdict, for a test file of one's own.

        @parametrize_with_checks([MyLifting()], scales=(1.0, 1.5, 2.25))
        def test_layer(check):
            check()

    A check that does not apply is skipped with its reason, as is a verdict that is undecided; an
    expected failure is a strict xfail, so that it fails once it passes. Arguments as of
    `check_scale_equivariance`.

    Raises ValueError for an unknown check or option, or a value that is not allowed.
    """
    import pytest  # noqa: PLC0415

    layers = list(layers)
    if not layers:
        raise ValueError("layers=[]: must hold at least one, or nothing is judged")
    seed = checked_seed(seed)
    expected = dict(expected_failures or {})
    warn_unmatched(expected)
    described = Options.of({**options, "scales": scales})
    chosen = named(checks, CHECKS)
    parameters = []
    for layer in layers:
        judgement = Judgement(layer, described, seed, checks=chosen, expected=expected)
        for check in chosen:
            reason = expected.get(check.name)
            marks = [] if reason is None else [pytest.mark.xfail(reason=reason, strict=True)]
            bound = BoundCheck(judgement, check)
            parameters.append(pytest.param(bound, id=f"{judgement.name}-{check.name}", marks=marks))
        whole = BoundCheck(judgement, None)
        parameters.append(pytest.param(whole, id=f"{judgement.name}-verdict"))
    return pytest.mark.parametrize("check", parameters)
