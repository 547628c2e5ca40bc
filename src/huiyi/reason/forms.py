"""Forms: texts and names as tokens, equal where only the form of a word differs.

A Chinese character is a token, and so is a word of letters. Full-width and
capital letters and accents make no difference, nor do endings of English words
(``coughing``, ``coughs``) and some ways to write the same (疼, 疼痛 and 痛;
``ache``, ``hurts`` and ``pain``). Each character of a text becomes exactly one
other, so that places in what is read are places in what was written.

Source:
    The endings are mostly those of the first step of Porter, "An algorithm for suffix stripping", Program 14(3), 1980.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources

_HAN = "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_LETTERS = "0-9a-z\u00aa\u00b5\u00ba\u00df-\u00f6\u00f8-\u02ff\u0300-\u036f\u0370-\u1fff\u3040-\u30ff\uac00-\ud7a3"

_WORDS = tomllib.loads(resources.files("huiyi.reason").joinpath("words", "forms.toml").read_text("utf-8"))
_ACHES = re.compile(r"([a-z]{3,})aches?")  # a headache is a pain in the head, and said so by some
_BREAK = re.compile(r"[^\s\-‐‑–'’\"“”‘()（）/·*_~]")
_JOINS = re.compile(r"[\s\-‐‑–'’\"“”‘*_~]*")

EMPTY = frozenset(_WORDS["empty"])
"""What names lose, where something else is left of them."""
_BETWEEN_WORDS = frozenset(_WORDS["between"]["en"]) | frozenset(_WORDS["between"]["denying_en"])
_BETWEEN = tuple(
    re.compile("|".join(piece for kind in kinds for piece in _WORDS["between"][kind]))
    for kinds in (("often",), ("degree", "sensing", "where"), ("denying_zh",))
)
_ALONE_BEHIND, _ALONE_BEFORE = frozenset(_WORDS["alone"]["behind"]), frozenset(_WORDS["alone"]["before"])
ENDS = frozenset(_WORDS["alone"]["ends"])
"""Characters that may be the end of a name whose beginning was said before."""
KINDS_OF_PAIN = frozenset(_WORDS["alone"]["kinds_of_pain"])
"""Characters that may stand between such a beginning and 痛, and need not be in the name."""
_MOST_BETWEEN = 3  # pieces of what may stand between two tokens of a name


@dataclass(frozen=True, eq=False, slots=True)
class Tokens:
    """What a text is made of.

    Attributes:
        normal: The text in small letters and without accents, of the same length.
        keys: The tokens.
        starts: Where each begins.
        ends: Where each ends.
        mended: Places of the tokens that were taken for mistyped.
    """

    normal: str
    keys: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    mended: set[int] = field(default_factory=set)
    _nexts: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many tokens."""
        return len(self.keys)

    def nexts(self, place: int) -> tuple[int, ...]:
        """Where a name that has come to a token may go on: at the next one, or behind what may stand between."""
        known = self._nexts.get(place)
        if known is None:
            known = self._nexts[place] = tuple(self._following(place))
        return known

    def joined(self, place: int) -> bool:
        """Whether no mark stands between a token and the next one."""
        return _BREAK.search(self.normal, self.ends[place], self.starts[place + 1]) is None

    def stands_alone(self, first: int, last: int) -> bool:
        """Whether some Chinese characters are a word for themselves, by what stands beside them."""
        start, end = self.starts[first], self.ends[last]
        before, after = self.normal[start - 1 : start], self.normal[end : end + 1]
        return (before in _ALONE_BEHIND or not before.isalpha()) and (after in _ALONE_BEFORE or not after.isalpha())

    def _following(self, place: int) -> list[int]:
        found: list[int] = []
        if place + 1 >= len(self) or not self.joined(place):
            return found
        found.append(place + 1)
        fronts = [place + 1]
        for _ in range(_MOST_BETWEEN):
            fronts = [after for front in fronts for after in self._behind(front) if after not in found]
            found += fronts
        return found

    def _behind(self, place: int) -> list[int]:
        """The places behind what may stand between, if it begins at a token."""
        if place + 1 >= len(self):
            return []
        if self.keys[place].isascii():
            word = self.normal[self.starts[place] : self.ends[place]].replace("’", "'")
            return [place + 1] if word in _BETWEEN_WORDS and self.joined(place) else []
        found = []
        for pattern in _BETWEEN:
            if piece := pattern.match(self.normal, self.starts[place]):
                behind = place
                while behind < len(self) and self.starts[behind] < piece.end():
                    if behind + 1 == len(self) or not self.joined(behind):
                        break
                    behind += 1
                else:
                    found.append(behind)
        return found


def normal(text: str) -> str:
    """A text in small letters, half-width and without accents, each character for one.

    Example:
        >>> normal("Ｃough, Naïve 发烧！")
        'cough, naive 发烧!'
    """
    return text.lower() if text.isascii() else text.translate(_CHARACTERS)


class _Characters(dict[int, str]):
    """Character to what it is read as, found when first met."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        whole = unicodedata.normalize("NFKC", char).casefold()
        bare = [one for one in unicodedata.normalize("NFKD", whole) if not unicodedata.combining(one)]
        plain = bare[0] if len(bare) == 1 and bare[0].isascii() else whole if len(whole) == 1 else char
        if len(self) < 1 << 16:
            self[code] = plain
        return plain


_CHARACTERS = _Characters()


class Forms:
    """Cuts texts and names into tokens.

    Args:
        same: Words that replace each other, the token first, besides the usual ones.

    Example:
        >>> forms = Forms([("腹", "肚子")])
        >>> forms.tokens("Bad headaches, 肚子很疼").keys
        ['bad', 'head', 'pain', '腹', '很', '痛']
    """

    def __init__(self, same: Iterable[Sequence[str]] = ()) -> None:
        self.same = tuple(tuple(map(normal, ways)) for ways in same)
        self._first: dict[str, str] = {}
        for ways in (*_WORDS["same"], *self.same):
            for way in ways:
                self._first.setdefault(_bare(way), _bare(ways[0]))
        written = {way for ways in (*_WORDS["same"], *self.same) for way in ways if not way.isascii()}
        self._pattern = re.compile(
            "(?P<whole>{whole})|(?P<same>{same})|(?P<han>[{han}])|(?P<word>[{letters}]+(?:['’][{letters}]+)?)".format(
                whole="|".join(_WORDS["whole"]),
                same="|".join(re.escape(way) for way in sorted(written, key=lambda way: (-len(way), way))),
                han=_HAN,
                letters=_LETTERS,
            )
        )
        self.word_keys = lru_cache(maxsize=1 << 16)(self._word_keys)

    def tokens(self, text: str, mend: Callable[[str], str | None] | None = None) -> Tokens:
        """Cut a text into tokens.

        Args:
            text: The text.
            mend: Gives for a word what it was meant to be, or ``None``.
        """
        found = Tokens(normal(text))
        keys, starts, ends = found.keys, found.starts, found.ends
        for match in self._pattern.finditer(found.normal):
            start, end = match.span()
            if match.lastgroup == "word":
                word = match[0]
                meant = mend(word) if mend is not None else None
                forms = self.word_keys(meant or word)
                if meant:
                    found.mended.update(range(len(keys), len(keys) + len(forms)))
                keys += forms
                cuts = [start] if len(forms) == 1 else [start, min(start + len(forms[0]), end - 1)]
                starts += cuts
                ends += [*cuts[1:], end]
            else:
                keys.append(self._first[match[0]] if match.lastgroup == "same" else match[0])
                starts.append(start)
                ends.append(end)
        return found

    def _word_keys(self, word: str) -> tuple[str, ...]:
        """The tokens of one English word in small letters; most are one."""
        if aches := _ACHES.fullmatch(word):
            place = stem(aches[1])
            return self._first.get(place, place), "pain"
        found = stem(word)
        return (self._first.get(found, found),)

    def name_keys(self, name: str) -> tuple[str, ...]:
        """The tokens by which a name is found: without words that mean nothing by themselves.

        Example:
            >>> Forms().name_keys("Shortness of breath"), Forms().name_keys("腹部疼痛"), Forms().name_keys("the")
            (('short', 'breath'), ('腹', '痛'), ())
        """
        keys = tuple(self.tokens(name.replace("_", " ")).keys)
        kept = tuple(key for key in keys if key not in EMPTY)
        return keys if len(kept) == 1 else kept  # "the runs" are no run


def _bare(word: str) -> str:
    """A word as it is a token."""
    return stem(word) if word.isascii() else word


def stem(word: str) -> str:
    """A word without its ending.

    Example:
        >>> [stem(word) for word in ("coughs", "vomited", "running", "wheezes", "wheezing", "numbness", "allergies")]
        ['cough', 'vomit', 'run', 'wheez', 'wheez', 'numb', 'allergy']
    """
    word = re.sub(r"['’](?:s|re|ve|m|d|ll)$", "", word)
    if len(word) < 4 or not word.isascii():
        return word
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif word.endswith(("ches", "shes", "sses", "xes", "zzes")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("iness", "ness", "ing", "ed"):
        left = word[: -len(ending)]
        if word.endswith(ending) and len(left) >= 3 and re.search("[aeiouy]", left):
            word = left + "y" if ending == "iness" else left
            if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz" and ending in ("ing", "ed"):
                word = word[:-1]
            break
    return word[:-1] if word.endswith("e") and len(word) > 3 else word
