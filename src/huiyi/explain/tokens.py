"""Which words of a text made a decision: how much each added to the probability of a label.

A model comes in as a function from texts to probabilities, and is asked about
the text with some of its words taken out. With v(S) what it says when only the
words S are left, of n words, each method gives weights φ:

- ``chains``, the default. Words are taken out one by one, each time the one whose loss costs most, until none is left;
  and put back one by one, each time the one that adds most. φ_i is the mean of what i changed in either chain. So
  Σ φ = v(all) − v(none), exactly. It takes n² passes.
- ``shapley``. φ_i is the mean of what i adds over random orders and their reverses.
- ``occlusion``. φ_i = v(all) − v(all but i). It takes n passes, and does not see words that stand in for each other.

Where the passes do not suffice, chains take several words at a time, those that
cost most each; with fewer than four passes a word, occlusion takes their place.

Source:
    Chains: greedy search for the metrics themselves, Zhou and Shah, "The Solvability of Interpretability Evaluation
    Metrics", Findings of EACL 2023. Shapley values by sampled orders: Castro, Gómez and Tejada, "Polynomial calculation
    of the Shapley value based on sampling", Computers & Operations Research 36(5), 2009; with their reverses: Mitchell,
    Cooper, Frank and Holmes, "Sampling Permutations for Shapley Value Estimation", JMLR 23, 2022. Occlusion: Li,
    Monroe and Jurafsky, "Understanding Neural Networks through Representation Erasure", arXiv:1612.08220.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from huiyi.explain.units import Unit, without

if TYPE_CHECKING:
    from numpy.typing import NDArray

Worth = Callable[[Sequence[str]], "NDArray[np.floating]"]
"""Texts to what a model says of each: the probability of the label that is asked about, shape (n,)."""


@dataclass(frozen=True)
class Attribution:
    """What the words of a text added to a probability.

    Attributes:
        units: The words, in order.
        weights: What each added.
        all: What the model says of the whole text.
        none: What it says when all words are gone.
        passes: Texts it was asked about.
        method: How the weights were found.
    """

    units: tuple[Unit, ...]
    weights: tuple[float, ...]
    all: float
    none: float
    passes: int
    method: str

    @property
    def order(self) -> tuple[int, ...]:
        """Places of the units, the one that added most first."""
        return tuple(sorted(range(len(self.units)), key=lambda place: (-self.weights[place], place)))


class Game:
    """What a model says of a text with some of its words gone. Each set of words is asked about once.

    Args:
        text: The text.
        units: Its words.
        worth: The model.
        mask: What stands where a word was; nothing closes the gap.
    """

    def __init__(self, text: str, units: Sequence[Unit], worth: Worth, *, mask: str = "") -> None:
        self._text, self._units, self._worth, self._mask = text, units, worth, mask
        self._known: dict[frozenset[int], float] = {}
        self.passes = 0

    def gone(self, sets: Sequence[frozenset[int]]) -> NDArray[np.float64]:
        """What the model says when each of the sets of words is gone, shape (sets,)."""
        new = [some for some in dict.fromkeys(sets) if some not in self._known]
        texts = [without(self._text, self._units, some, self._mask) for some in new]
        asked = list(dict.fromkeys(texts))
        told = dict(zip(asked, map(float, self._worth(asked)), strict=True)) if asked else {}
        self._known.update((some, told[text]) for some, text in zip(new, texts, strict=True))
        self.passes += len(asked)
        return np.array([self._known[some] for some in sets])


Method = Callable[[Game, int, int, np.random.Generator], "NDArray[np.float64]"]
"""Weights of n words, from so many passes at most."""


def attribute(
    text: str,
    units: Sequence[Unit],
    worth: Worth,
    *,
    method: str = "chains",
    most_passes: int = 400,
    mask: str = "",
    seed: int = 0,
) -> Attribution:
    """How much each word added to what a model says.

    Args:
        text: The text.
        units: Its words, as ``units_of`` gives them.
        worth: The model, for one label.
        method: One of ``METHODS``.
        most_passes: Texts that the model may be asked about.
        mask: What stands where a word was; with nothing, the gap closes.
        seed: Of random orders.

    Example:
        >>> from huiyi.explain.units import units_of
        >>> text = "my card was stolen"
        >>> def worth(texts):
        ...     return np.array([0.1 + 0.5 * ("stolen" in one) + 0.2 * ("card" in one) for one in texts])
        >>> found = attribute(text, units_of(text), worth)
        >>> [round(weight, 6) for weight in found.weights], found.order[0]
        ([0.0, 0.2, 0.0, 0.5], 3)
    """
    game = Game(text, units, worth, mask=mask)
    count = len(units)
    whole, empty = game.gone([frozenset(), frozenset(range(count))])
    weights = METHODS[method](game, count, most_passes, np.random.default_rng(seed)) if count else np.zeros(0)
    return Attribution(tuple(units), tuple(map(float, weights)), float(whole), float(empty), game.passes, method)


def occlusion(game: Game, count: int, most_passes: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """What the whole text loses without each word."""
    (whole,) = game.gone([frozenset()])
    return np.asarray(whole - game.gone([frozenset([place]) for place in range(count)]))


def chains(game: Game, count: int, most_passes: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Mean of what each word changes when words are taken out, and put back, the most important first."""
    rounds = most_passes // max(count, 1) - 3  # both chains look at (rounds + 1) · n texts, and take 2n steps
    if rounds < 1:
        return occlusion(game, count, most_passes, rng)
    return (_chain(game, count, rounds, out=True) + _chain(game, count, rounds, out=False)) / 2


def _chain(game: Game, count: int, rounds: int, *, out: bool) -> NDArray[np.float64]:
    """What each word changes where it stands in a greedy chain."""
    gone = frozenset[int]() if out else frozenset(range(count))
    (now,) = game.gone([gone])
    weights, left = np.zeros(count), list(range(count))
    together = -(-count // rounds)
    while left:
        told = game.gone([gone | {place} if out else gone - {place} for place in left])
        changes = now - told if out else told - now
        taken = [left[place] for place in np.argsort(-changes, kind="stable")[:together]]
        for place in taken:
            gone = gone | {place} if out else gone - {place}
            (then,) = game.gone([gone])
            weights[place] = now - then if out else then - now
            now = then
        left = [place for place in left if place not in taken]
    return weights


def sampled(game: Game, count: int, most_passes: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Mean of what each word adds over random orders and their reverses."""
    totals, orders = np.zeros(count), 0
    while orders == 0 or game.passes + 2 * count <= most_passes:
        before = game.passes
        order = rng.permutation(count)
        for one in (order, order[::-1]):
            sets = [frozenset(map(int, one[place:])) for place in range(count + 1)]
            totals[one] += np.diff(game.gone(sets))
            orders += 1
        if game.passes == before:  # all sets of few words are known
            break
    return np.asarray(totals / orders)


METHODS: Mapping[str, Method] = {"chains": chains, "shapley": sampled, "occlusion": occlusion}
"""How weights are found, by name."""
