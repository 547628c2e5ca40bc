"""The smallest change of words that changes a decision.

Words are taken out, or others put in their place: words that rows of the rival
labels use more than those of the label decided on. Beam search makes one change
at a time, three at most, asks the model about each text, and stops when the decision
is another one. What is found reads as people write if all neighbours of changed
words stand side by side somewhere in the training texts too. Else it is called
stilted, and taken only if one change more finds nothing that does.

Source:
    Wachter, Mittelstadt and Russell, "Counterfactual Explanations without Opening the Black Box", Harvard Journal of
    Law & Technology 31(2), 2018; Martens and Provost, "Explaining Data-Driven Document Classifications", MIS Quarterly
    38(1), 2014 (the fewest words that must go). Words that tell labels apart by the log-odds of their use: Monroe,
    Colaresi and Quinn, "Fightin' Words", Political Analysis 16(4), 2008.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log
from typing import TYPE_CHECKING

import numpy as np

from huiyi.explain.units import Cut, Unit, units_of, without
from huiyi.explanation import Change, Counterfactual
from huiyi.values import Decision

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_CHANGES = 3
RIVALS = 3  # labels whose words are tried
WORDS = 20  # of each of them
PLACES = 6  # of the text, those that count most for the label, where words are put in
TRIED = 48  # texts of a step for each text of the beam; those that read as people write first
BEAM = 3

Decided = Callable[[Sequence[str]], "tuple[Sequence[Decision], NDArray[np.floating]]"]
"""Texts to what the model decides on each, and the probabilities of the labels, shape (n, k)."""

ANY = ""  # in the place of a label: all rows
_EDGE = ""  # stands before the first word and behind the last


class Corpus:
    """Which words training texts use for which label, and which of them stand side by side.

    Args:
        texts: The training texts.
        labels: The labels of each.
        cut: Cuts scripts without spaces into words.

    Example:
        >>> corpus = Corpus(["my card is lost", "my card is late"], [("loss",), ("delay",)])
        >>> corpus.stands("card", "is"), corpus.stands("is", "card"), corpus.pulling("delay", "loss")
        (True, False, ['late'])
    """

    def __init__(self, texts: Sequence[str], labels: Sequence[Sequence[str]], cut: Cut | None = None) -> None:
        self._pairs: set[tuple[str, str]] = set()
        self._used: dict[str, Counter[str]] = defaultdict(Counter)  # label to the rows that use each word
        self._rows: Counter[str] = Counter()
        for text, own in zip(texts, labels, strict=True):
            words = [unit.text.lower() for unit in units_of(text, cut)]
            self._pairs.update(pairwise([_EDGE, *words, _EDGE]))
            for label in (*own, ANY):
                self._used[label].update(dict.fromkeys(words, 1))
                self._rows[label] += 1

    def stands(self, left: str, right: str) -> bool:
        """Whether two words stand side by side in some text, in any case."""
        return (left.lower(), right.lower()) in self._pairs

    def pulling(self, label: str, other: str, *, like: str | None = None) -> list[str]:
        """The words that rows of a label use more than those of another, or of ``ANY``; those that tell most first.

        With a text, only words that are written as it is: no Chinese one for an English text.
        """
        told, wanted = {}, None if like is None else _scripts(like)
        for word, count in self._used[label].items():
            if wanted is not None and not _scripts(word) <= wanted:
                continue
            odds = log((count + 0.5) / (self._rows[label] + 1)) - log(
                (self._used[other][word] + 0.5) / (self._rows[other] + 1)
            )
            if odds > 0:
                told[word] = count * odds
        return sorted(told, key=lambda word: (-told[word], word))[:WORDS]


def _scripts(text: str) -> frozenset[bool]:
    """Of letters: whether Chinese ones are among them, and whether others are."""
    return frozenset("\u3400" <= letter <= "\u9fff" for letter in text if letter.isalpha())


@dataclass(frozen=True)
class _Draft:
    """A text with some words changed: place to what stands there now, nothing where the word is gone."""

    changed: tuple[tuple[int, str], ...]
    stilted: int = 0
    score: float = 0.0


class Search:
    """Looks for a change of words that changes a decision.

    Args:
        text: The text.
        units: Its words.
        weights: What each added to the label decided on.
        decision: What was decided.
        names: The labels, in the order of the probabilities.
        decided: The model.
        corpus: The training texts.
    """

    def __init__(
        self,
        text: str,
        units: Sequence[Unit],
        weights: Sequence[float],
        decision: Decision,
        names: Sequence[str],
        decided: Decided,
        corpus: Corpus,
    ) -> None:
        self._text, self._units, self._weights = text, tuple(units), weights
        self._decision, self._names, self._decided, self._corpus = decision, tuple(names), decided, corpus

    def run(self) -> Counterfactual | None:
        """The smallest change that was found, and of equal ones the one that reads best; None where none was."""
        if not self._units:
            return None
        (_, probabilities) = self._decided([self._text])
        self._own = [self._names.index(label) for label in self._decision.labels]
        words = self._words(probabilities[0])
        beam, found = [_Draft(())], None
        for _ in range(MOST_CHANGES):
            drafts = {draft.changed: draft for start in beam for draft in self._grown(start, words)}
            texts = [self._written(changed) for changed in drafts]
            if not texts:
                break
            decisions, probabilities = self._decided(texts)
            ranked = sorted(
                zip(drafts.values(), texts, decisions, self._scores(decisions, probabilities), strict=True),
                key=lambda one: (one[0].stilted > 0, -one[3], one[1]),
            )
            changing = [(draft, text, decision) for draft, text, decision, _ in ranked if self._differs(decision)]
            if changing and not changing[0][0].stilted:
                return self._told(*changing[0])
            if found:
                break
            if changing:
                found = self._told(*changing[0])
            beam = [
                draft for draft, _, _, _ in sorted(ranked, key=lambda one: (-one[3] + 0.02 * one[0].stilted, one[1]))
            ]
            beam = beam[:BEAM]
        return found

    def _differs(self, decision: Decision) -> bool:
        """Whether another decision was made: other labels, or an act where it was declined."""
        if self._decision.kind == "decline":
            return decision.kind == "act"
        return decision.labels != self._decision.labels

    def _scores(self, decisions: Sequence[Decision], probabilities: NDArray[np.floating]) -> list[float]:
        """How near each is to another decision."""
        if self._decision.kind == "decline":
            return [min(decision.in_scope, 0.5) + decision.probability for decision in decisions]
        own = probabilities[:, self._own].min(axis=1) if self._own else np.zeros(len(probabilities))
        others = np.delete(probabilities, self._own, axis=1)
        return [float(score) for score in (others.max(axis=1) if others.shape[1] else 0.0) - own]

    def _words(self, probabilities: NDArray[np.floating]) -> list[str]:
        """Words that pull towards the likeliest other labels; where it was declined, towards the likeliest of all."""
        settled = () if self._decision.kind == "decline" else self._decision.labels
        order = [self._names[column] for column in np.argsort(-probabilities, kind="stable")]
        rivals = [label for label in order if label not in settled][:RIVALS]
        own = settled[0] if settled else ANY
        found = (word for label in rivals for word in self._corpus.pulling(label, own, like=self._text))
        there = {unit.text.lower() for unit in self._units}
        return [word for word in dict.fromkeys(found) if word not in there]

    def _grown(self, draft: _Draft, words: Sequence[str]) -> Iterator[_Draft]:
        """A draft with one change more: each word taken out, and other words in the places that count most."""
        taken = {place for place, _ in draft.changed}
        free = [place for place in range(len(self._units)) if place not in taken]
        ranked = sorted(free, key=lambda place: (-self._weights[place], place))
        tried = [(place, "") for place in free] + [(place, word) for place in ranked[:PLACES] for word in words]
        drafts = []
        for one in tried:
            changed = tuple(sorted((*draft.changed, one)))
            drafts.append(_Draft(changed, self._stilted(changed)))
        yield from sorted(drafts, key=lambda one: one.stilted)[:TRIED]

    def _stilted(self, changed: tuple[tuple[int, str], ...]) -> int:
        """How many words stand side by side, at what was changed, that never do in the training texts."""
        now = dict(changed)
        words = [(_EDGE, False)]
        gap = False
        for place, unit in enumerate(self._units):
            word = now.get(place, unit.text)
            if not word:
                gap = True
                continue
            words.append((word, gap or place in now))
            gap = False
            if place in now:
                gap = True  # what follows stands beside it
        words.append((_EDGE, gap))
        return sum(is_new and not self._corpus.stands(left, right) for (left, _), (right, is_new) in pairwise(words))

    def _written(self, changed: tuple[tuple[int, str], ...]) -> str:
        """The text with its changes, in which a first word keeps its capital."""
        now, text = dict(changed), self._text
        units = list(self._units)
        for place, word in sorted(now.items(), reverse=True):
            if word:
                unit = units[place]
                put = word.capitalize() if place == 0 and unit.text[:1].isupper() else word
                text = text[: unit.start] + put + text[unit.end :]
                moved = len(put) - (unit.end - unit.start)
                units[place] = Unit(put, unit.start, unit.end + moved)
                units[place + 1 :] = [Unit(one.text, one.start + moved, one.end + moved) for one in units[place + 1 :]]
        return without(text, units, {place for place, word in now.items() if not word})

    def _told(self, draft: _Draft, text: str, decision: Decision) -> Counterfactual:
        changes = tuple(Change(self._units[place].text, word) for place, word in draft.changed)
        return Counterfactual(
            text, changes, decision.kind, decision.labels, decision.probability, stilted=draft.stilted > 0
        )
