"""Names in a text: a trie over tokens, then names with one mistake in them.

The trie is walked from each token at which a name begins. A name may go on
behind words that may stand between its parts (``头很痛``, ``my stomach really
hurts``), and the parts of a name of several English words may be in another
order (``pain in my stomach``). Only where nothing was found so are names looked
for that differ in one Chinese character. English words that no name has are
taken for mistyped before, where they differ in one letter, or in two if long.

Source:
    The trie: Fredkin, "Trie Memory", Communications of the ACM 3(9), 1960. There are no failure links (Aho and
    Corasick, 1975): names are short, and begin at few places. Words less one letter as keys of the words they may
    be meant for: Garbe, "SymSpell", 2012, after Bocek, Hunt and Stiller, "Fast Similarity Search in Large
    Dictionaries", University of Zurich, 2007.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations, pairwise
from typing import Any

from huiyi.reason.forms import Tokens, name_keys, normal, tokens, word_keys

_LONGEST = 24  # tokens; a longer name is found by its first ones
_ORDERED = 4  # most parts of a name that may come in another order
_MENDED = (4, 10)  # tokens of a Chinese name in which one wrong character is seen through
_WORD = re.compile(r"[a-z]+")
_VOWELS = frozenset("aeiouy")
_LONG_WORD = 9  # letters, from which on two mistakes are seen through
_KINDS = ("exact", "same", "order", "typo")


@dataclass(frozen=True, slots=True)
class Found:
    """A name found in a text.

    Attributes:
        name: Its number.
        places: The tokens that it is made of.
        kind: "exact" or "same", with the same tokens and nothing, or something, between them; "order" or "typo".
    """

    name: int
    places: tuple[int, ...]
    kind: str


@dataclass(frozen=True, eq=False)
class Automaton:
    """Finds many names at once.

    Args:
        names: The names. One without a letter or character is never found.

    Example:
        >>> automaton = Automaton(("stomach pain", "头痛"))
        >>> text = automaton.read("A pain in my stomach, and 头有点疼")
        >>> [(automaton.names[found.name], found.kind) for found in automaton.find(text)]
        [('stomach pain', 'order'), ('头痛', 'same')]
    """

    names: Sequence[str]
    _trie: dict[Any, Any] = field(init=False, default_factory=dict)
    _bags: dict[tuple[str, ...], list[int]] = field(init=False, default_factory=dict)
    _halves: dict[tuple[Any, ...], list[tuple[int, tuple[str, ...]]]] = field(init=False, default_factory=dict)
    _pairs: set[tuple[str, str]] = field(init=False, default_factory=set)
    _keys: set[str] = field(init=False, default_factory=set)
    _less: dict[str, list[str]] = field(init=False, default_factory=dict)
    _mender: Callable[[str], str | None] = field(init=False)

    def __post_init__(self) -> None:
        words: set[str] = set()
        for number, name in enumerate(self.names):
            keys = name_keys(name)[:_LONGEST]
            node = self._trie
            for key in keys:
                node = node.setdefault(key, {})
            if keys:
                node.setdefault(None, []).append(number)
            self._keys.update(keys)
            self._pairs.update(pairwise(keys))
            if 2 <= len(keys) <= _ORDERED and all(key.isascii() for key in keys):
                self._bags.setdefault(tuple(sorted(keys)), []).append(number)
            if _MENDED[0] <= len(keys) <= _MENDED[1] and not any(key.isascii() for key in keys):
                self._halves.setdefault((len(keys), "head", *keys[:2]), []).append((number, keys))
                self._halves.setdefault((len(keys), "tail", *keys[-2:]), []).append((number, keys))
            words.update(word for word in _WORD.findall(normal(name)) if len(word) > 4)
        for word in words:
            for less in _with_less(word):
                self._less.setdefault(less, []).append(word)
        self.__dict__["_mender"] = lru_cache(maxsize=1 << 16)(self._mend)

    def read(self, text: str) -> Tokens:
        """A text as tokens, mistyped words mended."""
        return tokens(text, self._mender)

    def find(self, text: Tokens) -> list[Found]:
        """The names in a text, in order. No two are made of the same tokens, unless the names have the same form."""
        if not len(text):
            return []
        found = [*self._walked(text), *self._reordered(text)]
        kept = _without_rivals(found, text)
        taken = {place for one in kept for place in one.places}
        kept += _without_rivals(self._mended(text, taken), text)
        return sorted(kept, key=lambda one: (one.places, one.name))

    def _walked(self, text: Tokens) -> Iterable[Found]:
        """Names whose parts come in their order."""
        for start, key in enumerate(text.keys):
            node = self._trie.get(key)
            if node is None:
                continue
            fronts: list[tuple[dict[Any, Any], tuple[int, ...]]] = [(node, (start,))]
            while fronts:
                node, places = fronts.pop()
                for name in node.get(None, ()):
                    yield Found(name, places, _kind(text, places))
                if len(node) > (None in node):
                    for place in text.nexts(places[-1]):
                        further = node.get(text.keys[place])
                        if further is not None:
                            fronts.append((further, (*places, place)))

    def _reordered(self, text: Tokens) -> Iterable[Found]:
        """Names of several English words whose parts come in another order."""
        if not self._bags:
            return
        for start, key in enumerate(text.keys):
            if key not in self._keys or not key.isascii():
                continue
            fronts: list[tuple[int, ...]] = [(start,)]
            while fronts:
                places = fronts.pop()
                if len(places) > 1:
                    for name in self._bags.get(tuple(sorted(text.keys[place] for place in places)), ()):
                        yield Found(name, places, "typo" if text.mended.intersection(places) else "order")
                if len(places) < _ORDERED:
                    fronts += [
                        (*places, place)
                        for place in text.nexts(places[-1])
                        if text.keys[place] in self._keys and text.keys[place].isascii()
                    ]

    def _mended(self, text: Tokens, taken: set[int]) -> Iterable[Found]:
        """Chinese names with one wrong character, where nothing else was found."""
        keys, least, most = text.keys, *_MENDED
        if not self._halves:
            return
        start = 0
        while start < len(keys):
            end = start
            while end < len(keys) and end not in taken and not keys[end].isascii():
                end += 1
                if end < len(keys) and not text.joined(end - 1):
                    break
            for place in range(start, end - 1):
                for size in range(least, most + 1):
                    if place + size <= end:
                        yield from self._one_wrong(text, place, size, "head", place)
                    if place + 2 - size >= start:
                        yield from self._one_wrong(text, place + 2 - size, size, "tail", place)
            start = max(end, start + 1)

    def _one_wrong(self, text: Tokens, start: int, size: int, half: str, place: int) -> Iterable[Found]:
        """The names of a size whose one half is in the text, and the other with one wrong character.

        If the wrong one makes sense beside its neighbours, as names show, it is no mistake.
        """
        for name, keys in self._halves.get((size, half, text.keys[place], text.keys[place + 1]), ()):
            wrong = [offset for offset in range(size) if keys[offset] != text.keys[start + offset]]
            if len(wrong) == 1 and not any(
                (text.keys[at], text.keys[at + 1]) in self._pairs
                for at in (start + wrong[0] - 1, start + wrong[0])
                if start <= at and at + 1 < start + size
            ):
                yield Found(name, tuple(range(start, start + size)), "typo")

    def _mend(self, word: str) -> str | None:
        """The word of a name that a word was meant to be, or nothing."""
        if len(word) < 5 or not _WORD.fullmatch(word) or all(key in self._keys for key in word_keys(word)):
            return None
        near = {meant for less in (word, *_with_less(word)) for meant in self._less.get(less, ())}
        ranked = sorted((cost, meant) for meant in near if (cost := _cost(word, meant)) is not None)
        return ranked[0][1] if ranked and (len(ranked) == 1 or ranked[0][0] < ranked[1][0] or _like(ranked)) else None


def _like(ranked: list[tuple[int, str]]) -> bool:
    """Whether the two nearest words are forms of one."""
    return word_keys(ranked[0][1]) == word_keys(ranked[1][1])


def _kind(text: Tokens, places: tuple[int, ...]) -> str:
    """How a name was found whose parts came in their order."""
    if text.mended and text.mended.intersection(places):
        return "typo"
    return "exact" if places[-1] - places[0] + 1 == len(places) else "same"


def _without_rivals(found: Iterable[Found], text: Tokens) -> list[Found]:
    """Of names that share tokens the one of the most characters, the earlier, the surer.

    Two may share a beginning if one lies between the parts of the other: ``头又晕又痛`` is both.
    """

    def rank(one: Found) -> tuple[int, int, int]:
        size = sum(text.ends[place] - text.starts[place] for place in one.places)
        return -size, _KINDS.index(one.kind), one.places[0]

    kept: list[Found] = []
    owners: dict[int, list[Found]] = {}
    for one in sorted(found, key=lambda one: (*rank(one), one.places, one.name)):
        rivals = {id(other): other for place in one.places for other in owners.get(place, ())}.values()
        if all(_side_by_side(one.places, other.places) for other in rivals):
            kept.append(one)
            for place in one.places:
                owners.setdefault(place, []).append(one)
    return kept


def _side_by_side(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether two names may be made of tokens of which some are the same."""
    if one == other:
        return True
    inner, outer = (one, other) if one[-1] < other[-1] else (other, one)
    own, whole = set(inner) - set(outer), set(outer)
    return (
        bool(own) and inner[0] == outer[0] and all(outer[0] < place < outer[-1] for place in own) and whole > {inner[0]}
    )


def _with_less(word: str) -> set[str]:
    """A word, and it without one letter, or without two if it is long."""
    found = {word}
    for count in range(1, 3 if len(word) >= _LONG_WORD else 2):
        for gone in combinations(range(len(word)), count):
            found.add("".join(letter for place, letter in enumerate(word) if place not in gone))
    return found


def _cost(word: str, meant: str) -> int | None:
    """How far a word is from the one it may be meant for, and nothing where both are likelier to be words.

    Short words must begin alike, and may have letters changed places, doubled, or one left out or put in; a
    letter in the place of another counts in longer ones, or where both are vowels.
    """
    if word[0] != meant[0]:
        return None
    cost = _edits(word, meant)
    least = min(len(word), len(meant))
    if cost == 2:
        return 2 if least >= _LONG_WORD else None
    if cost != 1:
        return None
    if len(word) == len(meant):
        places = [place for place in range(len(word)) if word[place] != meant[place]]
        vowels = len(places) == 1 and {word[places[0]], meant[places[0]]} <= _VOWELS
        return 1 if len(places) == 2 or len(word) >= 7 or (vowels and len(word) >= 6) else None
    longer, shorter = (word, meant) if len(word) > len(meant) else (meant, word)
    doubled = any(
        longer[:place] + longer[place + 1 :] == shorter and longer[place] == longer[place - 1]
        for place in range(1, len(longer))
    )
    return 1 if doubled or len(longer) >= 6 else None


def _edits(one: str, other: str) -> int:
    """Letters put in, left out, changed, or swapped with the next one, to make one word of another; 3 is many."""
    if abs(len(one) - len(other)) > 2:
        return 3
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, left in enumerate(one, 1):
        line = [row]
        for column, right in enumerate(other, 1):
            best = min(last[column] + 1, line[-1] + 1, last[column - 1] + (left != right))
            if row > 1 and column > 1 and left == other[column - 2] and one[row - 2] == right:
                best = min(best, before[column - 2] + 1)
            line.append(best)
        before, last = last, line
    return min(last[-1], 3)
