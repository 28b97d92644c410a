"""What there is to measure for a record: verdicts and curves, by one process or several."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from benchmarks.gallery import ENTRIES, power
from benchmarks.gallery.entry import Entry
from benchmarks.gallery.judging import judged, mistaken
from benchmarks.gallery.random_layers import random_layer
from verification.atomic_files import write_atomically
from verification.broken_layers.user_layers import USER_LAYERS, UserLayer
from verification.claims.provenance import current_provenance

Task = Callable[[], Any]
GROUPS = ("layer", "mistake", "random", "power")


@dataclass(frozen=True)
class Plan:
    """Layers and mistakes on seeds 0, 1, …, random layers, and the power of the checks."""

    seeds: int
    random: int
    entries: Sequence[Entry] = ENTRIES
    mistakes: Sequence[UserLayer] = USER_LAYERS
    widths: Sequence[float] = power.WIDTHS
    sizes: Sequence[float] = power.SIZES

    @property
    def everything(self) -> bool:
        """Whether no layer is left out, and no other is there: another process can make them."""
        return (self.entries, self.mistakes) == (ENTRIES, USER_LAYERS)

    def tasks(self) -> dict[tuple[str, str], Task]:
        """What is to be measured, by group and name."""
        seeds = range(self.seeds)
        return {
            **{("layer", each.name): partial(_layer, each, seeds) for each in self.entries},
            **{("mistake", each.name): partial(mistaken, each, seeds) for each in self.mistakes},
            **{("random", str(seed)): partial(_random, seed) for seed in range(self.random)},
            **{
                ("power", f"{kind}-{width}"): partial(power.curve, kind, width, self.sizes)
                for kind in power.KINDS
                for width in self.widths
            },
        }


class Kept:
    """What committed sources have measured so far, so that a stopped run goes on where it was."""

    def __init__(self, folder: Path) -> None:
        origin = current_provenance()
        known = origin.commit is not None and origin.dirty is False
        self.folder = folder / f"gallery-{origin.commit}" if known else None

    def get(self, name: str, measure: Task) -> Any:  # noqa: ANN401 (a JSON value)
        """The kept value of this name, or the measured one, kept unless a library was absent."""
        path = None if self.folder is None else self.folder / f"{name}.json"
        if path is not None and path.exists():
            return json.loads(path.read_text())
        value = measure()
        if path is not None and "why" not in value:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, json.dumps(value).encode())
        return value


def carried_out(plan: Plan, kept: Kept, workers: int = 1) -> dict[str, list[Any]]:
    """The values of all tasks by group, in the plan's order.

    Raises ValueError for several workers where the plan holds other layers than the gallery's.
    """
    if workers > 1 and not plan.everything:
        raise ValueError(f"workers={workers!r}: layers that are not the gallery's need one")
    tasks = plan.tasks()
    found: dict[tuple[str, str], Any] = {}
    done = _by_workers(plan, kept, workers) if workers > 1 else _one_by_one(plan, kept, tasks)
    for key, value in tqdm(done, "gallery", len(tasks), disable=None):
        found[key] = value
    return {group: [found[key] for key in tasks if key[0] == group] for group in GROUPS}


def _one_by_one(
    plan: Plan, kept: Kept, tasks: dict[tuple[str, str], Task]
) -> Iterator[tuple[tuple[str, str], Any]]:
    for key, task in tasks.items():
        yield key, kept.get(_file(plan, key), task)


def _by_workers(plan: Plan, kept: Kept, count: int) -> Iterator[tuple[tuple[str, str], Any]]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, _begin) as pool:
        jobs = {
            pool.submit(_work, plan.seeds, plan.random, kept.folder, key): key
            for key in plan.tasks()
        }
        try:
            for job in as_completed(jobs):
                yield jobs[job], job.result()
        finally:  # after a failure or an interruption nothing more is begun
            pool.shutdown(cancel_futures=True)


def _begin() -> None:
    torch.set_num_threads(1)


def _work(seeds: int, random: int, folder: Path | None, key: tuple[str, str]) -> Any:  # noqa: ANN401
    plan, kept = Plan(seeds, random), Kept(Path())
    kept.folder = folder
    return kept.get(_file(plan, key), plan.tasks()[key])


def _file(plan: Plan, key: tuple[str, str]) -> str:
    group, name = key
    return f"{group}-{name}-{plan.seeds}" if group in {"layer", "mistake"} else f"{group}-{name}"


def _layer(entry: Entry, seeds: Sequence[int]) -> dict[str, Any]:
    try:
        return judged(entry, seeds)
    except ImportError as error:
        return {"name": entry.name, "package": entry.package, "why": str(error)}


def _random(seed: int) -> dict[str, Any]:
    row = judged(random_layer(seed), [seed])
    return {"seed": seed, "kind": row["source"], **row["verdicts"][0]}
