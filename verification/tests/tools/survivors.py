"""Judges a run of mutation testing: enough killed, and every survivor listed with its reason.

`python -m verification.tests.tools.survivors` reads what `mutmut run` left, compares it with
`MUTATION.md` beside it, and exits with 1 if less than 95 % were killed or a survivor is not
listed there. A survivor is known by its function and the lines that it changes, not by its number,
which moves with every edit.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

WANTED = 0.95
LIST = Path(__file__).with_name("MUTATION.md")
_KILLED = ("killed", "timeout", "segfault")
"""A mutant that hangs or crashes is noticed as well."""
_RESULT = re.compile(r"^\s+(\S+__mutmut_\d+): (.+)$", re.MULTILINE)
_ROW = re.compile(r"^\| `([^`]+)` \| (.+?) \| (.+) \|$", re.MULTILINE)


@dataclass(frozen=True)
class Survivor:
    """A mutant that no test noticed: its function, and the lines it takes out and puts in."""

    function: str
    change: str

    def __str__(self) -> str:
        return f"`{self.function}` | {self.change}"


def statuses(results: str) -> dict[str, str]:
    """Mutant -> status, as `mutmut results --all true` prints. Raises ValueError for none."""
    found = dict(_RESULT.findall(results))
    if not found:
        raise ValueError("no results of mutmut: `mutmut run` comes first")
    return found


def survivor(name: str, difference: str) -> Survivor:
    """From the mutant's name and what `mutmut show` prints of it."""
    lines = [line for line in difference.splitlines() if line[:3] not in ("---", "+++")]
    old, new = (
        " ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+"
    )
    function = (
        name.rsplit("__mutmut_", 1)[0].replace("xǁ", "").replace("ǁ", ".").replace(".x_", ".")
    )
    return Survivor(function.removeprefix("sesn_impl."), f"{_code(old)} → {_code(new)}")


def listed(document: str) -> dict[Survivor, str]:
    """Survivor -> reason, from the table of the document."""
    return {
        Survivor(function, change): reason for function, change, reason in _ROW.findall(document)
    }


def assess(
    found: Mapping[str, str], survivors: Sequence[Survivor], known: Mapping[Survivor, str]
) -> tuple[list[str], bool]:
    """What there is to say of a run, and whether it is good enough."""
    killed = sum(status in _KILLED for status in found.values())
    share = killed / len(found)
    lines = [f"{killed} of {len(found)} mutants killed, {100 * share:.2f} %"]
    unlisted = [each for each in survivors if each not in known]
    lines.extend(f"not listed: {each}" for each in unlisted)
    lines.extend(f"listed, but killed by now: {each}" for each in known if each not in survivors)
    return lines, share >= WANTED and not unlisted


def main() -> int:
    """Print the judgement; return the exit code."""
    found = statuses(_mutmut("results", "--all", "true"))
    alive = [name for name, status in found.items() if status not in _KILLED]
    survivors = [survivor(name, _mutmut("show", name)) for name in alive]
    lines, good = assess(found, survivors, listed(LIST.read_text(encoding="utf-8")))
    print("\n".join(lines))
    return 0 if good else 1


def _mutmut(*arguments: str) -> str:
    command = [sys.executable, "-m", "mutmut", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _code(text: str) -> str:
    return "nothing" if not text else f"`` {text.replace('|', '/')} ``"


if __name__ == "__main__":
    sys.exit(main())
