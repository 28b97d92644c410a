"""The pages of the report: which sections stand where, and links between them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from reports.readers.material import Material
from reports.sections import (
    beyond,
    broken_layers,
    claims,
    cost,
    gallery,
    panels,
    raster,
    records,
    rules,
    theory,
)
from reports.sections.accuracy import cells as accuracy
from reports.sections.accuracy import rankings, trainings
from reports.sections.budget import filters as budget
from reports.sections.front import leads
from reports.sections.front import page as front
from reports.sections.methods import by_layer, comparison, networks
from reports.writing.section import Section

REPORT = "REPORT.md"
FOLDER = "pages"
BACK = f"[← Front page]({REPORT})"

Write = Callable[[Material], Section]
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_ANCHOR = re.compile(r'<a id="([^"]+)">')


@dataclass(frozen=True)
class Page:
    """A file of the report: its title, the answer that it begins with, and its sections."""

    name: str
    title: str
    lead: Callable[[Material], str] | None
    sections: tuple[Write, ...]

    @property
    def parts(self) -> tuple[Write, ...]:
        """Everything that is written on the page, in order."""
        if self.lead is None:
            return self.sections
        return (self._head, *self.sections)

    def _head(self, material: Material) -> Section:
        assert self.lead is not None
        return Section(f"{BACK}\n\n# {self.title}\n\n{self.lead(material)}")


PAGES = (
    Page(REPORT, "", None, front.SECTIONS),
    Page(
        f"{FOLDER}/theory.md",
        "Theory and error budget",
        leads.theory,
        (
            theory.write,
            budget.write,
            raster.write,
            panels.write,
            networks.write,
            by_layer.write,
            theory.facts,
        ),
    ),
    Page(
        f"{FOLDER}/accuracy.md",
        "Accuracy",
        leads.accuracy,
        (accuracy.write, rankings.write, trainings.write, trainings.rejects),
    ),
    Page(f"{FOLDER}/bases.md", "Error against accuracy", leads.bases, (beyond.bases,)),
    Page(f"{FOLDER}/unseen.md", "Unseen scales", leads.unseen, (beyond.unseen,)),
    Page(f"{FOLDER}/methods.md", "All methods side by side", leads.methods, (comparison.write,)),
    Page(f"{FOLDER}/cost.md", "Cost", leads.cost, (cost.write,)),
    Page(
        f"{FOLDER}/checks.md", "Broken layers", leads.checks, (broken_layers.write, gallery.write)
    ),
    Page(
        f"{FOLDER}/findings.md",
        "Findings about the published code and data",
        leads.findings,
        (claims.on_code,),
    ),
    Page(f"{FOLDER}/later.md", "Later measurements by others", leads.later, (claims.by_others,)),
    Page(f"{FOLDER}/rules.md", "How verdicts are made", leads.rules, (rules.write,)),
    Page(f"{FOLDER}/claims.md", "Every claim", leads.claims, (claims.write,)),
    Page(f"{FOLDER}/records.md", "Records", leads.records, records.SECTIONS),
)


def targets(text: str) -> list[str]:
    """Names to which a link on a page can lead: headings as GitHub names them, and anchors."""
    slugs = [re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in _HEADING.findall(text)]
    return [*slugs, *_ANCHOR.findall(text)]


def connected(texts: Mapping[str, str]) -> dict[str, str]:
    """Texts of pages with their links made relative to each page.

    Sections link `#NAME` wherever it stands, and files from the folder of the front page.  A name
    that stands nowhere keeps its link, which the tests of links find.
    """
    places: dict[str, str] = {}
    for page, text in texts.items():
        for name in targets(text):
            places.setdefault(name, page)
    return {page: _LINK.sub(_relative(page, places), text) for page, text in texts.items()}


def _relative(page: str, places: Mapping[str, str]) -> Callable[[re.Match[str]], str]:
    up = "../" * page.count("/")

    def replace(match: re.Match[str]) -> str:
        target = match[1]
        if target.startswith("#"):
            there = places.get(target[1:], page)
            return match[0] if there == page else f"]({_from(page, there)}{target})"
        if not up or target.startswith(("/", "http")):
            return match[0]
        return f"]({up}{target})"

    return replace


def _from(page: str, there: str) -> str:
    folder, _, name = there.rpartition("/")
    here = page.rpartition("/")[0]
    if folder == here:
        return name
    return f"{'../' * page.count('/')}{there}"


def written(material: Material, pages: Sequence[Page] = PAGES) -> dict[str, list[Section]]:
    """The sections of every page, as they come: links are not yet relative to their page."""
    return {page.name: [write(material) for write in page.parts] for page in pages}
