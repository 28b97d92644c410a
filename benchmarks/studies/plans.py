"""The runs of each study, as a campaign plans them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.data import TRAINED
from benchmarks.studies.bases import studied_bases

REALISATIONS = 6
FEW = 3
"""Realisations of a basis that is there for the correlation alone."""
DECIDING = (
    "published", "calibrated", "calibrated_twice",
    "narrow_supports", "one_support", "own_norm", "no_power",
)  # fmt: skip
"""Bases that rankings are about, which need all realisations."""
UNSEEN_MODELS = (
    ("cnn_28", False), ("sesn_scalar_28", False), ("sesn_vector_28", False),
    ("si_convnet_28", False), ("dss_vector_28", False), ("cnn_28", True),
)  # fmt: skip


@dataclass(frozen=True)
class Runs:
    """A network on a data set, trained on each of the realisations 0 … `realisations` − 1.

    column: what it is compared within. augmentation: by random scaling.
    """

    column: str
    model: str
    augmentation: bool
    data: str
    realisations: int


def runs_of(study: str, data: str) -> list[Runs]:
    """The runs of a study on MNIST-scale, or on the digits that stand in for it.

    Raises ValueError for an unknown study or other data.
    """
    if study not in STUDIES:
        raise ValueError(f"study={study!r}: must be one of {', '.join(STUDIES)}")
    if data not in ("digits", "mnist_scale"):
        raise ValueError(f"data={data!r}: a study runs on digits or mnist_scale")
    return STUDIES[study](data)


def _bases(data: str) -> list[Runs]:
    return [
        Runs(
            f"bases of {row.network}", row.model, False, data,
            REALISATIONS if row.name in DECIDING else FEW,
        )
        for row in studied_bases()
    ]  # fmt: skip


def _unseen_scales(data: str) -> list[Runs]:
    return [
        Runs(
            f"trained on {part}{'+' if augmentation else ''}", model, augmentation,
            f"{data}_{part}", REALISATIONS,
        )
        for part in TRAINED
        for model, augmentation in UNSEEN_MODELS
    ]  # fmt: skip


STUDIES: Mapping[str, Callable[[str], list[Runs]]] = {
    "bases": _bases,
    "unseen_scales": _unseen_scales,
}
