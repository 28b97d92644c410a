"""Checker of trainings: which records break the rules of their protocol, and what is missing.

The rules are those of a benchmark that people submit results to: the recipe, the data and the
number of epochs are the protocol's, the sources are those of a commit, every seed is there once,
and nobody's result is somebody else's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from verification.claims.fields import is_number
from verification.claims.protocols import Protocol, load_protocols
from verification.claims.records import Record

UNCOMMITTED = "trained from uncommitted or unknown sources"

_PARTS = ("best_epoch", "curves", "sessions", "steps", "test_error", "weights")
_AHEAD = timedelta(days=2)  # so far may clocks that agree on nothing else differ
_ROUNDING = 1e-9  # percent; the same quotient of whole numbers, written and read again


@dataclass(frozen=True)
class Setting:
    """What is repeated over realisations and seeds."""

    protocol: str
    data: str
    model: str
    augmentation: bool


@dataclass(frozen=True)
class Checked:
    """What the checker found among trainings.

    rejected: records with all reasons; missing: (realisation, seed) that a begun cell lacks.
    """

    rejected: Sequence[tuple[Record, Sequence[str]]]
    missing: Mapping[Setting, Sequence[tuple[int, int]]]


def objections(record: Record) -> list[str]:
    """Say why a finished training is not a run of its protocol; empty if it is.

    Of one that diverged, what lies before its end.  The texts go on after a number: "1 trained from
    uncommitted or unknown sources".
    """
    rules = [_sources, _clock, _arithmetic, _recipe, _data]
    if record.outcome != "diverged":
        rules += [_parts, _epochs, _lengths, _selection, _errors]
    return _broken(rules, record)


def contradictions(record: Record) -> list[str]:
    """Say what a finished training states twice and differently; empty if all agrees.

    Of those that count for nothing as well: of another recipe, from uncommitted sources.
    """
    return _broken((_data, _lengths, _selection, _errors), record)


def shared_faults(records: Iterable[Record]) -> dict[str, str]:
    """What a finished training shares with others that it must not, by the record's digest.

    The very weights of another run, or data that differ from another's on the same realisation.
    """
    trainings = _finished(records)
    return {
        record.digest: reason
        for rule in (_unequal_data, _copied)
        for record, reason in rule(trainings)
    }


def check(records: Iterable[Record]) -> Checked:
    """Apply all rules to the finished trainings among some records."""
    trainings = _finished(records)
    reasons: dict[str, list[str]] = {record.digest: objections(record) for record in trainings}
    # What counts for nothing supersedes nothing.
    repeated = _repeated([record for record in trainings if not reasons[record.digest]])
    for record, reason in [*repeated, *_copied(trainings), *_unequal_data(trainings)]:
        reasons[record.digest].append(reason)
    rejected = [(r, reasons[r.digest]) for r in trainings if reasons[r.digest]]
    accepted = [record for record in trainings if not reasons[record.digest]]
    return Checked(rejected, _missing(accepted))


def _broken(rules: Iterable[Callable[[Record, Protocol], str]], record: Record) -> list[str]:
    name = str((record.data or {}).get("name"))
    if (demands := load_protocols().get((record.protocol, name))) is None:
        return [f"of no known protocol ({record.protocol} on {name})"]
    return [text for rule in rules if (text := rule(record, demands))]


def _finished(records: Iterable[Record]) -> list[Record]:
    """Finished trainings, the oldest first."""
    return sorted(
        (r for r in records if r.kind == "training" and r.outcome == "finished"),
        key=lambda r: (r.provenance.started, r.digest),
    )


def _sources(record: Record, _: Protocol) -> str:
    sessions = record.numbers.get("sessions", ())
    dirty = any(session.get("dirty") is not False for session in sessions)
    return UNCOMMITTED if dirty or record.provenance.dirty is not False else ""


def _arithmetic(record: Record, _: Protocol) -> str:
    """Records of earlier versions do not say: they are of CPUs, where nothing else was set."""
    sessions = [record.numbers, *record.numbers.get("sessions", ())]
    found = {part.get("arithmetic", {}).get("float32", "ieee") for part in sessions}
    others = sorted(str(kind) for kind in found - {"ieee"})
    return f"with products in {', '.join(others)} in place of float32" if others else ""


def _clock(record: Record, _: Protocol) -> str:
    """A record from the future would supersede all that follow."""
    started, latest = record.provenance.started, datetime.now(UTC) + _AHEAD
    ahead = datetime.fromisoformat(started) > latest
    return f"under a clock that was ahead ({started})" if ahead else ""


def _recipe(record: Record, demands: Protocol) -> str:
    found = record.configuration
    other = [name for name, value in demands.recipe.items() if found.get(name) != value]
    other += sorted(set(found) - set(demands.recipe) - {"model", "augmentation", "data", "basis"})
    return f"with other settings than the protocol's ({', '.join(other)})" if other else ""


def _data(record: Record, demands: Protocol) -> str:
    realisation = record.seeds.get("realisation")
    # Data of which there is one realisation need not say which.
    if "seed" not in record.seeds or (realisation is None and demands.realisations > 1):
        return "without realisation or seed"
    if realisation is None or not 0 <= realisation < len(demands.hashes):
        return ""
    right = (record.data or {}).get("hash") == demands.hashes[realisation]
    return "" if right else "on data with a wrong hash"


def _parts(record: Record, _: Protocol) -> str:
    """What is not there cannot be checked."""
    lacking = [name for name in _PARTS if record.numbers.get(name) in (None, "", [], {})]
    return f"without {', '.join(lacking)}" if lacking else ""


def _epochs(record: Record, demands: Protocol) -> str:
    steps = record.numbers.get("steps")
    return (
        ""
        if steps == demands.steps
        else f"with incomplete epochs ({steps} of {demands.steps} steps)"
    )


def _lengths(record: Record, _: Protocol) -> str:
    curves, epochs = record.numbers.get("curves", {}), record.configuration.get("epochs")
    lengths = {name: len(values) for name, values in curves.items()}
    if record.configuration.get("selection") == "last":  # where there is nothing to validate on
        lengths.pop("validation_error", None)
    short = sorted(name for name, length in lengths.items() if length != epochs)
    return f"with incomplete epochs ({', '.join(short)})" if short else ""


def _selection(record: Record, _: Protocol) -> str:
    """The tested weights must be those that the recipe selects."""
    best, curves = record.numbers.get("best_epoch"), record.numbers.get("curves", {})
    errors = curves.get("validation_error", [])
    if best is None or not errors or record.configuration.get("selection") == "last":
        return ""
    selected = 1 + errors.index(min(errors))
    if best != selected or record.numbers.get("validation_error") != min(errors):
        return f"with weights of epoch {best} (selected by validation: {selected})"
    return ""


def _errors(record: Record, _: Protocol) -> str:
    """The test error must be that of all object scales together, where they are known."""
    bins, error = record.numbers.get("by_scale"), record.numbers.get("test_error")
    if not bins or not is_number(error):
        return ""
    total = 100 * sum(b["errors"] for b in bins) / sum(b["images"] for b in bins)
    if abs(total - error) <= _ROUNDING:
        return ""
    return f"with a test error that its own object scales contradict ({error:g}, {total:g})"


def _repeated(trainings: Sequence[Record]) -> Iterable[tuple[Record, str]]:
    """All but the newest record of one run."""
    newest = {run_of(record): record for record in trainings}
    for record in trainings:
        if (last := newest[run_of(record)]) is not record:
            same = _weights(record) == _weights(last)
            how = "with the same" if same else "with other"
            yield record, f"recorded again later, {how} weights ({last.filename})"


def _copied(trainings: Sequence[Record]) -> Iterable[tuple[Record, str]]:
    """Records of different runs that end with the same weights."""
    owners: dict[str, set[Any]] = defaultdict(set)
    for record in trainings:
        if weights := _weights(record):
            owners[weights].add(run_of(record))
    for record in trainings:
        if len(owners[_weights(record)]) > 1:
            yield record, "with the very weights of a run with other seeds or settings"


def _unequal_data(trainings: Sequence[Record]) -> Iterable[tuple[Record, str]]:
    """Records on one realisation that did not see the same data."""
    hashes: dict[Any, set[Any]] = defaultdict(set)
    for record in trainings:
        hashes[_realisation(record)].add((record.data or {}).get("hash"))
    for record in trainings:
        known = load_protocols().get((record.protocol, (record.data or {}).get("name", "")))
        if len(hashes[_realisation(record)]) > 1 and not (known and known.hashes):
            yield record, "on other data than another run on the same realisation"


def _missing(accepted: Sequence[Record]) -> dict[Setting, list[tuple[int, int]]]:
    found: dict[Setting, set[tuple[int, int]]] = defaultdict(set)
    for record in accepted:
        cell = Setting(
            record.protocol,
            (record.data or {})["name"],
            str(record.configuration.get("model")),
            bool(record.configuration.get("augmentation")),
        )
        found[cell].add((record.seeds.get("realisation", 0), record.seeds["seed"]))
    missing = {}
    for cell in sorted(found, key=lambda c: (c.protocol, c.data, c.model, c.augmentation)):
        demands = load_protocols()[cell.protocol, cell.data]
        wanted = [(k, seed) for k in range(demands.realisations) for seed in range(demands.seeds)]
        if lacking := [pair for pair in wanted if pair not in found[cell]]:
            missing[cell] = lacking
    return missing


def run_of(record: Record) -> tuple[Any, ...]:
    """What a training is a run of: records of the same repeat one another."""
    # As text: a malformed record may hold a list there.
    setting = (str(record.configuration.get(name)) for name in ("model", "augmentation"))
    seeds = record.seeds.get("realisation"), record.seeds.get("seed")
    return (*setting, *seeds, record.protocol, (record.data or {}).get("name"))


def _realisation(record: Record) -> tuple[Any, ...]:
    return (record.data or {}).get("name"), record.seeds.get("realisation")


def _weights(record: Record) -> str:
    return str(record.numbers.get("weights", ""))
