"""One run of a command that measures: what repeats it, and the records it has made so far."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from verification.claims.records import Measurement, Record, measuring


class Session:
    """What the records of one run share.

    command: what repeats the run. evidence: folder of the records; None: they are not written.
    seeds: of all records that do not have their own.
    """

    def __init__(
        self, command: str, evidence: Path | None = None, seeds: Mapping[str, int] | None = None
    ) -> None:
        self.command, self.evidence, self.seeds = command, evidence, seeds or {}
        self.records: list[Record] = []

    @contextmanager
    def measuring(
        self, kind: str, subject: str, configuration: Mapping[str, Any] | None = None,
        **more: Any,  # noqa: ANN401
    ) -> Iterator[Measurement]:  # fmt: skip
        """One record, made when the block ends, also if it fails; `more`: as `measuring` has it."""
        given = {"seeds": self.seeds, "configuration": configuration, **more}
        with measuring(
            kind, subject, command=self.command, folder=self.evidence, **given
        ) as measurement:
            yield measurement
        assert measurement.record is not None
        self.records.append(measurement.record)
