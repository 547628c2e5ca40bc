"""Alike: which things people say in the same words.

    facts = alike(entities, background)      # alike(乏力, 疲劳), with a weight

A graph may hold 乏力, 疲劳 and 疲乏, each for other diseases, and people say 没劲 for all of them. A linker takes the
likeliest. With these facts a rule lets what a graph says of one speak for the others too, and proofs show it:

    shown(?d, ?s) :- has_symptom(?d, ?k), alike(?k, ?s).

Of two things a and b, said by the sets of words A and B, each with its own name, the weight is |A ∩ B| / √(|A| |B|).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations
from math import sqrt

from huiyi.errors import OptionError
from huiyi.reason.facts import Fact, Given, Source, written

_SAID = {("SaidFor", 2), ("Synonym", 2)}


def alike(
    entities: Iterable[str], background: Sequence[Source], *, least: float = 0.3, relation: str = "alike"
) -> list[Given]:
    """Facts that say which of some things are said in the same words, both ways, the first by name first.

    Args:
        entities: Names of the things.
        background: Graphs of common knowledge with the relations ``SaidFor`` and ``Synonym``.
        least: The least weight, above 0 and up to 1. The default was chosen on the development complaints of
            ``benchmarks/linking.py``.
        relation: What the facts say of the two.

    Raises:
        OptionError: The least weight is not above 0 and up to 1.

    Example:
        >>> from huiyi.reason.everyday import everyday
        >>> [str(given.fact) for given in alike(["疲劳", "疲乏", "腹痛"], [everyday()])]
        ['alike(疲乏, 疲劳)', 'alike(疲劳, 疲乏)']
    """
    if not 0 < least <= 1:
        raise OptionError(f"least={least} cannot be used. Expected a weight above 0 and up to 1.")
    known = {written(name) for name in entities}
    said: defaultdict[str, set[str]] = defaultdict(set)
    for name in known:
        said[name].add(name)
    for source in background:
        for fact, _ in source.facts(_SAID):
            word, thing = map(written, fact.arguments)
            if thing in known:
                said[word].add(thing)
            if fact.relation == "Synonym" and word in known:
                said[thing].add(word)
    sizes = Counter(thing for things in said.values() for thing in things)
    common = Counter(pair for things in said.values() for pair in combinations(sorted(things), 2))
    found: list[Given] = []
    for (one, other), count in common.items():
        weight = round(count / sqrt(sizes[one] * sizes[other]), 4)
        if weight >= least:
            found += [Given(Fact(relation, pair), min(weight, 1.0), "words") for pair in ((one, other), (other, one))]
    return sorted(found, key=lambda given: str(given.fact))
