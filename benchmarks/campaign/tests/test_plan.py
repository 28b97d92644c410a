"""A campaign has the runs of the published cells, and the most telling ones come first."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.campaign.plan import FIRST, Task, method_of, plan
from benchmarks.data import NAMES, TRAINED
from benchmarks.studies.plans import DECIDING
from benchmarks.training.recipes import PROTOCOLS, recipe_for
from benchmarks.training.run import steps_per_epoch
from benchmarks.training.train import configuration_of
from verification.claims.claim import Cell
from verification.claims.protocols import load_protocols
from verification.claims.reading import load_claims

CLAIMS = load_claims()
COLUMNS = ["28", "28+", "56", "56+"]
MNIST_FIRST = {"cnn", "sesn_scalar", "sesn_vector"}


def planned(**options: Any) -> list[Task]:
    return plan(CLAIMS, **{"data": "mnist_scale", "protocol": "short"} | options)


def test_the_whole_table() -> None:
    tasks = planned()
    assert len(tasks) == len(set(tasks)) == len({task.name for task in tasks}) == 10 * 4 * 6
    assert {task.seed for task in tasks} == {0}


def test_every_run_is_of_the_cell_it_is_planned_for() -> None:
    for task in planned():
        cells = [
            cell
            for cell in CLAIMS
            if isinstance(cell, Cell)
            and (cell.model, cell.augmentation, cell.data)
            == (task.model, task.augmentation, task.data)
        ]
        assert [cell.column for cell in cells] == [task.column]


def test_plus_cells_of_sesn_are_of_other_configurations() -> None:
    models = {
        (task.column, task.augmentation): task.model
        for task in planned(methods=["sesn_scalar"], realisations=[0])
    }
    assert models == {
        ("28", False): "sesn_scalar_28", ("28+", True): "sesn_scalar_28p",
        ("56", False): "sesn_scalar_56", ("56+", True): "sesn_scalar_56p",
    }  # fmt: skip
    assert {task.model for task in planned(methods=["cnn"], columns=["28", "28+"])} == {"cnn_28"}


def test_methods_of_the_question_first_then_columns_then_realisations() -> None:
    tasks = planned()
    question = tasks[: 3 * 4 * 6]
    assert {method_of(task.model) for task in question} == MNIST_FIRST
    assert not {method_of(task.model) for task in tasks[3 * 4 * 6 :]} & set(FIRST)
    assert list(dict.fromkeys(task.column for task in question)) == COLUMNS
    for start in range(0, 18, 3):
        assert [task.realisation for task in question[start : start + 3]] == [start // 3] * 3


def test_wherever_it_stops_methods_are_balanced() -> None:
    tasks = planned(columns=["28"], methods=sorted(MNIST_FIRST))
    for stop in range(len(tasks) + 1):
        done = [method_of(task.model) for task in tasks[:stop]]
        counts = [done.count(method) for method in MNIST_FIRST]
        assert max(counts) - min(counts) <= 1


def test_stl10_has_one_run_of_each_network_that_is_known() -> None:
    tasks = planned(data="stl10")
    assert len(tasks) == 8
    assert {task.realisation for task in tasks} == {0}
    letters = [f"wrn_16_8_sesn_{letter}" for letter in "abc"]
    assert [task.model for task in tasks[:4]] == ["wrn_16_8", *letters]
    assert not {task.model for task in tasks[4:]} & set(FIRST)
    assert "harm_wrn" not in {task.model for task in tasks}


def test_digits_stand_in_for_mnist_scale() -> None:
    tasks = planned(data="digits", protocol="smoke")
    assert [(t.model, t.augmentation, t.realisation) for t in tasks] == [
        (t.model, t.augmentation, t.realisation) for t in planned()
    ]


def test_runs_of_the_studies() -> None:
    """Realisation by realisation; what rankings are about has all six, the other bases three."""
    tasks = planned(study="bases")
    assert len({task.name for task in tasks}) == len(tasks) == 2 * (6 * 3 + 7 * 6)
    assert [task.realisation for task in tasks] == sorted(task.realisation for task in tasks)
    assert {task.model for task in tasks if task.realisation > 2} == {
        f"sesn_{kind}_28{name}"
        for kind in ("scalar", "vector")
        for name in ("", *(f"_{name}" for name in DECIDING[1:]))
    }
    assert {method_of(task.model) for task in tasks} == {"sesn_scalar", "sesn_vector"}
    unseen = planned(study="unseen_scales")
    assert len({task.name for task in unseen}) == len(unseen) == 3 * 6 * 6
    assert {task.data for task in unseen} == {f"mnist_scale_{part}" for part in TRAINED}
    some = planned(study="unseen_scales", columns=["trained on large+"], realisations=[1])
    assert [(t.model, t.augmentation, t.data) for t in some] == [
        ("cnn_28", True, "mnist_scale_large")
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"protocol": "long"}, "protocol='long' on data='mnist_scale': must be one of"),
        ({"columns": ["29"]}, "columns: 29 unknown here; known are 28, 28[+], 56, 56[+]"),
        ({"methods": ["cnn_28"]}, "methods: cnn_28 unknown here; known are cnn, dss_scalar"),
        ({"realisations": [6]}, r"realisations=\[6\]: mnist_scale has 0 to 5"),
        ({"study": "colours"}, "study='colours': must be one of bases, unseen_scales"),
        (
            {"study": "bases", "data": "stl10"},
            "data='stl10': a study runs on digits",
        ),
        ({"seeds": [-1]}, r"seeds=\[-1\]: must be 0 or more"),
    ],
)
def test_mistakes_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        planned(**options)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("data", NAMES)
def test_demands_of_the_protocols_are_what_trainings_do(protocol: str, data: str) -> None:
    demands, recipe = load_protocols()[protocol, data], recipe_for(protocol, data)
    described = configuration_of("cnn_28", False, data, protocol)
    del described["model"], described["augmentation"], described["data"]
    schedule = {k: list(v) if isinstance(v, tuple) else v for k, v in described["schedule"].items()}
    assert demands.recipe == described | {"schedule": schedule}  # not a field is lost
    assert demands.steps_per_epoch == steps_per_epoch(demands.train, recipe.batch)
    assert len(demands.hashes) in (0, demands.realisations)
