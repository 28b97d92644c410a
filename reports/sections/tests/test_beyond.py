"""The pages about bases and unseen scales."""

from __future__ import annotations

from reports.readers.material import Material
from reports.readers.trainings import by_scale, runs_by_group, unseen_scales
from reports.sections.beyond import bases, unseen
from reports.sections.front import leads
from reports.tests.synthetic import CLAIMS
from reports.tests.synthetic.trainings import beyond, trained, trainings
from reports.writing.figures import undrawn
from verification.claims.claim import Correlation
from verification.claims.records import Record


def _gather(records: list[Record]) -> Material:
    return Material.gather(CLAIMS, records)


def _every_basis(slope: float) -> list[Record]:
    """Three runs of each basis of the vector network, errors in the order of the predictions."""
    (claim,) = [c for c in CLAIMS if c.id == "correlation.bases.vector"]
    assert isinstance(claim, Correlation)
    points = sorted(claim.points, key=lambda point: point.predicted)
    return [
        trained(point.model, round(3 + slope * place, 2), k, protocol="short")
        for place, point in enumerate(points)
        for k in range(3)
    ]


def test_before_the_data_the_pages_show_the_predictions() -> None:
    empty = _gather([])
    assert leads.bases(empty).startswith("Not run: ")
    assert leads.unseen(empty).startswith("Not run: ")
    for section, rows in ((bases(empty), 26), (unseen(empty), 28)):
        assert section.figures == {}
        assert sum(line.startswith("| `sesn") for line in section.text.splitlines()) == rows


def test_rank_correlations_are_answered_with_their_verdict() -> None:
    for slope, answer in ((0.1, "+1.00 for `sesn_vector_28` (supported)"), (-0.1, "(refuted)")):
        material = _gather(_every_basis(slope))
        assert answer in leads.bases(material)
        with undrawn():
            section = bases(material)
        assert set(section.figures) == {"bases.svg", "bases.png"}
    assert "| `sesn_vector_28` | 6.3 % | 243 | 2.30 | 3 |" in section.text


def test_runs_of_the_studies_stay_out_of_the_tables_of_the_paper() -> None:
    alone, both = _gather(trainings()[: -len(beyond())]), _gather(trainings())
    assert runs_by_group(both).keys() == runs_by_group(alone).keys()
    assert [p.curves for p in by_scale(both)] == [p.curves for p in by_scale(alone)]


def test_curves_at_unseen_scales_tell_augmented_networks_apart() -> None:
    (panel,) = unseen_scales(_gather(beyond()))
    assert (panel.data, panel.trained) == ("mnist_scale_large", (0.7, 1.0))
    assert [curve.model for curve in panel.curves] == ["cnn_28", "cnn_28+", "sesn_vector_28"]
    text = leads.unseen(_gather(beyond()))
    assert "1 inconclusive" in text
