"""What of a phone's screen is no message: the bars at its edges, and the times between messages.

A picture that is taller than wide and begins with a clock, or with how far a
battery is charged, is a screen. Of any
other picture all is kept, and so is all of a screen that shows nothing else.

Source:
    Heights of bars: Material Design 3, "Top app bar" (64 dp below a status bar
    of 24), and iOS Human Interface Guidelines (44 points below one of 47 to 59).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from huiyi.perceive.encoders.layout import Block

_TALL = 1.2  # height of a screen, in widths
_DOTS = 360  # in which phones measure: a screen is about as many wide
_STATUS, _TOP, _BOTTOM = 45, 80, 90  # dots: how far from an edge the middle of what stands in a bar may be
_SHORT = 30  # characters: what is longer is no title and no prompt

_STATE = re.compile(
    r"\d{1,2}[:：.]\d{2}(?!\d)|[012]?\d[0-5]\d$|\d{1,3}%$"
)  # a clock, its colon not seen maybe; a charge
_MOMENT = (
    r"\d{1,2}[:：]\d{2}(?::\d{2})?|today|yesterday|(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?"
    r"|今天|昨天|前天|凌晨|早上|上午|中午|下午|晚上|星期[一二三四五六日天]|周[一二三四五六日天]|\d{1,2}月\d{1,2}日"
)
_BESIDE = (
    r"a\.?m\.?|p\.?m\.?|at|\d{1,4}(?:st|nd|rd|th)?|[年月日号/.,·-]"
    r"|(?:jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec)[a-z]*"
)
_TIME = re.compile(rf"(?:(?:{_BESIDE})\s*)*(?:{_MOMENT})\s*(?:(?:{_MOMENT}|{_BESIDE})\s*)*", re.IGNORECASE)


def messages(blocks: Sequence[Block], width: int, height: int) -> Sequence[Block]:
    """What people wrote to each other, if the picture is a screen; else all.

    Args:
        blocks: Paragraphs.
        width: Of the picture, in pixels.
        height: The same.

    Example:
        >>> def block(text, top):
        ...     return Block(text, left=20, top=top, right=200, bottom=top + 20, height=20)
        >>> found = [block("9:41", 10), block("Anna", 50), block("Today 10:32", 110), block("where is my card", 150)]
        >>> [block.text for block in messages(found, 360, 640)]
        ['where is my card']
        >>> len(messages(found, 360, 300)), len(messages(found[1:], 360, 640)), len(messages(found[:2], 360, 640))
        (4, 3, 2)
    """
    dot = width / _DOTS
    if height < _TALL * width or not any(_STATE.match(b.text) and b.middle < _STATUS * dot for b in blocks):
        return blocks
    kept = [block for block in blocks if not _is_bar(block, height, dot) and not _TIME.fullmatch(block.text)]
    return kept or blocks


def _is_bar(block: Block, height: int, dot: float) -> bool:
    """Whether it stands in a bar at the upper or the lower edge."""
    at_edge = block.middle < _TOP * dot or block.middle > height - _BOTTOM * dot
    return at_edge and len(block.text) <= _SHORT
