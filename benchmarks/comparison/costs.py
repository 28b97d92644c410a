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

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.comparison.session import Session
from benchmarks.comparison.settings import FRAME, REFERENCE, Settings
from benchmarks.timing.measure import ratio_of
from benchmarks.timing.memory import peak_memory
from benchmarks.training.recipes import MNIST_SCALE
from benchmarks.training.run import make_optimiser
from sesn_impl import create_model
from sesn_impl.networks.plain import by_torch
from verification.claims.claim import Cost
from verification.claims.provenance import current_provenance
from verification.claims.reading import load_claims
from verification.claims.records import Record, write_record


@dataclass
class Stopwatch:
    """Times of a network and of the plain one beside it: [rounds] for each kind of work."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: {"step": [], "forward": []})
    reference: dict[str, list[float]] = field(default_factory=lambda: {"step": [], "forward": []})


class Timed:
    """A network with its optimiser on one batch, doing either kind of work.

    torch_layers: whether its plain layers are torch's own, as those of the reference are.
    """

    def __init__(self, name: str, batch: int, *, torch_layers: bool = False) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.model: nn.Module = create_model(name)
            self.images = torch.randn(batch, 1, FRAME, FRAME)
            self.labels = torch.randint(10, (batch,))
        if torch_layers:
            by_torch(self.model)
        self.optimiser = make_optimiser(self.model, MNIST_SCALE.optimiser)

    def step(self) -> None:
        """One training step of the published recipe."""
        self.model.train()
        self.optimiser.zero_grad()
        torch.autograd.backward(F.cross_entropy(self.model(self.images), self.labels))
        self.optimiser.step()

    def forward(self) -> Tensor:
        """Logits [B, 10] in evaluation mode."""
        self.model.eval()
        with torch.no_grad():
            logits: Tensor = self.model(self.images)
        return logits

    def warm_up(self) -> None:
        """Both kinds of work once: memory, choice of kernels."""
        self.step()
        self.forward()

    def multiply_adds(self) -> float:
        """Of one forward pass, per image."""
        with FlopCounterMode(display=False) as counter:
            self.forward()
        return float(counter.get_total_flops()) / 2 / len(self.images)

    @property
    def parameters(self) -> int:
        """Trainable parameters."""
        return sum(p.numel() for p in self.model.parameters() if p.requires_grad)


def measure_costs(
    session: Session, names: Sequence[str], done: Callable[[], object]
) -> list[Record]:
    """One record for each network, written when all are timed.

    `done` is called after each network's warm-up, memory and rounds: 2 + rounds times for each.
    """
    settings, begin = session.settings, time.perf_counter()
    blank = current_provenance()
    reference = Timed(REFERENCE, settings.batch, torch_layers=True)
    reference.warm_up()
    timed = {}
    for name in names:
        timed[name] = Timed(name, settings.batch)
        timed[name].warm_up()
        done()
    peaks = _peaks(names, settings, done)
    watches = time_rounds(timed, reference, settings, done)
    provenance = replace(blank, wall_seconds=time.perf_counter() - begin)
    records = []
    for name in names:
        numbers = {
            "parameters": timed[name].parameters,
            "multiply_adds": timed[name].multiply_adds(),
            "peak_bytes": {which: peaks[which] for which in (REFERENCE, name)},
            **_times(name, watches),
        }
        records.append(
            Record(
                kind="timing",
                subject=name,
                numbers=numbers,
                configuration={"model": name, "work": "comparison", **settings.of_costs},
                protocol="timing",
                data=None,
                seeds={},
                command=session.command,
                outcome="finished",
                provenance=provenance,
            )
        )
    for record in records:
        if session.evidence is not None:
            write_record(record, session.evidence)
        session.records.append(record)
    return records


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
    timed: dict[str, Timed], reference: Timed, settings: Settings, done: Callable[[], object]
) -> dict[str, Stopwatch]:
    """Times of every network and, each time just before it, of the plain one."""
    watches = {name: Stopwatch() for name in timed}
    for _ in range(settings.rounds):
        for name, network in timed.items():
            for work in ("step", "forward"):
                watches[name].reference[work].append(time_of(getattr(reference, work)))
                watches[name].seconds[work].append(time_of(getattr(network, work)))
            done()
    return watches


def time_of(work: Callable[[], object]) -> float:
    """Seconds that the work takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def _times(name: str, watches: dict[str, Stopwatch]) -> dict[str, Any]:
    """Times and ratios of a network; `seconds` are those of its training steps."""
    own = watches[name]
    steps = {REFERENCE: own.reference["step"]} | {
        rival: watches[rival].seconds["step"] for rival in _rivals(name) if rival in watches
    }
    return {
        # The plain network beside itself shows the noise; its times go by the name of the model.
        "seconds": {**steps, name: own.seconds["step"]},
        "forward_seconds": {REFERENCE: own.reference["forward"], name: own.seconds["forward"]},
        "step_ratio": ratio_of(own.seconds["step"], own.reference["step"]),
        "forward_ratio": ratio_of(own.seconds["forward"], own.reference["forward"]),
    }


def _rivals(name: str) -> list[str]:
    """What claims compare a network with, other than the plain one."""
    return [claim.denominator for claim in _costs(name) if claim.denominator != REFERENCE]


@cache
def _costs(name: str) -> list[Cost]:
    costs = (claim for claim in load_claims() if isinstance(claim, Cost))
    return [claim for claim in costs if claim.numerator == name]
