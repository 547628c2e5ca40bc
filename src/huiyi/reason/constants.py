"""Rules whose head names a thing: whatever has a feature stands in a relation to that thing.

Source:
    Meilicke et al., "Reinforced Anytime Bottom Up Rule Learning for Knowledge
    Graph Completion", arXiv 2004.04412, 2020: the acyclic rules with one
    constant or two (types U_c and U_d there), of one step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from huiyi.reason.triples import Triples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from huiyi.reason.triples import Numbers

_MOST_PRODUCTS = 20_000_000  # sums that one sparse product may make at once, which bounds its memory


@dataclass(frozen=True, eq=False)
class Counted:
    """How often things with a feature stand in one way to a thing.

    Attributes:
        features: Number of each feature, shape (n,).
        things: The thing that the way leads to, same shape.
        right: How many things have the feature and stand so, same shape.
        predicted: How many have the feature, same shape. The thing itself is not counted.
    """

    features: Numbers
    things: Numbers
    right: Numbers
    predicted: Numbers


def counted(triples: Triples, way: int, least: int) -> Iterator[Counted]:
    """Count for one way all features and things that go together often enough.

    That a thing stands so to itself is not counted, and neither is a feature that is the fact to be predicted: where
    the feature is that the way leads anywhere, it must lead to another thing too.

    Args:
        triples: The graph.
        way: The way of the head, from the variable to the constant.
        least: How many right predictions a pair must have.

    Yields:
        The pairs, some features at a time.
    """
    features, heads = triples.features, triples.ways[way]
    degrees = np.diff(heads.indptr)
    if not degrees.any():
        return
    touched = np.flatnonzero(degrees)
    having = features.things_of[:, touched]  # (features, things with such facts)
    enough = np.flatnonzero(np.diff(having.indptr) >= least)
    having, ends = having[enough], heads[touched]
    products = having @ np.diff(ends.indptr)
    part = np.cumsum(products) // _MOST_PRODUCTS
    solo = np.bincount(heads.indices[np.repeat(degrees, degrees) == 1], minlength=len(triples.things))
    everybody = np.diff(features.things_of.indptr)
    for number in np.unique(part):
        rows = np.flatnonzero(part == number)
        found = (having[rows] @ ends).tocoo()
        kept = found.data >= least
        which, things = enough[rows[found.row[kept]]], found.col[kept].astype(np.int64)
        right = found.data[kept].astype(np.int64)
        itself = np.asarray(features.of_things[things, which]).ravel()
        predicted = everybody[which] - itself
        own = features.ways[which] == way
        anywhere = own & (features.ends[which] < 0)
        right = np.where(anywhere, right - solo[things], right)
        predicted = np.where(anywhere, predicted - solo[things], predicted)
        kept = (right >= least) & ~(own & (features.ends[which] == things))
        yield Counted(which[kept], things[kept], right[kept], predicted[kept])
