"""Predicts the equivariance error of a Hermite basis and recommends a support, without a network.

Errors are relative squared errors between neighbouring scales, on random smooth images.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from verification.atomic_files import write_atomically
from verification.budget.filters import basis_ranks
from verification.budget.parts import PairBudget
from verification.budget.recommend import Choice, Recommendation, SupportScan, recommend_support
from verification.budget.signals import SIGNALS, SignalKind, predict_budgets
from verification.reference.bases import BasisArguments, DescribedBasis, describe_basis


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m verification budget`."""
    parser.set_defaults(run=run)
    basis = parser.add_argument_group("basis")
    basis.add_argument("--kind", choices=("a", "b"), default="b", help="of Hermite basis (b)")
    basis.add_argument(
        "--scales", type=float, nargs="+", required=True, metavar="SIGMA", help="in pixels"
    )
    basis.add_argument(
        "--kernel-size", type=int, required=True, metavar="V", help="support at the largest scale"
    )
    basis.add_argument(
        "--effective-size", type=int, default=7, metavar="E", help="e² functions (7)"
    )
    basis.add_argument("--max-order", type=int, default=4, help="kind b: largest order (4)")
    basis.add_argument("--mult", type=float, default=1.5, help="kind b: ratio of widths (1.5)")
    parser.add_argument(
        "--wanted", type=float, nargs="+", default=[0.01, 0.001], metavar="ERROR",
        help="errors to recommend a support for (0.01 0.001)",
    )  # fmt: skip
    signals = parser.add_argument_group("signals")
    signals.add_argument(
        "--signals", choices=tuple(SIGNALS), default="smooth", help="how rough (smooth)"
    )
    signals.add_argument("--draws", type=int, default=5, help="random images (5)")
    signals.add_argument("--seed", type=int, default=0, help="of the images (0)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all numbers there")


def run(options: argparse.Namespace) -> None:
    """Write prediction and recommendations as JSON if asked to, and print them.

    Raises ValueError for arguments that make no basis, and OSError for a file not to be written.
    """
    arguments = BasisArguments(
        kind=options.kind,
        kernel_size=options.kernel_size,
        scales=tuple(options.scales),
        effective_size=options.effective_size,
        mult=options.mult,
        max_order=options.max_order,
    )
    kind = SIGNALS[options.signals]
    draws = kind.draws(options.draws, options.seed)
    basis = describe_basis(arguments)
    budgets = predict_budgets(basis, draws)
    scan = SupportScan(arguments, draws)
    found = [recommend_support(arguments, wanted, draws, scan) for wanted in options.wanted]
    best = scan.best(arguments.kernel_size)
    if options.json is not None:
        numbers = {
            "arguments": asdict(arguments),
            "supports": arguments.supports,
            "taps": arguments.taps,
            "ranks": basis_ranks(basis),
            "signals": {**asdict(kind), "draws": options.draws, "seed": options.seed},
            "pairs": [asdict(b) | {"limited_by": b.limited_by} for b in budgets],
            "best_support": as_numbers(best),
            "recommendations": [_as_numbers(recommendation) for recommendation in found],
        }
        write_atomically(options.json, f"{json.dumps(numbers, indent=2)}\n".encode())
    print("\n".join(_text(arguments, kind, basis, budgets, best, found)))


def _text(
    arguments: BasisArguments,
    kind: SignalKind,
    basis: DescribedBasis,
    budgets: Sequence[PairBudget],
    best: Choice,
    found: Sequence[Recommendation],
) -> list[str]:
    return [
        f"Basis {arguments.kind}, {len(basis.atoms)} functions, V = {arguments.kernel_size}, "
        f"{arguments.taps:,} taps per filter, all scales together",
        f"Signals: bumps {kind.widths[0]:g} to {kind.widths[1]:g} pixels wide at the finer scale, "
        f"up to {kind.max_frequency:g} rad/pixel",
        "",
        *_aligned(_prediction(basis, budgets)),
        "",
        *_aligned(_advice(arguments, best, found)),
    ]


def _prediction(basis: DescribedBasis, budgets: Sequence[PairBudget]) -> list[list[str]]:
    ranks = basis_ranks(basis)
    rows = [
        ["scales", "support", "rank", "error", "sampling", "truncation", "rank loss", "limited by"]
    ]
    for budget in budgets:
        ends = budget.fine, budget.coarse
        shares = (budget.total, budget.sampling, budget.truncation, budget.rank)
        rows.append(
            [
                " → ".join(f"{basis.scales[end]:.3g}" for end in ends),
                " → ".join(str(basis.supports[end]) for end in ends),
                " → ".join(str(ranks[end]) for end in ends),
                *map(_percent, shares),
                budget.limited_by,
            ]
        )
    return rows


def _advice(
    arguments: BasisArguments, best: Choice, found: Sequence[Recommendation]
) -> list[list[str]]:
    """What reaches each wanted error, and what is best without a larger support."""
    rows = [["wanted", "change", "V", "supports", "worst error", "taps", "finest rank"]]
    for recommendation in found:
        wanted = _percent(recommendation.wanted)
        rows.extend([wanted, *_choice(arguments, choice)] for choice in recommendation.choices)
        if not recommendation.choices:
            why = f"none found: sampling alone makes {_percent(recommendation.unlimited)}"
            rows.append([wanted, why, *[""] * 5])
    return [*rows, [f"best to V = {arguments.kernel_size}", *_choice(arguments, best)]]


def _choice(arguments: BasisArguments, choice: Choice) -> list[str]:
    chosen = choice.arguments
    changes = []
    if chosen.scales != arguments.scales:
        changes.append(f"scales × {chosen.scales[0] / arguments.scales[0]:.3g}")
    if chosen.mult != arguments.mult:
        changes.append(f"mult {chosen.mult:.3g}")
    return [
        " ".join(changes) or "support alone",
        str(chosen.kernel_size),
        " ".join(map(str, chosen.supports)),
        _percent(choice.error),
        f"{chosen.taps:,} (× {chosen.taps / arguments.taps:.2g})",
        f"{choice.finest_rank} of {chosen.effective_size**2}",
    ]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _as_numbers(found: Recommendation) -> dict[str, Any]:
    numbers: dict[str, Any] = {"wanted": found.wanted, "unlimited": found.unlimited}
    for name in ("support", "wider", "milder"):
        choice: Choice | None = getattr(found, name)
        numbers[name] = None if choice is None else as_numbers(choice)
    return numbers


def as_numbers(choice: Choice) -> dict[str, Any]:
    """A choice as JSON values."""
    return {
        **asdict(choice.arguments),
        "supports": choice.arguments.supports,
        "taps": choice.arguments.taps,
        "error": choice.error,
        "finest_rank": choice.finest_rank,
    }


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 1 else f"{100 * share:.2g} %"
