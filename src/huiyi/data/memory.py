"""Data that are in memory already: lists and data frames."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from huiyi.data.columns import Columns, column_names, label_columns, listed
from huiyi.data.notices import Notices
from huiyi.data.sheet import Sheet, sheet_of_objects
from huiyi.data.tables import Table
from huiyi.errors import ColumnError, DataError, OptionError, did_you_mean
from huiyi.values import Record, Span, TaskKind


def sheet_of_frame(frame: Any, source: str) -> Sheet:
    """Take the columns of a pandas or polars DataFrame, known by what it can do."""
    names = column_names(frame.columns, source)
    if hasattr(frame, "to_dicts"):
        columns = frame.to_dict(as_series=False)
    else:  # pandas writes a missing value in several ways; here it has one
        columns = frame.astype(object).where(frame.notna(), None).to_dict(orient="list")
    return Sheet(source, None, dict(zip(names, columns.values(), strict=True)), range(1, len(frame) + 1))


def sheet_of_list(items: Sequence[Any], source: str, notices: Notices) -> Sheet:
    """Take dicts, or pairs of a text and its label."""
    return sheet_of_objects(source, None, _objects(items, source, notices))


def _objects(items: Sequence[Any], source: str, notices: Notices) -> Iterator[tuple[int, Mapping[Any, Any]]]:
    for row, item in enumerate(items, 1):
        match item:
            case Mapping():
                yield row, item
            case (text, label):
                yield row, {"text": text, "intent": label}
            case _:
                error = DataError(
                    f"{source}, row {row} is {reprlib.repr(item)}. Expected Records only, or dicts, "
                    'or pairs of a text and its label: write {"text": …} where there is no label.'
                )
                notices.bad_row(error, source, row)


def table_of_records(records: Sequence[Record], columns: Columns, source: str, *, needs_label: bool) -> Table:
    """Take records as they are, and find out which task they are labelled for.

    Raises:
        OptionError: ``columns`` names what records do not have.
        ColumnError: The labels differ in kind, or there is none with the name asked for.
        DataError: There is no label although one is needed.
    """
    if columns != Columns(label=columns.label):
        raise OptionError("Records have no columns to name or choose: of Columns, only 'label' can be set for them.")
    names = _task_names(records, columns, source)
    labels = {name: [record.labels[name] for record in records if name in record.labels] for name in names}
    if needs_label and not any(map(any, labels.values())):
        raise DataError(f"{source}: no record carries a label. Expected some, as in Record(labels={{'intent': …}}).")
    notices = Notices(source, skip_bad=False)
    for row, record in enumerate(records, 1):
        for name in names:
            if name not in record.labels:
                notices.add("without a label" if len(names) == 1 else f"without a label in {name!r}", source, row)
    return Table(
        source=source,
        records=tuple(record if record.id else replace(record, id=str(row)) for row, record in enumerate(records, 1)),
        rows=tuple(range(1, len(records) + 1)),
        kinds={name: _kind(labels[name], name, source) for name in names},
        left_out=(),
        notices=notices.sentences(),
    )


def _task_names(records: Sequence[Record], columns: Columns, source: str) -> tuple[str, ...]:
    names = list(dict.fromkeys(name for record in records for name in record.labels))
    for wanted in columns.labels:
        if wanted not in names:
            raise ColumnError(
                f"{source}: no record has a label {wanted!r}.{did_you_mean(wanted, names)} Its labels: {listed(names)}."
            )
    first = label_columns(columns, [*names, "tokens"])
    return first if columns.labels else tuple(dict.fromkeys([*first, *names]))


def _kind(labels: Sequence[Any], name: str, source: str) -> TaskKind:
    kinds = {_kind_of_one(label, name, source) for label in labels if label != ()}
    if len(kinds) > 1:
        raise ColumnError(
            f"{source}: the labels {name!r} are of several kinds ({', '.join(sorted(kinds))}). Expected one kind."
        )
    return next(iter(kinds), "several")


def _kind_of_one(label: Any, name: str, source: str) -> TaskKind:
    match label:
        case str():
            return "choice"
        case tuple() if all(isinstance(item, str) for item in label):
            return "several"
        case tuple() if all(isinstance(item, Span) for item in label):
            return "spans"
    raise ColumnError(
        f"{source}: a record has the label {reprlib.repr(label)} for {name!r}. "
        "Expected a string, a tuple of strings or a tuple of Spans."
    )
