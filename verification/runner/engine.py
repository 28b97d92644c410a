"""The engine: runs the registry's checks on a target and turns whatever happens into outcomes.

Nothing that a layer does ends a run: an exception is an outcome of its own, with its sentence. The
layer is left as it was found: training flags, gradients, torch's random state.
"""

from __future__ import annotations

import random
import shlex
import warnings
from collections.abc import Collection, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from verification.checks.diagnosis import CAUSES, Cause, causes_of
from verification.checks.registry import CHECKS, Check, named
from verification.checks.result import CheckResult, NotApplicableError
from verification.layer.options import checked_seed
from verification.layer.reading import NotAffineError
from verification.layer.targets import Target
from verification.reference.errors import NothingToCompareError
from verification.runner.layer_verdict import Outcome, Status, Verdict

_EXPLAINED = {"scaled_copies", "supports", "scale_ratio", "scale_equivariance", "response"}
"""Failures that the filters explain, by themselves or against their documentation."""


class UnmatchedExpectationWarning(UserWarning):
    """An expected failure is declared for a check that the registry does not hold."""


def judge(
    target: Target,
    checks: Iterable[str] | None = None,
    expected_failures: Mapping[str, str] | None = None,
    seed: int = 0,
    origin: str = "",
) -> Verdict:
    """Puts a target through the checks; see `verification.check_scale_equivariance`.

    checks: names; by default all that are not optional. expected_failures: reason by check.
    origin: "package.module:factory" and options, from which replay lines are made.

    Raises ValueError for an unknown check; warns of expectations that match none.
    """
    seed = checked_seed(seed)
    expected = dict(expected_failures or {})
    warn_unmatched(expected)
    outcomes: list[Outcome] = []
    target = replace(target)  # with nothing read off it before, since it may have changed
    for check in named(checks, CHECKS):
        if any(o.check == "output" and not o.status.accepted for o in outcomes):
            # One mistake in the layout would be told once by every check.
            reason = "not run: the output is not as declared, see output"
            outcome = Outcome(check.name, target.name, Status.NOT_APPLICABLE, reason, seed)
        else:
            outcome = run_check(check, target, seed, expected.get(check.name))
        outcomes.append(replace(outcome, replay=replay_line(check, origin, seed)))
    return conclude(target, outcomes, seed)


def conclude(target: Target, outcomes: Iterable[Outcome], seed: int) -> Verdict:
    """The verdict of these outcomes: with what failures point at, likeliest first."""
    verdict = Verdict(target.name, tuple(outcomes), reservations=_reservations(target))
    failed = {o.check for o in verdict if o.status is Status.FAILED}
    causes = list(likely_causes(target, failed, seed))
    # What each failed check says by itself: the mistake it names, or its own name.
    named_by_checks = [o.cause or o.check for o in verdict if o.status is Status.FAILED]
    if not causes:
        known = [name for name in dict.fromkeys(named_by_checks) if name in CAUSES]
        causes = [Cause(name, f"{name}: {CAUSES[name]}") for name in known]
    return replace(
        verdict,
        findings=tuple(map(str, causes)),
        causes=tuple(dict.fromkeys([*(c.name for c in causes), *named_by_checks])),
    )


def _reservations(target: Target) -> tuple[str, ...]:
    if not target.estimated:
        return ()
    return (
        "scales were not given: the answers were measured against ratios that were estimated from "
        "them, which proves nothing; give scales",
    )


def likely_causes(target: Target, failed: Collection[str], seed: int) -> tuple[Cause, ...]:
    """What failed checks of filters point at, likeliest first: see `checks.diagnosis`."""
    if not set(failed) & _EXPLAINED or target.output != "scales":
        return ()
    with undisturbed(target.layer, seed):
        try:
            return causes_of(target, seed)
        except Exception:  # a foreign layer raises anything; its checks have reported that
            return ()


def warn_unmatched(expected: Mapping[str, str]) -> None:
    """Warns of every declared expectation whose check does not exist."""
    known = {check.name for check in CHECKS}
    for name in expected:
        if name not in known:
            warnings.warn(
                f"expected_failures: no check is called {name!r}; known are "
                f"{', '.join(sorted(known))}",
                UnmatchedExpectationWarning,
                stacklevel=3,
            )


def run_check(check: Check, target: Target, seed: int, expected: str | None = None) -> Outcome:
    """One check on one target; expected: the reason why it is expected to fail, if it is."""
    blank = Outcome(check.name, target.name, Status.ERROR, "", seed)
    with undisturbed(target.layer, seed):
        try:
            missing = check.missing(target)
            if missing:
                return replace(blank, status=Status.NOT_APPLICABLE, reason=missing)
            result = check.run(target, seed)
            if check.tolerant and target.tolerance is not None:
                result = replace(result, threshold=target.tolerance, passing=None, cause="")
        except (NotAffineError, NotApplicableError, NothingToCompareError) as error:
            return replace(blank, status=Status.NOT_APPLICABLE, reason=str(error))
        except Exception as error:  # told as an outcome, with its type and words
            outcome = replace(blank, reason=_said(error))
        else:
            outcome = _of(result, blank)
    return expecting(outcome, expected)


def _of(result: CheckResult, blank: Outcome) -> Outcome:
    status, reason = Status.PASSED, result.finding
    if not result.passed:
        status = Status.FAILED
    elif not result.convincing:
        status = Status.UNDECIDED
        reason = f"{_undecided(result)}: {result.finding}"
    return replace(
        blank,
        status=status,
        reason=reason,
        error=result.error,
        budget=result.floor,
        threshold=result.threshold,
        ignoring=result.ignoring,
        pair=result.pair,
        cause=result.cause if status is Status.FAILED else "",
    )


def _undecided(result: CheckResult) -> str:
    if result.passing is not None and result.error > result.passing:
        return (
            f"the error of {result.error:.3g} is more than the {result.passing:.3g} that the "
            "filters explain, by no mistake that can be named; filters that are cut off inside a "
            "stack explain it, too: judge the layers one by one, or give a tolerance"
        )
    return (
        f"the error of {result.error:.3g} is not below a quarter of {result.ignoring:.3g}, "
        "that of a layer that ignores scale; finer sampling, wider supports, more distant scales, "
        "or a tolerance would decide"
    )


def expecting(outcome: Outcome, expected: str | None) -> Outcome:
    """The outcome of a check that is expected to fail for a reason, if one is given."""
    if expected is None:
        return outcome
    if outcome.status is Status.NOT_APPLICABLE:
        return outcome
    if outcome.status in {Status.PASSED, Status.UNDECIDED}:
        reason = f"passes, though it was expected to fail: {expected}"
        return replace(outcome, status=Status.UNEXPECTED_PASS, reason=reason)
    reason = f"expected: {expected} ({outcome.reason})"
    return replace(outcome, status=Status.EXPECTED_FAILURE, reason=reason)


def _said(error: Exception) -> str:
    words = " ".join(str(error).split())
    return f"the layer, or what it gave, raised {type(error).__name__}: {words[:400]}"


def replay_line(check: Check, origin: str, seed: int) -> str:
    """The shell line that runs exactly this check with this seed; empty without an origin."""
    if not origin:
        return ""
    return f"python -m verification judge {origin} --check {shlex.quote(check.name)} --seed {seed}"


def mode_notes(layer: object) -> tuple[str, ...]:
    """That a layer was in training mode, where that would have changed its answers."""
    parts = layer.modules() if isinstance(layer, nn.Module) else ()
    if any(part.training and isinstance(part, _OF_TWO_MODES) for part in parts):
        return ("the layer is in training mode; it was judged as after eval()",)
    return ()


_OF_TWO_MODES = (
    nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm,
    nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d,
    nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout,
)  # fmt: skip


@contextmanager
def undisturbed(layer: object, seed: int) -> Generator[None]:
    """Runs a layer in evaluation mode, with gradients, whatever the caller's own situation is.

    Flags, buffers, gradients and random states are as found afterwards.
    """
    modules = list(layer.modules()) if isinstance(layer, nn.Module) else []
    parameters = list(layer.parameters()) if isinstance(layer, nn.Module) else []
    buffers = list(layer.buffers()) if isinstance(layer, nn.Module) else []
    flags = [module.training for module in modules]
    gradients = [parameter.grad for parameter in parameters]
    values = [buffer.detach().clone() for buffer in buffers]
    states = random.getstate(), np.random.get_state()  # noqa: NPY002  (what a layer may draw from)
    with torch.random.fork_rng(), torch.inference_mode(mode=False), torch.enable_grad():
        torch.manual_seed(seed)
        for module in modules:
            module.training = False
        for parameter in parameters:
            parameter.grad = None  # a backward pass would add to it in place
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])  # noqa: NPY002
            for module, flag in zip(modules, flags, strict=True):
                module.training = flag
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient
            with torch.no_grad():
                for buffer, value in zip(buffers, values, strict=True):
                    if not torch.equal(buffer, value):
                        buffer.copy_(value)
