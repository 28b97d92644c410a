"""Chooses the bases of the study by predicted error alone: `python -m benchmarks.studies.choose`.

Candidates keep the number of scales and the ratios between them, so that all cover the same range
of scales with the same parameters; free are the width of the filters against the pixel, the ratio
`mult` of the widths and the support V. Only candidates with as many independent functions at the
finest scale as the published basis count: a basis can also have a small error because little is
left that could differ.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from benchmarks.studies.bases import (
    BASES_FILE,
    EFFECTIVE_SIZE,
    BasisSettings,
    StudiedBasis,
    predicted_error,
)
from sesn_impl.networks.mnist import CHANNELS, SESN_CONFIGURATIONS
from verification.atomic_files import write_atomically
from verification.budget.recommend import Choice, SupportScan
from verification.budget.signals import SIGNALS, Draw
from verification.reference.bases import BasisArguments

NETWORKS = ("sesn_scalar_28", "sesn_vector_28")
SIGNAL, DRAWS = "smooth", 5  # as `python -m verification budget` predicts by default
FACTORS = tuple(round(0.7 + 0.05 * step, 2) for step in range(19))
MULTS = (1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8)
"""Published are 1.4 and 1.5; with less, functions of neighbouring widths are too much alike."""
RUNGS = (0.1, 0.03, 0.01, 0.003, 0.001)
NEAR_ENOUGH = 0.1  # decades from a rung
_SIDES = (28, 14, 7)  # pixels of the images that the three layers see


def main() -> None:
    """Chooses for each network, and writes the rows."""
    draws = SIGNALS[SIGNAL].draws(DRAWS)
    rows = [row for network in NETWORKS for row in choose(network, draws)]
    head = "# Written by `python -m benchmarks.studies.choose`, before any of these was trained.\n"
    write_atomically(BASES_FILE, (head + "".join(map(_toml, rows))).encode())


def choose(network: str, draws: Sequence[Draw]) -> list[StudiedBasis]:
    """The bases for one network, from the published one to those broken on purpose."""
    configuration = SESN_CONFIGURATIONS[network]
    published = BasisSettings(configuration.kernel_size, configuration.scales, configuration.mult)
    whole = SupportScan(_arguments(published), draws)
    own = Choice(_arguments(published), whole.worst[published.kernel_size])
    limit = own.arguments.taps
    found = [
        choice for choice in _candidates(published, 2 * limit, draws)
        if choice.finest_rank >= own.finest_rank
    ]  # fmt: skip
    chosen = {"published": published}
    cheap = [choice for choice in found if choice.arguments.taps <= limit]
    chosen["calibrated"] = _settings(min(cheap, key=_error))
    chosen["calibrated_twice"] = _settings(min(found, key=_error))
    for rung in RUNGS:
        near = [c for c in found if abs(math.log10(c.error / rung)) <= NEAR_ENOUGH]
        if near:
            chosen[f"error_{rung:g}".replace(".", "_")] = _settings(
                min(near, key=lambda c: _change(c.arguments, published))
            )
    plus = SESN_CONFIGURATIONS[f"{network}p"]
    chosen["as_28p"] = BasisSettings(plus.kernel_size, plus.scales, plus.mult)
    chosen |= _broken(published)
    return [_studied(network, name, settings, draws) for name, settings in chosen.items()]


def _broken(published: BasisSettings) -> dict[str, BasisSettings]:
    """What people do wrong: see the broken layers of `verification`."""
    count = len(published.scales)
    return {
        "narrow_supports": replace(published, kernel_size=7, supports=(7,) * count),
        "one_support": replace(published, supports=(published.kernel_size,) * count),
        "own_norm": replace(published, law="own norm"),
        "no_power": replace(published, law="σ⁰"),
    }


def _candidates(published: BasisSettings, taps: int, draws: Sequence[Draw]) -> Iterator[Choice]:
    for factor in FACTORS:
        scales = tuple(round(factor * scale, 4) for scale in published.scales)
        for mult in MULTS:
            settings = replace(published, scales=scales, mult=mult)
            scan = SupportScan(_arguments(settings), draws)
            for size in range(5, 2 * published.kernel_size, 2):
                arguments = replace(scan.arguments, kernel_size=size)
                if arguments.taps <= taps:
                    try:
                        yield Choice(arguments, max(scan.errors(size)))
                    except ValueError:  # a function vanishes on a support so small
                        continue


def _error(choice: Choice) -> float:
    return choice.error


def _change(arguments: BasisArguments, published: BasisSettings) -> float:
    """How far from the published settings, as the sum of the logarithms of all three ratios."""
    ratios = (
        arguments.scales[0] / published.scales[0],
        arguments.mult / published.mult,
        arguments.kernel_size / published.kernel_size,
    )
    return sum(abs(math.log(ratio)) for ratio in ratios)


def _arguments(settings: BasisSettings) -> BasisArguments:
    return BasisArguments("b", settings.kernel_size, settings.scales, EFFECTIVE_SIZE, settings.mult)


def _settings(choice: Choice) -> BasisSettings:
    given = choice.arguments
    return BasisSettings(given.kernel_size, given.scales, given.mult)


def _studied(
    network: str, name: str, settings: BasisSettings, draws: Sequence[Draw]
) -> StudiedBasis:
    basis = settings.build()
    taps = sum(side**2 for side in basis.supports)
    pairs = zip((1, *CHANNELS), CHANNELS, strict=False)
    per_tap = sum(a * b * side**2 for (a, b), side in zip(pairs, _SIDES, strict=True))
    error = float(f"{predicted_error(basis, draws):.4g}")
    return StudiedBasis(network, name, settings, error, taps, round(taps * per_tap / 1e6, 1))


def _toml(row: StudiedBasis) -> str:
    settings = row.settings
    lines = [
        f'network = "{row.network}"',
        f'name = "{row.name}"',
        f"kernel_size = {settings.kernel_size}",
        f"scales = {list(settings.scales)}",
        f"mult = {settings.mult}",
        f"supports = {list(settings.supports)}",
        f'law = "{settings.law}"',
        f"error = {row.error}",
        f"taps = {row.taps}",
        f"products = {row.products}",
    ]
    return "\n[[basis]]\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
