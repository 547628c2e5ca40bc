"""Sums over taggings against all taggings, written out one by one."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huiyi.align.lattice import NEVER, Lattice, allowed, lattices, spans_of, tags_of
from huiyi.values import Ragged, Span

LABELS = ("city", "day")


def drawn(seed: int, lengths: list[int]) -> Lattice:
    rng = np.random.default_rng(seed)
    may = allowed(len(LABELS))
    scores = rng.normal(size=(len(lengths), max(lengths), may.shape[1])) * 2
    return Lattice(scores, np.array(lengths), np.where(may, rng.normal(size=may.shape), NEVER))


def taggings(lattice: Lattice, row: int) -> dict[tuple[int, ...], float]:
    """Each tagging that may be, and its score."""
    may, start = allowed(len(LABELS)), len(lattice.steps) - 1
    found = {}
    for tags in product(range(may.shape[1]), repeat=int(lattice.lengths[row])):
        before = (start, *tags[:-1])
        if all(may[a, b] for a, b in zip(before, tags, strict=True)):
            steps = sum(lattice.steps[a, b] for a, b in zip(before, tags, strict=True))
            found[tags] = steps + sum(lattice.scores[row, place, tag] for place, tag in enumerate(tags))
    return found


@given(st.integers(0, 1000), st.lists(st.integers(1, 4), min_size=1, max_size=3))
def test_the_best_and_the_sums_are_those_of_all_taggings(seed: int, lengths: list[int]) -> None:
    lattice = drawn(seed, lengths)
    best, forward = lattice.best(), lattice.forward()
    sums = forward, lattice.backward(), lattice.total(forward)
    np.testing.assert_allclose(
        lattice.score_of(best), [max(taggings(lattice, row).values()) for row in range(len(lengths))]
    )
    for row, length in enumerate(lengths):
        every = taggings(lattice, row)
        assert tuple(best[row, :length]) == max(every, key=lambda tags: every[tags])
        total = np.log(np.sum(np.exp(list(every.values()))))
        assert sums[2][row] == pytest.approx(total)
        offsets = np.array([[2 * place, 2 * place + 1] for place in range(length)])
        for first, after in ((0, 1), (0, length), (length - 1, length)):
            span = Span("day", 2 * first, 2 * after - 1)
            having = [score for tags, score in every.items() if span in spans_of(tags, offsets, LABELS)]
            expected = np.exp(np.logaddexp.reduce(having) - total)
            assert lattice.probability_of(row, first, after, 3, sums) == pytest.approx(expected)


def test_inside_follows_only_its_own_label() -> None:
    """Even where each unit alone would have it otherwise."""
    scores = np.zeros((1, 3, 5))
    scores[0, :, 4] = 9.0  # inside of a day, everywhere
    scores[0, 1, 1] = 5.0
    lattice = Lattice(scores, np.array([3]), np.where(allowed(2), 0.0, NEVER))
    assert lattice.best().tolist() == [[3, 4, 4]]


def test_tags_and_spans_are_each_others_inverse() -> None:
    offsets = np.array([[0, 2], [3, 6], [7, 9], [10, 14]])
    spans = (Span("city", 0, 2), Span("city", 3, 9), Span("day", 10, 14))
    tags = tags_of(offsets, spans, LABELS)
    assert tags.tolist() == [1, 1, 2, 3]
    assert spans_of(tags, offsets, LABELS) == spans
    assert tags_of(offsets, [Span("unheard", 0, 2), Span("day", 4, 5)], LABELS).tolist() == [0, 3, 0, 0]


def test_texts_of_like_length_go_together_and_none_is_lost() -> None:
    lengths = [3, 0, 1, 5, 1]
    splits = np.concatenate([[0], np.cumsum(lengths)])
    values = np.arange(float(splits[-1] * 3)).reshape(-1, 3)
    units = Ragged(values, splits, np.zeros((splits[-1], 2), int))
    seen = {}
    for rows, lattice in lattices(units, np.zeros((4, 3))):
        for place, row in enumerate(rows):
            seen[int(row)] = lattice.scores[place, : lattice.lengths[place]]
    assert sorted(seen) == [0, 2, 3, 4]
    for row, found in seen.items():
        np.testing.assert_array_equal(found, units.take([row]).values)
