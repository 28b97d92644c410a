"""Invented records of every format, for tests alone: none of their numbers was measured."""

from reports.tests.synthetic.costs import COMPARED, choices, comparison, scalings, timings
from reports.tests.synthetic.records import CLAIMS, make, provenance, write_all
from reports.tests.synthetic.theory import (
    OLD_BUDGET,
    budgets,
    counts,
    gallery,
    mutants,
    panels,
    raster,
    simulation,
    theorems,
)
from reports.tests.synthetic.trainings import networks, profiles, trained, trainings
from verification.claims.records import Record

__all__ = [
    "CLAIMS",
    "COMPARED",
    "OLD_BUDGET",
    "budgets",
    "choices",
    "comparison",
    "counts",
    "full_set",
    "gallery",
    "make",
    "mutants",
    "networks",
    "panels",
    "profiles",
    "provenance",
    "raster",
    "scalings",
    "simulation",
    "theorems",
    "timings",
    "trained",
    "trainings",
    "write_all",
]


def full_set() -> list[Record]:
    """Some records of every kind and outcome."""
    return [
        *theorems(),
        *counts(),
        *budgets(),
        *raster(),
        *panels(),
        *trainings(),
        *timings(),
        choices(),
        *scalings(),
        *comparison(),
        *networks(),
        *profiles(),
        *mutants(),
        gallery(),
        simulation(),
    ]
