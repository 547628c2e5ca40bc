"""Reading a log of decisions, and perceiving its texts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.cause.log import Log
from huiyi.cause.table import Roles, log_of
from huiyi.data.cells import spelled
from huiyi.data.columns import Columns, check_named
from huiyi.data.reading import sheets_of
from huiyi.data.sheet import Sheet
from huiyi.data.tables import kept_rows
from huiyi.errors import DataError
from huiyi.values import Record

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NONE: Mapping[str, str] = MappingProxyType({})

PROPENSITY = "propensity"
"""What the column is called in logs of decisions that a model made."""


def read_log(
    source: str | os.PathLike[str] | Iterable[Any],
    roles: Roles,
    *,
    texts: Sequence[str] | None = None,
    where: Mapping[str, str] = _NONE,
    skip_bad: bool = False,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> Log:
    """Read a log of decisions, and perceive its texts.

    Args:
        source: What ``huiyi.read`` reads, a row a decision; or a mapping of names to arrays.
        roles: What its columns are for.
        texts: Columns of texts: what they mean is part of what was known before the action. By default ``text``, where
            there is such a column, no intent, and nothing is said of the context.
        where: Keep only rows whose column has this value.
        skip_bad: Leave out rows that cannot be read, and say how many, instead of raising.
        on_progress: Told what is done, how much of it, and of how much.

    Raises:
        DataError: It cannot be read, or holds no decisions.
        ColumnError: A column is not there, or holds something else than it should.

    Example:
        >>> log = read_log([{"reply": "call", "solved": "yes"}, {"reply": "mail", "solved": "no"}],
        ...     Roles("reply", ("solved",)))
        >>> log.actions.names, log.outcomes["solved"].tolist()
        (('call', 'mail'), [1.0, 0.0])
    """
    name, columns, notices = _columns(source, where, skip_bad)
    if texts is None:
        texts, roles, said = _usual_texts(columns, roles, name)
        notices = (*notices, *said)
    vectors = {}
    for column in texts:
        check_named(Columns(text=column), list(columns), name)
        vectors[column] = _meanings(columns[column], on_progress)
    log = log_of(columns, roles, vectors=vectors, source=name)
    if PROPENSITY in log.context:
        notices = (
            *notices,
            f"{name}: {PROPENSITY!r} is held equal like any column. If it says how probable the action that was taken "
            f"was, give it with --propensity {PROPENSITY}; else leave it out with --ignore {PROPENSITY}.",
        )
    return replace(log, notices=(*notices, *log.notices))


def _usual_texts(columns: Mapping[str, Any], roles: Roles, source: str) -> tuple[tuple[str, ...], Roles, list[str]]:
    """The column of texts that nobody named, unless the intent says what they mean."""
    if "text" not in columns or roles.context is not None or "text" in roles.ignore:
        return (), roles, []
    if roles.intent is None and "intent" not in columns:
        return ("text",), roles, []
    said = f"{source}: 'text' was left out, since the intent says what it means; --text text holds it equal as well."
    return (), replace(roles, ignore=(*roles.ignore, "text")), [said]


def _columns(source: Any, where: Mapping[str, str], skip_bad: bool) -> tuple[str, Mapping[str, Any], tuple[str, ...]]:
    """What to call a source, its columns in the rows that are asked for, and what was noticed while it was read."""
    name: str
    noticed: tuple[str, ...]
    if isinstance(source, Mapping):
        arrays: dict[str, Any] = {str(name): np.asarray(cells) for name, cells in source.items()}
        rows = range(1, 1 + max(map(len, arrays.values()), default=0))
        name, noticed, sheets = "the log", (), [Sheet("the log", None, arrays, rows)]
    else:
        sheets, notices = sheets_of(source, skip_bad=skip_bad)
        name, noticed = notices.source, notices.sentences()
    if not any(len(sheet.rows) for sheet in sheets):
        raise DataError(f"{name} has no rows. Expected one row for each decision: log some first")
    names = list(dict.fromkeys(column for sheet in sheets for column in sheet.columns))
    check_named(Columns(where=where), names, name)
    if len(sheets) == 1 and not where:  # as it is: arrays stay arrays
        return name, sheets[0].columns, noticed
    kept = kept_rows(sheets, where, name)
    empty = [[None] * len(sheet.rows) for sheet in sheets]
    columns = {
        column: [
            sheet.columns.get(column, blank)[row]
            for sheet, rows, blank in zip(sheets, kept, empty, strict=True)
            for row in rows
        ]
        for column in names
    }
    return name, columns, noticed


def _meanings(texts: Sequence[Any], on_progress: Callable[[str, int, int], None] | None) -> NDArray[np.float64]:
    """What texts mean, as vectors, NaN where there is none, shape (n, d)."""
    from huiyi.perceive.text import TextPerceiver

    records = [Record(text=spelled(text)) for text in texts]
    done = 0

    def tick(more: int) -> None:
        nonlocal done
        done += more
        if on_progress is not None:
            on_progress("texts", done, len(records))

    signals, present = TextPerceiver().perceive(records, tick=tick)
    vectors = signals["text"].astype(float)
    vectors[~present] = np.nan
    return vectors
