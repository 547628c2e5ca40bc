"""The units of a text that explanations speak of: words, and in scripts without spaces the pieces it is cut into."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

Cut = Callable[[str], Sequence[str]]
"""Cuts a stretch of a script without spaces into words, which together are the stretch."""

_SPACELESS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
_STRETCH = re.compile(rf"[{_SPACELESS}]+|[^\W_{_SPACELESS}]+(?:['’\-.][^\W_{_SPACELESS}]+)*")


@dataclass(frozen=True)
class Unit:
    """A stretch of a text, in characters, ``end`` exclusive."""

    text: str
    start: int
    end: int


def units_of(text: str, cut: Cut | None = None) -> tuple[Unit, ...]:
    """The words of a text, in order. What stands between them belongs to none.

    Args:
        text: The text.
        cut: Cuts scripts without spaces into words; without it, each character is one.

    Example:
        >>> [unit.text for unit in units_of("My card hasn't come, 卡还没到!")]
        ['My', 'card', "hasn't", 'come', '卡', '还', '没', '到']
        >>> [unit.text for unit in units_of("卡还没到", cut=lambda text: [text[:1], text[1:]])]
        ['卡', '还没到']
    """
    found: list[Unit] = []
    for match in _STRETCH.finditer(text):
        start = match.start()
        if not re.match(f"[{_SPACELESS}]", match[0]):
            found.append(Unit(match[0], start, match.end()))
            continue
        for piece in cut(match[0]) if cut else match[0]:
            if piece:
                found.append(Unit(piece, start, start + len(piece)))
                start += len(piece)
    return tuple(found)


def phrases(text: str, units: Sequence[Unit], most: int) -> tuple[Unit, ...]:
    """Neighbouring units joined into as many as are asked for at most, of about as many words each.

    Example:
        >>> text = "one two three four five"
        >>> [unit.text for unit in phrases(text, units_of(text), 3)]
        ['one two', 'three four', 'five']
    """
    together = -(-len(units) // most)
    if together <= 1:
        return tuple(units)
    parts = [units[start : start + together] for start in range(0, len(units), together)]
    return tuple(Unit(text[part[0].start : part[-1].end], part[0].start, part[-1].end) for part in parts)


def without(text: str, units: Sequence[Unit], gone: Collection[int], mask: str = "") -> str:
    """A text without some of its units.

    Args:
        text: The text.
        units: Its units, in order.
        gone: Places of the units that are taken out.
        mask: What stands where a unit was; with nothing, the blanks around it close up, and signs that no unit is left
            between go too.

    Example:
        >>> text = "My card was stolen!"
        >>> without(text, units_of(text), {1, 2}), without(text, units_of(text), {3}, mask="[MASK]")
        ('My stolen!', 'My card was [MASK]!')
        >>> without(text, units_of(text), {0, 1, 2, 3})
        ''
    """
    if not mask and len(gone) == len(units):
        return ""  # a mark that stands alone is not nothing to a model
    parts: list[str] = []
    place = 0
    for number, unit in enumerate(units):
        parts += [text[place : unit.start], mask if number in gone else unit.text]
        place = unit.end
    kept = "".join([*parts, text[place:]])
    return kept if mask else re.sub(r"[ \t]{2,}", " ", kept).strip()
