"""A table: the records of one source, and what was done to read them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from huiyi.data.cells import plain, spelled
from huiyi.data.columns import Columns, Layout, check_named, label_column, lay_out, listed, no_label
from huiyi.data.files import no_content
from huiyi.data.labels import form_of
from huiyi.data.records import RecordReader
from huiyi.errors import ColumnError, DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from huiyi.data.notices import Notices
    from huiyi.data.sheet import Sheet
    from huiyi.values import Record, TaskKind


@dataclass(frozen=True, eq=False)
class Table:
    """The records of one source.

    Attributes:
        source: What to call it in messages.
        records: The records, in the order of the source.
        rows: The number in the source of each record's row, 1 for the first
            row of data. Blank lines count. The rows of a folder are counted
            through, file after file.
        task_name: The name of the label column, under which records carry
            their labels; ``None`` when there is no such column.
        kind: What the labels are: a string for ``choice``, a tuple of strings
            for ``several``, a tuple of ``Span`` for ``spans``.
        left_out: Columns that were not used.
        notices: A sentence for each thing that was done without asking.
    """

    source: str
    records: tuple[Record, ...]
    rows: tuple[int, ...]
    task_name: str | None
    kind: TaskKind | None
    left_out: tuple[str, ...]
    notices: tuple[str, ...]

    def labelled(self) -> Table:
        """Only the records that carry a label.

        Example:
            >>> from huiyi.data.reading import read
            >>> table = read([("where is my card", "card_arrival"), ("hello", "")])
            >>> len(table.records), table.labelled().rows
            (2, (1,))
        """
        kept = [index for index, record in enumerate(self.records) if self.task_name in record.labels]
        return replace(
            self,
            records=tuple(self.records[index] for index in kept),
            rows=tuple(self.rows[index] for index in kept),
        )


def build(sheets: Sequence[Sheet], columns: Columns, notices: Notices, *, needs_label: bool) -> Table:
    """Make one table of the sheets of a source.

    Args:
        sheets: One for each file.
        columns: Which column is what.
        notices: Receives what the user should be told.
        needs_label: Whether a table without any label is an error.

    Raises:
        ColumnError: A column is missing, or a cell of it cannot be read.
        DataError: No row is left, or none has the label that is needed.
    """
    source = notices.source
    names = list(dict.fromkeys(name for sheet in sheets for name in sheet.columns))
    if not any(sheet.rows for sheet in sheets):
        raise _no_rows(source, names)
    check_named(columns, names, source)
    label = label_column(columns, names)
    form = form_of(label or "", _cells(sheets, label), has_tokens="tokens" in names)
    layout = lay_out(columns, names, source, label=label, is_tagged=form == "tags")
    if needs_label and label is None:
        raise no_label(names, layout.text, source)
    _check_agreement(sheets, layout)
    kept = _kept(sheets, columns.where, source)
    records, rows = _records(sheets, kept, lambda sheet: RecordReader(sheet, layout, form, notices), notices)
    if not records:
        raise DataError(f"{source}: every row is bad and was skipped. Read it without --skip-bad to see why.")
    if needs_label and not any(record.labels.get(label or "") for record in records):
        raise DataError(
            f"{source}: the label column {label!r} is blank in all {len(records)} rows. "
            "Expected a label in at least some: fill it, or name another column with --label."
        )
    kind: TaskKind = "spans" if form == "tags" else form
    return Table(
        source=source,
        records=tuple(records),
        rows=tuple(rows),
        task_name=label,
        kind=kind if label else None,
        left_out=layout.left_out,
        notices=notices.sentences(),
    )


def _records(
    sheets: Sequence[Sheet],
    kept: Sequence[Sequence[int]],
    reader_of: Callable[[Sheet], RecordReader],
    notices: Notices,
) -> tuple[list[Record], list[int]]:
    """Read the rows kept of each sheet, and number them through all sheets."""
    records: list[Record] = []
    rows: list[int] = []
    rows_before = 0
    for sheet, indices in zip(sheets, kept, strict=True):
        reader = reader_of(sheet)
        for index in indices:
            row = sheet.rows[index]
            try:
                records.append(reader.record(index, rows_before + row))
            except ColumnError as error:
                notices.bad_row(error, sheet.source, row)
            else:
                rows.append(rows_before + row)
        rows_before += sheet.rows[-1] if sheet.rows else 0
    return records, rows


def _no_rows(source: str, names: Sequence[str]) -> DataError:
    if not names:
        return no_content(source)
    return DataError(f"{source} has a header but no row that can be read. Expected at least one below it: add some.")


def _cells(sheets: Sequence[Sheet], name: str | None) -> Iterator[Any]:
    for sheet in sheets:
        for cell in sheet.columns.get(name or "", ()):
            yield plain(cell, set())


def _check_agreement(sheets: Sequence[Sheet], layout: Layout) -> None:
    """Refuse a folder in which one file lacks the text or the label that others have."""
    for name in filter(None, (layout.text, layout.label)):
        having = [sheet.source for sheet in sheets if name in sheet.columns]
        for sheet in sheets:
            if name not in sheet.columns:
                raise ColumnError(
                    f"{sheet.source} has no column {name!r}, which {having[0]} has. "
                    "Files of one folder need the same columns: rename the column, or move the file away."
                )


def _kept(sheets: Sequence[Sheet], where: Mapping[str, str], source: str) -> list[Sequence[int]]:
    """Indices of the rows in each sheet that have what ``where`` asks for."""
    kept: list[Sequence[int]] = [range(len(sheet.rows)) for sheet in sheets]
    for name, wanted in where.items():
        seen: dict[str, None] = {}
        for number, sheet in enumerate(sheets):
            cells = sheet.columns.get(name, [None] * len(sheet.rows))
            spellings = {index: spelled(plain(cells[index], set())).strip() for index in kept[number]}
            seen.update(dict.fromkeys(spellings.values()))
            kept[number] = [index for index, spelling in spellings.items() if spelling == wanted]
        if not any(kept):
            raise DataError(
                f"{source} has no row whose column {name!r} is {wanted!r}. "
                f"It has: {listed(seen, most=5)}. Choose one of these with --where."
            )
    return kept
