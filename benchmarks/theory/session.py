"""What all theory measurements share: how many cases, which seed, where records go."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks import session
from sesn_impl.arguments import check_at_least


class Session(session.Session):
    """One run of `python -m benchmarks theory`: so many cases of each theorem, of one seed.

    Raises ValueError for cases below 1 or a negative seed.
    """

    def __init__(self, cases: int, seed: int, evidence: Path, parts: Sequence[str] = ()) -> None:
        check_at_least(1, cases=cases)
        check_at_least(0, seed=seed)
        self.cases, self.seed = cases, seed
        chosen = f" --parts {' '.join(parts)}" if parts else ""
        command = f"python -m benchmarks theory --cases {cases} --seed {seed}{chosen}"
        super().__init__(command, evidence, {"seed": seed})
