"""From the rows of a sheet to records."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from huiyi.data.cells import CellError, as_media, as_text, as_time, as_turns, plain
from huiyi.data.labels import LabelForm, as_choice, as_several, as_spans, as_tagged_spans, as_tokens, joined
from huiyi.errors import ColumnError
from huiyi.values import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from huiyi.data.columns import Layout
    from huiyi.data.notices import Notices
    from huiyi.data.sheet import Sheet

T = TypeVar("T")
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class RecordReader:
    """Makes records of a sheet's rows, one at a time."""

    def __init__(self, sheet: Sheet, layout: Layout, forms: Mapping[str, LabelForm], notices: Notices) -> None:
        self._sheet = sheet
        self._layout = layout
        self._forms = forms
        self._notices = notices
        self._others: dict[str, tuple[str, Callable[[Any], Any]]] = {
            column: (field, convert)
            for column, field, convert in (
                ("image", "images", partial(as_media, folder=sheet.folder)),
                ("audio", "audios", partial(as_media, folder=sheet.folder)),
                ("history", "history", as_turns),
            )
            if column in layout.used
        }
        # Rows with the same label share one mapping, which saves much memory where there are a million.
        self._labels: dict[Any, Mapping[str, Any]] = {}

    def record(self, index: int, number: int) -> Record:
        """Read the row at ``index``; ``number`` is its id if it has none.

        Raises:
            ColumnError: A cell holds what its column cannot mean.
        """
        layout = self._layout
        cells = self._cells(index)
        text = self._read(layout.text, as_text, cells, index)
        offsets: list[tuple[int, int]] = []
        if layout.tokens and (tokens := self._read(layout.tokens, as_tokens, cells, index)):
            text, offsets = joined(tokens, text)
        labels = tuple(self._label(name, cells, index, text, offsets) for name in layout.labels)
        return Record(
            id=self._read("id", as_text, cells, index) or str(number),
            text=text,
            fields={name: cells[name] for name in layout.fields if cells[name] not in (None, "")} or _NOTHING,
            time=self._time(cells.get("time"), index),
            labels=self._shared(labels),
            **{field: self._read(name, convert, cells, index) for name, (field, convert) in self._others.items()},
        )

    def _cells(self, index: int) -> dict[str, Any]:
        found: set[str] = set()
        columns = self._sheet.columns
        cells = {name: plain(columns[name][index], found) if name in columns else None for name in self._layout.used}
        for what in sorted(found):
            self._note(what, index)
        return cells

    def _read(self, name: str | None, convert: Callable[[Any], T], cells: Mapping[str, Any], index: int) -> T:
        try:
            return convert(cells.get(name or ""))
        except CellError as error:
            place = f"{self._sheet.source}, row {self._sheet.rows[index]}"
            raise ColumnError(f"{place}: the column {name!r} {error}.") from error

    def _shared(self, labels: tuple[Any, ...]) -> Mapping[str, Any]:
        """The labels of a row by column, those that it has."""
        if labels not in self._labels:
            known = {name: label for name, label in zip(self._layout.labels, labels, strict=True) if label is not None}
            self._labels[labels] = MappingProxyType(known) if known else _NOTHING
        return self._labels[labels]

    def _label(
        self, name: str, cells: Mapping[str, Any], index: int, text: str | None, offsets: list[tuple[int, int]]
    ) -> Any:
        convert: Callable[[Any], Any]
        match self._forms[name]:
            case "choice":
                convert = as_choice
            case "several":
                convert = as_several
            case "spans":
                convert = partial(as_spans, text=self._written(index, text))
            case "tags":
                convert = partial(as_tagged_spans, offsets=offsets)
        label = self._read(name, convert, cells, index)
        place = "" if len(self._forms) == 1 else f" in {name!r}"
        if label is None:
            self._note(f"without a label{place}", index)
        elif self._forms[name] == "several" and cells[name] in (None, ""):
            self._note(f"with a blank label{place}, read as none of the labels", index)
        return label

    def _written(self, index: int, text: str | None) -> str:
        """The text with the NULs that it came with: spans count them."""
        cells = self._sheet.columns.get(self._layout.text or "")
        written = cells[index] if cells else text
        return written if isinstance(written, str) else text or ""

    def _time(self, cell: Any, index: int) -> datetime | None:
        try:
            return as_time(cell)
        except CellError:
            self._note("whose time is not ISO 8601 and was left out", index)
            return None

    def _note(self, what: str, index: int) -> None:
        self._notices.add(what, self._sheet.source, self._sheet.rows[index])
