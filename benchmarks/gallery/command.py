"""Options and action of `python -m benchmarks gallery`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.gallery import ENTRIES, RANDOM, SEEDS, power
from benchmarks.gallery.entry import Entry
from benchmarks.gallery.judging import counted, judged, mistaken, wrong
from benchmarks.gallery.random_layers import random_layer
from benchmarks.options import add_checkpoints, add_evidence
from verification.broken_layers.user_layers import USER_LAYERS, UserLayer
from verification.claims.provenance import current_provenance
from verification.claims.records import Record, measuring
from verification.files import write_through


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds --seeds, --random, --only and --quick."""
    parser.set_defaults(run=run)
    add_evidence(parser)
    add_checkpoints(parser)
    parser.add_argument("--seeds", type=int, help=f"verdicts on each ({SEEDS['full']}; quick: 1)")
    parser.add_argument(
        "--random", type=int, help=f"random correct layers ({RANDOM['full']}; quick: 6)"
    )
    parser.add_argument("--quick", action="store_true", help="one seed, few random layers")
    parser.add_argument(
        "--only", nargs="+", metavar="LAYER", help="judge these alone, and write no record"
    )


def run(options: argparse.Namespace) -> int:
    """Judges all layers, prints the table and writes the record; 1 if a verdict is wrong.

    Raises ValueError for a count below 1 or a name that no layer has.
    """
    chosen = "quick" if options.quick else "full"
    seeds = SEEDS[chosen] if options.seeds is None else options.seeds
    random = RANDOM[chosen] if options.random is None else options.random
    for name, count in (("seeds", seeds), ("random", random)):
        if count < 1:
            raise ValueError(f"--{name} {count}: must be at least 1")
    if options.only:
        return _print_some(options.only, seeds)
    record = measure(seeds, random, options.evidence, Kept(options.checkpoints))
    print("\n".join(as_text(record)))
    numbers = record.numbers
    return int(any(numbers[name] for name in ("wrong_pass", "wrong_fail", "random_failed")))


class Kept:
    """What committed sources have measured so far, so that a stopped run goes on where it was."""

    def __init__(self, folder: Path) -> None:
        origin = current_provenance()
        known = origin.commit is not None and origin.dirty is False
        self.folder = folder / f"gallery-{origin.commit}" if known else None

    def get(self, name: str, measure: Callable[[], Any]) -> Any:  # noqa: ANN401 (a JSON value)
        """The kept value of this name, or the measured one."""
        if self.folder is None:
            return measure()
        path = self.folder / f"{name}.json"
        if path.exists():
            return json.loads(path.read_text())
        value = measure()
        self.folder.mkdir(parents=True, exist_ok=True)
        hidden = path.with_suffix(".part")
        write_through(hidden, json.dumps(value).encode())
        hidden.replace(path)
        return value


def measure(
    seeds: int,
    random: int,
    evidence: Path,
    kept: Kept,
    entries: Sequence[Entry] = ENTRIES,
    mistakes: Sequence[UserLayer] = USER_LAYERS,
    widths: Sequence[float] = power.WIDTHS,
    sizes: Sequence[float] = power.SIZES,
) -> Record:
    """Judge entries and mistakes on seeds 0, 1, …, random layers, power of the checks; one record.

    A library that does not import is listed with the error's words.
    """
    enough = seeds >= SEEDS["full"] and random >= RANDOM["full"]
    everything = (entries, mistakes) == (ENTRIES, USER_LAYERS)
    configuration = {
        "scope": "full" if enough and everything else "part",
        "layers": len(entries), "mistakes": len(mistakes), "random": random,
        "widths": list(widths), "sizes": list(sizes),
    }  # fmt: skip
    with measuring(
        "gallery",
        "gallery",
        command=f"python -m benchmarks gallery --seeds {seeds} --random {random}",
        configuration=configuration,
        seeds={"first": 0, "count": seeds},
        folder=evidence,
    ) as measurement:
        rows, absent = [], []
        for entry in tqdm(entries, "layers", disable=None):
            try:
                judge = partial(judged, entry, range(seeds))
                rows.append(kept.get(f"{entry.name}-{seeds}", judge))
            except ImportError as error:
                absent.append({"name": entry.name, "package": entry.package, "why": str(error)})
        drawn = [
            kept.get(f"random-{seed}", partial(_random, seed))
            for seed in tqdm(range(random), "random layers", disable=None)
        ]
        broken = [
            kept.get(f"mistake-{layer.name}-{seeds}", partial(mistaken, layer, range(seeds)))
            for layer in tqdm(mistakes, "mistakes", disable=None)
        ]
        curves = kept.get("power", lambda: list(power.curves(widths, sizes)))
        measurement.numbers.update(numbers_of(rows, absent, drawn, broken, curves))
    assert measurement.record is not None
    return measurement.record


def _random(seed: int) -> dict[str, Any]:
    row = judged(random_layer(seed), [seed])
    return {"seed": seed, "kind": row["source"], **row["verdicts"][0]}


def numbers_of(
    rows: list[dict[str, Any]],
    absent: list[dict[str, str]],
    drawn: list[dict[str, Any]],
    broken: list[dict[str, Any]],
    curves: list[dict[str, Any]],
) -> dict[str, Any]:
    """What the record holds: the counts that claims are about, and what they count."""
    failed = [each for each in drawn if each["answer"] == "FAILED"]
    answers = [each["answer"] for each in drawn]
    return {
        **counted(rows),
        "random_failed": len(failed),
        "unnamed": sum(not all(v["named"] for v in row["verdicts"]) for row in broken),
        "rows": rows,
        "mistakes": broken,
        "absent": absent,
        "random": {
            "layers": len(drawn),
            "answers": {answer: answers.count(answer) for answer in sorted(set(answers))},
            "failed": failed,
        },
        "power": {
            "kinds": {kind: words for kind, (words, _) in power.KINDS.items()},
            "curves": curves,
        },
    }


def as_text(record: Record) -> list[str]:
    """The table for a terminal: a line for each layer."""
    numbers = record.numbers
    lines = [_line(row) for row in numbers["rows"]]
    lines += [f"{each['name']}: not judged: {each['why']}" for each in numbers["absent"]]
    lines += [
        f"not rejected and named on every seed: {row['name']}: {_answers(row)}"
        for row in numbers["mistakes"]
        if not all(verdict["named"] for verdict in row["verdicts"])
    ]
    drawn = numbers["random"]
    told = ", ".join(f"{count} {answer}" for answer, count in drawn["answers"].items())
    return [
        *lines,
        f"{numbers['layers']} layers, {numbers['not_equivariant']} not equivariant; of "
        f"{numbers['verdicts']} verdicts {numbers['wrong_pass']} wrongly pass, "
        f"{numbers['wrong_fail']} wrongly fail, {numbers['undecided']} are undecided; "
        f"{drawn['layers']} random correct layers: {told}; {len(numbers['mistakes'])} mistakes of "
        f"users, {numbers['unnamed']} not rejected with their cause on every seed",
    ]


def _line(row: dict[str, Any]) -> str:
    answers = [verdict["answer"] for verdict in row["verdicts"]]
    seconds = sorted(verdict["seconds"] for verdict in row["verdicts"])[len(answers) // 2]
    right = "WRONG" if wrong(row) else "right" if "UNDECIDED" not in answers else "open"
    probe = " -> ".join(f"{error:.1e}" for error in row["probe"])
    seen = "" if row["agrees"] else " THE PROBE DISAGREES"
    return (
        f"{right}: {row['name']}: {row['truth']} ({probe}){seen}: {_answers(row)}; {seconds:.1f} s"
    )


def _answers(row: dict[str, Any]) -> str:
    answers = [verdict["answer"] for verdict in row["verdicts"]]
    return ", ".join(f"{answers.count(a)} {a}" for a in sorted(set(answers)))


def _print_some(names: Sequence[str], seeds: int) -> int:
    known = {entry.name: entry for entry in ENTRIES}
    for name in names:
        if name not in known:
            raise ValueError(f"--only {name!r}: must be one of {', '.join(known)}")
    rows = [judged(known[name], range(seeds)) for name in names]
    for row in rows:
        print(_line(row))
        causes = {verdict["cause"] for verdict in row["verdicts"] if verdict["cause"]}
        print("\n".join(f"    {cause}" for cause in sorted(causes)))
    return int(any(wrong(row) for row in rows))
