"""Names in a text: a trie over tokens, then names with one mistake in them.

The trie is walked from each token at which a name begins. A name may go on
behind words that may stand between its parts (``头很痛``, ``my stomach really
hurts``), and the parts of a name of several English words may be in another
order (``pain in my stomach``). Of a name only the end may be said, where what
it is the end of was said before (``胸口有点闷，不痛``). Only where nothing was
found so are names looked for that are mistyped (``slips.py``).

Source:
    The trie: Fredkin, "Trie Memory", Communications of the ACM 3(9), 1960. There are no failure links (Aho and
    Corasick, 1975): names are short, and begin at few places.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from huiyi.reason.forms import EMPTY, ENDS, KINDS_OF_PAIN, Forms, Tokens, normal
from huiyi.reason.slips import Slips

_LONGEST = 24  # tokens; a longer name is found by its first ones
_TRIED = 2  # parts of a name behind which all ways to go on are tried
_ORDERED = 4  # most parts of a name that may come in another order
_ENDED = 3  # most tokens of the beginning of a name whose end may stand for it
_RUN = re.compile(r"[㐀-鿿]{2,}")
_BACK = 24  # tokens that what was said before may lie behind, where only the end of a name is said
_KINDS = ("part", "exact", "same", "order", "typo")


@dataclass(frozen=True, slots=True)
class Found:
    """A name found in a text.

    Attributes:
        name: Its number.
        places: The tokens that it is made of.
        kind: "exact" or "same", with the same tokens and nothing, or something, between them; "order"; "typo"; or
            "part", only its end: what it is the end of was said before.
    """

    name: int
    places: tuple[int, ...]
    kind: str


@dataclass(frozen=True, eq=False)
class Automaton:
    """Finds many names at once.

    Args:
        names: The names. One without a letter or character is never found.
        forms: Which forms of words are the same.
        own: Which names may have any character wrong; all if it is not said.

    Example:
        >>> automaton = Automaton(("stomach pain", "头痛"))
        >>> text = automaton.read("A pain in my stomach, and 头有点疼")
        >>> [(automaton.names[found.name], found.kind) for found in automaton.find(text)]
        [('stomach pain', 'order'), ('头痛', 'same')]
    """

    names: Sequence[str]
    forms: Forms = field(default_factory=Forms)
    own: Sequence[bool] | None = None
    _trie: dict[Any, Any] = field(init=False, default_factory=dict)
    _bags: dict[tuple[str, ...], list[int]] = field(init=False, default_factory=dict)
    _keys: set[str] = field(init=False, default_factory=set)
    _slips: Slips = field(init=False)

    def __post_init__(self) -> None:
        for number, name in enumerate(self.names):
            keys = self.forms.name_keys(name)[:_LONGEST]
            node = self._trie
            for key in keys:
                node = node.setdefault(key, {})
            if keys:
                node.setdefault(None, []).append(number)
            self._keys.update(keys)
            if 2 <= len(keys) <= _ORDERED and all(key.isascii() for key in keys):
                self._bags.setdefault(tuple(sorted(keys)), []).append(number)
        own = [True] * len(self.names) if self.own is None else self.own
        slips = Slips([normal(name) for name in self.names], own, self.forms.word_keys, self._keys)
        object.__setattr__(self, "_slips", slips)

    def read(self, text: str) -> Tokens:
        """A text as tokens, mistyped words mended."""
        return self.forms.tokens(text, self._slips.mend)

    def find(self, text: Tokens) -> list[Found]:
        """The names in a text, in order. No two are made of the same tokens, unless the names have the same form."""
        if not len(text):
            return []
        found = [one for one in self._walked(text) if _is_word(text, one.places)]
        kept = _without_rivals([*found, *self._reordered(text), *self._parts(text)], text)
        taken = {place for one in kept for place in one.places}
        kept += _without_rivals(self._mended(text, taken), text)
        return sorted(kept, key=lambda one: (one.places, one.name))

    def within(self, name: str) -> list[Found]:
        """All names in a name, one within the other too, with nothing between their parts that says anything."""
        text = self.read(name)
        return [
            one
            for one in self._walked(text)
            if _is_word(text, one.places)
            and all(text.keys[place] in EMPTY for place in {*range(one.places[0], one.places[-1])} - {*one.places})
        ]

    def _walked(self, text: Tokens) -> Iterable[Found]:
        """Names whose parts come in their order."""
        for start, key in enumerate(text.keys):
            node = self._trie.get(key)
            if node is None:
                continue
            fronts: list[tuple[dict[Any, Any], tuple[int, ...]]] = [(node, (start,))]
            met: set[tuple[int, int]] = set()  # one way to come to a token by the same parts is enough
            while fronts:
                node, places = fronts.pop()
                if (id(node), places[-1]) in met:
                    continue
                met.add((id(node), places[-1]))
                for name in node.get(None, ()):
                    yield Found(name, places, _kind(text, places))
                if len(node) > (None in node):
                    nexts = text.nexts(places[-1])
                    if len(places) >= _TRIED and nexts and text.keys[nexts[0]] in node:
                        nexts = nexts[:1]  # words that may stand between, and belong to the name: no use in trying all
                    for place in reversed(nexts):  # the nearest comes last, and is followed first
                        if further := node.get(text.keys[place]):
                            fronts.append((further, (*places, place)))

    def _parts(self, text: Tokens) -> Iterable[Found]:
        """Names of which only the end is said: ``胸口有点闷，不痛`` speaks of the chest."""
        for last, key in enumerate(text.keys):
            if key not in ENDS:
                continue
            kind = last > 0 and key == "痛" and text.keys[last - 1] in KINDS_OF_PAIN
            first = last - 1 if kind else last
            if not text.stands_alone(first, last):
                continue
            ends = [(text.keys[first], key), (key,)] if kind else [(key,)]
            for start in range(first - 1, max(first - _BACK, -1), -1):
                if names := [name for end in ends for name in self._begun(text.keys[start:first], end)]:
                    yield from (Found(name, tuple(range(first, last + 1)), "part") for name in names)
                    break

    def _begun(self, before: Sequence[str], end: Sequence[str]) -> list[int]:
        """The names that begin with the first of some tokens, as many as there are, and have an end."""
        node = self._trie
        for key in before[:_ENDED]:
            node = node.get(key, {})
            left = node
            for one in end:
                left = left.get(one, {})
            if found := [name for name in left.get(None, ()) if self.own is None or self.own[name]]:
                return found
        return []

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
        """Chinese names with a slip, where nothing else was found."""
        for run in _RUN.finditer(_without(text, taken)):
            for start, end, name in self._slips.find(run[0]):
                first = bisect_left(text.starts, run.start() + start)
                last = bisect_left(text.starts, run.start() + end)
                if text.starts[first] != run.start() + start or text.ends[last - 1] != run.start() + end:
                    continue
                if end - start > 2 or text.stands_alone(first, last - 1):
                    yield Found(name, tuple(range(first, last)), "typo")


def _is_word(text: Tokens, places: tuple[int, ...]) -> bool:
    """Whether a name is a word there; one Chinese character is only where its neighbours allow it."""
    first = places[0]
    one = len(places) == 1 and text.ends[first] - text.starts[first] == 1
    return not one or text.keys[first].isascii() or text.stands_alone(first, first)


def _without(text: Tokens, taken: set[int]) -> str:
    """A text with blanks where something was found already."""
    left = list(text.normal)
    for place in taken:
        start, end = text.starts[place], text.ends[place]
        left[start:end] = " " * (end - start)
    return "".join(left)


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
