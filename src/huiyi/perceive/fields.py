"""The signal ``fields``: what a form or a profile says, each field as shares of places along it.

A number lies between two knots, a date in a month, on a weekday and at an
hour, a category on its own place, a list on several. So all that a field says
lies between 0 and 1 whatever its unit, an outlier is no further out than the
last knot, and a line over the places of a number bends at each knot. What is
missing, and what was hardly ever seen, have places of their own: they say
something too.

Source:
    Gorishniy, Rubachev and Babenko, "On Embeddings for Numerical Features in
    Tabular Deep Learning", NeurIPS 2022 (numbers as places between quantiles);
    Micci-Barreca, "A Preprocessing Scheme for High-Cardinality Categorical
    Attributes", SIGKDD Explorations 3(1), 2001 (rare values share a place).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from huiyi.values import Record

if TYPE_CHECKING:
    from numpy.typing import NDArray

FieldKind = Literal["number", "date", "category", "list", "prose"]

KNOTS = 12
"""Places along a number, at its quantiles. A field of fewer different numbers has one for each."""

MOST_VALUES = 200
"""Values of a category, or items of lists, that have a place of their own: the most frequent."""

FEWEST_OF_A_VALUE = 2
"""A value that was seen less often shares the place of rare ones, which a value never seen goes to as well."""

SHARE_OF_KIND = 0.95
"""A field is of numbers, or dates, if this share of its values can be read so."""

PROSE_CHARACTERS = 30
"""Most values of a field that is prose are longer: what they say is read as a text, not looked up."""

MISSING, RARE = 0, 1
"""The first places of each field: nothing is there; something that has no place of its own."""


@dataclass(frozen=True)
class Field:
    """What was learnt of one field.

    Attributes:
        kind: What its values are.
        knots: Of numbers, in rising order; of dates, in days since 1970.
        values: Of a category, or the items of lists, one place for each.
    """

    kind: FieldKind
    knots: tuple[float, ...] = ()
    values: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """How many places it has."""
        return _FORMS[self.kind].width(self)

    def places(self, value: Any) -> NDArray[np.float32]:
        """What a value says: shares of the places, none below 0 or above 1.

        Example:
            >>> Field("number", knots=(0.0, 10.0)).places("2.5").tolist()
            [0.0, 0.0, 0.75, 0.25]
            >>> Field("category", values=("gold",)).places("Silver").tolist()
            [0.0, 1.0, 0.0]
        """
        found = np.zeros(self.width, dtype=np.float32)
        if is_missing(value):
            found[MISSING] = 1
        else:
            _FORMS[self.kind].mark(self, value, found)
        return found


class FieldsPerceiver:
    """Fields of a record, side by side, in the order of their names.

    A field that training never saw says nothing. Of prose only whether there is
    any: what it says is left to the signals of texts.

    Example:
        >>> records = [Record(fields={"age": 31, "plan": "gold"}), Record(fields={"age": 60, "plan": "free"}), Record()]
        >>> perceiver = FieldsPerceiver()
        >>> perceiver.fit([*records, *records])
        >>> signals, present = perceiver.perceive(records)
        >>> signals["fields"].tolist(), present.tolist()
        ([[0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0], \
[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]], [True, True, False])
    """

    def __init__(self) -> None:
        self._fields: dict[str, Field] = {}

    @property
    def fields(self) -> Mapping[str, Field]:
        """What was learnt of each field."""
        return self._fields

    def fit(self, records: Sequence[Record]) -> None:
        """Learn what kind each field is, and its places."""
        names = sorted({name for record in records for name in record.fields})
        self._fields = {name: _learnt([record.fields.get(name) for record in records]) for name in names}

    def perceive(
        self, records: Sequence[Record], *, tick: Callable[[int], None] | None = None
    ) -> tuple[Mapping[str, NDArray[np.float32]], NDArray[np.bool_]]:
        """Return rows of shape (n, places of all fields), and which records have a known field."""
        signal = np.zeros((len(records), sum(field.width for field in self._fields.values())), np.float32)
        present = np.zeros(len(records), dtype=bool)
        for row, record in enumerate(records):
            end = 0
            for name, field in self._fields.items():
                value = record.fields.get(name)
                start, end = end, end + field.width
                signal[row, start:end] = field.places(value)
                present[row] |= not is_missing(value)
            if tick is not None:
                tick(1)
        return {"fields": signal}, present

    def to_arrays(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """No arrays: the kind and the places of each field."""
        return {}, {name: asdict(field) for name, field in self._fields.items()}

    def from_arrays(self, arrays: Mapping[str, NDArray[Any]], config: Mapping[str, Any]) -> None:
        """Take back what ``to_arrays`` gave."""
        self._fields = {
            name: Field(field["kind"], tuple(field["knots"]), tuple(field["values"])) for name, field in config.items()
        }


def written(record: Record) -> str:
    """The fields of a record that are prose, as one text, in the order of their names.

    Example:
        >>> written(Record(fields={"note": "came back because the zip was broken", "age": 31}))
        'came back because the zip was broken'
    """
    return "\n".join(value for _, value in sorted(record.fields.items()) if is_prose(value))


def is_prose(value: Any) -> bool:
    """Whether a value is to be read, rather than looked up.

    Example:
        >>> is_prose("gold"), is_prose("2024-05-01"), is_prose("came back because the zip was broken")
        (False, False, True)
    """
    return isinstance(value, str) and len(value) > PROSE_CHARACTERS


def is_missing(value: Any) -> bool:
    """Whether a field says nothing.

    Example:
        >>> [is_missing(value) for value in (None, " ", float("nan"), (), 0, False)]
        [True, True, True, True, False, False]
    """
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or (_is_list(value) and not len(value))


def as_number(value: Any) -> float | None:
    """A finite number, also one that is written, or None.

    Example:
        >>> as_number("1,234.5"), as_number(True), as_number("gold")
        (1234.5, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, str | Real):
        return None
    try:
        number = float(value.replace(",", "") if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def as_moment(value: Any) -> datetime | None:
    """A date or a time, also one written in ISO 8601, without its zone; or None.

    Example:
        >>> as_moment("2024-05-01T09:30Z"), as_moment("20240501x")
        (datetime.datetime(2024, 5, 1, 9, 30), None)
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    return datetime(value.year, value.month, value.day) if isinstance(value, date) else None


def _is_list(value: Any) -> bool:
    """Whether a value holds several."""
    return isinstance(value, list | tuple | set | frozenset)


def _named(value: Any) -> str:
    """A value as a category: true and True and 1.0 and "1" should not be four."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return " ".join(str(value).split()).casefold()


def _learnt(values: Sequence[Any]) -> Field:
    """What kind a field is, and its places."""
    known = [value for value in values if not is_missing(value)]
    enough = SHARE_OF_KIND * len(known)
    if sum(_is_list(value) for value in known) >= enough:
        return Field("list", values=_frequent(item for value in known for item in _items(value)))
    numbers = [number for number in map(as_number, known) if number is not None]
    if len(numbers) >= enough:
        return Field("number", knots=_knots(numbers))
    moments = [moment for moment in map(as_moment, known) if moment is not None]
    if len(moments) >= enough:
        return Field("date", knots=_knots([_days(moment) for moment in moments]))
    if 2 * sum(map(is_prose, known)) > len(known):
        return Field("prose")
    return Field("category", values=_frequent(map(_named, known)))


def _frequent(values: Iterable[str]) -> tuple[str, ...]:
    """The values that get places of their own, in order."""
    counts = Counter(values).most_common(MOST_VALUES)
    return tuple(sorted(value for value, count in counts if count >= FEWEST_OF_A_VALUE))


def _knots(numbers: Sequence[float]) -> tuple[float, ...]:
    """Quantiles of the numbers, each once."""
    different = np.unique(np.asarray(numbers, dtype=np.float64))
    if len(different) > KNOTS:
        different = np.unique(np.quantile(numbers, np.linspace(0, 1, KNOTS)))
    return tuple(map(float, different))


def _items(value: Any) -> list[str]:
    """What a list holds, each once; a single value holds itself."""
    items = value if _is_list(value) else (value,)
    return list(dict.fromkeys(_named(item) for item in items if not is_missing(item)))


def _days(moment: datetime) -> float:
    """Days since 1970."""
    return (moment - datetime(1970, 1, 1)).total_seconds() / 86_400


def _mark_between(knots: Sequence[float], number: float, found: NDArray[np.float32]) -> None:
    """Share 1 between the two knots around a number."""
    place = float(np.interp(number, knots, np.arange(len(knots))))
    below = min(int(place), len(knots) - 1)
    found[below] = 1 - (place - below)
    if place > below:
        found[below + 1] = place - below


def _mark_number(field: Field, value: Any, found: NDArray[np.float32]) -> None:
    number = as_number(value)
    if number is None or not field.knots:
        found[RARE] = 1
    else:
        _mark_between(field.knots, number, found[2:])


def _mark_date(field: Field, value: Any, found: NDArray[np.float32]) -> None:
    moment = as_moment(value)
    if moment is None or not field.knots:
        found[RARE] = 1
        return
    along, months, weekdays = 2 + len(field.knots), 12, 7
    _mark_between(field.knots, _days(moment), found[2:along])
    found[along + moment.month - 1] = 1
    found[along + months + moment.weekday()] = 1
    found[along + months + weekdays + moment.hour // 3] = 1


def _mark_category(field: Field, value: Any, found: NDArray[np.float32]) -> None:
    _mark_values(field, [_named(value)], found)


def _mark_list(field: Field, value: Any, found: NDArray[np.float32]) -> None:
    _mark_values(field, _items(value), found)


def _mark_prose(field: Field, value: Any, found: NDArray[np.float32]) -> None:
    found[RARE] = 1


def _mark_values(field: Field, values: Sequence[str], found: NDArray[np.float32]) -> None:
    """Mark each value, however many there are, by what leaves the row as long."""
    share = 1 / math.sqrt(max(1, len(values)))
    for value in values:
        found[2 + field.values.index(value) if value in field.values else RARE] = share


@dataclass(frozen=True)
class _Form:
    """How a kind of field is laid out."""

    width: Callable[[Field], int]
    mark: Callable[[Field, Any, NDArray[np.float32]], None]


_FORMS: Mapping[FieldKind, _Form] = {
    "number": _Form(lambda field: 2 + len(field.knots), _mark_number),
    "date": _Form(lambda field: 2 + len(field.knots) + 12 + 7 + 8, _mark_date),
    "category": _Form(lambda field: 2 + len(field.values), _mark_category),
    "list": _Form(lambda field: 2 + len(field.values), _mark_list),
    "prose": _Form(lambda field: 2, _mark_prose),
}
