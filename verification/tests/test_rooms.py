"""The map of the house is true: rooms import in one direction, and none is overfull.

`MAP.md` lists the rooms of each package from the bottom up and draws what imports what; both are
read here and compared with the code.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAP = (ROOT / "MAP.md").read_text(encoding="utf-8")
PACKAGES = ("sesn_impl", "verification", "benchmarks", "reports")
MOST_ROOMS, MOST_FILES, MOST_LINES = 8, 16, 400
_ROOM = re.compile(r"^\| `([\w, `]+)` \|", re.MULTILINE)
_ARROW = re.compile(r"^    (\w+) --> (\w+)$", re.MULTILINE)


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {
    module_of(path): path
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if "tests" not in path.parts and path.name != "conftest.py"
}


def imports(path: Path) -> Iterator[str]:
    """Modules of the project that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in FILES)
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in FILES else node.module for name in inner)


GRAPH = {
    name: {found for found in imports(path) if found in FILES} - {name}
    for name, path in FILES.items()
}


def room_of(module: str) -> str:
    """The folder within its package; the file, where it lies in the package itself."""
    package, _, rest = module.partition(".")
    return f"{package}.{rest.partition('.')[0] or '__init__'}"


ROOMS: dict[str, set[str]] = {}
for _module, _found in GRAPH.items():
    ROOMS.setdefault(room_of(_module), set()).update(map(room_of, _found))
ROOMS = {name: found - {name} for name, found in ROOMS.items()}


def section(package: str) -> str:
    return MAP.partition(f"## `{package}/`\n")[2].partition("\n## ")[0]


def listed(package: str) -> list[str]:
    """Rooms in the order of the map, as `package.room`."""
    names = (name for row in _ROOM.findall(section(package)) for name in row.split("`, `"))
    return [f"{package}.{name}" for name in names]


def needed(graph: Mapping[str, set[str]]) -> set[tuple[str, str]]:
    """Arrows of a graph without those that follow from others."""

    def reached(name: str) -> set[str]:
        return set().union(*({found} | reached(found) for found in graph[name]))

    return {
        (name, found)
        for name, all_found in graph.items()
        for found in all_found
        if not any(found in reached(other) for other in all_found - {found})
    }


def test_files_import_in_no_ring() -> None:
    TopologicalSorter(GRAPH).prepare()
    with pytest.raises(CycleError):
        TopologicalSorter({"a": {"b"}, "b": {"a"}}).prepare()


@pytest.mark.parametrize("package", PACKAGES)
def test_the_map_lists_every_room(package: str) -> None:
    assert sorted(listed(package)) == sorted(r for r in ROOMS if r.startswith(f"{package}."))


@pytest.mark.parametrize("package", PACKAGES)
def test_rooms_import_from_those_above_them_in_the_map(package: str) -> None:
    order = [room for each in PACKAGES for room in listed(each)]
    against = [
        (room, found)
        for room in listed(package)
        for found in ROOMS[room]
        if order.index(found) > order.index(room)
    ]
    assert against == []


def test_packages_import_what_they_may() -> None:
    for room, found in ROOMS.items():
        others = {name for name in found if name.partition(".")[0] != room.partition(".")[0]}
        match room.partition(".")[0]:
            case "sesn_impl":
                assert not others, room
            case "verification":
                assert not others or room == "verification.broken_layers", room
            case "reports":
                light = ("claims", "console", "optional_packages", "atomic_files")
                assert others <= {f"verification.{name}" for name in light}, room


@pytest.mark.parametrize("package", PACKAGES)
def test_the_drawing_is_of_the_imports(package: str) -> None:
    own = {
        room.partition(".")[2]: {f.partition(".")[2] for f in found if f.startswith(f"{package}.")}
        for room, found in ROOMS.items()
        if room.startswith(f"{package}.") and not room.endswith("__")
    }
    arrows = needed({room: {f for f in found if f in own} for room, found in own.items()})
    drawn = set(_ARROW.findall(section(package)))
    text = "\n".join(f"    {room} --> {found}" for room, found in sorted(arrows))
    assert drawn == arrows, f"the drawing of {package} in MAP.md must be\n{text}"


def test_arrows_that_follow_are_left_out() -> None:
    assert needed({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == {("a", "b"), ("b", "c")}


def test_there_are_few_rooms_in_verification() -> None:
    # A folder is a room; the files beside them are no rooms to get lost in.
    folders = {path.relative_to(ROOT / "verification").parts[0] for path in FILES.values()
               if path.is_relative_to(ROOT / "verification")}  # fmt: skip
    assert len({name for name in folders if not name.endswith(".py")}) <= MOST_ROOMS


def test_no_folder_is_overfull_and_no_file_too_long() -> None:
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    full = [f for f in {path.parent for path in paths} if len(list(f.glob("*.py"))) > MOST_FILES]
    long = [p for p in paths if len(p.read_text(encoding="utf-8").splitlines()) > MOST_LINES]
    assert not [*full, *long]
