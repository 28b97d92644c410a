"""Section on the rules: error rates from the record, and the runs that open claims need."""

from __future__ import annotations

import dataclasses

import pytest
from scipy import stats

from reports.drawings.rules import curves
from reports.readers.material import Material
from reports.readers.needs import cell_need, ranking_need
from reports.sections import rules
from reports.sections.front.page import on_all_claims as first_screen
from reports.tests.synthetic import CLAIMS, make, trainings
from verification.claims.claim import Cell, Ranking
from verification.claims.records import Record
from verification.claims.rules import LEVEL
from verification.claims.rules.command import published_spreads
from verification.claims.rules.planning import fewest_pairs
from verification.claims.rules.simulation import simulate

BY_ID = {claim.id: claim for claim in CLAIMS}


@pytest.fixture(scope="module")
def simulated() -> Record:
    """What `python -m verification simulate` finds with few repetitions."""
    numbers = dict(simulate(50, 0, published_spreads(CLAIMS)))
    return make("simulation", "verdict_rules", numbers, configuration={"repetitions": 50})


def text_of(*records: Record) -> str:
    return rules.write(Material.gather(CLAIMS, records)).text


def test_the_rules_keep_their_level_in_the_condition_where_they_are_worst(
    simulated: Record,
) -> None:
    """No more wrong verdicts than chance explains in the worst of so many conditions."""
    conditions = sum(len(items) for items in simulated.numbers.values())
    found = list(rules.worst(simulated.numbers))
    assert {(rule, status) for rule, status, _ in found} == {
        (rule, status)
        for rule in ("cells", "rankings", "costs", "trends")
        for status in ("supported", "refuted")
    }
    text = text_of(simulated)
    for rule, status, condition in found:
        rate = condition[status] / condition["repetitions"]
        row = next(line for line in text.splitlines() if f"| {rule} | wrongly {status} |" in line)
        assert f"| {100 * rate:.1f} |" in row
        by_chance = stats.binomtest(
            condition[status], condition["repetitions"], LEVEL, alternative="greater"
        )
        assert by_chance.pvalue * conditions > LEVEL


def test_a_worse_rule_shows_in_the_table_and_on_the_first_screen(simulated: Record) -> None:
    numbers = {name: [dict(c) for c in items] for name, items in simulated.numbers.items()}
    wrong = next(c for c in numbers["cells"] if c["effect"] == 0.2)
    wrong |= {"supported": wrong["repetitions"] // 2, "refuted": 0}
    worse = dataclasses.replace(simulated, numbers=numbers)
    assert "| cells | wrongly supported | 50.0 |" in text_of(worse)
    screen = first_screen(Material.gather(CLAIMS, [worse])).text
    assert "in at most 50.0 %" in screen


def test_the_figure_has_its_table(simulated: Record) -> None:
    section = rules.write(Material.gather(CLAIMS, [simulated]))
    assert set(section.figures) == {"power.svg", "power.png"}
    effects, found = curves(simulated.numbers)
    assert 0.0 in effects
    assert found["ranking", "supported", 5] == [0.0] * len(effects)
    values = found["cell", "supported", 12]
    assert f"| cell supported, 12 runs | {100 * (values[0] or 0):.0f} |" in section.text


def test_without_a_simulation_the_rules_and_the_plan_remain() -> None:
    section = rules.write(Material.gather(CLAIMS, []))
    assert not section.figures
    assert "## What open claims need" in section.text
    assert "How often a rule is wrong" not in section.text


def test_needs_follow_the_published_spread_and_then_our_own() -> None:
    nothing, some = Material.gather(CLAIMS, []), Material.gather(CLAIMS, trainings())
    cell = BY_ID["cell.mnist.cnn.28"]
    ranking = BY_ID["ranking.mnist.28.sesn_scalar_over_cnn"]
    assert isinstance(cell, Cell)
    assert isinstance(ranking, Ranking)
    assert str(cell_need(nothing, cell)) == "3 (0)"
    assert cell_need(some, cell).there == 6
    wide = dataclasses.replace(cell, std=1.0)
    assert str(cell_need(nothing, wide)) == "never (0)"
    assert ranking_need(nothing, ranking).total == fewest_pairs(2)
    assert ranking_need(some, ranking).there == 6
    assert ranking_need(some, ranking).total is None  # ours has SESN behind


def test_records_of_another_kind_leave_the_section_as_it_is() -> None:
    assert text_of(make("theorem", "x", {})) == text_of()
