"""One entry of the gallery, judged as a user would, beside what the exact probe says."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.gallery.entry import Entry
from benchmarks.gallery.truth import confirm
from verification import check_scale_equivariance
from verification.broken_layers.user_layers import UserLayer
from verification.runner.layer_verdict import Verdict


def judged(entry: Entry, seeds: Sequence[int]) -> dict[str, Any]:
    """What a record holds of an entry: its truth, the probe's errors, a verdict for each seed.

    Raises ImportError, with its words, where the library is missing or does not import.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries, about their own future
        confirmed = confirm(entry)
        verdicts = [_verdict(entry, seed) for seed in seeds]
    return {
        "name": entry.name,
        "source": entry.source,
        "truth": str(entry.truth),
        "holds": entry.truth.holds,
        "derivation": entry.derivation,
        "probe": list(confirmed.errors),
        "agrees": confirmed.agrees,
        "given": {name: _shown(value) for name, value in entry.options.items()},
        "verdicts": verdicts,
    }


def wrong(row: dict[str, Any]) -> int:
    """How many verdicts on a row of the record contradict its truth; undecided ones do not."""
    contrary = "FAILED" if row["holds"] else "PASSED"
    return sum(verdict["answer"] == contrary for verdict in row["verdicts"])


def mistaken(layer: UserLayer, seeds: Sequence[int]) -> dict[str, Any]:
    """What a record holds of a layer with a mistake: whether each verdict rejects and names it."""
    verdicts = []
    for seed in seeds:
        verdict, seconds = _timed(layer.make(seed), seed, scales=layer.scales, **layer.options)
        named = verdict.failed and bool(set(layer.causes) & set(verdict.causes))
        causes = list(map(str, verdict.causes))
        verdicts.append(_row(verdict, seconds) | {"named": named, "causes": causes})
    return {
        "name": layer.name, "story": layer.story, "causes": list(layer.causes),
        "verdicts": verdicts,
    }  # fmt: skip


def counted(rows: Iterable[dict[str, Any]]) -> dict[str, int]:
    """Layers, verdicts, and how many of them are wrong or open."""
    rows = list(rows)
    verdicts = [verdict for row in rows for verdict in row["verdicts"]]
    undecided = sum(verdict["answer"] == "UNDECIDED" for verdict in verdicts)
    return {
        "layers": len(rows),
        "not_equivariant": sum(not row["holds"] for row in rows),
        "verdicts": len(verdicts),
        "wrong_pass": sum(wrong(row) for row in rows if not row["holds"]),
        "wrong_fail": sum(wrong(row) for row in rows if row["holds"]),
        "undecided": undecided,
        "undecided_beyond_a_fifth": max(0, undecided - len(verdicts) // 5),
        "unconfirmed": sum(not row["agrees"] for row in rows),
    }


def _verdict(entry: Entry, seed: int) -> dict[str, Any]:
    return _row(*_timed(entry.make(seed, 1), seed, **entry.options))


def _timed(layer: Any, seed: int, **options: Any) -> tuple[Verdict, float]:  # noqa: ANN401
    begin = time.process_time()  # on a busy machine too, and with one thread
    verdict = check_scale_equivariance(layer, seed=seed, **options)
    return verdict, time.process_time() - begin


def _row(verdict: Verdict, seconds: float) -> dict[str, Any]:
    measured = next((o for o in verdict.decisive if o.error is not None), None)
    return {
        "answer": str(verdict.answer),
        "error": None if measured is None else measured.error,
        "ignoring": None if measured is None else measured.ignoring,
        "seconds": seconds,
        "cause": str(next(iter(verdict.findings), "")),
        "failed": [outcome.check for outcome in verdict.complaints],
        "missing": str(next(iter(verdict.missing), "")),
    }


def _shown(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
