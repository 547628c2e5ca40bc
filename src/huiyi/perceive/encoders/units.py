"""From the pieces of a tokenizer to the units of a text: its words, or the characters of scripts without spaces.

A unit is what a span may begin or end at. The first piece of a unit stands for it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CASES = 4
"""How a word is written: in small letters or none, Capitalised, ALL CAPITALS, miXed."""

CHARACTERS = "[\u2e80-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003ffff]"
"""Of scripts without spaces between words, as a pattern that Python and tokenizers read alike."""

_CHARACTER = re.compile(CHARACTERS)
_WORD = re.compile(r"[^\W\d_]+")
_BLANK_PIECES = "▁Ġ \t\n"


@dataclass(frozen=True, eq=False)
class Units:
    """The u units of one text.

    Attributes:
        places: Where the first piece of each stands among the pieces, shape (u,).
        offsets: Start and end of each in the text, in characters, shape (u, 2).
    """

    places: NDArray[np.intp]
    offsets: NDArray[np.intp]


def units_of(text: str, encoding: Any) -> Units:
    """Find the units of a text.

    A unit begins where a piece begins and a word may: not between two letters
    or two digits. So nothing that a tokenizer keeps in one piece is divided.

    Args:
        text: What was cut into pieces.
        encoding: What ``tokenizers`` made of it: ``tokens`` and ``offsets``.

    Example:
        >>> from types import SimpleNamespace
        >>> pieces = SimpleNamespace(tokens=["[CLS]", "card", "##s", "2"], offsets=[(0, 0), (0, 4), (4, 5), (5, 6)])
        >>> units_of("cards2", pieces).offsets.tolist()
        [[0, 5], [5, 6]]
    """
    places: list[int] = []
    offsets: list[list[int]] = []
    for place, (piece, (start, end)) in enumerate(zip(encoding.tokens, encoding.offsets, strict=True)):
        while start < end and text[start].isspace():  # some tokenizers count the blank before a word to it
            start += 1  # noqa: PLW2901
        if start == end or not piece.strip(_BLANK_PIECES):
            continue
        if offsets and (start < offsets[-1][1] or not _may_part(text, start)):
            offsets[-1][1] = max(end, offsets[-1][1])
        else:
            places.append(place)
            offsets.append([start, end])
    return Units(np.array(places, dtype=np.intp), np.array(offsets, dtype=np.intp).reshape(-1, 2))


def _may_part(text: str, start: int) -> bool:
    """Whether a word may begin there."""
    kinds = [_kind(character) for character in text[start - 1 : start + 1]]
    return start == 0 or kinds[0] != kinds[1] or not kinds[0]


def _kind(character: str) -> str:
    """What a character is joined with: letters, digits, or nothing."""
    if _CHARACTER.match(character):
        return ""
    if character.isdigit():
        return "digit"
    return "letter" if character.isalpha() or unicodedata.category(character)[0] == "M" else ""


def letter_cases(text: str, encoding: Any) -> list[int]:
    """How the word of each piece is written, see CASES.

    Example:
        >>> from types import SimpleNamespace
        >>> pieces = SimpleNamespace(offsets=[(0, 0), (0, 2), (2, 4), (5, 8), (9, 11)])
        >>> letter_cases("Visa USA is", pieces)
        [0, 1, 1, 2, 0]
    """
    cases = [0] * len(text)
    if text != text.lower():
        for word in _WORD.finditer(text):
            cases[word.start() : word.end()] = [_case(word.group())] * len(word.group())
    return [cases[start] if start < end else 0 for start, end in encoding.offsets]


def _case(word: str) -> int:
    """See CASES."""
    if word == word.lower():
        return 0
    if word[1:] == word[1:].lower():
        return 1
    return 2 if word == word.upper() else 3
