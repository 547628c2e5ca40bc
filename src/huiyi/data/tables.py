"""A table: the records of one source, and what was done to read them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from huiyi.data.cells import plain, spelled
from huiyi.data.columns import Columns, Layout, check_named, label_columns, lay_out, listed, no_label
from huiyi.data.files import no_content
from huiyi.data.labels import LabelForm, form_of
from huiyi.data.records import RecordReader
from huiyi.errors import ColumnError, DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from huiyi.data.notices import Notices
    from huiyi.data.sheet import Sheet
    from huiyi.values import Record, Task, TaskKind


@dataclass(frozen=True, eq=False)
class Table:
    """The records of one source.

    Attributes:
        source: What to call it in messages.
        records: The records, in the order of the source.
        rows: The number in the source of each record's row, 1 for the first
            row of data. Blank lines count. The rows of a folder are counted
            through, file after file.
        kinds: The name of each label column, under which records carry their
            labels, and what these are: a string for ``choice``, a tuple of
            strings for ``several``, a tuple of ``Span`` for ``spans``.
        left_out: Columns that were not used.
        notices: A sentence for each thing that was done without asking.
    """

    source: str
    records: tuple[Record, ...]
    rows: tuple[int, ...]
    kinds: Mapping[str, TaskKind]
    left_out: tuple[str, ...]
    notices: tuple[str, ...]

    @property
    def task_name(self) -> str | None:
        """The name of the first label column; ``None`` when there is none."""
        return next(iter(self.kinds), None)

    @property
    def kind(self) -> TaskKind | None:
        """What the labels of the first label column are."""
        return next(iter(self.kinds.values()), None)

    def only(self, *names: str) -> Table:
        """The same table with these label columns alone, the first of them first."""
        return replace(self, kinds={name: self.kinds[name] for name in names})

    def of(self, task: Task) -> Table:
        """The same table with the labels of one task alone, under the task's name.

        They are in the column of that name, or in the only one that there is.

        Raises:
            DataError: There is no such column.

        Example:
            >>> from huiyi.data.reading import read
            >>> from huiyi.values import Task
            >>> table = read([{"text": "where is my card", "topic": "card"}], Columns(label="topic"))
            >>> table.of(Task("intent", "choice", ())).records[0].labels["intent"]
            'card'
        """
        name = task.name
        if name not in self.kinds:
            if len(self.kinds) != 1:
                raise self.lacks(task)
            (name,) = self.kinds
        if self.kinds[name] != task.kind:
            raise DataError(
                f"{self.source}: the labels in {name!r} are of the kind {self.kinds[name]!r}, but {task.kind!r} is "
                f"expected of {task.name!r}. Name another column with --label, or give the task this kind"
            )
        if name == task.name:
            return self.only(name)
        records = [
            replace(record, labels={task.name: record.labels[name]} if name in record.labels else {})
            for record in self.records
        ]
        return replace(self, records=tuple(records), kinds={task.name: task.kind})

    def lacks(self, task: Task) -> DataError:
        """What to say when no column holds the labels of a task."""
        kinds = ", ".join(f"{name!r} ({kind})" for name, kind in self.kinds.items()) or "none"
        return DataError(
            f"{self.source}: no column holds the labels of {task.name!r}, which are of the kind {task.kind!r}; the "
            f"columns of labels are: {kinds}. Name the right one with --label, or call the task like its column"
        )

    def labelled(self) -> Table:
        """Only the records that carry a label in the first label column.

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
    labels = label_columns(columns, names)
    forms = {name: form_of(name, _cells(sheets, name), has_tokens="tokens" in names) for name in labels}
    layout = lay_out(columns, names, source, labels=labels, is_tagged="tags" in forms.values())
    if needs_label and not labels:
        raise no_label(names, layout.text, source)
    _check_agreement(sheets, layout)
    kept = kept_rows(sheets, columns.where, source)
    records, rows = _records(sheets, kept, lambda sheet: RecordReader(sheet, layout, forms, notices), notices)
    if not records:
        raise DataError(f"{source}: every row is bad and was skipped. Read it without --skip-bad to see why.")
    if needs_label and not any(record.labels.get(name) for record in records for name in labels):
        raise DataError(
            f"{source}: the label column {labels[0]!r} is blank in all {len(records)} rows. "
            "Expected a label in at least some: fill it, or name another column with --label."
        )
    return Table(
        source=source,
        records=tuple(records),
        rows=tuple(rows),
        kinds={name: _kind(form) for name, form in forms.items()},
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


def _kind(form: LabelForm) -> TaskKind:
    """The kind of task that labels written in a form are for."""
    return "spans" if form == "tags" else form


def _no_rows(source: str, names: Sequence[str]) -> DataError:
    if not names:
        return no_content(source)
    return DataError(f"{source} has a header but no row that can be read. Expected at least one below it: add some.")


def _cells(sheets: Sequence[Sheet], name: str) -> Iterator[Any]:
    for sheet in sheets:
        for cell in sheet.columns.get(name, ()):
            yield plain(cell, set())


def _check_agreement(sheets: Sequence[Sheet], layout: Layout) -> None:
    """Refuse a folder in which one file lacks the text or the label that others have."""
    for name in filter(None, (layout.text, *layout.labels)):
        having = [sheet.source for sheet in sheets if name in sheet.columns]
        for sheet in sheets:
            if name not in sheet.columns:
                raise ColumnError(
                    f"{sheet.source} has no column {name!r}, which {having[0]} has. "
                    "Files of one folder need the same columns: rename the column, or move the file away."
                )


def kept_rows(sheets: Sequence[Sheet], where: Mapping[str, str], source: str) -> list[Sequence[int]]:
    """Indices of the rows in each sheet that have what ``where`` asks for.

    Raises:
        DataError: No row has it.
    """
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
