"""Markdown as code-hosting pages render it: tables, folds, anchors, and text without surprises."""

from __future__ import annotations

import re
from collections.abc import Sequence

FOLD_ABOVE = 24
"""Longest table that a reader meets unfolded."""
MOST_COLUMNS, LONGEST_CELL = 8, 120
"""What still reads at the width of a code host."""

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

    alignment: one of l, r, c for each column. Raises ValueError where the lengths differ, for more
    than eight columns, and for a cell of more than 120 visible characters.
    """
    if len(header) > MOST_COLUMNS:
        raise ValueError(f"a table has at most {MOST_COLUMNS} columns, got {list(header)}")
    for row in [alignment, *rows]:
        if len(row) != len(header):
            raise ValueError(f"{row!r} has {len(row)} cells, the header {header!r} {len(header)}")
        if long := [cell for cell in row if len(visible(cell)) > LONGEST_CELL]:
            raise ValueError(f"a cell has at most {LONGEST_CELL} characters, got {long[0]!r}")
    lines = [_line(header), _line([_ALIGNMENTS[letter] for letter in alignment])]
    return "\n".join([*lines, *map(_line, rows)])


def visible(text: str) -> str:
    """What a reader sees of Markdown: no targets of links, no anchors, no escapes."""
    return re.sub(r"\\(?=\W)", "", re.sub(r"\]\([^)]*\)|<a id=[^>]*></a>", "]", text))


def clipped(text: str, longest: int = LONGEST_CELL) -> str:
    """Shorten plain text to a table cell, at the end of a word."""
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 2].rsplit(' ', 1)[0]} …"


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
