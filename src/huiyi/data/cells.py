"""From a cell, which may be nearly anything, to the value that a record holds."""

from __future__ import annotations

import json
import math
import re
import reprlib
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from huiyi.values import Media, Turn

if TYPE_CHECKING:
    from pathlib import Path

NUL = "with NUL characters, which were taken out"
SURROGATE = "with lone surrogates, which were replaced by U+FFFD"
_UNWANTED = re.compile("[\0\ud800-\udfff]")
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


def as_media(value: Any, folder: Path) -> tuple[Media, ...]:
    """Read paths, relative to ``folder``."""
    return tuple(Media(path=folder / path) for path in map(as_text, as_list(value)) if path)


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
