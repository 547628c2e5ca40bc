"""JSON: one object a line, or one list of objects."""

from __future__ import annotations

import json
import reprlib
from typing import TYPE_CHECKING, Any

from huiyi.data.files import no_content, open_text
from huiyi.data.sheet import Sheet, sheet_of_objects
from huiyi.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from huiyi.data.notices import Notices

# Not strict: a raw tab or NUL inside a string is no reason to refuse a row.
_decode = json.JSONDecoder(strict=False).decode


def read_json_lines(path: Path, source: str, notices: Notices) -> Sheet:
    """Read one object a line; a row's number is its line's."""
    with open_text(path, source, notices, newline="\n") as lines:
        values = _parsed_lines(lines, source, notices, expected="one object a line")
        return sheet_of_objects(source, path.parent, _objects(values, source, notices))


def read_json(path: Path, source: str, notices: Notices) -> Sheet:
    """Read a list of objects, or one object a line, which many write into files ending in .json too."""
    with open_text(path, source, notices, newline="\n") as stream:
        text = stream.read().strip()
    if not text.startswith("["):
        expected = "a list of objects, or one object a line"
        values = _parsed_lines(text.split("\n"), source, notices, expected=expected)
    else:
        try:
            values = enumerate(_decode(text), 1)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{source} is not JSON: {_reason(error)}. Expected a list of objects.") from error
    return sheet_of_objects(source, path.parent, _objects(values, source, notices))


def _parsed_lines(lines: Iterable[str], source: str, notices: Notices, *, expected: str) -> Iterator[tuple[int, Any]]:
    is_blank = True
    for row, line in enumerate(lines, 1):
        if not line.strip():
            continue
        is_blank = False
        try:
            value = _decode(line)
        except (ValueError, RecursionError) as error:
            broken = DataError(
                f"{source}, row {row} is not JSON: {_reason(error)}. Expected {expected}: "
                "correct it, or pass --skip-bad to leave such rows out."
            )
            notices.bad_row(broken, source, row)
            continue
        yield row, value
    if is_blank:
        raise no_content(source)


def _objects(values: Iterable[tuple[int, Any]], source: str, notices: Notices) -> Iterator[tuple[int, dict[str, Any]]]:
    for row, value in values:
        if isinstance(value, dict):
            yield row, value
            continue
        error = DataError(
            f"{source}, row {row} is {reprlib.repr(value)}, not an object. "
            'Expected {"text": …, "intent": …}: correct it, or pass --skip-bad to leave such rows out.'
        )
        notices.bad_row(error, source, row)


def _reason(error: ValueError | RecursionError) -> str:
    if isinstance(error, json.JSONDecodeError):
        line = f"line {error.lineno}, " if error.lineno > 1 else ""
        return f"{error.msg} at {line}character {error.colno}"
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
