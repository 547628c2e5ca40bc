"""What a question about a government service says: which service it is about, who would apply, on what it turns.

Each row of `services/words.csv` holds words, as a regular expression, and what they mean:

- `kind`: what people call an applicant of this kind (of several kinds: it may be any of them);
- `vague`: who may be of several kinds, and is of the one that the question says elsewhere, or else of the first (`-`:
  of none);
- `person`: who is a natural person if nothing speaks for an organisation;
- `condition`: what shows that an answer depends on something that no list of applicants holds; `weak` ones do not
  where the question asks outright whether such an applicant may;
- `name`: how people call what names of services call otherwise;
- `action`: what is to be done, as names of services say it (several, separated by spaces), and as people do.

`services/cues.toml` says by what stands around them who of all that are mentioned would apply.
"""

from __future__ import annotations

import csv
import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from harness import HERE

if TYPE_CHECKING:
    from huiyi.reason import Retriever

WORDS, CUES = HERE / "services" / "words.csv", HERE / "services" / "cues.toml"

LEAST, MARGIN = 0.7, 0.03
"""A service of a lower score is not meant; one that is less than the margin below the best may be meant too."""
MATCHED, MISSED, LOOKED_UP = 0.1, 0.15, 0.5
"""What is added for an action of a service that a question speaks of, and taken off for one that it does not; and for
one of those that only look something up, which who wants to apply does not mean."""
LOOKS_UP = ("查询", "咨询", "预约", "举报", "培训", "公证")

FIRST_SCORES = {"kind": 1.0, "vague": 1.0, "person": 0.6}
"""Of somebody mentioned, before cues are added; `IN_QUESTION` is added where the clause asks."""
IN_QUESTION, SCORE_OF_I = 0.5, 0.5
LEAST_SCORES = {"kind": 0.9, "vague": 1.2, "person": 0.4}
"""From which on somebody mentioned would apply, and `LEAST_SCORE_OF_NAMED` where the service is named so too."""
LEAST_SCORE_OF_NAMED = SCORE_OF_NO_SERVICE = 2.5
"""From the latter on, who is mentioned would apply, and is no part of what they apply for."""
TIE = 0.4
"""Of two mentioned whose scores differ by less, either may be who would apply."""

_CLAUSE = re.compile(r"[^，,。；;！!？?\n]+")
_ASKS = re.compile("吗|呢|能不能|可不可以|可否|行不行|能否|是否|有没有|好不好|得了|合不合|[?？]|不$|么|吧")
_I = re.compile(
    "(?<![问派让叫托陪])我(?![们家国陪]|朋友|同事|同学|邻居|领导|老板|[想要来]?问|想打听|想咨询|是?[替帮代])"
    "|自己[想要申报去来办考]"
)
_MAY_WE = re.compile("(?:我们|咱们|俺们|这边|这儿|这里)[^，]{0,4}(?:能|可以|可否|有资格|[办报]得|行)")

Cue = tuple[float, re.Pattern[str], re.Pattern[str]]
"""What is added to a score where the one is found before somebody mentioned, and the other behind."""


@dataclass(frozen=True)
class Mention:
    """Somebody whom a question speaks of.

    Attributes:
        start: Where that begins, in characters.
        end: Where it ends.
        quote: What stands there.
        what: "kind", "vague" or "person".
        kinds: What they may be.
    """

    start: int
    end: int
    quote: str
    what: str
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class Said:
    """What a question says.

    Attributes:
        services: What it may be about, with a weight up to 1; none when nothing fits.
        applicants: What the one who would apply may be, with the words that say so.
        conditions: What else the answer depends on, with the words that say so.
    """

    services: tuple[tuple[str, float], ...]
    applicants: tuple[tuple[str, str], ...]
    conditions: tuple[tuple[str, str], ...]


class Words:
    """The words and cues of the files."""

    def __init__(self) -> None:
        with WORDS.open(encoding="utf-8", newline="") as lines:
            self._rows = [(row["what"], row["means"], re.compile(row["words"])) for row in csv.DictReader(lines)]
        found = tomllib.loads(CUES.read_text("utf-8"))
        self._parts = {name: f"(?:{'|'.join(ways)})" for name, ways in found.pop("parts").items()}
        self.cues = {name: [self._cue(**cue) for cue in cues] for name, cues in found.items()}

    def of(self, *what: str) -> Iterator[tuple[str, tuple[str, ...], re.Pattern[str]]]:
        """The rows of some sorts: sort, what the words mean, and the words."""
        yield from ((one, tuple(means.split()), words) for one, means, words in self._rows if one in what)

    @cached_property
    def actions(self) -> tuple[tuple[re.Pattern[str], re.Pattern[str], str], ...]:
        """How services, and people, say that something is to be done, and the first of the former."""
        return tuple((re.compile("|".join(means)), words, means[0]) for _, means, words in self.of("action"))

    def _cue(self, score: float, before: Sequence[str] = ("",), after: Sequence[str] = ("",)) -> Cue:
        ahead, behind = ("|".join(ways) for ways in (before, after))
        for name, part in self._parts.items():
            ahead, behind = (text.replace(f"<{name}>", part) for text in (ahead, behind))
        return score, re.compile(f"(?:{ahead})$"), re.compile(f"^(?:{behind})")


class Reading:
    """Reads questions.

    Args:
        retriever: Ranks the services.
    """

    def __init__(self, retriever: Retriever) -> None:
        self.retriever = retriever
        self.words = Words()

    def read(self, text: str) -> Said:
        """What a question says."""
        mentions = self.mentions(text)
        ranked = self.ranked(text, mentions)
        service, best = ranked[0] if ranked else ("", 0.0)
        near = ranked if best >= LEAST else []
        return Said(
            tuple((name, min(1.0, score / best)) for name, score in near if score > best - MARGIN),
            self.applicants(text, mentions, service),
            self.conditions(text, mentions, service),
        )

    def ranked(self, text: str, mentions: Sequence[Mention]) -> list[tuple[str, float]]:
        """The services that a question may be about, with scores, best first: the mean with and without who applies."""
        bare = text
        for one in mentions:
            if self._score(one, text) >= SCORE_OF_NO_SERVICE:
                bare = bare[: one.start] + "，" * (one.end - one.start) + bare[one.end :]
        scores: dict[str, float] = {}
        for found in self.retriever.retrieve([self._formal(text), self._formal(bare)], most=60):
            for service in found:
                scores[service.thing] = scores.get(service.thing, 0.0) + service.score / 2
        fitted = {name: score + self._fit(name, text) for name, score in scores.items()}
        return sorted(fitted.items(), key=lambda one: (-one[1], one[0]))

    def _formal(self, text: str) -> str:
        """A text, and behind it what names of services call the things it speaks of."""
        return "，".join([text, *(" ".join(means) for _, means, words in self.words.of("name") if words.search(text))])

    def _fit(self, service: str, text: str) -> float:
        """What the actions of a service's name add to its score."""
        added = 0.0
        for marks, words, action in self.words.actions:
            if marks.search(service):
                missed = LOOKED_UP if action in LOOKS_UP else MISSED
                added += MATCHED if words.search(text) else -missed
        return added

    def mentions(self, text: str) -> list[Mention]:
        """Whom a question speaks of, in order; of what overlaps, the longest."""
        found = [
            Mention(match.start(), match.end(), match[0], what, kinds)
            for what, kinds, words in self.words.of("kind", "vague", "person")
            for match in words.finditer(text)
        ]
        kept: list[Mention] = []
        for one in sorted(found, key=lambda one: (one.start - one.end, one.start)):
            if all(one.end <= other.start or other.end <= one.start for other in kept):
                kept.append(one)
        return sorted(kept, key=lambda one: one.start)

    def applicants(self, text: str, mentions: Sequence[Mention], service: str) -> tuple[tuple[str, str], ...]:
        """What the one who would apply may be, with the words that say so."""
        scores = [self._score(one, text) for one in mentions]
        sure = [one.kinds for one, score in zip(mentions, scores, strict=True) if one.what == "kind" and score > 0]
        scored = list(zip([_meant(one, sure) for one in mentions], scores, strict=True))
        if _MAY_WE.search(text):  # we are more than one, and who we are is not said
            scored = [(one, score) for one, score in scored if one.what != "person"]
        elif match := _I.search(text):
            scored.append((Mention(match.start(), match.end(), match[0], "person", ("自然人",)), SCORE_OF_I))
        known = [
            (one, score)
            for one, score in scored
            if score >= (LEAST_SCORE_OF_NAMED if one.quote in service else LEAST_SCORES[one.what])
        ]
        best = max((score for _, score in known), default=0.0)
        return tuple({kind: one.quote for one, score in known if score > best - TIE for kind in one.kinds}.items())

    def conditions(self, text: str, mentions: Sequence[Mention], service: str) -> tuple[tuple[str, str], ...]:
        """What else the answer depends on, with the words that say so."""
        outright = any(self._cued(one, text, "asked_about", "only_spoken_of") > 0 for one in mentions)
        return tuple(
            {
                means[0]: match[0]
                for _, means, words in self.words.of("condition", *(() if outright else ("weak",)))
                for match in words.finditer(text)
                if match[0] not in service
            }.items()
        )

    def _score(self, one: Mention, text: str) -> float:
        """How much speaks for somebody mentioned being the one who would apply."""
        asked = IN_QUESTION if _ASKS.search(_around(one, text)[1]) else 0.0
        return FIRST_SCORES[one.what] + asked + self._cued(one, text, *self.words.cues)

    def _cued(self, one: Mention, text: str, *names: str) -> float:
        """What the cues around somebody mentioned add."""
        before, after = _around(one, text)
        return sum(
            score
            for name in names
            for score, ahead, behind in self.words.cues[name]
            if ahead.search(before) and behind.search(after)
        )


def _around(one: Mention, text: str) -> tuple[str, str]:
    """What stands in its clause before and behind somebody mentioned."""
    clause = next(match for match in _CLAUSE.finditer(text) if match.start() <= one.start < match.end())
    return text[clause.start() : one.start], text[one.end : clause.end() + 1]


def _meant(one: Mention, sure: Sequence[tuple[str, ...]]) -> Mention:
    """Somebody vague as what the question says elsewhere, the last of all that fit."""
    if one.what != "vague":
        return one
    fitting = [kinds for kinds in sure if set(kinds) <= set(one.kinds)]
    return replace(one, kinds=fitting[-1] if fitting else tuple(kind for kind in one.kinds[:1] if kind != "-"))


def encoder() -> Callable[[Sequence[str]], Any] | None:
    """Vectors of meaning of texts, by multilingual E5 where the extra `tune` is there; else nothing."""
    try:
        from huiyi.train.tuning.backbones import E5, load_backbone
        from huiyi.train.tuning.batches import Tokens
        from huiyi.train.tuning.loop import encode
    except ImportError:
        return None
    backbone = load_backbone(E5)
    return lambda texts: encode(backbone.module, backbone, Tokens(backbone.tokenizer, list(texts), max_tokens=64))
