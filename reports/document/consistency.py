"""What a record says twice must agree: its numbers, its seeds and its command with one another.

The name of a record holds a hash of its content, which tells an edited file from an intact one.
Who edits a record *and* names it anew leaves that hash right; what is found then is what the edit
forgot.  Nothing is measured here: that is what the audit does.
"""

from __future__ import annotations

import math
import shlex
import statistics
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

from reports.readers import measurements
from reports.readers.material import Material
from reports.writing.wording import plural
from verification.claims.claim import Count
from verification.claims.records import Record
from verification.claims.rules.admission import heavy_enough
from verification.claims.validity import contradictions, shared_faults

ROUNDING = 1e-9
"""Relative difference that order of summation explains between two ways to the same number."""


def inconsistencies(material: Material) -> list[str]:
    """Say for each record what does not fit in it or beside the others, file name first."""
    found, counts = [], material.select(Count, "count.mnist", "count.stl10")
    for record in material.records:
        parts = [*_command_problems(record)]
        if record.outcome == "finished" and record.kind in _RULES:
            try:
                parts += _RULES[record.kind](record)
                parts += _parameters(record, counts) if record.kind == "training" else ()
            except (KeyError, TypeError, IndexError, ValueError, ZeroDivisionError) as error:
                parts.append(f"its numbers are not those of a {record.kind}: {error!r}")
        found += [f"{record.filename}: {part}" for part in parts]
    faults = shared_faults(material.records)
    found += [f"{r.filename}: {faults[r.digest]}" for r in material.records if r.digest in faults]
    return [*found, *_alike(material.records), *_counted(material)]


def options_of(command: str) -> dict[str, str]:
    """Options of a command line by name, without dashes; a flag has the value ""."""
    words = shlex.split(command)
    names = [k for k, word in enumerate(words) if word.startswith("--")]
    values = [words[k + 1] if k + 1 < len(words) else "" for k in names]
    return {
        words[k].removeprefix("--"): "" if value.startswith("--") else value
        for k, value in zip(names, values, strict=True)
    }


def _command_problems(record: Record) -> Iterator[str]:
    """Compare the options of the command with what the record says was run."""
    options, configuration = options_of(record.command), record.configuration
    stated = {
        "model": configuration.get("model", record.subject),
        "data": configuration.get("data"),
        "protocol": record.protocol,
        "realisation": record.seeds.get("realisation"),
        "seed": record.seeds.get("seed"),
        "seeds": record.seeds.get("count"),
        "cases": configuration.get("cases"),
        "rounds": configuration.get("rounds"),
        "batch": configuration.get("batch"),
        "repetitions": configuration.get("repetitions"),
    }
    if record.kind not in ("training", "theorem", "simulation", "timing"):
        # The same command measures other things besides, with settings of their own.
        stated = {name: stated[name] for name in ("seed", "seeds")}
    for name, value in stated.items():
        if value is not None and options.get(name, str(value)) != str(value):
            yield f"its command says --{name} {options[name]}, the record {value}"
    if record.kind == "training":
        if ("augmentation" in options) is not bool(configuration.get("augmentation")):
            yield "command and configuration differ on augmentation"
        if record.data is None or record.data.get("name") != configuration.get("data"):
            yield "data set and configuration differ"
        if record.subject != configuration.get("model"):
            yield "subject and model differ"


def _training(record: Record) -> Iterator[str]:
    yield from contradictions(record)
    numbers, epochs = record.numbers, record.configuration["epochs"]
    if numbers["steps"] <= 0 or numbers["steps"] % epochs:
        yield f"{numbers['steps']} steps are no whole number in each of {epochs} epochs"
    sessions = numbers["sessions"]
    if sessions[0]["first_step"] != 0:
        yield "its first session does not begin at step 0"
    if sessions[-1]["seconds"] > record.provenance.wall_seconds:
        yield "its last session is longer than the whole run"


def _parameters(record: Record, counts: Sequence[Count]) -> Iterator[str]:
    for claim in counts:
        expected = claim.expected.get(record.subject)
        if expected is not None and record.numbers["parameters"] != expected:
            yield f"{record.numbers['parameters']} parameters, where the model has {expected}"


def _theorem(record: Record) -> Iterator[str]:
    if record.numbers["cases"] != record.configuration.get("cases", record.numbers["cases"]):
        yield "cases tried and cases configured differ"


def _budget(record: Record) -> Iterator[str]:
    numbers = record.numbers
    rows = record.configuration.get("repetitions", len(numbers["y"]))
    if len(numbers["y"]) != rows:
        yield f"{plural(len(numbers['y']), 'row')} for {rows} repetitions"
    for pair in numbers["pairs"]:
        bound = (math.sqrt(pair["sampling"]) + math.sqrt(pair["truncation"])) ** 2
        if not _same(pair["bound"], bound):
            yield f"bound {pair['bound']} of pair {pair['fine']} is not (√sampling + √truncation)²"
        parts = pair.get("contributions")
        if parts and not _same(pair["total"], sum(parts.values())):
            yield f"total {pair['total']} of pair {pair['fine']} is not the sum of its parts"


def _timing(record: Record) -> Iterator[str]:
    if "points" in record.numbers:
        yield from _choices(record)
        return
    rounds = record.configuration.get("rounds")
    sizes = record.numbers.get("sizes")  # of a curve, whose times are [sizes][rounds]
    for name, measured in record.numbers["seconds"].items():
        if sizes is not None and len(measured) != len(sizes):
            yield f"{plural(len(measured), 'point')} of {name} for {len(sizes)} sizes"
        for times in measured if sizes is not None else [measured]:
            if rounds is not None and len(times) != rounds:
                yield f"{plural(len(times), 'time')} of {name} for {rounds} rounds"
    ratio = record.numbers.get("step_ratio")
    sides = [record.numbers["seconds"].get(name) for name in (record.subject, "cnn_28")]
    # The CNN beside itself was timed twice, once as each side.
    if ratio and None not in sides and record.subject != "cnn_28":
        median = statistics.median(a / b for a, b in zip(*sides, strict=True))
        if not _same(ratio["median"], median):
            yield f"ratio {ratio['median']} is not that of its times, {median}"


def _choices(record: Record) -> Iterator[str]:
    _, points = measurements.choices(record)
    grid = record.configuration.get("grid", len(points))
    if len(points) != grid:
        yield f"{plural(len(points), 'point')} for a grid of {grid}"
    for work in ("forward", "step"):
        losses = [point.loss(work) for point in points]
        stated = record.numbers[work]
        right = sum(loss <= measurements.CLOSE for loss in losses) / len(losses)
        if not (_same(stated["right"], right) and _same(stated["worst"], max(losses))):
            told = f"right {stated['right']} and worst {stated['worst']} of {work}"
            yield f"{told} are not its times'"


def _equivariance(record: Record) -> Iterator[str]:
    rows, count = record.numbers.get("y"), record.seeds.get("count")
    if rows is not None and count is not None and len(rows) != count:
        yield f"{plural(len(rows), 'row')} for {plural(count, 'seed')}"


def _simulation(record: Record) -> Iterator[str]:
    for conditions in record.numbers.values():
        for condition in conditions:
            verdicts = [condition[name] for name in ("supported", "refuted", "inconclusive")]
            if min(verdicts) < 0 or sum(verdicts) != condition["repetitions"]:
                yield f"verdicts do not add up to the repetitions in {condition}"


_RULES: dict[str, Callable[[Record], Iterable[str]]] = {
    "training": _training,
    "theorem": _theorem,
    "budget": _budget,
    "timing": _timing,
    "equivariance": _equivariance,
    "simulation": _simulation,
}


def _alike(records: Sequence[Record]) -> Iterator[str]:
    """Say which trainings have the very learning curve of another run."""
    curves: dict[Hashable, list[Record]] = defaultdict(list)
    for record in records:
        losses = record.numbers.get("curves", {}).get("train_loss")
        if record.kind == "training" and record.outcome == "finished" and losses:
            curves[tuple(losses)].append(record)
    for group in curves.values():
        if len({record.key for record in group}) > 1:
            names = ", ".join(record.filename for record in group)
            yield f"{names}: different runs with the same learning curves: one is a copy"


def _counted(material: Material) -> Iterator[str]:
    """Say which records were counted for a claim that their protocol or outcome cannot bear."""
    by_digest = {record.digest: record for record in material.records}
    for claim in material.claims:
        for digest in material.verdict(claim).records:
            record = by_digest[digest]
            if not heavy_enough(record.protocol, claim.protocol):
                yield f"{record.filename}: of protocol {record.protocol}, counted for {claim.id}"
            if record.outcome != "finished":
                yield f"{record.filename}: {record.outcome}, counted for {claim.id}"


def _same(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=ROUNDING)
