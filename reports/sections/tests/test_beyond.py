"""The pages about bases and unseen scales."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.readers.material import Material
from reports.readers.measurements import Bin
from reports.readers.needs import remaining
from reports.readers.trainings import Curve, by_scale, hours, runs_by_group, unseen_scales
from reports.sections.beyond import bases, unseen
from reports.sections.front import leads
from reports.sections.front.counts import rest
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
        short = unseen(_gather([_spending(record, 1.0) for record in beyond()])).text
    assert "**Time spent**: 3 trainings, 6.0 core-hours on CPUs." in text
    assert "**Time spent**: 3 trainings, 0.1 core-minutes on CPUs." in short


def test_errors_outside_the_trained_scales_are_pooled_over_images() -> None:
    bins = (Bin(0.3, 0.4, 100, 30), Bin(0.4, 0.5, 300, 10), Bin(0.5, 0.6, 50, 50))
    curve = Curve("cnn_28", bins, 1)
    assert curve.error_outside((0.5, 0.7)) == 10.0
    assert curve.error_outside((0.3, 0.5)) == 100.0
    assert curve.error_outside((0.3, 0.6)) is None


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
    # Each took 100 s for 60 s of work on a GPU of its own, and neither is of clean sources.
    cnn = remaining(_gather(on_gpus[:1]))
    assert cnn.gpu_hours is not None
    assert left.gpu_hours is not None
    assert 0 < cnn.gpu_untimed < cnn.runs
    assert left.gpu_hours == pytest.approx(cnn.gpu_hours)
    assert cnn.gpu_hours >= 12 * 100 / 3600  # runs of the CNN for 28 pixels
    nothing = remaining(_gather([]))
    assert (nothing.gpu_hours, nothing.gpu_untimed) == (None, nothing.runs)
    assert (nothing.hours, nothing.untimed) == (None, nothing.runs)
    text = rest(_gather(on_gpus[:1]))
    assert "takes an unknown time on two cores" in text
    assert (
        f"H100 80GB HBM3 (without {cnn.gpu_untimed} runs of unknown time): 1 training was" in text
    )


def _on_gpu(record: Record, begin: int, seconds: float) -> Record:
    mine = provenance(device="a GPU", wall_seconds=seconds, started=f"2025-01-01T00:00:{begin:02}Z")
    return replace(_spending(record, seconds), provenance=mine)


def test_trainings_of_the_studies_have_their_share_of_a_gpu() -> None:
    own, study = _on_gpu(trained("cnn_28", 2.5), 0, 40.0), _on_gpu(beyond()[1], 0, 40.0)
    alone, beside = remaining(_gather([own])), remaining(_gather([own, study]))
    assert alone.gpu_hours is not None
    assert beside.gpu_hours == pytest.approx(alone.gpu_hours / 2)
    assert beside.gpu_runs == 2


def test_a_run_that_went_on_on_a_gpu_is_timed_by_session() -> None:
    sessions = [{"seconds": 1800.0, "device": "cpu"}, {"seconds": 900.0, "device": "a GPU"}]
    run = trained("cnn_28", 2.5, provenance=provenance(device="a GPU", threads=1))
    run = replace(run, numbers={**run.numbers, "sessions": sessions})
    assert hours([run]) == (0.5, 0.25)
    left = remaining(_gather([run]))
    assert (left.hours, left.gpu_hours, left.gpu_runs) == (None, None, 0)


def test_trainings_that_do_not_know_their_sessions_take_an_unknown_time() -> None:
    run = trained("cnn_28", 2.5, provenance=provenance(device="a GPU"))
    run = replace(run, numbers={k: v for k, v in run.numbers.items() if k != "sessions"})
    assert remaining(_gather([run])).gpu_hours is None


def test_leads_say_of_a_part_of_the_trainings_what_is_known() -> None:
    cnn, _, sesn = beyond()[1:]
    for records, told in (
        ([cnn], "4 not run."),
        ([sesn], "5 not run."),
        ([cnn, sesn], "by the objects trained on: SESN vector −11.0 (large). That"),
        ([cnn, _by(sesn, 25.0)], "by the objects trained on: SESN vector +5.0 (large). That"),
    ):
        text = leads.unseen(_gather(records))
        assert told in text
        assert "–" not in text
        assert text.count("points") == ("SESN vector" in text)
    basis = beyond()[0]
    text = leads.bases(_gather([basis]))
    assert text.endswith(
        "is not known yet for `sesn_scalar_28` and not known yet for `sesn_vector_28`."
    )
    text = leads.bases(_gather([basis, trained("sesn_vector_28", 2.5, protocol="short")]))
    assert text.endswith("lowers the test error in 0 of 1 comparison (+0.40 points).")


def _by(record: Record, error: float) -> Record:
    """The same run with another error."""
    numbers = trained(record.subject, error).numbers
    return replace(
        record, numbers={**record.numbers, **{k: numbers[k] for k in ("test_error", "by_scale")}}
    )


def test_broken_bases_are_told_by_what_they_change() -> None:
    material = _gather(_every_basis(0.1))
    text = leads.bases(material)
    assert (
        "basis changes the test error of `sesn_vector_28` by +0.10 (`one_support`) to +0.50" in text
    )
    with undrawn():
        assert "broken on purpose the rank correlation is +1.00" in bases(material).text


def test_errors_averaged_over_fewer_realisations_than_runs_say_so() -> None:
    records = _every_basis(0.1)
    with undrawn():
        assert "Test errors are means" not in bases(_gather(records)).text
        more = [*records, trained("sesn_vector_28", 9.9, 3, protocol="short")]
        assert "Test errors are means over the 3 realisations that all" in bases(_gather(more)).text
