"""Published statements as typed claims, and which records each of them selects.

A claim says what was published, where, how sure we are that it was copied rightly, which records
may speak about it and what would refute it.  The rules that judge it are in `rules`; all their
parameters stand in the claim, fixed before any data is seen.  So does which records speak about it:
claims select records, and a record says only what was measured.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from verification.claims.records import Record

Exact = int | str | tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What every claim has.

    `transcription`: "code" (read in the released code), "secondary" (in a secondary source),
    "unverified" (written down from memory, the paper not at hand), "ours" (measured here).
    `origin`: "paper" (stated there), "code" (in or about the released code and data), "reading"
    (a statement of the paper read for one configuration), "own" (our expectation or aim), "later"
    (measured by others since).  `protocol`: the lightest protocol whose records count.
    """

    id: str
    kind: str
    origin: str
    statement: str
    source: str
    transcription: str
    protocol: str
    refuted_by: str
    note: str = ""

    def selects(self, record: Record) -> bool:
        """Whether a record is of what is claimed; whether it counts, says `rules.admission`."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Theorem(Claim):
    """Holds for all inputs, as tried by the records of `subject`.

    `bound` is the largest `quantity` that rounding explains.
    """

    subject: str
    quantity: str
    bound: float

    def selects(self, record: Record) -> bool:
        """Attempts at this theorem."""
        return record.kind == "theorem" and record.subject == self.subject


@dataclass(frozen=True, kw_only=True)
class Count(Claim):
    """Exact: `expected` gives for each subject the value of `quantity`.

    `configuration`: what a record's own must say, where several things are counted of a subject.
    `number`: which of a record's numbers is the value.
    `read_at`: files and lines of the released code where the statement can be read; then it stands
    "by reading" as long as no record counts.
    """

    quantity: str
    expected: Mapping[str, Exact]
    read_at: tuple[str, ...] = ()
    configuration: Mapping[str, str] = field(default_factory=dict)
    number: str = "value"

    def selects(self, record: Record) -> bool:
        """Counts of one of the subjects, as configured."""
        known = record.kind in _COUNTED and record.subject in self.expected
        given = record.configuration
        return known and all(given.get(name) == text for name, text in self.configuration.items())


@dataclass(frozen=True, kw_only=True)
class Rerun:
    """An earlier independent re-run: mean ± sample std over `runs`, in the unit of the cell."""

    mean: float
    std: float
    runs: int


@dataclass(frozen=True, kw_only=True)
class Cell(Claim):
    """A cell of a published table: mean `value` ± `std` over `runs`, in `unit`.

    `method` and `column` are the paper's row and column, `model` and `augmentation` what they
    stand for: augmentation is the extra scaling augmentation of the "+" columns, beyond what the
    recipe always does (None: the source does not say).  `std` or `runs` None: not published.
    `margin`, in `unit`, is the largest difference that counts as none.
    """

    table: str
    method: str
    column: str
    data: str
    model: str
    augmentation: bool | None
    quantity: str
    value: float
    margin: float
    unit: str
    std: float | None = None
    runs: int | None = None
    rerun: Rerun | None = None

    def selects(self, record: Record) -> bool:
        """Trainings of the model, with the augmentation, on the data."""
        return _is_run(record, models_of(self), self.data, self.augmentation)


@dataclass(frozen=True, kw_only=True)
class Ranking(Claim):
    """Model `better` has a lower `quantity` than every model in `worse`, on the same `data`.

    Protocol "check": of untrained networks, on the same images and seeds.  All claims of one
    `family` share a Holm correction.  `trained`: a range of object scales; judged are the errors
    in percent on the others alone.
    """

    data: str
    column: str
    augmentation: bool
    better: str
    worse: tuple[str, ...]
    quantity: str
    family: str
    trained: tuple[float, ...] = ()

    def selects(self, record: Record) -> bool:
        """Trainings of one of the models; under "check", measurements of the quantity on them."""
        kind = "equivariance" if self.protocol == "check" else "training"
        is_run = _is_run(record, models_of(self), self.data, self.augmentation, kind)
        return is_run and (kind == "training" or self.quantity in record.numbers)


@dataclass(frozen=True, kw_only=True)
class Trend(Claim):
    """How `quantity` behaves while `variable` runs from `start` to `stop` (both included).

    "grows" and "shrinks": from the first to the last point by more than `change`, with no step
    against it of that size; "stays": above `lower` and below `upper`, where given.  `subjects`
    are those of the records that speak about it, and all must have been measured; `values` names
    their numbers, a row for each seed.  `readings` are ids of trends that say the same for stated
    settings, where the statement leaves them open: it is judged by them.  `published`: whether
    the configuration of a reading is one that was published.  `trained`: a range of object scales;
    the curve is then that of the errors in percent of trainings on `data`, by the distance from it
    (`rules.object_scales`).
    """

    variable: str
    quantity: str
    direction: str
    start: float
    stop: float
    subjects: tuple[str, ...] = ()
    values: str = "y"
    readings: tuple[str, ...] = ()
    published: bool = False
    change: float | None = None
    lower: float | None = None
    upper: float | None = None
    trained: tuple[float, ...] = ()
    data: str = ""

    def selects(self, record: Record) -> bool:
        """Curves of one of the subjects: of trainings only where the protocol is one of theirs."""
        if self.trained:
            return _is_run(record, self.subjects, self.data)
        kinds = ("equivariance", "budget" if self.protocol == "check" else "training")
        is_curve = {"x", self.values} <= set(record.numbers)
        return is_curve and record.kind in kinds and record.subject in self.subjects


@dataclass(frozen=True)
class Point:
    """A training, or its test images of one range of object scales, and what is predicted of it.

    scale: where the range of width 0.1 begins; None: all test images.  cost: pixels of a filter,
    summed over scales; None: not stated.
    """

    model: str
    data: str
    predicted: float
    scale: float | None = None
    cost: int | None = None


@dataclass(frozen=True, kw_only=True)
class Correlation(Claim):
    """Over `points`, what was predicted for them ranks their test errors.

    The networks are trained without augmentation.  `runs`: so many realisations of every point are
    needed.
    """

    quantity: str
    points: tuple[Point, ...]
    runs: int

    def selects(self, record: Record) -> bool:
        """Trainings of one of the points."""
        return any(_is_run(record, [point.model], point.data) for point in self.points)


@dataclass(frozen=True, kw_only=True)
class Cost(Claim):
    """Training steps of `numerator` over those of `denominator`, in one run: in [`lower`, `upper`].

    `batch` images per step, on `threads` CPU threads: only such records count.  None: any.
    """

    quantity: str
    numerator: str
    denominator: str
    lower: float
    upper: float
    batch: int | None = None
    threads: int | None = None

    def selects(self, record: Record) -> bool:
        """Timings of steps of the numerator that hold those of the denominator as well."""
        is_step = record.kind == "timing" and record.configuration.get("work") in _WORKS
        seconds = record.numbers.get("seconds") if is_step else None
        timed = set(seconds) if isinstance(seconds, dict) else set()
        return record.subject == self.numerator and {self.numerator, self.denominator} <= timed


_COUNTED = ("count", "mutation", "gallery")
_WORKS = ("step", "comparison")
"""Work of the timings that hold training steps."""


def models_of(claim: Cell | Ranking) -> tuple[str, ...]:
    """Names of the models a cell or ranking speaks about."""
    return (claim.model,) if isinstance(claim, Cell) else (claim.better, *claim.worse)


def _is_run(
    record: Record, models: Collection[str], data: str, augmentation: bool | None = False,
    kind: str = "training",
) -> bool:  # fmt: skip
    return (
        record.kind == kind
        and record.configuration.get("model") in models
        and record.configuration.get("augmentation") is augmentation
        and (record.data or {}).get("name") == data
    )
