"""From a cell, which may be nearly anything, to the value that a record holds."""

from __future__ import annotations

import json
import math
import re
import reprlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from huiyi.values import Media, Turn

NUL = "with NUL characters, which were taken out"
SURROGATE = "with lone surrogates, which were replaced by U+FFFD"
_UNWANTED = re.compile("[\0\ud800-\udfff]")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://|data:", re.IGNORECASE)
_SHOWN = 200  # characters of a path
_SURROGATE = re.compile("[\ud800-\udfff]")


class CellError(ValueError):
    """What is wrong with a cell, in words that follow the name of its column."""


def plain(value: Any, found: set[str]) -> Any:
    r"""Reduce a cell to plain Python: no NaN, no arrays, and only text that can be written as UTF-8.

    Args:
        value: The cell as the source gave it.
        found: Receives ``NUL`` and ``SURROGATE`` where a string had them.

    Example:
        >>> found: set[str] = set()
        >>> plain(["a\0b", float("nan")], found), found == {NUL}
        (['ab', None], True)
    """
    if isinstance(value, str):
        return _clean(value, found) if _UNWANTED.search(value) else value
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, list | tuple):
        return [plain(item, found) for item in value]
    if isinstance(value, Mapping):
        return {str(name): plain(item, found) for name, item in value.items()}
    if hasattr(value, "tolist"):  # an array or number of NumPy
        return plain(value.tolist(), found)
    return value


def _clean(text: str, found: set[str]) -> str:
    if "\0" in text:
        found.add(NUL)
        text = text.replace("\0", "")
    cleaned = _SURROGATE.sub("\ufffd", text)
    if cleaned != text:
        found.add(SURROGATE)
    return cleaned


def spelled(value: Any) -> str:
    """Write a cell as text: 1.0 as ``1``, nothing as the empty string.

    Example:
        >>> spelled(1.0), spelled(None), spelled("card")
        ('1', '', 'card')
    """
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)


def as_text(value: Any) -> str | None:
    """Read a text; numbers and dates are spelled.

    Raises:
        CellError: It is a list, an object or bytes.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list | dict | bytes):
        raise CellError(f"holds {reprlib.repr(value)} where text was expected: write a string")
    return spelled(value)


def as_list(value: Any) -> list[Any]:
    """Read a list, or a string that is one: in JSON, or separated by ``|``.

    Raises:
        CellError: It looks like JSON but is not.

    Example:
        >>> as_list("refund | card"), as_list('["refund", "card"]'), as_list(None)
        (['refund', 'card'], ['refund', 'card'], [])
    """
    if not isinstance(value, str):
        return value if isinstance(value, list) else [] if value is None else [value]
    text = value.strip()
    if text.startswith("[") and text.endswith("]"):
        try:
            return list(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise CellError(
                f'holds {reprlib.repr(text)}, which is no list in JSON: write it as ["a", "b"], or as a|b'
            ) from error
    return [part.strip() for part in text.split("|") if part.strip()]


def as_media(value: Any, folder: Path | None) -> tuple[Media, ...]:
    """Read paths of files that are there.

    A data file may come from anyone, so its paths are relative to its folder
    and stay below it, wherever links lead. Nothing is fetched from a network.

    Args:
        value: One path or several, see ``as_list``.
        folder: Of the data file. None where a program gives the paths: it may
            name any file, relative to the current folder.

    Raises:
        CellError: A path is absolute, leaves the folder, or leads to no file.

    Example:
        >>> as_media(None, None)
        ()
        >>> as_media("https://example.com/cat.png", None)
        Traceback (most recent call last):
        huiyi.data.cells.CellError: holds the address 'https://example.com/cat.png', and nothing is fetched \
from a network: save the file beside the data and write its path
    """
    return tuple(_media(path, folder) for path in map(as_text, as_list(value)) if path)


def _media(path: str, folder: Path | None) -> Media:
    """One file."""
    shown = repr(path if len(path) <= _SHOWN else f"{path[:_SHOWN]}…")
    if _ADDRESS.match(path):
        raise CellError(
            f"holds the address {shown}, and nothing is fetched from a network: save the file beside the data and "
            "write its path"
        )
    file = Path(path) if folder is None else folder / path
    try:
        is_inside = folder is None or file.resolve().is_relative_to(folder.resolve())
        is_file = file.is_file()
    except (OSError, ValueError, RuntimeError) as error:  # too long, or links that lead in a circle
        raise CellError(f"holds {shown}, which is no path: write that of a file") from error
    if folder is not None and (not is_inside or Path(path).is_absolute()):
        what = "leaves the folder of the data" if not is_inside else "is absolute"
        raise CellError(
            f"holds the path {shown}, which {what}: copy the file into the folder of the data, or below it, and write "
            "its path from there"
        )
    if not is_file:
        where = "the current folder" if folder is None else "the folder of the data"
        raise CellError(f"holds the path {shown}, but no such file is there: write its path from {where}")
    return Media(path=file)


def as_turns(value: Any) -> tuple[Turn, ...]:
    """Read earlier turns: strings, or objects with ``text`` and ``speaker``.

    Raises:
        CellError: A turn is neither.

    Example:
        >>> as_turns(["hello", {"speaker": "agent", "text": "hi"}])
        (Turn(speaker='', text='hello'), Turn(speaker='agent', text='hi'))
    """
    return tuple(_turn(item) for item in as_list(value))


def _turn(item: Any) -> Turn:
    speaker, text = (item.get("speaker"), item.get("text")) if isinstance(item, dict) else (None, item)
    if not isinstance(text, str):
        raise CellError(
            f"holds the turn {reprlib.repr(item)}: write a string, or an object with the strings 'speaker' and 'text'"
        )
    return Turn(speaker=as_text(speaker) or "", text=text)


def as_time(value: Any) -> datetime | None:
    """Read a time in ISO 8601.

    Raises:
        CellError: It is something else.

    Example:
        >>> as_time("2024-05-01T09:30")
        datetime.datetime(2024, 5, 1, 9, 30)
    """
    if isinstance(value, datetime):
        return value
    text = spelled(value).strip()
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError as error:
        raise CellError(f"holds {reprlib.repr(value)}, which is no time in ISO 8601") from error
