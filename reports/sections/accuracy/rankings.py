"""Section on rankings: who beats whom, as one matrix."""

from __future__ import annotations

from reports.readers.material import FOOTNOTE, Material, claim_link
from reports.sections.claim_table import claim_table
from reports.writing.markdown import paragraphs, table
from reports.writing.section import Section, section
from reports.writing.wording import MARKS, plural, signed
from verification.claims.claim import Ranking
from verification.claims.rules import NOT_RUN, STATUSES

TITLE = "## Rankings"
EXPLANATION = (
    "Models are paired by the data on which both were trained; a sign-flip permutation test, "
    "with Holm's correction within each question, tests whether chance can explain it. In each "
    "cell of the matrix: the verdict on “SESN has the lower error than the method of this row”, "
    "and the mean difference in points of test error (negative: SESN is better). A difference "
    "that chance can explain supports nothing."
)


def write(material: Material) -> Section:
    """Matrix of single comparisons, and a table of the claims to be best of all."""
    single = [c for c in material.select(Ranking, "ranking.mnist") if len(c.worse) == 1]
    others = [c for c in material.select(Ranking, "ranking.mnist", "ranking.stl") if c.worse[1:]]
    if material.statuses(single)[NOT_RUN] < len(single):
        legend = ", ".join(f"{MARKS[status]} {status}" for status in STATUSES)
        groups: dict[str, list[Ranking]] = {}
        for claim in single:
            groups.setdefault(material.name(claim.better), []).append(claim)
        matrices = [_matrix(material, group) for group in groups.values()]
        matrix = paragraphs(*matrices, f"Marks: {legend}.")
    else:
        matrix = (
            f"**Not run.** {plural(len(single), 'claim')} of the kind “SESN beats this method in "
            "this column” await trainings of both models on the same data."
        )
    return section(TITLE, EXPLANATION, matrix, claim_table(material, others), FOOTNOTE)


def _matrix(material: Material, claims: list[Ranking]) -> str:
    by_place = {(material.name(c.worse[0]), material.name(c.better), c.column): c for c in claims}
    rivals = list(dict.fromkeys(place[0] for place in by_place))
    columns = sorted({place[1:] for place in by_place})
    rows = []
    for rival in rivals:
        cells = [
            _cell(material, by_place[rival, *column]) if (rival, *column) in by_place else ""
            for column in columns
        ]
        rows.append([rival, *cells])
    return table(["against", *(f":{better}, {column}:" for better, column in columns)], rows)


def _cell(material: Material, claim: Ranking) -> str:
    verdict = material.verdict(claim)
    text = MARKS[verdict.status]
    if "difference" in verdict.measured:
        text += f" {signed(verdict.measured['difference'])}"
    return claim_link(claim, text)
