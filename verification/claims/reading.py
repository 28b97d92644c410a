"""Reads `claims.toml`: every field of every claim is checked, and a mistake is named."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path

from verification.claims.claim import (
    Cell,
    Claim,
    Correlation,
    Cost,
    Count,
    Exact,
    Point,
    Ranking,
    Rerun,
    Theorem,
    Trend,
)
from verification.claims.fields import (
    as_flag,
    as_not_negative,
    as_number,
    as_positive,
    as_positive_integer,
    as_text,
    check,
    check_names,
    is_integer,
    one_of,
)

TRANSCRIPTIONS = ("code", "secondary", "unverified", "ours")
ORIGINS = ("paper", "code", "reading", "own", "later")
CLAIMS_FILE = Path(__file__).with_name("claims.toml")


class ClaimError(ValueError):
    """A claim that is not what its kind asks for; the message names the claim and the field."""


KINDS: dict[str, tuple[type[Claim], tuple[str, ...]]] = {
    "theorem": (Theorem, ("check",)),
    "count": (Count, ("check",)),
    "cell": (Cell, ("paper",)),
    "ranking": (Ranking, ("check", "short", "paper")),
    "trend": (Trend, ("check", "short", "paper")),
    "correlation": (Correlation, ("short", "paper")),
    "cost": (Cost, ("timing",)),
}
"""What a claim of each kind is made of, and the protocols that it may ask for."""
_SHARED_BY_READINGS = (
    "protocol", "variable", "quantity", "direction", "start", "stop", "change", "lower", "upper",
)  # fmt: skip
_ID = re.compile(r"[a-z]+(\.[a-z0-9_]+)+")


def load_claims(path: Path | None = None) -> tuple[Claim, ...]:
    """Read the claims of a file (default: the package's own), in the order of the file.

    The file holds `[[claim]]` tables and `[[group]]` tables; a group gives fields shared by its
    `rows`, one claim each, and may use `{field}` in its texts.  Raises ClaimError naming the file
    and the claim whose field is missing, unknown or not allowed, or whose id is not unique.
    """
    path = CLAIMS_FILE if path is None else Path(path)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        check_names("the file", document, (), ("claim", "group"))
        raws = [*_tables(document, "claim"), *_rows(_tables(document, "group"))]
        claims = tuple(_claim(raw) for raw in raws)
        _check_unique(claim.id for claim in claims)
        _check_readings(claims)
    except ValueError as error:
        raise ClaimError(f"{path.name}: {error}") from error
    return claims


def _rows(groups: Iterable[Mapping[str, object]]) -> list[dict[str, object]]:
    """Expand groups into one set of fields per claim, filling in `{field}` in their texts."""
    expanded = []
    for group in groups:
        shared = {name: value for name, value in group.items() if name != "rows"}
        rows = _tables(group, "rows")
        if not rows:
            raise ClaimError(f"a group of kind {group.get('kind')!r} has no rows")
        for row in rows:
            fields_of_row = {**shared, **row}
            for name in ("statement", "source", "refuted_by", "note"):
                text = fields_of_row.get(name)
                if isinstance(text, str):
                    fields_of_row[name] = _filled(text, fields_of_row)
            expanded.append(fields_of_row)
    return expanded


def _tables(document: Mapping[str, object], name: str) -> list[dict[str, object]]:
    tables = document.get(name, [])
    if not isinstance(tables, list) or not all(isinstance(item, dict) for item in tables):
        raise ClaimError(f"{name} must be an array of tables, got {tables!r}")
    return tables


def _filled(text: str, values: Mapping[str, object]) -> str:
    try:
        return text.format_map(values)
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        name = values.get("id")
        raise ClaimError(f"claim {name!r}: cannot fill in {text!r} ({error})") from error


def _claim(raw: Mapping[str, object]) -> Claim:
    """Build one claim after checking the name and the type of every field."""
    identifier, kind = raw.get("id"), raw.get("kind")
    what = f"claim {identifier!r}"
    if not isinstance(identifier, str) or not _ID.fullmatch(identifier):
        raise ClaimError(f"{what}: id must be lower-case words joined by dots, got {identifier!r}")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ClaimError(f"{what}: kind must be one of {', '.join(KINDS)}, got {kind!r}")
    if identifier.split(".")[0] != kind:
        raise ClaimError(f"{what}: id must begin with its kind {kind!r}")
    model, protocols = KINDS[kind]
    names = {
        item.name: item.default is MISSING and item.default_factory is MISSING
        for item in fields(model)
    }
    check_names(what, raw, [name for name, required in names.items() if required], names)
    values = {}
    for name, value in raw.items():
        try:
            values[name] = _CONVERTERS.get(name, as_text)(value)
        except ValueError as error:
            raise ClaimError(f"{what}: {name} {error}") from error
    check(one_of(*protocols), **{f"{what}: protocol": raw["protocol"]})
    claim: Claim = model(**values)  # type: ignore[arg-type]  # each was converted
    _check_together(what, claim)
    return claim


def _check_together(what: str, claim: Claim) -> None:
    """Raise ClaimError where fields contradict each other."""
    if isinstance(claim, Trend):
        if claim.start > claim.stop:
            raise ClaimError(f"{what}: start {claim.start} must not exceed stop {claim.stop}")
        bounded = claim.lower is not None or claim.upper is not None
        if claim.direction == "stays" and (not bounded or claim.change is not None):
            raise ClaimError(f"{what}: direction 'stays' needs lower or upper, and no change")
        if claim.direction != "stays" and (bounded or claim.change is None):
            raise ClaimError(f"{what}: direction {claim.direction!r} needs change, and no bounds")
    if isinstance(claim, Cost) and claim.lower >= claim.upper:
        raise ClaimError(f"{what}: lower {claim.lower} must be below upper {claim.upper}")
    if isinstance(claim, Trend) and bool(claim.trained) != bool(claim.data):
        raise ClaimError(f"{what}: trained and data must be given together")
    if isinstance(claim, Ranking) and claim.better in claim.worse:
        raise ClaimError(f"{what}: {claim.better!r} cannot be better than itself")
    if isinstance(claim, Cell) and claim.std is not None and claim.runs == 1:
        raise ClaimError(f"{what}: a single run has no std, got {claim.std}")


def _check_readings(claims: Sequence[Claim]) -> None:
    """Raise ClaimError unless readings are trends that ask for the same numbers."""
    trends = {claim.id: claim for claim in claims if isinstance(claim, Trend)}
    pairs = [(claim, name) for claim in trends.values() for name in claim.readings]
    for claim, name in pairs:
        what, reading = f"claim {claim.id!r}: reading {name!r}", trends.get(name)
        if reading is None or reading.readings:
            raise ClaimError(f"{what} must be a trend without readings of its own")
        for item in _SHARED_BY_READINGS:
            if getattr(claim, item) != getattr(reading, item):
                raise ClaimError(
                    f"{what} must have its {item} {getattr(claim, item)!r}, "
                    f"got {getattr(reading, item)!r}"
                )


def _check_unique(identifiers: Iterable[str]) -> None:
    seen: set[str] = set()
    for identifier in identifiers:
        if identifier in seen:
            raise ClaimError(f"claim {identifier!r} is given twice")
        seen.add(identifier)


def _augmentation(value: object) -> bool | None:
    if value == "unknown":
        return None
    if not isinstance(value, bool):
        raise ValueError(f'must be true, false or "unknown", got {value!r}')
    return value


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or len(set(map(str, value))) < len(value):
        raise ValueError(f"must be a list of different names, got {value!r}")
    return tuple(as_text(item) for item in value)


def _expected(value: object) -> dict[str, Exact]:
    if not isinstance(value, dict) or not value:
        raise ValueError(f"must give a value for at least one subject, got {value!r}")
    return {subject: _exact(item) for subject, item in value.items()}


def _exact(value: object) -> Exact:
    if isinstance(value, list) and all(is_integer(item) for item in value):
        return tuple(value)
    if is_integer(value) or isinstance(value, str):
        return value
    raise ValueError(f"must hold integers, texts or lists of integers, got {value!r}")


def _configuration(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or not value:
        raise ValueError(f"must be a table of names and texts, got {value!r}")
    return {name: as_text(item) for name, item in value.items()}


def _range(value: object) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) != 2 or as_number(value[0]) >= as_number(value[1]):
        raise ValueError(f"must be two growing numbers, got {value!r}")
    return tuple(map(float, value))


def _points(value: object) -> tuple[Point, ...]:
    if not isinstance(value, list) or len(value) < 4:
        raise ValueError(f"must be four points or more, got {value!r}")
    found = []
    for item in value:
        check_names("a point", item, ("model", "data", "predicted"), ("scale", "cost"))
        scale = as_number(item["scale"]) if "scale" in item else None
        cost = as_positive_integer(item["cost"]) if "cost" in item else None
        model, data = as_text(item["model"]), as_text(item["data"])
        found.append(Point(model, data, as_not_negative(item["predicted"]), scale, cost))
    if len({(point.model, point.data, point.scale) for point in found}) < len(found):
        raise ValueError(f"must be different points, got {value!r}")
    return tuple(found)


def _rerun(value: object) -> Rerun:
    if not isinstance(value, dict):
        raise ValueError(f"must be a table of mean, std and runs, got {value!r}")
    check_names("table", value, ("mean", "std", "runs"))
    mean, std = as_number(value["mean"]), as_positive(value["std"])
    return Rerun(mean=mean, std=std, runs=as_positive_integer(value["runs"]))


_CONVERTERS: dict[str, Callable[[object], object]] = {
    "transcription": one_of(*TRANSCRIPTIONS),
    "origin": one_of(*ORIGINS),
    "published": as_flag,
    "read_at": _names,
    "direction": one_of("grows", "shrinks", "stays"),
    "bound": as_not_negative,
    "value": as_number,
    "margin": as_positive,
    "std": as_positive,
    "runs": as_positive_integer,
    "batch": as_positive_integer,
    "threads": as_positive_integer,
    "rerun": _rerun,
    "augmentation": _augmentation,
    "worse": _names,
    "trained": _range,
    "points": _points,
    "subjects": _names,
    "readings": _names,
    "expected": _expected,
    "configuration": _configuration,
    "start": as_number,
    "stop": as_number,
    "change": as_not_negative,
    "lower": as_number,
    "upper": as_number,
}
