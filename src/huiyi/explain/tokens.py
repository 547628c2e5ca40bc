"""Which words of a text made a decision: how much each added to the probability of a label.

A model comes in as a function from texts to probabilities, and is asked about
the text with some of its words taken out. With v(S) what it says when only the
words S are left, of n words N, each method gives weights φ:

- ``chains``, the default. A set S grows by one word at a time, the one with which S alone says most and the rest
  least: v(S) − v(N∖S) is highest. Words add v(S + i) − v(S) where S grows, and v(N∖S) − v(N∖S∖i) where the rest
  shrinks; φ_i is the mean of both, so that Σ φ = v(N) − v(∅), exactly. A word that counts only once a later one is
  there shares with it: φ falls along the chain, and where it would rise, the words have their mean. Each step looks at
  the few words that did best so far, a word's gain being the mean of what it told last and what it told on average:
  what is true beside one set of words only is often an accident. Past a third of the words, or once they tell nearly
  all, those left follow in that order.
- ``shapley``. φ_i is the mean of what i adds over random orders and their reverses.
- ``occlusion``. φ_i = v(N) − v(N∖i). It takes n passes, and does not see words that stand in for each other.

Where passes or time do not suffice, what is left to tell is shared evenly among the words not yet told apart.

Source:
    Chains: greedy search for the metrics themselves, Zhou and Shah, "The Solvability of Interpretability Evaluation
    Metrics", Findings of EACL 2023; Minoux, "Accelerated greedy algorithms for maximizing submodular set functions",
    Optimization Techniques, 1978 (looking only at what did best before); Ayer et al., "An Empirical Distribution
    Function for Sampling with Incomplete Information", Annals of Mathematical Statistics 26(4), 1955 (means where a
    falling sequence rises). Shapley values by sampled orders: Castro, Gómez and Tejada, "Polynomial calculation of
    the Shapley value based on sampling", Computers & Operations Research 36(5), 2009; with their reverses: Mitchell,
    Cooper, Frank and Holmes, "Sampling Permutations for Shapley Value Estimation", JMLR 23, 2022. Occlusion: Li,
    Monroe and Jurafsky, "Understanding Neural Networks through Representation Erasure", arXiv:1612.08220.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from huiyi.explain.parts import MOST_PASSES, Parts
from huiyi.explain.units import Unit, without

if TYPE_CHECKING:
    from numpy.typing import NDArray

Worth = Callable[[Sequence[str]], "NDArray[np.floating]"]
"""Texts to what a model says of each: the probability of the label that is asked about, shape (n,)."""

LOOKED_AT = 4
"""Words that a step of a chain looks at. More tell little more, and cost as much again."""

STEPS = 1 / 3
"""Of the words, those that are chosen step by step. More tell little more, and a batch costs more than its texts."""

ENOUGH = 0.95
"""Of what all words tell: when those chosen tell as much, the order of the others matters little."""


@dataclass(frozen=True)
class Attribution:
    """What the parts of a thing, such as the words of a text, added to a probability.

    Attributes:
        weights: What each added, in order.
        order: Places of the parts, the one that added most first.
        all: What the model says of the whole.
        none: What it says when all parts are gone.
        passes: How often it was asked.
        method: How the weights were found.
        sufficed: Whether passes and time were enough to tell all parts apart.
    """

    weights: tuple[float, ...]
    order: tuple[int, ...]
    all: float
    none: float
    passes: int
    method: str
    sufficed: bool


class Game(Parts):
    """What a model says of a text with some of its words gone. Each text is asked about once.

    Args:
        text: The text.
        units: Its words.
        worth: The model, for one label.
        mask: What stands where a word was; nothing closes the gap.
        most_passes: Texts that the model may be asked about.
        until: When to stop asking, as ``perf_counter`` counts.
    """

    def __init__(
        self,
        text: str,
        units: Sequence[Unit],
        worth: Worth,
        *,
        mask: str = "",
        most_passes: int = MOST_PASSES,
        until: float = inf,
    ) -> None:
        super().__init__(len(units), most_passes=most_passes, until=until)
        self.units = tuple(units)
        self.text, self._worth, self._mask = text, worth, mask

    def _asked(self, sets: Sequence[frozenset[int]]) -> Sequence[float]:
        """Sets that leave the same text are one pass."""
        texts = [without(self.text, self.units, some, self._mask) for some in sets]
        asked = list(dict.fromkeys(texts))
        told = dict(zip(asked, map(float, self._worth(asked)), strict=True))
        self.passes += len(asked)
        return [told[text] for text in texts]


Weights = tuple["NDArray[np.float64]", Sequence[int]]
"""What each part added, and their places, the one that added most first."""

P = TypeVar("P", bound=Parts)

Method = Callable[[Parts, np.random.Generator], Weights]
"""How parts are weighed."""


def attribute(
    parts: P, *, method: str = "chains", seed: int = 0, weigh: Callable[[P, np.random.Generator], Weights] | None = None
) -> Attribution:
    """How much each part added to what a model says.

    Args:
        parts: What is explained, such as a ``Game`` of words.
        method: One of ``METHODS``.
        seed: Of random orders.
        weigh: What weighs the parts, where ``method`` is none of these but a name for it.

    Example:
        >>> from huiyi.explain.units import units_of
        >>> text = "my card was stolen"
        >>> def worth(texts):
        ...     return np.array([0.1 + 0.5 * ("stolen" in one) + 0.2 * ("card" in one) for one in texts])
        >>> found = attribute(Game(text, units_of(text), worth))
        >>> [round(weight, 6) for weight in found.weights], found.order[0]
        ([0.0, 0.2, 0.0, 0.5], 3)
    """
    weights: NDArray[np.float64] = np.zeros(0)
    order: Sequence[int] = ()
    if parts.count:
        weights, order = (weigh or METHODS[method])(parts, np.random.default_rng(seed))
    whole, empty = parts.gone([frozenset(), parts.everyone])
    return Attribution(
        tuple(map(float, weights)),
        tuple(map(int, order)),
        float(whole),
        float(empty),
        parts.passes,
        method,
        parts.sufficed,
    )


def occlusion(parts: Parts, rng: np.random.Generator) -> Weights:
    """What the whole text loses without each word; the same for all, where not each can be looked at."""
    count = parts.count
    whole, empty = parts.gone([frozenset(), parts.everyone])
    each = [frozenset([place]) for place in range(count)]
    if not (parts.knows(each) or parts.allows(count)):
        return np.full(count, (whole - empty) / count), range(count)
    weights = whole - parts.gone(each)
    return weights, _falling(weights)


def chains(parts: Parts, rng: np.random.Generator) -> Weights:
    """Mean of what each word changes as a set of words grows and the rest shrinks, the most telling word first."""
    count = parts.count
    if not parts.allows(2 * count + 2):
        return occlusion(parts, rng)

    def asked(sets: Sequence[frozenset[int]]) -> list[frozenset[int]]:
        """What has to be gone to see what each set alone says, and what is left without it."""
        return [*(parts.everyone - some for some in sets), *sets]

    def telling(sets: Sequence[frozenset[int]]) -> NDArray[np.float64]:
        """What each set alone says more than what is left without it."""
        told = parts.gone(asked(sets))
        return np.asarray(told[: len(sets)] - told[len(sets) :])

    nothing, *alone = telling([frozenset(), *(frozenset([place]) for place in range(count))])
    seen = {place: [one - nothing] for place, one in enumerate(alone)}

    def gain(place: int) -> float:
        """What a word told when it was last looked at, half of it by what it told each time."""
        return float((seen[place][-1] + np.mean(seen[place])) / 2)

    def best(named: frozenset[int]) -> list[int]:
        """Words that are not named yet, the one that told most first."""
        return sorted(parts.everyone - named, key=lambda place: -gain(place))

    def step(named: frozenset[int], looked_at: Sequence[int]) -> list[frozenset[int]]:
        """The sets that tell what words add."""
        return [named, *(named | {place} for place in looked_at)]

    order = best(frozenset())[:1]
    told_by_all, told_so_far = -nothing, alone[order[0]]
    while len(order) < STEPS * count and not 0 < ENOUGH * told_by_all <= told_so_far and parts.allows(2 * LOOKED_AT):
        named = frozenset(order)
        looked_at = best(named)[:LOOKED_AT]
        is_last = len(order) + 1 >= STEPS * count or parts.left < 4 * LOOKED_AT + 2
        if not parts.knows(asked(step(named, looked_at))) and not is_last:
            # The step after this one is asked about in the same batch, as it will likely be.
            likely = named | {looked_at[0]}
            parts.gone(asked([*step(named, looked_at), *step(likely, best(likely)[: LOOKED_AT + 1])]))
        before, *told = telling(step(named, looked_at))
        for place, one in zip(looked_at, told, strict=True):
            seen[place].append(one - before)
        order.append(max(looked_at, key=gain))
        told_so_far = told[looked_at.index(order[-1])]
    known = len(order)
    order += best(frozenset(order))
    if parts.allows(2 * (count - known)):
        known = count
    sizes = [*range(known + 1), *([count] if known < count else [])]
    named_first = [frozenset(order[:size]) for size in sizes]
    grown = parts.gone([parts.everyone - some for some in named_first])
    changes = (np.diff(grown) - np.diff(parts.gone(named_first))) / 2
    if known < count:
        changes = np.append(changes[:-1], np.full(count - known, changes[-1] / (count - known)))
    weights = np.empty(count)
    weights[order] = _pooled(changes)
    return weights, order


def _pooled(changes: NDArray[np.float64]) -> NDArray[np.float64]:
    """The falling sequence that is nearest to changes: where they rise, their mean."""
    from scipy.optimize import isotonic_regression

    return np.asarray(isotonic_regression(changes, increasing=False).x)


def _falling(weights: NDArray[np.float64]) -> list[int]:
    """Places of weights, the highest first, and the first of equal ones."""
    return [int(place) for place in np.argsort(-weights, kind="stable")]


def sampled(parts: Parts, rng: np.random.Generator) -> Weights:
    """Mean of what each word adds over random orders and their reverses."""
    count = parts.count
    totals, orders = np.zeros(count), 0
    if not parts.allows(2 * (count - 1)):
        return occlusion(parts, rng)
    while orders == 0 or parts.allows(2 * (count - 1)):
        before = parts.passes
        order = rng.permutation(count)
        for one in (order, order[::-1]):
            sets = [frozenset(map(int, one[place:])) for place in range(count + 1)]
            totals[one] += np.diff(parts.gone(sets))
            orders += 1
        if parts.passes == before:  # all sets of few words are known
            break
    parts.sufficed = True  # more orders are always nearer to the mean of all
    weights = totals / orders
    return weights, _falling(weights)


METHODS: Mapping[str, Method] = {"chains": chains, "shapley": sampled, "occlusion": occlusion}
"""How weights are found, by name."""
