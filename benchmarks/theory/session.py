"""What all theory measurements share: how many cases, which seed, where records go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from verification.claims.records import Measurement, Record, measuring


@dataclass
class Session:
    """One run of `python -m benchmarks theory`, and the records it has written so far."""

    cases: int
    seed: int
    evidence: Path
    parts: Sequence[str] = ()
    records: list[Record] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.cases < 1:
            raise ValueError(f"cases={self.cases!r}: must be at least 1")
        if self.seed < 0:
            raise ValueError(f"seed={self.seed!r}: must be at least 0")

    @property
    def command(self) -> str:
        """What repeats this run."""
        chosen = f" --parts {' '.join(self.parts)}" if self.parts else ""
        return f"python -m benchmarks theory --cases {self.cases} --seed {self.seed}{chosen}"

    @contextmanager
    def measuring(
        self,
        kind: str,
        subject: str,
        configuration: Mapping[str, Any] | None = None,
        data: Mapping[str, str] | None = None,
    ) -> Iterator[Measurement]:
        """One record, written when the block ends, also if it fails."""
        with measuring(
            kind,
            subject,
            command=self.command,
            configuration=configuration,
            data=data,
            seeds={} if kind == "count" else {"seed": self.seed},
            folder=self.evidence,
        ) as measurement:
            yield measurement
        assert measurement.record is not None
        self.records.append(measurement.record)
