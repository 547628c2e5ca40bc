"""From lines found anywhere in a picture to paragraphs, in the order in which people read.

Lines are set upright, pieces of one row are joined, rows that follow each
other closely become a paragraph, and paragraphs are ordered by cutting the
picture along its blanks, across first: so bubbles of a chat stay in their
order, and columns are read one after the other.

Source:
    Recursive cuts: Nagy and Seth, "Hierarchical Representation of Optically
    Scanned Documents", ICPR 1984.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SAME_ROW = 0.5  # share of the lower piece's height that two pieces of one row have in common
_WORD_GAP = 1.2  # largest blank within a row, in heights of it
_LINE_GAP = 0.35  # largest blank between rows of a paragraph, in heights of them, as they are found: with some room
_ALIKE = 1.5  # heights of rows of one paragraph differ by less
_SAME_COLUMN = 0.5  # share of the narrower row's width that two rows of one paragraph have in common


@dataclass(frozen=True, eq=False)
class Line:
    """One line as it was found.

    Attributes:
        text: What it says.
        corners: In pixels, clockwise from where it begins above, shape (4, 2).
        confidence: How sure the reader is, 0 to 1.
    """

    text: str
    corners: NDArray[np.floating]
    confidence: float = 1.0


@dataclass(frozen=True)
class Block:
    """An upright rectangle of text.

    Attributes:
        text: What it says.
        left: Where it begins, in pixels.
        top: The same.
        right: Where it ends.
        bottom: The same.
        height: Of its last row.
    """

    text: str
    left: float
    top: float
    right: float
    bottom: float
    height: float

    @property
    def middle(self) -> float:
        """How far below the upper edge it stands."""
        return (self.top + self.bottom) / 2


def paragraphs(lines: Sequence[Line]) -> list[Block]:
    """The paragraphs that lines make, in order.

    Example:
        >>> def line(text, left, top):
        ...     right, bottom = left + 10 * len(text), top + 20
        ...     return Line(text, np.array([[left, top], [right, top], [right, bottom], [left, bottom]], dtype=float))
        >>> found = paragraphs([line("card", 0, 25), line("where is my", 0, 0), line("10:32", 300, 2)])
        >>> [block.text for block in found]
        ['where is my card', '10:32']
    """
    if not lines:
        return []
    slant, centre = _slant(lines), np.mean([line.corners for line in lines], axis=(0, 1))
    blocks = [_upright(line, slant, centre) for line in lines]
    rows = _merged(sorted(blocks, key=lambda block: block.left), _continues_row)
    return _cut(_merged(sorted(rows, key=lambda block: (block.top, block.left)), _continues_paragraph))


def joined(left: str, right: str) -> str:
    """Two parts of one text: nothing comes between Chinese characters, or after a hyphen, and else a blank.

    Example:
        >>> joined("where is my", "card"), joined("我的卡", "还没到"), joined("我的", "card"), joined("pre-", "paid")
        ('where is my card', '我的卡还没到', '我的 card', 'pre-paid')
    """
    if not left or not right:
        return left + right
    together = (_is_wide(left[-1]) and _is_wide(right[0])) or (left[-1] == "-" and left[-2:-1].isalpha())
    return left + ("" if together else " ") + right


def _is_wide(letter: str) -> bool:
    """Whether it is of a script without blanks: Chinese, Japanese, and their punctuation."""
    return "\u2e80" <= letter <= "\ua4cf" or "\uf900" <= letter <= "\ufaff" or "\ufe30" <= letter <= "\uffef"


def _slant(lines: Sequence[Line]) -> float:
    """By how much the picture is turned: the median angle of the lines, in radians, long ones counting more."""
    along = np.array([line.corners[1] - line.corners[0] for line in lines])
    angles, lengths = np.arctan2(along[:, 1], along[:, 0]), np.linalg.norm(along, axis=1)
    order = np.argsort(angles, kind="stable")
    middle = np.searchsorted(np.cumsum(lengths[order]), lengths.sum() / 2)
    return float(angles[order][min(middle, len(order) - 1)])


def _upright(line: Line, slant: float, centre: NDArray[np.floating]) -> Block:
    """A line in a picture that is turned back around its centre."""
    turn = np.array([[np.cos(slant), -np.sin(slant)], [np.sin(slant), np.cos(slant)]])
    corners = (line.corners - centre) @ turn + centre
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    height = np.linalg.norm(line.corners[3] - line.corners[0])
    return Block(line.text, float(left), float(top), float(right), float(bottom), float(height))


def _merged(blocks: Sequence[Block], continues: Callable[[Block, Block], bool]) -> list[Block]:
    """Each block joined to the nearest one before that it continues."""
    found: list[Block] = []
    for block in blocks:
        begun = [place for place, before in enumerate(found) if continues(before, block)]
        if not begun:
            found.append(block)
            continue
        place = max(begun, key=lambda place: (found[place].bottom, found[place].right))
        before = found[place]
        found[place] = Block(
            joined(before.text, block.text),
            min(before.left, block.left),
            min(before.top, block.top),
            max(before.right, block.right),
            max(before.bottom, block.bottom),
            block.height,
        )
    return found


def _continues_row(before: Block, block: Block) -> bool:
    """Whether a piece goes on where another one ends."""
    common = min(before.bottom, block.bottom) - max(before.top, block.top)
    low, high = sorted((before.height, block.height))
    return common >= _SAME_ROW * low and high < _ALIKE * low and block.left - before.right <= _WORD_GAP * high


def _continues_paragraph(before: Block, block: Block) -> bool:
    """Whether a row follows close below another of the same size."""
    common = min(before.right, block.right) - max(before.left, block.left)
    narrow = min(before.right - before.left, block.right - block.left)
    low, high = sorted((before.height, block.height))
    gap = block.top - before.bottom
    return common >= _SAME_COLUMN * narrow and high < _ALIKE * low and -low < gap <= _LINE_GAP * low


def _cut(blocks: Sequence[Block]) -> list[Block]:
    """The blocks in order: cut along a blank across, or else along one down, and each part again."""
    if len(blocks) < 2:
        return list(blocks)
    for begin, end in (("top", "bottom"), ("left", "right")):
        parts = _parts(blocks, begin, end)
        if len(parts) > 1:
            return [block for part in parts for block in _cut(part)]
    return sorted(blocks, key=lambda block: (block.top, block.left))


def _parts(blocks: Sequence[Block], begin: str, end: str) -> list[list[Block]]:
    """The blocks between blanks along one side."""
    parts: list[list[Block]] = []
    reach = -np.inf
    for block in sorted(blocks, key=lambda block: getattr(block, begin)):
        if not parts or getattr(block, begin) >= reach:
            parts.append([])
        parts[-1].append(block)
        reach = max(reach, getattr(block, end))
    return parts
