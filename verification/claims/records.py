"""Measured evidence: one immutable JSON file per run or check.

A record says what was run, what came out, from which commit, on which device, and by which
command it is repeated.  Its file name holds two hashes, one of what was run and one of everything,
so that an edited, renamed, copied or cut-off file is noticed when it is read.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from verification.atomic_files import write_through
from verification.claims.fields import (
    as_text,
    check,
    check_mapping,
    check_names,
    is_integer,
    one_of,
)
from verification.claims.provenance import Provenance, current_provenance

__all__ = [
    "KINDS",
    "OUTCOMES",
    "PROTOCOLS",
    "SCHEMA",
    "Measurement",
    "Postponed",
    "Provenance",
    "Record",
    "RecordError",
    "current_provenance",
    "measuring",
    "read_record",
    "read_records",
    "write_record",
]

SCHEMA = 1
KINDS = (
    "count",
    "theorem",
    "budget",
    "equivariance",
    "training",
    "timing",
    "simulation",
    "mutation",
    "gallery",
)
PROTOCOLS = ("check", "timing", "smoke", "short", "paper")
OUTCOMES = ("finished", "failed", "aborted", "diverged")
_NAME = re.compile(r"[a-z]+-[0-9a-f]{12}-[0-9a-f]{12}\.json")
_NO_HARD_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV)


class RecordError(ValueError):
    """A record file that cannot be trusted; the message names the file and what is wrong."""


class Postponed(Exception):  # noqa: N818 (nothing went wrong)
    """Raised inside a `measuring` block that stops for now, to be gone on with: no record yet."""


@dataclass(frozen=True)
class Record:
    """One measurement.  Values are JSON values; tuples become lists, so a record reads back equal.

    `numbers` holds what was measured, per seed and not only means.  A number that is not finite is
    rejected, except that it becomes null when `outcome` is "diverged".  `claims` are ids that older
    records name; they decide nothing, since claims select records.  Raises TypeError or
    ValueError naming the field, its value and what is allowed.
    """

    kind: str
    subject: str
    numbers: Mapping[str, Any]
    configuration: Mapping[str, Any]
    protocol: str
    data: Mapping[str, str] | None
    seeds: Mapping[str, int]
    command: str
    outcome: str
    provenance: Provenance
    claims: tuple[str, ...] = ()
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        """Check every field and detach the record from the caller's containers."""
        check(one_of(*KINDS), kind=self.kind)
        check(one_of(*PROTOCOLS), protocol=self.protocol)
        check(one_of(*OUTCOMES), outcome=self.outcome)
        check(as_text, subject=self.subject, command=self.command)
        if self.schema != SCHEMA:
            raise ValueError(f"schema must be {SCHEMA}, got {self.schema!r}")
        if not isinstance(self.provenance, Provenance):
            raise TypeError(f"provenance must be a Provenance, got {self.provenance!r}")
        if isinstance(self.claims, str) or not all(isinstance(item, str) for item in self.claims):
            raise TypeError(f"claims must be a sequence of claim ids, got {self.claims!r}")
        if len(set(self.claims)) < len(self.claims):
            raise ValueError(f"claims must not repeat an id, got {self.claims!r}")
        if self.data is not None:
            check_mapping("data", self.data, str)
        check_mapping("seeds", self.seeds, int)
        check_mapping("numbers", self.numbers, object)
        check_mapping("configuration", self.configuration, object)
        diverged = self.outcome == "diverged"
        object.__setattr__(self, "claims", tuple(self.claims))
        object.__setattr__(self, "numbers", _json_value("numbers", self.numbers, diverged))
        object.__setattr__(self, "configuration", _json_value("configuration", self.configuration))
        object.__setattr__(self, "seeds", dict(self.seeds))
        object.__setattr__(self, "data", None if self.data is None else dict(self.data))

    @cached_property
    def key(self) -> str:
        """Hash of what was run: running the same thing again gives the same key."""
        names = ("kind", "subject", "configuration", "protocol", "data", "seeds")
        return _hash({name: getattr(self, name) for name in names})

    @cached_property
    def digest(self) -> str:
        """Hash of the whole content."""
        return _hash(asdict(self))

    @property
    def filename(self) -> str:
        """The only name under which this record may lie in a folder."""
        return f"{self.kind}-{self.key[:12]}-{self.digest[:12]}.json"


def write_record(record: Record, folder: Path) -> Path:
    """Write a record whole or not at all, and return its path.

    Writing the same record twice changes nothing.  Raises RecordError when the name is taken by
    another content, and OSError (disk full, no permission) with nothing left behind.
    """
    if record.digest != _hash(asdict(record)):
        raise RecordError(f"{record.filename}: the record was changed after it was hashed")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / record.filename
    text = json.dumps(asdict(record), indent=1, sort_keys=True, allow_nan=False) + "\n"
    content = text.encode("ascii")
    hidden = folder / f".{record.filename}.{os.getpid()}.{secrets.token_hex(6)}"
    try:
        write_through(hidden, content)
        _publish(hidden, target)
    finally:
        hidden.unlink(missing_ok=True)
    if target.read_bytes() != content:
        raise RecordError(f"{target}: the name is taken by a file with another content")
    return target


def read_record(path: Path) -> Record:
    """Read one record; raise RecordError naming the file if anything about it is not as written."""
    path = Path(path)
    try:
        raw = json.loads(
            path.read_bytes().decode("utf-8"),
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique_fields,
        )
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{path}: not valid JSON (cut off or damaged): {error}") from error
    if not isinstance(raw, dict):
        raise RecordError(f"{path}: a record is a JSON object, found {type(raw).__name__}")
    _check_schema(path, raw.get("schema"))
    try:
        record = _record_from(raw)
    except (TypeError, ValueError) as error:
        raise RecordError(f"{path}: {error}") from error
    if path.name != record.filename:
        raise RecordError(
            f"{path}: the name does not match the content, which belongs in {record.filename}: "
            "the file was edited, renamed or copied"
        )
    return record


def read_records(folder: Path) -> list[Record]:
    """Read every record of a folder, sorted by file name.

    Hidden files (unfinished writes) are ignored.  Any other file that is not a record, and a
    folder that does not exist, raise RecordError: a report must not be silently shorter.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise RecordError(f"{folder}: no such folder of records")
    paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    for path in paths:
        if not _NAME.fullmatch(path.name) or not path.is_file():
            raise RecordError(f"{path}: not a record; a folder of records holds nothing else")
    return [read_record(path) for path in paths]


@dataclass
class Measurement:
    """What a `measuring` block fills in; `record` (and `path`, if written) exist after it."""

    numbers: dict[str, Any] = field(default_factory=dict)
    outcome: str = "finished"
    record: Record | None = None
    path: Path | None = None


@contextmanager
def measuring(
    kind: str,
    subject: str,
    *,
    command: str,
    configuration: Mapping[str, Any] | None = None,
    protocol: str = "check",
    data: Mapping[str, str] | None = None,
    seeds: Mapping[str, int] | None = None,
    device: str = "cpu",
    folder: Path | None = None,
) -> Iterator[Measurement]:
    """Time a block and make its record, written to `folder` if one is given.

    A mistake in the arguments is reported before the block runs.  An exception inside it leaves a
    record with outcome "failed" (an interruption: "aborted") and the error's type, then goes on;
    only Postponed leaves none.
    """
    blank = Record(
        kind=kind,
        subject=subject,
        numbers={},
        configuration=configuration or {},
        protocol=protocol,
        data=data,
        seeds=seeds or {},
        command=command,
        outcome="finished",
        provenance=current_provenance(device),
    )
    measurement = Measurement()
    begin = time.perf_counter()
    postponed = False
    try:
        yield measurement
    except Postponed:
        postponed = True
        raise
    except BaseException as error:
        measurement.outcome = "failed" if isinstance(error, Exception) else "aborted"
        measurement.numbers["error"] = type(error).__name__
        raise
    finally:
        if not postponed:
            measurement.record = replace(
                blank,
                numbers=measurement.numbers,
                outcome=measurement.outcome,
                provenance=replace(blank.provenance, wall_seconds=time.perf_counter() - begin),
            )
            if folder is not None:
                measurement.path = write_record(measurement.record, folder)


def _publish(hidden: Path, target: Path) -> None:
    """Give the finished file its name; a file that already has this name is left as it is."""
    try:
        os.link(hidden, target)
    except FileExistsError:
        return
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        # Without hard links a race can only replace a file by the same bytes: the name is a hash.
        if not target.exists():
            hidden.rename(target)


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _hash(value: object) -> str:
    return hashlib.sha256(_canonical(value).encode("ascii")).hexdigest()


def _json_value(where: str, value: object, to_null: bool = False) -> object:
    """Copy a JSON value; `to_null` turns numbers that are not finite into null."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        if to_null:
            return None
        raise ValueError(f"{where} must be finite (unless the outcome is diverged), got {value!r}")
    if isinstance(value, Mapping):
        check_mapping(where, value, object)
        return {key: _json_value(f"{where}.{key}", item, to_null) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(f"{where}[{i}]", item, to_null) for i, item in enumerate(value)]
    raise TypeError(f"{where} must be a JSON value, got {type(value).__name__} {value!r}")


def _check_schema(path: Path, schema: object) -> None:
    if not is_integer(schema):
        raise RecordError(f"{path}: field 'schema' is missing or no integer, got {schema!r}")
    if schema > SCHEMA:
        raise RecordError(
            f"{path}: written under schema {schema}, newer than {SCHEMA}, the newest known here"
        )


def _record_from(raw: dict[str, Any]) -> Record:
    check_names("record", raw, [item.name for item in fields(Record)])
    origin = raw["provenance"]
    check_mapping("provenance", origin, object)
    check_names("provenance", origin, [item.name for item in fields(Provenance)])
    return Record(**{**raw, "provenance": Provenance(**origin)})


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _unique_fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError(f"a field is given twice among {', '.join(names)}")
    return dict(pairs)
