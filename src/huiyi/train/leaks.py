"""Fields that give the label away: often written down after the label was known, and so not there when it is needed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

_FEWEST_ROWS = 20  # fewer agree by chance
_GAP_CLOSED = 0.9  # of the way from always saying the commonest label to always being right


@dataclass(frozen=True)
class Telling:
    """How well a field alone tells the label.

    Attributes:
        rows: Rows that have the field.
        told: Share of them told by the commonest label of the other rows with the same value.
        base: Share of their commonest label.
    """

    rows: int
    told: float
    base: float

    @property
    def is_leak(self) -> bool:
        """Whether the field alone determines the label."""
        return self.rows >= _FEWEST_ROWS and self.base < 1 and self.told - self.base >= _GAP_CLOSED * (1 - self.base)


def telling(values: Sequence[str], labels: Sequence[Hashable]) -> Telling:
    """Measure how well values tell labels, each row held out from those it is told by.

    A value that one row alone has tells nothing, so a column of ids is no leak.

    Args:
        values: Of the n rows that have the field, n at least 1.
        labels: Theirs.

    Example:
        >>> telling(["a", "a", "b", "b"], ["x", "x", "y", "y"])
        Telling(rows=4, told=1.0, base=0.5)
        >>> telling(["1", "2", "3", "4"], ["x", "x", "y", "y"]).told
        0.0
    """
    counts: defaultdict[str, Counter[Hashable]] = defaultdict(Counter)
    for value, label in zip(values, labels, strict=True):
        counts[value][label] += 1
    # A row is told right when its label leads among its value's other rows, that is, leads by two with the row.
    told = 0
    for found in counts.values():
        (_, most), (_, next_most) = [*found.most_common(2), (None, 0)][:2]
        told += most if most - 1 > next_most else 0
    base = Counter(labels).most_common(1)[0][1]
    return Telling(len(labels), told / len(labels), base / len(labels))
