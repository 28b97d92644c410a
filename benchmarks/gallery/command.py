"""Options and action of `python -m benchmarks gallery`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.gallery import ENTRIES, RANDOM, SEEDS
from benchmarks.gallery.judging import counted, judged, wrong
from benchmarks.gallery.power import KINDS
from benchmarks.gallery.work import Kept, Plan, carried_out
from benchmarks.options import add_shared
from benchmarks.session import Session
from verification.claims.records import Record


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds --seeds, --random, --workers, --only and --quick."""
    add_shared(parser, "evidence", "checkpoints")
    parser.add_argument("--seeds", type=int, help=f"verdicts on each ({SEEDS['full']}; quick: 1)")
    parser.add_argument(
        "--random", type=int, help=f"random correct layers ({RANDOM['full']}; quick: 6)"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes of one thread (1)")
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
    for name, count in (("seeds", seeds), ("random", random), ("workers", options.workers)):
        if count < 1:
            raise ValueError(f"--{name} {count}: must be at least 1")
    if options.only:
        return _print_some(options.only, seeds)
    plan, kept = Plan(seeds, random), Kept(options.checkpoints)
    record = measure(plan, options.evidence, kept, options.workers)
    print("\n".join(as_text(record)))
    numbers = record.numbers
    return int(any(numbers[name] for name in ("wrong_pass", "wrong_fail", "random_failed")))


def measure(plan: Plan, evidence: Path, kept: Kept, workers: int = 1) -> Record:
    """Carry out the plan; one record.

    A library that does not import is listed with the error's words.
    """
    enough = plan.seeds >= SEEDS["full"] and plan.random >= RANDOM["full"]
    configuration = {
        "scope": "full" if enough and plan.everything else "part",
        "layers": len(plan.entries), "mistakes": len(plan.mistakes), "random": plan.random,
        "widths": list(plan.widths), "sizes": list(plan.sizes),
    }  # fmt: skip
    command = f"python -m benchmarks gallery --seeds {plan.seeds} --random {plan.random}"
    session = Session(command, evidence, {"first": 0, "count": plan.seeds})
    with session.measuring("gallery", "gallery", configuration) as measurement:
        measurement.numbers.update(numbers_of(**carried_out(plan, kept, workers)))
    return session.records[0]


def numbers_of(
    layer: list[dict[str, Any]],
    mistake: list[dict[str, Any]],
    random: list[dict[str, Any]],
    power: list[dict[str, Any]],
) -> dict[str, Any]:
    """What the record holds: the counts that claims are about, and what they count."""
    rows = [each for each in layer if "why" not in each]
    failed = [each for each in random if each["answer"] == "FAILED"]
    answers = [each["answer"] for each in random]
    return {
        **counted(rows),
        "random_failed": len(failed),
        "unnamed": sum(not all(v["named"] for v in row["verdicts"]) for row in mistake),
        "rows": rows,
        "mistakes": mistake,
        "absent": [each for each in layer if "why" in each],
        "random": {
            "layers": len(random),
            "answers": {answer: answers.count(answer) for answer in sorted(set(answers))},
            "failed": failed,
        },
        "power": {
            "kinds": {kind: words for kind, (words, _) in KINDS.items()},
            "curves": power,
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
