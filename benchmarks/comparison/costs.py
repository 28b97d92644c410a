"""What each method costs, beside the plain network in the same rounds.

Every round times, for each method in turn, a step of the plain network, one of the method, a
forward pass of the plain network, one of the method. So a machine that is busy for a while is busy
for both sides of a ratio, and only ratios within rounds are worth reading.

peak_bytes: of a few training steps of the method and of the plain network, see `memory`.

multiply_adds: per image of a forward pass in evaluation mode, half of what torch's own counter
calls floating-point operations. It counts convolutions (every tap, also those that meet padding)
and matrix products (resizing, steering, building filters: their share of a batch), and nothing
else: no pooling, maxima, activations or normalisation. Counted is what is computed: SESN's layers
choose by batch and image size between convolutions and fewer products per frequency.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from typing import Any

from benchmarks.comparison.session import Session
from benchmarks.comparison.settings import REFERENCE, Settings
from benchmarks.timing.memory import peak_memory
from benchmarks.timing.rounds import TORCH, Timed, interleaved, ratio_of
from verification.claims.claim import Cost
from verification.claims.reading import load_claims
from verification.claims.records import Record

OWN, BESIDE = "own", "beside"
Times = dict[tuple[str, str, str], list[float]]
"""Seconds in each round by network, whether its own or the plain one's beside it, and work."""


def measure_costs(
    session: Session, names: Sequence[str], done: Callable[[], object]
) -> list[Record]:
    """One record for each network, written when all are timed.

    `done` is called after each network's memory and rounds, warm-up included: 2 + rounds times.
    """
    settings = session.settings
    about = {"work": "comparison", **settings.of_costs}
    with ExitStack() as stack:
        # From the last to the first, since they end in the opposite order.
        measurements = {
            name: stack.enter_context(
                session.measuring(
                    "timing", name, {"model": name, **about}, protocol="timing", seeds={}
                )
            )
            for name in reversed(names)
        }
        reference = Timed(REFERENCE, settings.batch, TORCH)
        timed = {name: Timed(name, settings.batch) for name in names}
        peaks = _peaks(names, settings, done)
        times = time_rounds(timed, reference, settings.rounds, done)
        for name in names:
            measurements[name].numbers.update(
                parameters=sum(p.numel() for p in timed[name].model.parameters()),
                multiply_adds=timed[name].multiply_adds() / settings.batch,
                peak_bytes={which: peaks[which] for which in (REFERENCE, name)},
                **_times(name, times),
            )
    return session.records[-len(names) :]


def _peaks(
    names: Sequence[str], settings: Settings, done: Callable[[], object]
) -> dict[str, list[int] | None]:
    """Peak memory of every network and of the plain one, in bytes; None where it is not told."""
    peaks = {}
    for name in dict.fromkeys([REFERENCE, *names]):
        peaks[name] = peak_memory(name, settings.batch)
        if name in names:
            done()
    return peaks


def time_rounds(
    timed: Mapping[str, Timed], reference: Timed, rounds: int, done: Callable[[], object]
) -> Times:
    """Seconds in each round of every network and, each time just before it, of the plain one."""
    works = {
        (name, which, work): network.work(work)
        for name, own in timed.items()
        for work in ("step", "forward")
        for which, network in ((BESIDE, reference), (OWN, own))
    }
    return interleaved(works, rounds, lambda key: done() if key[1:] == (OWN, "forward") else None)


def _times(name: str, times: Times) -> dict[str, Any]:
    """Times and ratios of a network; `seconds` are those of its training steps."""
    (step, forward), (plain_step, plain_forward) = (
        [times[name, which, work] for work in ("step", "forward")] for which in (OWN, BESIDE)
    )
    rivals = {
        rival: times[rival, OWN, "step"] for rival in _rivals(name) if (rival, OWN, "step") in times
    }
    return {
        # The plain network beside itself shows the noise; its times go by the name of the model.
        "seconds": {REFERENCE: plain_step, **rivals, name: step},
        "forward_seconds": {REFERENCE: plain_forward, name: forward},
        "step_ratio": ratio_of(step, plain_step),
        "forward_ratio": ratio_of(forward, plain_forward),
    }


def _rivals(name: str) -> list[str]:
    """What claims compare a network with, other than the plain one."""
    return [claim.denominator for claim in _costs(name) if claim.denominator != REFERENCE]


@cache
def _costs(name: str) -> list[Cost]:
    costs = (claim for claim in load_claims() if isinstance(claim, Cost))
    return [claim for claim in costs if claim.numerator == name]
