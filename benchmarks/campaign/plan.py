"""Which runs a campaign has, in the order in which they tell most about the claims."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from benchmarks.studies.plans import Runs, runs_of
from benchmarks.training.lock import run_name
from sesn_impl import list_models
from verification.claims.claim import Cell, Claim
from verification.claims.protocols import load_protocols

FIRST = (
    "cnn", "sesn_scalar", "sesn_vector",
    "wrn_16_8", "wrn_16_8_sesn_a", "wrn_16_8_sesn_b", "wrn_16_8_sesn_c",
)  # fmt: skip
"""Methods of the paper's own question; all others are only compared with SESN."""

_SIZE = re.compile(r"_(28|56)p?(_.*)?$")


@dataclass(frozen=True, order=True)
class Task:
    """One run: what `benchmarks.training.train.train` is asked for.

    column: of the paper's table, or of a study, which the model and the augmentation belong to.
    """

    column: str
    model: str
    augmentation: bool
    data: str
    protocol: str
    realisation: int
    seed: int

    @property
    def name(self) -> str:
        """Name that no other task has, fit for a file."""
        what = (self.model, self.augmentation, self.data, self.protocol)
        return run_name(*what, self.realisation, self.seed)

    @property
    def cell(self) -> tuple[str, str]:
        """Column and model: tasks of one cell differ in their seeds alone."""
        return self.column, self.model


def plan(
    claims: Iterable[Claim],
    *,
    data: str,
    protocol: str,
    columns: Collection[str] = (),
    methods: Collection[str] = (),
    realisations: Sequence[int] | None = None,
    seeds: Sequence[int] | None = None,
    study: str | None = None,
) -> list[Task]:
    """Return the runs behind the published cells that this project can train, best first.

    data: "digits" stands in for MNIST-scale, with the same cells. columns, methods: those wanted
    (empty: all); a method is named as its models are, without the size. realisations, seeds: None
    means all that the protocol has. A cell says itself which model and which augmentation it is
    of: the "+" cells of SESN are of its configurations ending in p. study: its runs instead, which
    may be of fewer realisations, realisation by realisation.

    The order: the methods of the question first; column by column; within them realisation by
    realisation, so that whenever it stops, all methods have been trained on the same ones.
    Raises ValueError naming an unknown protocol, data set, column, method or realisation.
    """
    if (protocol, data) not in load_protocols():
        known = ", ".join(sorted({" on ".join(key) for key in load_protocols()}))
        raise ValueError(f"protocol={protocol!r} on data={data!r}: must be one of {known}")
    demands = load_protocols()[protocol, data]
    realisations = range(demands.realisations) if realisations is None else realisations
    if data != "digits" and not set(realisations) <= set(range(demands.realisations)):
        raise ValueError(
            f"realisations={list(realisations)}: {data} has 0 to {demands.realisations - 1}"
        )
    if min([*realisations, *(seeds or ())], default=0) < 0:
        raise ValueError(f"realisations={list(realisations)}, seeds={seeds}: must be 0 or more")
    if study is None:
        cells = [
            Runs(cell.column, cell.model, bool(cell.augmentation), data, demands.realisations)
            for cell in _cells(claims, "mnist_scale" if data == "digits" else data)
        ]
    else:
        cells = runs_of(study, data)
    _check("columns", columns, {cell.column for cell in cells})
    _check("methods", methods, {method_of(cell.model) for cell in cells})
    tasks = [
        Task(cell.column, cell.model, cell.augmentation, cell.data, protocol, realisation, seed)
        for cell in cells
        if (not columns or cell.column in columns)
        and (not methods or method_of(cell.model) in methods)
        for realisation in dict.fromkeys(realisations)
        if study is None or realisation < cell.realisations
        for seed in dict.fromkeys(range(demands.seeds) if seeds is None else seeds)
    ]
    # A stable sort: within a realisation the methods keep the order of the paper's table.
    if study is not None:
        return sorted(tasks, key=lambda task: (task.seed, task.realisation))
    order = {name: place for place, name in enumerate(dict.fromkeys(c.column for c in cells))}
    return sorted(tasks, key=lambda task: _rank(task, order))


def method_of(model: str) -> str:
    """Return the method of a model: its name without size, letter p and basis."""
    return _SIZE.sub("", model)


def _rank(task: Task, columns: dict[str, int]) -> tuple[bool, int, int, int]:
    later = method_of(task.model) not in FIRST
    return later, columns[task.column], task.seed, task.realisation


def _cells(claims: Iterable[Claim], data: str) -> list[Cell]:
    """Published cells that can be trained; the first of those that are of the same runs."""
    known, cells = list_models(), dict[tuple[str, bool | None], Cell]()
    for claim in claims:
        if not isinstance(claim, Cell) or claim.augmentation is None:
            continue
        if claim.data == data and claim.model in known:
            cells.setdefault((claim.model, claim.augmentation), claim)
    return list(cells.values())


def _check(name: str, given: Collection[str], known: Collection[str]) -> None:
    if unknown := sorted(set(given) - set(known)):
        raise ValueError(
            f"{name}: {', '.join(unknown)} unknown here; known are {', '.join(sorted(known))}"
        )
