"""CSV and TSV."""

from __future__ import annotations

import csv
import re
from contextlib import contextmanager
from itertools import chain, count
from typing import TYPE_CHECKING

from huiyi.data.columns import column_names, listed
from huiyi.data.files import no_content, open_text
from huiyi.data.sheet import Sheet
from huiyi.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from huiyi.data.notices import Notices

_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_LARGEST_CELL = 2**31 - 1  # what the csv module takes on every platform


def read_csv(path: Path, source: str, notices: Notices) -> Sheet:
    """Read a CSV file whose header shows whether commas, semicolons or tabs separate its cells."""
    return _read(path, source, notices, delimiter=None)


def read_tsv(path: Path, source: str, notices: Notices) -> Sheet:
    """Read a TSV file; cells that hold a tab or a line break are quoted as in CSV."""
    return _read(path, source, notices, delimiter="\t")


def _read(path: Path, source: str, notices: Notices, *, delimiter: str | None) -> Sheet:
    with open_text(path, source, notices, newline="") as lines, _cells_of_any_size():
        first = next((line for line in lines if line.strip()), "")
        delimiter = delimiter or _delimiter(first)
        reader = csv.reader(chain([first], lines), delimiter=delimiter, strict=True)
        numbered = _numbered(reader, source, notices)
        header = next(numbered, None)
        if header is None:
            raise no_content(source)
        names = column_names(header[1], source)
        rows: list[int] = []
        columns: list[list[str]] = [[] for _ in names]
        for row, cells in numbered:
            if len(cells) != len(names):
                notices.bad_row(_wrong_width(source, row, cells, names, delimiter), source, row)
                continue
            rows.append(row)
            for column, cell in zip(columns, cells, strict=True):
                column.append(cell)
    return Sheet(source, path.parent, dict(zip(names, columns, strict=True)), rows)


def _numbered(reader: Iterator[list[str]], source: str, notices: Notices) -> Iterator[tuple[int, list[str]]]:
    """Give each row its number, 0 for the header. Blank lines have a number too, but are no rows."""
    for row in count():
        try:
            cells = next(reader, None)
        except csv.Error as error:
            place = f"{source}, row {row}" if row else f"{source}, in the header"
            if "unexpected end" in str(error):  # nothing is left to skip to
                raise DataError(
                    f"{place}: a quote is opened and never closed, so the rest of the file is one cell. "
                    'Close it, and write "" for a quote inside a quoted cell.'
                ) from error
            broken = DataError(
                f"{place}: a quoted cell goes on after its closing quote. "
                'Expected its quotes closed once: write "" for a quote inside a quoted cell, or pass --skip-bad.'
            )
            if row == 0:
                raise broken from error
            notices.bad_row(broken, source, row)
            continue
        if cells is None:
            return
        if cells:
            yield row, cells


def _delimiter(header: str) -> str:
    bare = re.sub(r'"[^"]*"', "", header)
    return max(_DELIMITERS, key=bare.count)


def _wrong_width(source: str, row: int, cells: list[str], names: list[str], delimiter: str) -> DataError:
    return DataError(
        f"{source}, row {row} has {len(cells)} {'cell' if len(cells) == 1 else 'cells'}, but the header has "
        f"{len(names)} ({listed(names)}). Put quotes around cells that hold {_DELIMITERS[delimiter]}, "
        "or pass --skip-bad to leave such rows out."
    )


@contextmanager
def _cells_of_any_size() -> Iterator[None]:
    """Lift the csv module's limit of 131,072 characters a cell for a while; the limit is global."""
    before = csv.field_size_limit(_LARGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(before)
