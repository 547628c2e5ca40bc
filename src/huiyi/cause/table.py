"""From a table of cells to a log: which column is what, and what its cells mean."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from huiyi.cause.log import Categories, Column, Log, Numbers
from huiyi.errors import ColumnError, DataError, did_you_mean

MOST_ACTIONS = 20
"""An action of numbers with more different ones is a dose."""

SHARE_OF_IDS = 0.9
"""A column of names is about nothing that rows share if at least this share of its names is there once."""

_YES = frozenset({"yes", "true", "y", "t", "1", "是", "对", "已解决"})
_NO = frozenset({"no", "false", "n", "f", "0", "否", "不", "未解决"})
_SECONDS_A_DAY = 86_400


@dataclass(frozen=True)
class Roles:
    """Which column of a table is what.

    Attributes:
        action: What was done.
        outcomes: What came of it.
        intent: What was wanted. ``intent``, where there is such a column.
        context: What was known before the action; ``None`` for all columns that are nothing else.
        propensity: How probable the action that was taken was.
        unit: Who the row is about.
        time: When it was done.
        outcome_time: When it was known how it ended, to see that this was later.
        ignore: Columns to leave out.
    """

    action: str
    outcomes: tuple[str, ...]
    intent: str | None = None
    context: tuple[str, ...] | None = None
    propensity: str | None = None
    unit: str | None = None
    time: str | None = None
    outcome_time: str | None = None
    ignore: tuple[str, ...] = ()

    def named(self) -> tuple[tuple[str, str], ...]:
        """Each column that was named, with the option that names it."""
        given = [("--action", self.action), *(("--outcome", name) for name in self.outcomes)]
        given += [("--fields", name) for name in self.context or ()]
        given += [("--ignore", name) for name in self.ignore]
        options = ("intent", "propensity", "unit", "time", "outcome_time")
        given += [(f"--{name.replace('_', '-')}", getattr(self, name)) for name in options if getattr(self, name)]
        return tuple(given)


@dataclass(eq=False)
class _Reader:
    """What reads the columns of one table."""

    source: str
    cells: Mapping[str, Sequence[Any] | NDArray[Any]]
    notices: list[str] = field(default_factory=list)

    def numbers(self, name: str, what: str) -> Numbers:
        """A column that must be of numbers; yes and no are 1 and 0.

        Raises:
            ColumnError: Something else is in it.
        """
        found = _as_numbers(self.cells[name], _truth_or_number)
        if isinstance(found, int):
            raise ColumnError(
                f"{self.source} row {found + 1}: {name!r} holds {self.cells[name][found]!r}. Expected {what}"
            )
        return found

    def times(self, name: str) -> Numbers:
        """A column of times, in days."""
        found = _as_numbers(self.cells[name], lambda cell: _days(cell) if isinstance(cell, str) else _number(cell))
        if isinstance(found, int):
            raise ColumnError(
                f"{self.source} row {found + 1}: {name!r} holds {self.cells[name][found]!r}. "
                "Expected a time in ISO 8601, such as 2026-03-01T09:30"
            )
        return found


def log_of(
    cells: Mapping[str, Sequence[Any] | NDArray[Any]],
    roles: Roles,
    *,
    vectors: Mapping[str, Numbers] = MappingProxyType({}),
    source: str = "the log",
) -> Log:
    """Make a log of a table.

    Args:
        cells: Name to cells, one a row: numbers, texts, times, or nothing.
        roles: What the columns are for.
        vectors: What was perceived of columns of texts, by name, shape (n, d): more of the context.
        source: What to call the table in messages.

    Returns:
        The log of the rows in which an action was taken.

    Raises:
        ColumnError: A column is not there, or holds something else than it should.
        DataError: There are no rows.

    Example:
        >>> cells = {"reply": ["call", "mail"], "solved": ["yes", "no"], "waiting": [3, 1], "intent": ["late", "pet"]}
        >>> log = log_of(cells, Roles("reply", ("solved",)))
        >>> log.outcomes["solved"].tolist(), list(log.context), log.intent_name
        ([1.0, 0.0], ['waiting', 'intent'], 'intent')
    """
    _check_named(cells, roles, source)
    reader = _Reader(source, cells)
    intent = roles.intent or ("intent" if "intent" in cells and roles.action != "intent" else None)
    outcomes = {name: reader.numbers(name, _OUTCOME) for name in roles.outcomes}
    taken = {roles.action, *roles.outcomes, roles.propensity, roles.unit, roles.time, roles.outcome_time}
    wanted = [
        name
        for name in (cells if roles.context is None else roles.context)
        if name not in taken and name not in roles.ignore and name not in vectors and name != intent
    ]
    context = {name: column_of(cells[name]) for name in wanted}
    if roles.context is None:
        context = _without_ids(context, reader)
    if intent:
        context[intent] = Categories.of([_spelled(cell) for cell in cells[intent]])
    times = reader.times(roles.time) if roles.time else None
    if roles.outcome_time and times is not None:
        _check_order(times, reader.times(roles.outcome_time), roles, source)
    unit = cells[roles.unit] if roles.unit else None
    log = Log(
        source=source,
        action_name=roles.action,
        actions=_actions(cells[roles.action]),
        outcomes=outcomes,
        context={**context, **vectors},
        intent_name=intent,
        propensities=_propensities(reader, roles.propensity) if roles.propensity else None,
        units=None if unit is None else Categories.of([_spelled(cell) for cell in unit]),
        times=times,
    )
    done = log.actions.codes >= 0 if isinstance(log.actions, Categories) else np.isfinite(log.actions)
    if not done.all():
        reader.notices.append(f"{source}: {int((~done).sum()):,} rows without {roles.action!r} were left out.")
        log = log.rows(done)
    if not len(log):
        raise DataError(f"{source}: no row says what was done: {roles.action!r} is blank everywhere. Fill it")
    return replace(log, notices=tuple(reader.notices))


def column_of(cells: Sequence[Any] | NDArray[Any]) -> Column:
    """What a column holds: numbers, or times as days, or else names.

    Example:
        >>> column_of(["3", "", "4.5"]).tolist(), column_of(["a", "b"]).names
        ([3.0, nan, 4.5], ('a', 'b'))
        >>> column_of(["2026-03-02", "2026-03-01"]).tolist()
        [20514.0, 20513.0]
    """
    for reads in (_number, _days):
        found = _as_numbers(cells, reads)
        if not isinstance(found, int):
            return found
    return Categories.of([_spelled(cell) for cell in cells])


_OUTCOME = "a number, or yes or no: write 1 for what you want and 0 for the rest"


def _as_numbers(cells: Sequence[Any] | NDArray[Any], reads: Callable[[Any], float | None]) -> Numbers | int:
    """All cells as numbers, or the place of the first that is none."""
    if isinstance(cells, np.ndarray) and cells.dtype.kind in "biuf":
        return np.where(np.isfinite(numbers := cells.astype(float)), numbers, np.nan)
    numbers = np.empty(len(cells))
    for place, cell in enumerate(cells):
        number = reads(cell)
        if number is None:
            return place
        numbers[place] = number
    return numbers


def _number(cell: Any) -> float | None:
    """A number, NaN for a blank cell, nothing for anything else."""
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return math.nan
    if isinstance(cell, str | bool | int | float | np.number | np.bool_):
        try:
            number = float(cell)
        except ValueError:
            return None
        return number if math.isfinite(number) else math.nan
    return None


def as_number(cell: Any) -> float:
    """A number, or a time as days; NaN for anything else.

    Example:
        >>> as_number("3.5"), as_number(None), as_number("2026-03-02")
        (3.5, nan, 20514.0)
    """
    for reads in (_number, _days):
        number = reads(cell)
        if number is not None:
            return number
    return math.nan


def _truth_or_number(cell: Any) -> float | None:
    word = cell.strip().lower() if isinstance(cell, str) else None
    if word in _YES or word in _NO:
        return float(word in _YES)
    return _number(cell)


def _days(cell: Any) -> float | None:
    """A time as days since 1970, NaN for a blank cell, nothing for anything else."""
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return math.nan
    try:
        time = datetime.fromisoformat(cell.strip()) if isinstance(cell, str) else cell
    except ValueError:
        return None
    if isinstance(time, datetime):
        epoch = datetime(1970, 1, 1, tzinfo=time.tzinfo)
        return (time - epoch).total_seconds() / _SECONDS_A_DAY
    return float((time - date(1970, 1, 1)).days) if isinstance(time, date) else None


def _spelled(cell: Any) -> str | None:
    """A cell as a name: 1.0 as ``1``."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def _actions(cells: Sequence[Any] | NDArray[Any]) -> Column:
    """What was done: one of several, or a dose."""
    numbers = _as_numbers(cells, _number)
    if not isinstance(numbers, int) and len(np.unique(numbers[np.isfinite(numbers)])) > MOST_ACTIONS:
        return numbers
    return Categories.of([_spelled(cell) for cell in (cells.tolist() if isinstance(cells, np.ndarray) else cells)])


def _propensities(reader: _Reader, name: str) -> Numbers:
    found = reader.numbers(name, "a probability above 0, at most 1")
    wrong = np.flatnonzero(~((found > 0) & (found <= 1)))
    if wrong.size:
        raise ColumnError(
            f"{reader.source} row {wrong[0] + 1}: {name!r} is {found[wrong[0]]:g}. Expected how probable the action "
            "that was taken was, above 0 and at most 1, in every row; leave --propensity out where it is not known"
        )
    return found


def _without_ids(context: Mapping[str, Column], reader: _Reader) -> dict[str, Column]:
    """Leave out what is different in nearly every row, such as a name or a number of a ticket."""
    kept: dict[str, Column] = {}
    for name, column in context.items():
        if isinstance(column, Categories) and len(column.names) > max(2, SHARE_OF_IDS * len(column)):
            reader.notices.append(
                f"{reader.source}: {name!r} is different in nearly every row and was left out; if it holds texts, "
                "name it with --text."
            )
        else:
            kept[name] = column
    return kept


def _check_named(cells: Mapping[str, Any], roles: Roles, source: str) -> None:
    """Refuse columns that were named and are not there, or for two things."""
    seen: dict[str, str] = {}
    for option, name in roles.named():
        if name in seen:
            raise ColumnError(
                f"{source}: {name!r} is named by {seen[name]} and {option}. Expected one of them: leave the other out"
            )
        seen[name] = option
        if name not in cells:
            raise ColumnError(
                f"{source} has no column {name!r}.{did_you_mean(name, cells)} Its columns: "
                f"{', '.join(map(repr, cells))}. Name the right one with {option}"
            )


def _check_order(times: Numbers, later: Numbers, roles: Roles, source: str) -> None:
    """Refuse outcomes that were known before the action was taken."""
    early = np.flatnonzero(later < times)
    if early.size:
        raise DataError(
            f"{source} row {early[0] + 1}: the outcome ({roles.outcome_time!r}) was known before the action "
            f"({roles.time!r}), here and in {early.size - 1:,} other rows. Expected causes before effects: "
            "leave these rows out, or name the right columns"
        )
