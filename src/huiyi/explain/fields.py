"""What each form field of a record added: the mean over all orders in which the fields could have become known.

Few fields are looked at in every set of them, so that the values are exact; of more, orders are drawn. See
``signals.py`` for the source of the one and ``tokens.py`` for that of the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.explain.faithfulness import faithfulness
from huiyi.explain.parts import Numbered, Parts, WorthWithout
from huiyi.explain.signals import shapley
from huiyi.explain.tokens import METHODS, Weights, attribute
from huiyi.explanation import Entry, Weighed

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_EXACT = 7
"""Fields of which all sets are looked at: 128 at most."""


def explain_fields(
    fields: Mapping[str, Any], worth: WorthWithout, *, until: float = inf, seed: int = 0
) -> Weighed[Entry] | None:
    """Say what each form field added to the probability of a label.

    Args:
        fields: Name to value of those that are there.
        worth: The model, for the label; sets hold places in ``fields``.
        until: When to stop asking, as ``perf_counter`` counts.
        seed: Of random orders.

    Example:
        >>> def worth(sets):
        ...     return np.array([0.2 + 0.5 * (0 not in gone) + 0.1 * (1 not in gone) for gone in sets])
        >>> found = explain_fields({"plan": "gold", "age": 31}, worth)
        >>> [(entry.name, round(entry.weight, 6)) for entry in found.parts], found.method
        ([('plan', 0.5), ('age', 0.1)], 'exact')
    """
    if not fields:
        return None
    parts = Numbered(len(fields), worth, until=until)
    is_exact = len(fields) <= MOST_EXACT and parts.allows(2 ** len(fields))
    method = "exact" if is_exact else "shapley"
    found = attribute(parts, method=method, seed=seed, weigh=exact if is_exact else METHODS[method])
    return Weighed(
        tuple(
            Entry(name, " ".join(str(value).split()), weight)
            for (name, value), weight in zip(fields.items(), found.weights, strict=True)
        ),
        found.none,
        method,
        parts.passes,
        found.sufficed,
        faithfulness(parts, found.order),
    )


def exact(parts: Parts, rng: np.random.Generator) -> Weights:
    """Shapley values of few parts, by all sets of them, asked about at once."""
    everyone = parts.everyone
    parts.gone([frozenset(some) for size in range(parts.count + 1) for some in combinations(sorted(everyone), size)])
    found = shapley(sorted(everyone), lambda known: parts.gone([everyone - known]))
    weights: NDArray[np.float64] = np.array([found[place][0] for place in range(parts.count)])
    return weights, [int(place) for place in np.argsort(-weights, kind="stable")]
