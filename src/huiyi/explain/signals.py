"""How much each source of a record counted: the text, the fields, a picture.

What a source adds depends on what is known already: a form says nothing new
after a text that says it all. So it is averaged over every order in which the
sources could have become known. There are few, so all orders are looked at.

Source:
    Shapley, "A Value for n-Person Games", in Contributions to the Theory of
    Games II, 1953; Štrumbelj and Kononenko, "An Efficient Explanation of
    Individual Classifications using Game Theory", JMLR 11, 2010.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

S = TypeVar("S", bound=Hashable)


def shapley(
    sources: Sequence[S], worth: Callable[[frozenset[S]], NDArray[np.floating]]
) -> dict[S, NDArray[np.float64]]:
    """The share of each source in what all are worth together, for n records at once.

    Args:
        sources: Names of the sources, each once.
        worth: What a set of sources is worth for each record, shape (n,). It is asked once for each set, 2 to the
            power of their number.

    Returns:
        For each source shape (n,). They sum to ``worth`` of all, less ``worth`` of none.

    Example:
        >>> def worth(known):  # the form settles what the text leaves open
        ...     return np.array([{0: 0.25, 1: 0.5, 2: 0.9}[len(known)]])
        >>> {name: share.round(3).tolist() for name, share in shapley(["text", "fields"], worth).items()}
        {'text': [0.325], 'fields': [0.325]}
    """
    count = len(sources)
    worths = {
        known: np.asarray(worth(known), dtype=np.float64)
        for size in range(count + 1)
        for known in map(frozenset, combinations(sources, size))
    }
    shares = {}
    for source in sources:
        shares[source] = np.zeros_like(worths[frozenset()])
        for known, value in worths.items():
            if source not in known:
                weight = 1 / (count * comb(count - 1, len(known)))
                shares[source] += weight * (worths[known | {source}] - value)
    return shares
