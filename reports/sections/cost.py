"""Section on cost: times as ratios within one run, never as seconds alone."""

from __future__ import annotations

from reports.readers import measurements
from reports.readers.material import FOOTNOTE, Material
from reports.readers.measurements import Timing
from reports.sections import scaling
from reports.sections.claim_table import claim_table
from reports.writing.markdown import FOLD_ABOVE, code, folded, paragraphs, plain, table
from reports.writing.section import Section, section
from reports.writing.wording import NOTHING, interval, known, listing
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
        "## Which algorithm a correlation chooses",
        _choices(material),
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


def _choices(material: Material) -> str:
    """How often the algorithm chosen by a rule on sizes is the faster one, newest record."""
    found = measurements.read(material.latest("timing"), "points", measurements.choices)
    if not found:
        return "**Not run.** `python -m benchmarks choices` measures it in minutes."
    record, points = found[-1]
    shares = [
        f"{100 * record.numbers[work]['right']:.0f} % of {len(points)} sizes {name} (at worst "
        f"{record.numbers[work]['worst']:.1f} times)"
        for work, name in (("forward", "forward"), ("step", "with both gradients"))
    ]
    rows = [
        [
            f"{batch}",
            f"{into} → {out}",
            f"{taps}×{taps}",
            f"{image}×{image}" + (f", stride {stride}" if stride > 1 else ""),
            point.chosen,
            *(f"{point.loss(work):.2f}" for work in ("forward", "step")),
        ]
        for point in points
        for batch, into, out, taps, image, stride in [point.sizes]
    ]
    header = "Batch: | Channels: | Filter: | Image: | Chosen | Forward: | With gradients:"
    return paragraphs(
        "Every correlation is computed either directly or through Fourier transforms, as a rule on "
        f"its sizes says. The choice takes at most {measurements.CLOSE} times as long as the "
        f"faster of the two at {listing(shares)}: {material.cite(record)}. The last columns are "
        "time of the choice over that of the faster one.",
        table(header, rows, fold=True),
    )


def _device(item: Timing) -> str:
    provenance = item.record.provenance
    return f"{plain(provenance.device)}, {provenance.threads} threads"
