"""All ways to tag the units of a text with spans, the best of them, and how probable each is.

Tags are O, then B and I of each label: ``2 l + 1`` begins label l, ``2 l + 2``
goes on with it. I follows only B and I of its own label.

Source:
    Lafferty et al., "Conditional Random Fields", ICML 2001, section 4 (forward
    and backward sums); Viterbi, IEEE Transactions on Information Theory 13(2), 1967.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from huiyi.values import Ragged, Span

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.values import Array

NEVER = -1e9
ROWS_AT_ONCE = 128


def allowed(labels: int) -> NDArray[np.bool_]:
    """Which tag may follow which, shape (tags + 1, tags): the last row is the beginning of a text.

    Example:
        >>> allowed(1).astype(int).tolist()
        [[1, 1, 0], [1, 1, 1], [1, 1, 1], [1, 1, 0]]
    """
    tags = 2 * labels + 1
    may = np.ones((tags + 1, tags), dtype=bool)
    inside = np.arange(2, tags, 2)
    may[:, inside] = False
    may[inside, inside] = may[inside - 1, inside] = True
    return may


def tags_of(offsets: Array, spans: Sequence[Span], labels: Sequence[str]) -> NDArray[np.intp]:
    """The tag of each unit. A span takes all units it touches that no earlier one took.

    Args:
        offsets: Start and end of each unit, shape (u, 2).
        spans: Of the text.
        labels: Names of the labels; spans of others are left out.

    Example:
        >>> tags_of(np.array([[0, 2], [3, 7], [8, 12]]), [Span("city", 3, 12)], ["day", "city"]).tolist()
        [0, 3, 4]
    """
    place = {label: number for number, label in enumerate(labels)}
    tags = np.zeros(len(offsets), dtype=np.intp)
    for span in sorted(spans, key=lambda span: span.start):
        units = np.flatnonzero((offsets[:, 0] < span.end) & (offsets[:, 1] > span.start) & (tags == 0))
        if len(units) and span.label in place:
            tags[units] = 2 * place[span.label] + 2
            tags[units[0]] -= 1
    return tags


def spans_of(tags: Sequence[int] | Array, offsets: Array, labels: Sequence[str]) -> tuple[Span, ...]:
    """The spans that tags make, which must be allowed.

    Example:
        >>> spans_of([0, 3, 4], np.array([[0, 2], [3, 7], [8, 12]]), ["day", "city"])
        (Span(label='city', start=3, end=12, probability=None),)
    """
    spans: list[Span] = []
    for tag, (start, end) in zip(tags, offsets, strict=True):
        if tag % 2:
            spans.append(Span(labels[tag // 2], int(start), int(end)))
        elif tag:
            spans[-1] = Span(spans[-1].label, spans[-1].start, int(end))
    return tuple(spans)


@dataclass(frozen=True, eq=False)
class Lattice:
    """The scored taggings of some texts of at most t units.

    Attributes:
        scores: Of each tag of each unit, shape (b, t, tags).
        lengths: Units of each text, shape (b,).
        steps: What is added where one tag follows another, NEVER where it may
            not; the last row is the beginning. Shape (tags + 1, tags).
    """

    scores: Array
    lengths: NDArray[np.intp]
    steps: Array

    def best(self) -> NDArray[np.intp]:
        """The tags of highest score, shape (b, t); zero after the end of a text."""
        count, longest, _ = self.scores.shape
        came_from = np.zeros(self.scores.shape, dtype=np.intp)
        told = self.steps[-1] + self.scores[:, 0]  # (b, tags)
        for place in range(1, longest):
            paths = told[:, :, None] + self.steps[:-1]  # (b, from, to)
            came_from[:, place] = paths.argmax(axis=1)
            told = np.where((place < self.lengths)[:, None], paths.max(axis=1) + self.scores[:, place], told)
        tags = np.zeros((count, longest), dtype=np.intp)
        rows, current = np.arange(count), told.argmax(axis=1)
        for place in range(longest - 1, -1, -1):
            inside = place < self.lengths
            tags[inside, place] = current[inside]
            current = np.where(inside, came_from[rows, place, current], current)
        return tags

    def forward(self) -> Array:
        """Logarithm of the sum over all beginnings of a tagging that end in a tag, shape (b, t, tags)."""
        sums = np.empty(self.scores.shape)
        sums[:, 0] = self.steps[-1] + self.scores[:, 0]
        for place in range(1, self.scores.shape[1]):
            sums[:, place] = _log_matmul(sums[:, place - 1], self.steps[:-1]) + self.scores[:, place]
        return sums

    def backward(self) -> Array:
        """Logarithm of the sum over all ends of a tagging after a tag, shape (b, t, tags)."""
        sums = np.zeros(self.scores.shape)
        for place in range(self.scores.shape[1] - 2, -1, -1):
            after = _log_matmul(sums[:, place + 1] + self.scores[:, place + 1], self.steps[:-1].T)
            sums[:, place] = np.where((place + 1 < self.lengths)[:, None], after, 0.0)
        return sums

    def score_of(self, tags: NDArray[np.intp]) -> Array:
        """The score of one tagging of each text, shape (b,)."""
        places = np.arange(tags.shape[1])
        before = np.concatenate([np.full((len(tags), 1), len(self.steps) - 1), tags[:, :-1]], axis=1)
        told = np.take_along_axis(self.scores, tags[:, :, None], axis=2)[:, :, 0] + self.steps[before, tags]
        total: Array = np.where(places < self.lengths[:, None], told, 0.0).sum(axis=1)
        return total

    def total(self, forward: Array) -> Array:
        """Logarithm of the sum over all taggings of each text, shape (b,)."""
        last = forward[np.arange(len(forward)), np.maximum(self.lengths - 1, 0)]
        return np.where(self.lengths > 0, _log_sum(last), 0.0)

    def probability_of(self, row: int, first: int, after: int, tag: int, sums: tuple[Array, Array, Array]) -> float:
        """Probability that a span begins at a unit with this tag, and ends before another unit.

        Args:
            row: The text.
            first: Its first unit.
            after: The unit after its last.
            tag: The B tag of its label.
            sums: ``forward``, ``backward`` and ``total``.
        """
        forward, backward, total = sums
        told = float(forward[row, first, tag])
        for place in range(first + 1, after):
            told += float(self.steps[tag + (place > first + 1), tag + 1] + self.scores[row, place, tag + 1])
        last = tag + (after > first + 1)
        if after < self.lengths[row]:
            ends = self.steps[last] + self.scores[row, after] + backward[row, after]
            ends[tag + 1] = NEVER
            told += float(_log_sum(ends))
        return float(np.exp(min(0.0, told - total[row])))


def lattices(scores: Ragged, steps: Array) -> Iterator[tuple[NDArray[np.intp], Lattice]]:
    """Texts of like length together, those without units left out: their rows, and their taggings."""
    lengths = np.diff(scores.splits)
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] > 0]
    for start in range(0, len(order), ROWS_AT_ONCE):
        rows = order[start : start + ROWS_AT_ONCE]
        inside = np.arange(lengths[rows[-1]]) < lengths[rows, None]
        padded = np.zeros((*inside.shape, scores.values.shape[1]))
        padded[inside] = scores.take(rows).values
        yield rows, Lattice(padded, lengths[rows], steps)


def _log_matmul(left: Array, right: Array) -> Array:
    """``log(exp(left) @ exp(right))`` of (b, k) and (k, j)."""
    highest = left.max(axis=1, keepdims=True)
    top = right.max()
    sums: Array = np.log(np.exp(left - highest) @ np.exp(right - top) + 1e-300) + highest + top
    return sums


def _log_sum(values: Array) -> Array:
    """Logarithm of the sum of the exponentials along the last axis."""
    highest = values.max(axis=-1, keepdims=True)
    total: Array = np.log(np.exp(values - highest).sum(axis=-1)) + highest[..., 0]
    return total
