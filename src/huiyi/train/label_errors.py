"""Which labels may be wrong, told from what held-out models say of the rows.

Rows are ranked by how much likelier the best other label is than the given
one. A threshold on that would mean something else for each label, because
some labels are told with less certainty than others; so doubts are counted by
confident learning, which asks of the other label that it be as probable as it
usually is on rows that carry it. A doubt is no verdict: where there are few
examples, it is often the model that is wrong.

A mislabelled row whose twin is mislabelled too looks right: each was held out
from a model that had seen the other.

Source:
    Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty
    in Dataset Labels", JAIR 70, 2021.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from huiyi.values import OUT_OF_SCOPE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.values import Intents, Record

    Floats = NDArray[np.float32] | NDArray[np.float64]

FEWEST_ROWS = 5
"""Of a label with fewer rows too little is seen, once one is held out, to doubt any of them."""


@dataclass(frozen=True)
class LabelError:
    """A row whose label a model that had not seen it would not have given.

    Attributes:
        row: Its number, 1 for the first row of data.
        text: Its text.
        given: Its label; with several, all of them joined by ``|``.
        suggested: What it should perhaps be, written in the same way.
        probability_given: Of the given label; with several, that the one
            label in doubt is rightly there, or rightly not there.
        probability_suggested: Of the suggested label; with several, the rest to 1.
        is_confident: Whether the suggested label is as probable as it usually is
            on rows that carry it, which is what confident learning counts.
    """

    row: int
    text: str
    given: str
    suggested: str
    probability_given: float
    probability_suggested: float
    is_confident: bool


@dataclass(frozen=True, eq=False)
class Ranking:
    """Rows by suspicion.

    Attributes:
        order: Shape (n,): indices of the rows, most suspicious first.
        doubts: Shape (n,): log-odds of the likeliest other label against the given one.
        suggested: Shape (n,): that other label.
        is_confident: Boolean, shape (n,): whether confident learning counts an error.
    """

    order: NDArray[np.intp]
    doubts: NDArray[np.float64]
    suggested: NDArray[np.intp]
    is_confident: NDArray[np.bool_]


def rank_label_errors(probabilities: Floats, given: NDArray[np.intp]) -> Ranking:
    """Rank rows by how probably their label is wrong.

    Args:
        probabilities: Calibrated and held out, shape (n, k), k at least 2.
        given: The labels that the rows carry, shape (n,), each from 0 to k - 1.

    Example:
        >>> probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.95, 0.05], [0.1, 0.9]])
        >>> ranking = rank_label_errors(probabilities, np.array([0, 0, 1, 1]))
        >>> ranking.order.tolist(), ranking.is_confident.tolist()
        ([2, 1, 0, 3], [False, False, True, False])
    """
    rows, k = np.arange(len(given)), probabilities.shape[1]
    shares = np.maximum(probabilities, np.finfo(np.float32).tiny).astype(np.float64)
    others = shares.copy()
    others[rows, given] = 0
    suggested = others.argmax(axis=1)
    doubts = np.log(others[rows, suggested]) - np.log(shares[rows, given])
    sums = np.bincount(given, weights=shares[rows, given], minlength=k)
    sizes = np.bincount(given, minlength=k)
    usual = np.where(sizes > 0, sums / np.maximum(sizes, 1), np.inf)  # (k,): how probable a label is on its own rows
    confident = np.where(others >= usual, others, 0).max(axis=1, initial=0)
    return Ranking(np.argsort(-doubts, kind="stable"), doubts, suggested, confident > shares[rows, given])


def find_label_errors(records: Sequence[Record], intents: Intents, rows: Sequence[int]) -> tuple[LabelError, ...]:
    """List the rows of which another label is likelier than the given one, most suspicious first.

    Rows labelled ``oos`` are not judged, nor labels that fewer than ``FEWEST_ROWS`` rows carry.

    Args:
        records: Labelled records.
        intents: What held-out models say of them.
        rows: Their numbers.
    """
    ranked = _several if intents.task.kind == "several" else _choice
    by_doubt = sorted(ranked(records, intents, rows), key=lambda pair: -pair[0])
    return tuple(error for _, error in by_doubt)


def _choice(records: Sequence[Record], intents: Intents, rows: Sequence[int]) -> list[tuple[float, LabelError]]:
    """Errors, each after the doubt of its label."""
    names = intents.task.names
    place = {name: column for column, name in enumerate(names)}
    labels = [record.labels[intents.task.name] for record in records]
    sizes = Counter(labels)
    judged = [i for i, label in enumerate(labels) if label != OUT_OF_SCOPE and sizes[label] >= FEWEST_ROWS]
    given = np.array([place[labels[i]] for i in judged], dtype=np.intp)
    shares = intents.probabilities[judged]
    ranking = rank_label_errors(shares, given)
    return [
        (
            float(ranking.doubts[i]),
            LabelError(
                row=rows[judged[i]],
                text=records[judged[i]].text or "",
                given=names[given[i]],
                suggested=names[ranking.suggested[i]],
                probability_given=float(shares[i, given[i]]),
                probability_suggested=float(shares[i, ranking.suggested[i]]),
                is_confident=bool(ranking.is_confident[i]),
            ),
        )
        for i in np.flatnonzero(ranking.doubts > 0)
    ]


def _several(records: Sequence[Record], intents: Intents, rows: Sequence[int]) -> list[tuple[float, LabelError]]:
    """The same where each label stands for itself: of every row, the label there is most doubt about."""
    names = intents.task.names
    labels = [record.labels[intents.task.name] for record in records]
    judged = [i for i, own in enumerate(labels) if OUT_OF_SCOPE not in own]
    worst: dict[int, tuple[float, LabelError]] = {}
    for column, name in enumerate(names):
        given = np.array([name in labels[i] for i in judged], dtype=np.intp)
        if given.sum() < FEWEST_ROWS:
            continue
        share = intents.probabilities[judged, column]
        ranking = rank_label_errors(np.column_stack([1 - share, share]), given)
        for place in np.flatnonzero(ranking.doubts > 0):
            i, doubt = judged[place], float(ranking.doubts[place])
            if i in worst and worst[i][0] >= doubt:
                continue
            own = labels[i]
            mended = tuple(other for other in own if other != name) if given[place] else (*own, name)
            right = float(share[place] if given[place] else 1 - share[place])
            worst[i] = (
                doubt,
                LabelError(
                    row=rows[i],
                    text=records[i].text or "",
                    given="|".join(own),
                    suggested="|".join(mended),
                    probability_given=right,
                    probability_suggested=1 - right,
                    is_confident=bool(ranking.is_confident[place]),
                ),
            )
    return list(worst.values())
