"""Markdown as code-hosting pages render it: tables, folds, anchors, and text without surprises."""

from __future__ import annotations

from collections.abc import Sequence

FOLD_ABOVE = 24
"""Longest table that a reader meets unfolded."""

_ALIGNMENTS = {"l": ":--", "r": "--:", "c": ":-:"}


def plain(text: str) -> str:
    """Return text of unknown origin on one line, so that nothing in it acts as markup."""
    line = " ".join(text.split())
    for sign in "\\`*<[":
        line = line.replace(sign, f"\\{sign}")
    return line.replace("&", "&amp;")


def code(text: str) -> str:
    """Return text on one line in a code span."""
    line = " ".join(text.split())
    return f"`` {line} ``" if "`" in line else f"`{line}`"


def table(header: Sequence[str], alignment: str, rows: Sequence[Sequence[str]]) -> str:
    """Return a table of cells that are Markdown already.

    alignment: one of l, r, c for each column. Raises ValueError where the lengths differ.
    """
    for row in [alignment, *rows]:
        if len(row) != len(header):
            raise ValueError(f"{row!r} has {len(row)} cells, the header {header!r} {len(header)}")
    lines = [_line(header), _line([_ALIGNMENTS[letter] for letter in alignment])]
    return "\n".join([*lines, *map(_line, rows)])


def folded(rows: int, content: str) -> str:
    """Return the content as it is, or to be unfolded by a click if it has many rows."""
    if rows <= FOLD_ABOVE:
        return content
    return f"<details>\n<summary>Show all {rows} rows</summary>\n\n{content}\n\n</details>"


def bullets(items: Sequence[str]) -> str:
    """Return a list with one item per line."""
    return "\n".join(f"- {item}" for item in items)


def paragraphs(*parts: str) -> str:
    """Join blocks by empty lines, leaving out those that are empty."""
    return "\n\n".join(part for part in parts if part)


def picture(name: str, description: str, caption: str) -> str:
    """Show `figures/NAME.svg`, with a caption and a link to the same as PNG."""
    return f"![{description}](figures/{name}.svg)\n\n*{caption}* ([PNG](figures/{name}.png))"


def anchor(name: str) -> str:
    """Return the target of links to `#NAME`."""
    return f'<a id="{name}"></a>'


def _line(cells: Sequence[str]) -> str:
    texts = (" ".join(cell.split()).replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(texts)} |"
