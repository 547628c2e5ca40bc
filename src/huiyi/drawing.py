"""What all pictures need: boxes with a place, and texts that fit into them and can be nothing but text."""

from __future__ import annotations

import re
import unicodedata
from html import escape

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LONGEST_WORD = 12  # characters; a longer word may be cut
_PIECES = re.compile(rf"\s|[^\s\u2e80-\uffef_.\-]{{1,{_LONGEST_WORD}}}[_.\-]*|[_.\-]|[\u2e80-\uffef]")
_MOST_LINES = 8


class Placed:
    """What has a place in a picture, in pixels."""

    left: float
    top: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        """Of its width."""
        return self.left + self.width / 2

    @property
    def bottom(self) -> float:
        """Of its lower edge."""
        return self.top + self.height


def wrapped(text: str, width: float, size: float, *, most: int = _MOST_LINES) -> tuple[str, ...]:
    """A text in lines of at most so many pixels: cut between words, within long ones, anywhere in Chinese.

    Args:
        text: The text.
        width: Of a line, in pixels.
        size: Of the letters, in pixels.
        most: Lines. The last of more ends in dots.

    Returns:
        At least one line.

    Example:
        >>> wrapped("Ada may send the lamp back", 100, 13)
        ('Ada may send', 'the lamp back')
        >>> wrapped("灯可以退回给卖家", 60, 13), wrapped("a_long_name_of_a_column", 90, 13)
        (('灯可以退', '回给卖家'), ('a_long_name_', 'of_a_column'))
    """
    text = " ".join(_NOT_XML.sub("\ufffd", text).split()) or "\ufffd"
    lines, line = [], ""
    for piece in _PIECES.findall(text):
        if line and measured(line + piece, size) > width:
            lines.append(line.rstrip())
            line = ""
        line = (line + piece).lstrip()
    lines = [one for one in (*lines, line.rstrip()) if one]
    return tuple(lines) if len(lines) <= most else (*lines[: most - 1], "…")


def measured(text: str, size: float) -> float:
    """About how many pixels a text is wide, rather too many than too few."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    capitals = sum(char.isupper() or char in "mwMW@%—…“”" for char in text)
    return size * (wide * 1.02 + capitals * 0.75 + (len(text) - wide - capitals) * 0.56)


def in_xml(text: str) -> str:
    """A text that can be nothing but text in XML.

    Example:
        >>> in_xml("<b>")
        '&lt;b&gt;'
    """
    return escape(_NOT_XML.sub("\ufffd", text))
