"""Judges a layer given as package.module:factory, a callable that returns it.

Prints the verdict, then a table of all checks. Exit code 0: passed; 1: failed; 2: usage error;
3: undecided; 70: the judge itself crashed.
"""

from __future__ import annotations

import argparse
import io
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from verification.atomic_files import write_atomically
from verification.layer.options import add_arguments, as_arguments, read_arguments
from verification.optional_packages import require
from verification.runner.layer_verdict import Answer, Outcome, Status, Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CODES = {Answer.PASSED: 0, Answer.FAILED: 1, Answer.UNDECIDED: 3}

_FIGURES = (".svg", ".png")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m verification judge`."""
    parser.set_defaults(run=run)
    parser.add_argument("origin", metavar="package.module:factory")
    layer = parser.add_argument_group("layer", "what the factory does not say itself")
    add_arguments(layer)
    parser.add_argument(
        "--check", action="append", metavar="NAME", help="only this one (may be repeated)"
    )
    parser.add_argument(
        "--expect-failure", action="append", default=[], metavar="CHECK=REASON",
        help="a check that is known to fail (may be repeated)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="of all random inputs (0)")
    parser.add_argument("--verbose", action="store_true", help="also say why checks do not apply")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the verdict there")
    parser.add_argument(
        "--figure", type=Path, metavar="FILE", help="also draw errors against thresholds (svg, png)"
    )


def run(options: argparse.Namespace) -> int:
    """Judges, writes, prints; 0 if the layer passed, 1 if it failed, 3 if neither is known.

    Raises ValueError for a factory, option or check that does not exist, OSError for a file not to
    be written, MissingExtraError for a figure without matplotlib.
    """
    from verification.layer.loading import declared, expectations, load  # noqa: PLC0415
    from verification.runner.front import check_scale_equivariance  # noqa: PLC0415

    if options.figure is not None:
        require("figures", "--figure")
        if options.figure.suffix not in _FIGURES:
            raise ValueError(f"figure {str(options.figure)!r}: must end in {' or '.join(_FIGURES)}")
    expected = expectations(options.expect_failure)
    layer, said = load(options.origin, options.seed)
    given = read_arguments(vars(options))
    said = {"name": options.origin.partition(":")[2], **said, **given}
    described, known = declared(said)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        verdict = check_scale_equivariance(
            layer, checks=options.check, expected_failures={**known, **expected},
            seed=options.seed, origin=f"{options.origin} {as_arguments(given)}".strip(),
            **vars(described),
        )  # fmt: skip
    try:  # files first: a terminal that cannot show the verdict must not cost it
        if options.json is not None:
            write_atomically(options.json, verdict.to_json().encode())
        if options.figure is not None:
            write_atomically(options.figure, _figure(verdict, options.figure.suffix))
    finally:
        print(as_table(verdict, verbose=options.verbose))
    return _CODES[verdict.answer]


def as_table(verdict: Verdict, *, verbose: bool = False) -> str:
    """The verdict first, then likely causes and notes, then a line for every check that was done.

    verbose: checks that do not apply have a line each, too, with the reason.
    """
    lines = [verdict.summary]
    lines += [f"  likely cause: {finding}" for finding in verdict.findings]
    lines += [f"  to decide: {each}" for each in verdict.missing]
    lines += [f"  note: {note}" for note in verdict.notes]
    unfit = [o for o in verdict if o.status is Status.NOT_APPLICABLE]
    rows = [_row(outcome) for outcome in verdict if outcome not in unfit]
    header = ("check", "status", "error", "explained", "threshold", "ignoring scale")
    widths = [max(len(row[n]) for row in (header, *rows)) for n in range(len(header))]
    lines += ["", *("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
                    for row in (header, *rows))]  # fmt: skip
    for outcome in verdict.complaints:
        lines += ["", f"{outcome.check}: {outcome.reason}"]
        lines += [f"  {outcome.replay}"] if outcome.replay else []
    aside = [o for o in verdict if o.status is Status.EXPECTED_FAILURE]
    if verbose:
        aside += unfit
    elif unfit:
        lines += ["", f"not applicable: {', '.join(o.check for o in unfit)}"]
    lines += ["", *(f"{o.check}: {o.status}: {o.reason}" for o in aside)]
    return "\n".join(lines).rstrip()


def _row(outcome: Outcome) -> tuple[str, ...]:
    numbers = (outcome.error, outcome.budget, outcome.threshold, outcome.ignoring)
    return (
        outcome.check,
        str(outcome.status),
        *("" if number is None else f"{number:.3g}" for number in numbers),
    )


def _figure(verdict: Verdict, suffix: str) -> bytes:
    """Errors over thresholds, one bar for each check that measures one."""
    os.environ["MPLBACKEND"] = "agg"  # the user's own may not be importable here
    import matplotlib as mpl  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    with mpl.rc_context():
        mpl.rcdefaults()  # a user's rc file may ask for LaTeX, for fonts, for anything
        return _drawn(Figure(figsize=(7, 1.2), layout="constrained"), verdict, suffix)


def _drawn(figure: Figure, verdict: Verdict, suffix: str) -> bytes:
    shown = [o for o in verdict if o.error is not None and o.threshold]
    figure.set_figheight(1.2 + 0.3 * len(shown))
    axes = figure.add_subplot()
    shares = [max((o.error or 0.0) / (o.threshold or 1.0), 1e-9) for o in shown]
    # Blue and vermilion of the palette for colour-blind readers.
    colours = ["#0072B2" if o.status is Status.PASSED else "#D55E00" for o in shown]
    axes.barh([o.check for o in shown], shares, color=colours)
    axes.axvline(1.0, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.invert_yaxis()
    axes.set_xlabel("error / threshold")
    axes.set_title(verdict.summary, fontsize=9)
    stream = io.BytesIO()
    figure.savefig(stream, format=suffix[1:])
    return stream.getvalue()
