"""A part of the report: blocks of Markdown and the figures that they show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from matplotlib.figure import Figure

from reports.writing.figures import render
from reports.writing.markdown import paragraphs


@dataclass(frozen=True)
class Section:
    """A part of the report: Markdown, and the files it shows, by their name under `figures/`."""

    text: str
    figures: Mapping[str, bytes] = field(default_factory=dict)


def section(*parts: str | Section) -> Section:
    """Join blocks by empty lines, leaving out those that are empty, and gather their figures."""
    blocks = [Section(part) if isinstance(part, str) else part for part in parts]
    figures = {name: content for block in blocks for name, content in block.figures.items()}
    return Section(paragraphs(*(block.text for block in blocks)), figures)


def picture(name: str, description: str, caption: str, draw: Callable[[Figure], None]) -> Section:
    """Show `figures/NAME.svg`, as drawn, with a caption and a link to the same as PNG."""
    text = f"![{description}](figures/{name}.svg)\n\n*{caption}* ([PNG](figures/{name}.png))"
    return Section(text, render(name, draw))
