"""What a whole model goes by: the words, fields and signals that drive each label, and the labels it mixes up.

A word drives a label by what it adds to the label's log-odds, more than to those
of an average label, and by how many rows of the label have it: the product of
both ranks words. Two labels are told apart by the words that add more to one than
to the other.

Source:
    Ribeiro, Singh and Guestrin, "Why Should I Trust You?", KDD 2016, section 4 (a model explained as a whole by what
    counts in many of its rows); Lundberg et al., "From local explanations to global understanding with explainable AI
    for trees", Nature Machine Intelligence 2, 2020 (means of local contributions).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHOWN = 8
"""Words, or values of fields, that are named of each label, and of each side of a pair."""


@dataclass(frozen=True)
class Driver:
    """Something that speaks for a label.

    Attributes:
        text: A word, or a value of a field.
        weight: What it adds to the log-odds of the label, more than to those of an average one, or of the other label
            of a pair.
        share: Of the label's rows have it. None where no rows are kept.
    """

    text: str
    weight: float
    share: float | None = None


@dataclass(frozen=True)
class LabelDrivers:
    """What drives one label.

    Attributes:
        label: The label.
        words: Words that speak for it, those that count most first.
        fields: Values of fields that speak for it.
        signals: Signal to what it adds to the label's log-odds, more than to those of an average one, as a mean over
            rows of the label.
    """

    label: str
    words: tuple[Driver, ...] = ()
    fields: tuple[Driver, ...] = ()
    signals: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Pair:
    """Two labels that are mixed up.

    Attributes:
        labels: Both.
        mixed_up: Share of the rows of both that were taken for the other; None where it was not measured here.
        words: Of each, the words that set it apart from the other.
    """

    labels: tuple[str, str]
    mixed_up: float | None
    words: tuple[tuple[Driver, ...], tuple[Driver, ...]]


@dataclass(frozen=True)
class Overview:
    """What a model goes by, for one task.

    Attributes:
        task: Its name.
        labels: What drives each label, in the order of the task.
        pairs: Labels that are mixed up, the worst first.
        is_exact: Whether weights of words are those of a head that is linear in words. If not, they are means over
            rows of what the model loses without the word.
        rows: Training rows that were looked at.
        sufficed: Whether the time was enough to look at all rows that were to be.
    """

    task: str
    labels: tuple[LabelDrivers, ...]
    pairs: tuple[Pair, ...]
    is_exact: bool
    rows: int
    sufficed: bool

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON."""
        return asdict(self)


def drivers(
    names: Sequence[str],
    weights: NDArray[np.floating],
    shares: NDArray[np.floating] | None,
    column: int,
    against: int | None = None,
) -> tuple[Driver, ...]:
    """What speaks most for a label.

    Args:
        names: Of m words.
        weights: What each adds to the log-odds of each label, shape (m, k).
        shares: How many of each label's rows have it, shape (m, k). None where that is not known.
        column: Of the label.
        against: Of the label that it is to be told apart from; an average one where none is named.

    Example:
        >>> weights, shares = np.array([[2.0, 0.0], [9.0, 0.0], [0.0, 3.0]]), np.array([[0.5, 0.1], [0.01, 0], [0, 1]])
        >>> [driver.text for driver in drivers(["late", "zorb", "lost"], weights, shares, 0, against=1)]
        ['late', 'zorb']
    """
    other = weights.mean(axis=1) if against is None else weights[:, against]
    added = weights[:, column] - other
    rank = added if shares is None else added * shares[:, column]
    best = [int(place) for place in np.argsort(-rank, kind="stable")[:SHOWN] if rank[place] > 0]
    return tuple(
        Driver(names[place], float(added[place]), None if shares is None else float(shares[place, column]))
        for place in best
    )
