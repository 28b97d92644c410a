"""Section on cost: times as ratios within one run, never as seconds alone."""

from __future__ import annotations

from reports.readers import measurements
from reports.readers.material import FOOTNOTE, Material
from reports.readers.measurements import Timing
from reports.sections import scaling
from reports.sections.claim_table import claim_table
from reports.writing.markdown import FOLD_ABOVE, code, folded, paragraphs, plain, table
from reports.writing.section import Section, section
from reports.writing.wording import NOTHING, interval, known
from verification.claims.claim import Cost

EXPLANATION = (
    "Seconds depend on the machine and on what else it does. So each model is timed in turns with "
    "the plain CNN and with the textbook form of the same layers (no fast path, same numbers), and "
    "only their ratios are to be read: median \\[quartiles] over rounds. Below 1 is faster. A "
    "matrix product timed in the same turns says which share of the machine's speed, in products "
    "per second, a model reaches."
)


def write(material: Material) -> Section:
    """Timing table and the verdicts on published costs."""
    found = measurements.read(
        material.latest("timing", per_device=True), "ratios", measurements.timing
    )
    found.sort(key=lambda item: (item.record.provenance.device, item.work, item.record.subject))
    claims = [c for c in material.select(Cost) if c.origin != "later"]
    return section(
        EXPLANATION,
        _timings(material, found) if found else "**Not run.** There is no record of times.",
        "## Published and reported costs",
        claim_table(material, claims),
        FOOTNOTE,
        scaling.write(material),
    )


def _timings(material: Material, found: list[Timing]) -> str:
    rivals = sorted({rival for item in found for rival in item.ratios})
    ratios = [
        [
            code(item.record.subject),
            plain(item.work),
            _device(item),
            *(interval(item.ratios[r]) if r in item.ratios else NOTHING for r in rivals),
            known(item.memory),
            material.cite(item.record),
        ]
        for item in found
    ]
    header = ["Model", "Work", "Device", *(f"Time over {rival}:" for rival in rivals)]
    header += ["Peak memory over textbook:", "Evidence"]
    times = [
        [
            code(item.record.subject),
            plain(item.work),
            _device(item),
            f"{item.batch}",
            f"{item.rounds}",
            f"{item.milliseconds:.1f}",
            known(item.throughput, lambda share: f"{100 * share:.0f}"),
        ]
        for item in found
    ]
    names = (
        "Model | Work | Device | Batch: | Rounds: | Median, ms: | Of a matrix product’s speed, %:"
    )
    return paragraphs(table(header, ratios), folded(FOLD_ABOVE + 1, table(names, times)))


def _device(item: Timing) -> str:
    provenance = item.record.provenance
    return f"{plain(provenance.device)}, {provenance.threads} threads"
