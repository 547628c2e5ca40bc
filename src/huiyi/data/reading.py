"""Reading examples from wherever they are: files, folders, lists and data frames."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from huiyi.data.arrow import is_dataset_folder, read_dataset_folder, read_parquet
from huiyi.data.columns import Columns, listed
from huiyi.data.delimited import read_csv, read_tsv
from huiyi.data.files import explained, missing
from huiyi.data.jsonl import read_json, read_json_lines
from huiyi.data.memory import sheet_of_frame, sheet_of_list, table_of_records
from huiyi.data.notices import Notices
from huiyi.data.tables import Table, build
from huiyi.errors import DataError
from huiyi.values import Record

if TYPE_CHECKING:
    from huiyi.data.sheet import Sheet

_READERS: Mapping[str, Callable[[Path, str, Notices], Sheet]] = {
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".json": read_json,
    ".parquet": read_parquet,
}
_AS_THEY_ARE_CALLED = Columns()
_LIST = "the list"


@runtime_checkable
class Frame(Protocol):
    """A pandas or polars DataFrame, told by what it can do, so that neither is imported."""

    @property
    def columns(self) -> Any:
        """Names of the columns."""

    def to_dict(self, *args: Any, **options: Any) -> Any:
        """The cells by column."""


def read(
    source: Table | str | Path | Frame | Iterable[Any],
    columns: Columns = _AS_THEY_ARE_CALLED,
    *,
    needs_label: bool = False,
    skip_bad: bool = False,
) -> Table:
    """Read examples.

    Args:
        source: A file ending in .csv, .tsv, .jsonl, .ndjson or .json (each
            also .gz) or .parquet; a folder of such files, which are read in
            the order of their names; a folder that the ``datasets`` library
            saved; a pandas or polars DataFrame; or a list of records, of
            dicts, or of pairs of a text and its label. A table is already
            read and comes back as it is.
        columns: Which column is what, where the names alone do not say it.
        needs_label: Whether it is an error when no row carries a label.
        skip_bad: Whether rows that cannot be read are left out and counted
            in a notice, instead of being an error.

    Returns:
        The table. Rows without a label are in it, and counted in a notice.

    Raises:
        DataError: The source, or a row of it, cannot be read.
        ColumnError: A column is not there, is there twice or holds the wrong thing.
        MissingExtraError: Parquet files and dataset folders need pyarrow.

    Example:
        >>> table = read([("where is my card", "card_arrival"), ("hello", None)])
        >>> table.records[0].labels["intent"], table.kind, table.notices
        ('card_arrival', 'choice', ('the list: 1 row without a label (first: 2).',))
    """
    if isinstance(source, Table):
        return source
    if not isinstance(source, str | Path | Frame) and isinstance(source, Iterable):
        source = list(source)
        if source and all(isinstance(item, Record) for item in source):
            return table_of_records(source, columns, _LIST, needs_label=needs_label)
    sheets, notices = sheets_of(source, skip_bad=skip_bad)
    return build(sheets, columns, notices, needs_label=needs_label)


def sheets_of(source: str | Path | Frame | Iterable[Any], *, skip_bad: bool = False) -> tuple[list[Sheet], Notices]:
    """Read cells, whatever they are for.

    Args:
        source: As for ``read``, records apart.
        skip_bad: As for ``read``.

    Returns:
        One sheet for each file, and what was noticed, which what is made of them may add to.

    Raises:
        DataError: The source, or a row of it, cannot be read.

    Example:
        >>> (sheet,), _ = sheets_of([{"reply": "call", "solved": 1}, {"reply": "mail", "solved": 0}])
        >>> sheet.columns["reply"]
        ['call', 'mail']
    """
    if isinstance(source, str | Path):
        return _read_path(source, skip_bad=skip_bad)
    if isinstance(source, Frame):
        notices = Notices("the DataFrame", skip_bad=skip_bad)
        return [sheet_of_frame(source, notices.source)], notices
    if not isinstance(source, Iterable):
        raise DataError(
            f"Cannot read examples from a {type(source).__name__}. "
            "Expected a path, a DataFrame, or a list of records, dicts or pairs of a text and its label."
        )
    notices = Notices(_LIST, skip_bad=skip_bad)
    items = list(source)
    if not items:
        raise DataError("the list is empty. Expected records, dicts, or pairs of a text and its label.")
    return [sheet_of_list(items, notices.source, notices)], notices


def _read_path(source: str | Path, *, skip_bad: bool) -> tuple[list[Sheet], Notices]:
    if not os.fspath(source):
        raise DataError("The path of the data is empty. Expected that of a file or a folder.")
    path = Path(source)
    name = " ".join(path.resolve().name.split())[:100]  # it may be a text, given by mistake
    notices = Notices(name, skip_bad=skip_bad)
    with explained(name):
        if not path.exists():
            raise missing(path)
        if not path.is_dir():
            return [_read_file(path, name, notices)], notices
        if is_dataset_folder(path):
            return [read_dataset_folder(path, name, notices)], notices
        names = sorted(other.name for other in path.iterdir())
    files = [path / other for other in names if not other.startswith(".") and _ending(path / other) in _READERS]
    if not files:
        raise DataError(
            f"The folder {name} holds no file that can be read; it holds: {listed(names)}. "
            f"Expected files ending in {_endings()}."
        )
    if len(files) < len(names):
        notices.say(f"{name}: not read: {listed([other for other in names if path / other not in files])}.")
    return [_read_file(file, f"{name}/{file.name}", notices) for file in files], notices


def _read_file(path: Path, source: str, notices: Notices) -> Sheet:
    reader = _READERS.get(_ending(path))
    if reader is None:
        raise DataError(
            f"{source} cannot be read: its name tells no known format. "
            f"Expected a file ending in {_endings()}: save it as CSV."
        )
    with explained(source):
        return reader(path, source, notices)


def _ending(path: Path) -> str:
    """The ending that tells the format: ``.csv`` of ``tickets.csv.gz``."""
    return Path(path.name.lower().removesuffix(".gz")).suffix


def _endings() -> str:
    text = [ending for ending in _READERS if ending != ".parquet"]
    return f"{', '.join(text)} (each also .gz) or .parquet"
