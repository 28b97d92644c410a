"""What counts as one independent repetition of a training."""

from __future__ import annotations

from verification.claims.records import Record

Unit = tuple[str | int, ...]


def unit_of(record: Record) -> Unit:
    """Return the data realisation of a run, or its seed where there are no realisations.

    Runs on one realisation share its images, so that they repeat less than they seem to.
    """
    if "realisation" in record.seeds:
        return "realisation", record.seeds["realisation"]
    return "seed", record.seeds.get("seed", 0)
