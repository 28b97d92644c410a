"""Reads Markdown back, as strictly as the pickiest renderer: headings, tables, links."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from reports.document.report import Report

_CODE = re.compile(r"`+[^`\n]*`+")
_INLINE = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_REFERENCE = re.compile(r"(?<!\\)\[([^\]]+)\](?![(\[:])")
_DEFINITION = re.compile(r"^\[([^\]]+)\]: (\S+)$", re.MULTILINE)


def anchors(text: str) -> list[str]:
    """Targets of links within the text: headings as GitHub names them, and explicit ones."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    slugs = [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]
    return [*slugs, *re.findall(r'<a id="([^"]+)">', text)]


def tables(text: str) -> list[list[list[str]]]:
    """Rows of cells of each table, the line of dashes included."""
    blocks = re.findall(r"(?:^\|.*\|$\n?)+", text, re.MULTILINE)
    return [[_cells(line) for line in block.splitlines()] for block in blocks]


def table_problems(text: str) -> list[str]:
    """Say which rows have not as many cells as their table's header."""
    problems = []
    for rows in tables(text):
        if len(rows) < 2 or not all(re.fullmatch(r":?-+:?", cell) for cell in rows[1]):
            problems.append(f"no header: {rows[0]}")
        problems += [f"{len(row)} cells: {row}" for row in rows if len(row) != len(rows[0])]
    stray = [line for line in text.splitlines() if line.count("|") and not line.startswith("|")]
    outside = [line for line in stray if "<" not in line and not line.startswith("- ")]
    return problems + [f"outside a table: {line}" for line in outside]


def report_link_problems(output: Path) -> list[str]:
    """Say which links of any page of a report lead nowhere."""
    pages = sorted(output.rglob("*.md"))
    return [
        f"{page.name}: {problem}"
        for page in pages
        for problem in link_problems(page.read_text(encoding="utf-8"), page.parent)
    ]


def link_problems(text: str, folder: Path) -> list[str]:
    """Say which links lead nowhere, in a text that lies in `folder`."""
    targets = set(anchors(text))
    definitions = dict(_DEFINITION.findall(text))
    prose = _CODE.sub("", _DEFINITION.sub("", text))
    used = [name for name in _REFERENCE.findall(prose) if name not in ("x", " ")]
    problems = [f"undefined [{name}]" for name in used if name not in definitions]
    for target in [*_INLINE.findall(prose), *definitions.values()]:
        if target.startswith("#"):
            if target[1:] not in targets:
                problems.append(f"no anchor {target}")
            continue
        name, _, place = target.partition("#")
        if not (folder / unquote(name)).is_file():
            problems.append(f"no file {target}")
        elif place and place not in anchors((folder / name).read_text(encoding="utf-8")):
            problems.append(f"no anchor {target}")
    return problems


def text_of(report: Report, page: str = "") -> str:
    """One page of a report, or all of them one after the other."""
    if page:
        return report.files[page].decode()
    pages = [name for name in report.files if name.endswith(".md")]
    return "\n".join(report.files[name].decode() for name in pages)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
