"""Where the right answer stands among all things: filtered ranks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from huiyi.reason.firing import AGGREGATIONS, Firing
from huiyi.reason.triples import spans
from huiyi.together import side_by_side

if TYPE_CHECKING:
    from huiyi.reason.triples import Numbers
    from huiyi.values import Array

_TOGETHER = 64  # questions that are answered at once, which bounds the memory


def ranked(
    firing: Firing,
    asked: Numbers,
    known: Numbers,
    size: int,
    *,
    tick: Callable[[int], None] | None = None,
) -> Array:
    """Ranks of the right answers to two questions about each fact: what is its tail, and what is its head.

    Other right answers are left out. Of candidates that are equally sure the mean rank counts, so that nothing is
    gained by their order; what no rule predicts is equally unsure.

    Args:
        firing: Rules and graph.
        asked: Head, relation and tail of n facts, shape (n, 3); −1 for a thing that the graph does not have.
        known: Facts that are right, those asked about too, shape (k, 3).
        size: How many things are candidates.
        tick: Told how many questions were answered.

    Returns:
        Shape (n, 2, aggregations): first the ranks of the tails, then those of the heads.
    """
    found = np.empty((len(asked), 2, len(AGGREGATIONS)))
    count = len(firing.rules.triples.relations)
    jobs: list[Callable[[], tuple[Numbers, int, Array]]] = []
    for side, (start, end) in enumerate(((0, 2), (2, 0))):
        right: dict[tuple[int, int], list[int]] = defaultdict(list)
        for row in known.tolist():
            right[row[1], row[start]].append(row[end])
        for relation in np.unique(asked[:, 1]).tolist():
            rows = np.flatnonzero(asked[:, 1] == relation)
            rows = rows[np.argsort(asked[rows, start], kind="stable")]
            firing.fire(relation, np.zeros(0, dtype=np.int64))  # arranges the rules before threads use them
            for first in range(0, len(rows), _TOGETHER):
                part = rows[first : first + _TOGETHER]
                things, question = np.unique(asked[part, start], return_inverse=True)
                way = relation + side * count
                filtered = [right[relation, thing] for thing in things.tolist()]
                goals = asked[part, end]
                jobs.append(_job(firing, way, things, question, goals, filtered, size, part, side))
    for part, side, ranks in side_by_side(jobs):
        found[part, side] = ranks
        if tick is not None:
            tick(len(part))
    return found


def _job(
    firing: Firing,
    way: int,
    things: Numbers,
    question: Numbers,
    goals: Numbers,
    filtered: Sequence[list[int]],
    size: int,
    part: Numbers,
    side: int,
) -> Callable[[], tuple[Numbers, int, Array]]:
    def run() -> tuple[Numbers, int, Array]:
        return part, side, _ranks(firing, way, things, question, goals, filtered, size)

    return run


def _ranks(
    firing: Firing,
    way: int,
    things: Numbers,
    question: Numbers,
    goals: Numbers,
    filtered: Sequence[list[int]],
    size: int,
) -> Array:
    """Ranks of the goals of some questions by each aggregation, shape (goals, aggregations)."""
    fired = firing.fire(way, things[things < len(firing.rules.triples.things)])
    keys = fired.questions * size + fired.things
    right = np.unique([at * size + thing for at, answers in enumerate(filtered) for thing in answers])
    wrong = ~np.isin(keys, right)
    begins = np.searchsorted(fired.questions, np.arange(len(things) + 1))
    unscored = size - np.diff(begins) - np.bincount(right[~np.isin(right, keys)] // size, minlength=len(things))
    wanted = question * size + goals
    at = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
    rivals, which = spans(begins[question], begins[question + 1])
    rivals, which = rivals[wrong[rivals]], which[wrong[rivals]]
    found = []
    for aggregation in AGGREGATIONS:
        scores = fired.scores(aggregation)
        own = np.where(keys[at] == wanted, scores[at], 0.0) if len(keys) else np.zeros(len(goals))
        above = np.bincount(which, scores[rivals] > own[which], minlength=len(goals))
        equal = np.bincount(which, scores[rivals] == own[which], minlength=len(goals))
        found.append(1 + above + (equal + np.where(own == 0, unscored[question], 0)) / 2)
    return np.stack(found, axis=1)
