"""Section on the checker of trainings: what it rejects, and which seeds are missing."""

from __future__ import annotations

from reports.readers.material import Material
from reports.writing.markdown import clipped, code, paragraphs, plain, table
from reports.writing.section import Section, section
from reports.writing.wording import NOTHING, plural
from verification.claims.validity import Checked, check

TITLE = "## What the checker of trainings rejects"
EXPLANATION = (
    "A finished training must have the settings, the data and all the epochs of its protocol, come "
    "from committed sources, be there once for each realisation and seed, and its numbers must "
    "agree with each other. What is rejected counts for no verdict; of runs recorded repeatedly, "
    "the newest counts."
)


def write(material: Material) -> Section:
    """Tables of rejected records and of missing seeds; nothing where nothing was trained."""
    finished = [r for r in material.of_kind("training") if r.outcome == "finished"]
    if not finished:
        return Section("")
    found = check(finished)
    number, all_of_them = len(found.rejected), plural(len(finished), "finished training")
    some = f"{number} of {all_of_them} {'is' if number == 1 else 'are'} rejected."
    return section(
        TITLE,
        EXPLANATION,
        some if number else f"None of {all_of_them} is rejected.",
        _rejected(material, found),
        _missing(found),
    )


def _rejected(material: Material, found: Checked) -> str:
    rows = [
        [
            code(str(record.configuration.get("model", record.subject))),
            plain((record.data or {}).get("name", NOTHING)),
            "+" if record.configuration.get("augmentation") else "",
            str(record.seeds.get("realisation", NOTHING)),
            str(record.seeds.get("seed", NOTHING)),
            record.protocol,
            plain(clipped("; ".join(reasons), 110)),
            material.cite(record),
        ]
        for record, reasons in found.rejected
    ]
    header = "Model | Data | :Extra scaling: | Realisation: | Seed: | Protocol | Why | Evidence"
    return table(header, rows, fold=True)


def _missing(found: Checked) -> str:
    rows = [
        [
            code(cell.model),
            plain(cell.data),
            "+" if cell.augmentation else "",
            cell.protocol,
            clipped(", ".join(f"{realisation}/{seed}" for realisation, seed in lacking)),
        ]
        for cell, lacking in found.missing.items()
    ]
    header = "Model | Data | :Extra scaling: | Protocol | Missing (realisation/seed)"
    title = "Begun, but without all realisations:" if rows else ""
    return paragraphs(title, table(header, rows, fold=True))
