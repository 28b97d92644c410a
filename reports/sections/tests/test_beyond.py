"""The pages about bases and unseen scales."""

from __future__ import annotations

from dataclasses import replace

from reports.readers.material import Material
from reports.readers.measurements import Bin
from reports.readers.needs import remaining
from reports.readers.trainings import Curve, by_scale, hours, runs_by_group, unseen_scales
from reports.sections.beyond import bases, unseen
from reports.sections.front import leads
from reports.tests.synthetic import CLAIMS
from reports.tests.synthetic.records import provenance
from reports.tests.synthetic.trainings import beyond, trained, trainings
from reports.writing.figures import undrawn
from verification.claims.claim import Correlation
from verification.claims.records import Record


def _gather(records: list[Record]) -> Material:
    return Material.gather(CLAIMS, records)


def _spending(record: Record, seconds: float) -> Record:
    """The same run in two sessions, one of which left nothing."""
    return replace(record, numbers={**record.numbers, "sessions": [{"seconds": seconds}, {}]})


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
    assert "A CNN trained with scaling augmentation" not in text  # SESN scalar was not trained


def test_what_was_expected_stands_beside_what_came_out() -> None:
    with undrawn():
        text = bases(_gather(_every_basis(0.1))).text
    rows = [line for line in text.splitlines() if line.startswith("| Among 13 bases")]
    assert len(rows) == 2
    assert (
        "| a rank correlation of about +0.6, of which the broken bases make the most |" in rows[1]
    )
    assert "| rank correlation +1.00, p < 0.0001 over 13 points |" in rows[1].replace("\\", "")


def test_the_time_that_a_study_took_is_told_if_it_is_known() -> None:
    with undrawn():
        assert "**Time spent**" not in unseen(_gather(beyond())).text
        text = unseen(_gather([_spending(record, 3600.0) for record in beyond()])).text
    assert "**Time spent**: 3 trainings, 6.0 core-hours on CPUs." in text


def test_errors_outside_the_trained_scales_are_pooled_over_images() -> None:
    bins = (Bin(0.3, 0.4, 100, 30), Bin(0.4, 0.5, 300, 10), Bin(0.5, 0.6, 50, 50))
    curve = Curve("cnn_28", bins, 1)
    assert curve.error_outside((0.5, 0.7)) == 10.0
    assert curve.error_outside((0.3, 0.5)) == 100.0


def test_hours_tell_cores_from_shared_gpus() -> None:
    def spent(seconds: float, device: str, threads: int) -> Record:
        mine = provenance(device=device, threads=threads)
        return _spending(trained("cnn_28", 2.5, provenance=mine), seconds)

    records = [spent(1800, "cpu", 2), spent(900, "a GPU", 8), spent(900, "another GPU", 8)]
    assert hours(records) == (1.0, 0.5)
    assert hours([]) == (0.0, 0.0)


def test_the_rest_is_told_in_the_time_of_gpus_of_any_kind() -> None:
    on_gpus = []
    for k, device in enumerate(("NVIDIA H100 80GB HBM3", "NVIDIA H200")):
        mine = provenance(device=device, wall_seconds=100.0, started=f"2025-01-01T00:0{k}:00Z")
        on_gpus.append(_spending(trained("cnn_28", 2.5, k, provenance=mine), 60.0))
    left = remaining(_gather(on_gpus))
    assert left.gpus == ("NVIDIA H100 80GB HBM3", "NVIDIA H200")
    # Side by side they took 160 s for 120 s of work; each of the CNN's own 4 runs is 60 s of work.
    assert left.gpu_hours is not None
    assert left.gpu_hours >= 4 * 60 * 160 / 120 / 3600
    assert remaining(_gather([])).gpu_hours is None
