"""Markdown as code-hosting pages render it: tables, folds, anchors, and text without surprises."""

from __future__ import annotations

import re
from collections.abc import Sequence

FOLD_ABOVE = 24
"""Longest table that a reader meets unfolded."""
MOST_COLUMNS, LONGEST_CELL = 8, 120
"""What still reads at the width of a code host."""

SEPARATOR = " | "


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


def table(header: str | Sequence[str], rows: Sequence[Sequence[str]], *, fold: bool = False) -> str:
    """Return a table of cells that are Markdown already; empty where it has no rows.

    header: its cells, or one text in which " | " parts them. As in Markdown, a colon behind a name
    makes the column flush right, one on either side centres it. fold: to be unfolded by a click
    where there are many rows. Raises ValueError where the lengths differ, for more than eight
    columns, and for a cell of more than 120 visible characters.
    """
    names = header.split(SEPARATOR) if isinstance(header, str) else header
    if len(names) > MOST_COLUMNS:
        raise ValueError(f"a table has at most {MOST_COLUMNS} columns, got {list(names)}")
    for row in rows:
        if len(row) != len(names):
            raise ValueError(f"{row!r} has {len(row)} cells, the header {names!r} {len(names)}")
        if long := [cell for cell in row if len(visible(cell)) > LONGEST_CELL]:
            raise ValueError(f"a cell has at most {LONGEST_CELL} characters, got {long[0]!r}")
    if not rows:
        return ""
    lines = [_line([name.strip(":") for name in names]), _line([*map(_alignment, names)])]
    text = "\n".join([*lines, *map(_line, rows)])
    return folded(len(rows), text) if fold else text


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


def anchor(name: str) -> str:
    """Return the target of links to `#NAME`."""
    return f'<a id="{name}"></a>'


def _alignment(name: str) -> str:
    if name.startswith(":"):
        return ":-:"
    return "--:" if name.endswith(":") else ":--"


def _line(cells: Sequence[str]) -> str:
    texts = (" ".join(cell.split()).replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(texts)} |"
