"""What the claims predict is what the program predicts, and every run that they need is planned."""

from __future__ import annotations

import pytest

from benchmarks.data import TRAINED
from benchmarks.studies.bases import BasisSettings, studied_bases
from benchmarks.studies.plans import STUDIES, runs_of
from benchmarks.studies.unseen import share, unseen_bins
from verification.budget.signals import SIGNALS
from verification.claims.claim import Claim, Correlation, Ranking, Trend
from verification.claims.reading import load_claims

CLAIMS = {claim.id: claim for claim in load_claims()}
OWN = [c for c in CLAIMS.values() if c.id.split(".")[1] in ("bases", "unseen")]


@pytest.mark.parametrize("kind", ["scalar", "vector"])
def test_predicted_errors_are_those_of_the_file(kind: str) -> None:
    claim = CLAIMS[f"correlation.bases.{kind}"]
    assert isinstance(claim, Correlation)
    assert [(point.model, point.predicted, point.cost) for point in claim.points] == [
        (row.model, row.error, row.taps)
        for row in studied_bases()
        if row.network == f"sesn_{kind}_28"
    ]


@pytest.mark.parametrize("kind", ["scalar", "vector"])
def test_every_unseen_bin_has_a_prediction(kind: str) -> None:
    claim = CLAIMS[f"correlation.unseen.{kind}"]
    assert isinstance(claim, Correlation)
    assert [(point.data, point.scale) for point in claim.points] == [
        (f"mnist_scale_{part}", start)
        for part, trained in TRAINED.items()
        for start, _ in unseen_bins(trained)
    ]


def test_share_is_nothing_without_a_step_and_grows_as_the_axis_ends() -> None:
    """A long axis covers what a single scale does not."""
    draws = SIGNALS["strokes"].draws(4)
    short, long = (
        BasisSettings(15, scales, 1.5).build() for scales in ((2.0, 2.2), (0.7, 1.0, 1.4, 2.0, 2.8))
    )
    assert share(long, draws, 0.6, 0.6) == 0
    near, far = (share(short, draws, scale, 1.0) for scale in (0.8, 0.4))
    assert near < far
    assert share(long, draws, 0.5, 1.0) < 0.3 * share(short, draws, 0.5, 1.0)


def _needed(claim: Claim) -> set[tuple[str, str]]:
    match claim:
        case Correlation():
            return {(point.model, point.data) for point in claim.points}
        case Ranking():
            return {(model, claim.data) for model in (claim.better, *claim.worse)}
        case Trend():
            return {(model, claim.data) for model in claim.subjects}
    raise AssertionError(claim)


@pytest.mark.parametrize("claim", OWN, ids=lambda claim: claim.id)
def test_a_study_trains_what_a_claim_needs(claim: Claim) -> None:
    planned = {
        (runs.model, runs.data): runs.realisations
        for study in STUDIES
        for runs in runs_of(study, "mnist_scale")
        if not runs.augmentation
    }
    assert _needed(claim) <= set(planned)
    least = claim.runs if isinstance(claim, Correlation) else 6
    assert min(planned[needed] for needed in _needed(claim)) >= least
    if isinstance(claim, Ranking | Trend) and claim.trained:
        assert claim.trained == TRAINED[claim.data.rpartition("_")[2]]
