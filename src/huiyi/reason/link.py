"""Link: from what a text mentions to the things that a graph knows.

    linker = Linker.of(knowledge, entities)      # or Linker.of(names), without a graph
    links = linker.link(texts)                   # for each text its mentions, in order
    answers(links[0])                            # finding to True, False or None, as Findings.observe takes it

The names of an entity are its own, its labels and its aliases, in all
languages. They are found in this order, and the next step only looks where the
one before found nothing:

1. as they are, with other endings, with words between their parts or in another order (``automaton.py``);
2. with one mistake in them;
3. by a name that is near in meaning, where there is an encoder. It reads a clause in which nothing was found, and
   nothing denied or doubted.

A background of common knowledge gives entities further names, at a lower score:
what it says to be a synonym, and what it says to be a kind of them.

Each link has a score up to 1, which orders links and is no probability, and a
polarity (``polarity.py``). Spans, and text read in pictures or heard, are texts
as any other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.errors import DataError, OptionError
from huiyi.reason.automaton import Automaton, Found
from huiyi.reason.facts import Fact, Given, Source, written
from huiyi.reason.forms import Forms, Tokens, normal
from huiyi.reason.polarity import Pieces, Polarity, polarities
from huiyi.values import spelt

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.reason.findings import Findings

Encoder = Callable[[Sequence[str]], "NDArray[Any]"]
"""Texts to vectors of length 1, one row each."""

MOST_CHARACTERS = 20_000
"""How many characters of a text are read."""

_NAMES = (("rdfs:label", 2), ("skos:altLabel", 2))
_CLAUSE = re.compile(r"[^,，。;；!！?？\n、]+")
_CLAUSE_CHARACTERS = (3, 60)  # a shorter clause says too little, and a longer one too much, to be near one name
# What makes another thing of a name that stands before it.
_PART_OF_MORE = re.compile(
    r"的?(?:药|疫苗|胶囊|颗粒|冲剂|门诊|病毒|灵(?!活)|检测|试剂|针剂)|\s?(?:medicines?|medications?|meds|pills?|tablets?|vaccines?|syrup|shots?)\b"
)
_NARROWER = 0.8  # weight of an entity being a kind of another whose name is a part of its own
_NUMBER_ROWS = 256  # clauses compared with all names at a time


@dataclass(frozen=True)
class LinkConfig:
    """How surely a name is found in which way. Chosen on the development sentences of ``benchmarks/linking.py``.

    Attributes:
        same: Score of a name with other endings, or with something between its parts; as it stands it is 1.
        part: Score of one of which only the end is said, and the beginning was before.
        order: Score of one whose parts come in another order.
        typo: Score of one with a mistake.
        nearest: Least cosine from which on an encoder's nearest name counts; the score is the cosine.
        synonyms: Relation of a background to what it multiplies scores by; read both ways.
        kinds: Relation of a background from what may be said for a thing, such as a kind of it, likewise; read one way.
        words: Relation of a background from a word to one that it replaces within names.
    """

    same: float = 0.95
    part: float = 0.9
    order: float = 0.9
    typo: float = 0.8
    nearest: float = 0.75
    synonyms: Mapping[str, float] = field(default_factory=lambda: {"Synonym": 0.9})
    kinds: Mapping[str, float] = field(default_factory=lambda: {"SaidFor": 0.9, "IsA": 0.7})
    words: str = "SameWord"

    def __post_init__(self) -> None:
        shares = {"same": self.same, "part": self.part, "order": self.order, "typo": self.typo, "nearest": self.nearest}
        shares |= {**self.synonyms, **self.kinds}
        if wrong := [f"{name} = {share}" for name, share in shares.items() if not 0 < share <= 1]:
            raise OptionError(
                f"LinkConfig cannot be used: {', '.join(wrong)}. Expected scores above 0 and up to 1: correct them."
            )


@dataclass(frozen=True, slots=True)
class Link:
    """An entity that a text mentions.

    Attributes:
        entity: Its name.
        start: Where the mention begins, in characters of the text.
        end: Where it ends.
        quote: What stands there.
        score: How well it fits, up to 1. It orders links, and is no probability.
        polarity: "present", "absent", "uncertain" (supposed, asked or a condition), or "other" (somebody else's, or
            past and over).
    """

    entity: str
    start: int
    end: int
    quote: str
    score: float
    polarity: Polarity


@dataclass(frozen=True, slots=True)
class Name:
    """A name of an entity.

    Attributes:
        entity: Place of the entity.
        text: The name.
        share: What scores are multiplied by; 1 unless a background gave it.
    """

    entity: int
    text: str
    share: float = 1.0


@dataclass(frozen=True, eq=False)
class Linker:
    """Finds the entities that texts mention.

    Attributes:
        entities: Names of the entities.
        names: What they are called.
        same: Words that replace each other within names, the token first.
        config: See there.
        encode: Gives vectors of texts, each of length 1; or nothing, and names near in meaning are not looked for.
        vectors: Vectors of the names that no background gave, one row each.

    Example:
        >>> linker = Linker.of(["headache", "fever", "咳嗽", "头晕"])
        >>> for link in linker.link(["My head really hurts, but no fever", "头有点晕，没有咳嗽"])[0]:
        ...     print(link)
        Link(entity='headache', start=3, end=20, quote='head really hurts', score=0.95, polarity='present')
        Link(entity='fever', start=29, end=34, quote='fever', score=1.0, polarity='absent')
    """

    entities: tuple[str, ...]
    names: tuple[Name, ...]
    same: tuple[tuple[str, ...], ...] = ()
    config: LinkConfig = LinkConfig()
    encode: Encoder | None = None
    vectors: NDArray[Any] | None = None
    _automaton: Automaton = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(
            self,
            "_automaton",
            Automaton([name.text for name in self.names], Forms(self.same), [name.share == 1.0 for name in self.names]),
        )

    @classmethod
    def of(
        cls,
        source: Source | Iterable[str],
        entities: Iterable[str] | None = None,
        *,
        background: Sequence[Source] = (),
        encode: Encoder | None = None,
        config: LinkConfig | None = None,
    ) -> Linker:
        """Gather the names of entities.

        Args:
            source: A ``Knowledge``, or ``Statements``; or only names, which are entities each.
            entities: Which things of the graph are looked for; without them, all that have a label or an alias.
            background: Graphs of common knowledge that give entities further names.
            encode: Gives vectors of texts, each of length 1.
            config: See there.

        Raises:
            DataError: There is no entity.
        """
        config = config or LinkConfig()
        called: dict[str, dict[str, None]] = {}
        if hasattr(source, "facts"):
            wanted = None if entities is None else {written(name) for name in entities}
            for fact, _ in source.facts(set(_NAMES)):
                thing, name = map(written, fact.arguments)
                if wanted is None or thing in wanted:
                    called.setdefault(thing, {})[name] = None
            for thing in wanted or ():
                called.setdefault(thing, {})
        else:
            called = {written(name): {} for name in (*source, *(entities or ()))}
        if not called:
            raise DataError(
                "There is nothing to look for: the graph has no labels. Expected some, or the names of entities."
            )
        known = tuple(sorted(called))
        names = {(place, name): 1.0 for place, thing in enumerate(known) for name in (thing, *called[thing])}
        same = _same_words(background, config)
        _widen(names, background, config, Forms(same))
        best: dict[str, float] = {}  # of those that a text may be a name of, only the likeliest are ever linked
        for (_, text), share in names.items():
            best[text] = max(share, best.get(text, 0.0))
        kept = tuple(
            Name(entity, text, share)
            for (entity, text), share in sorted(names.items(), key=lambda one: (one[0][0], -one[1], one[0][1]))
            if (share == best[text] or best[text] == 1.0)
            and _is_name(text)
            and (len(text) > 1 or (share < 1 and not text.isascii()))
        )
        own = [name.text.replace("_", " ") for name in kept if name.share == 1]
        vectors = None if encode is None else np.asarray(encode(own))
        return cls(known, kept, same, config, encode, vectors)

    def link(self, texts: Sequence[str]) -> list[tuple[Link, ...]]:
        """Find what texts mention.

        Args:
            texts: The texts. Of each the first 20,000 characters are read, about an hour of speech.

        Returns:
            For each text its links, in the order of the text. Where a mention may be several entities alike, each has
            a link.
        """
        read = [text[:MOST_CHARACTERS] for text in texts]
        links = [self._named(text) for text in read]
        if self.encode is not None:
            for row, found in self._near(read, links):
                links[row].append(found)
        return [tuple(sorted(some, key=lambda one: (one.start, one.end, one.entity))) for some in links]

    def kinds(self, relation: str = "kind_of") -> list[Given]:
        """Which entity is a kind of another one, as their names say: a name that holds another one is narrower.

        With them a graph in which a disease has 阵发性腹痛 says something to those who speak of 腹痛. They are guesses;
        their weights are the scores of the names, and 0.8 of it where there is more in the name.

        Args:
            relation: What the facts say of the two.

        Example:
            >>> [str(given.fact) for given in Linker.of(["dry cough", "cough", "fever"]).kinds()]
            ["kind_of('dry cough', cough)"]
        """
        found: dict[Fact, float] = {}
        for name in self.names:
            if name.share < 1:
                continue
            for inner in self._automaton.within(name.text):
                other = self.names[inner.name]
                if other.entity == name.entity or len(other.text) < 2:
                    continue
                fact = Fact(relation, (self.entities[name.entity], self.entities[other.entity]))
                same = self._automaton.forms.name_keys(name.text) == self._automaton.forms.name_keys(other.text)
                found[fact] = max(found.get(fact, 0.0), other.share * (1.0 if same else _NARROWER))
        return [
            Given(fact, round(weight, 4), "names")
            for fact, weight in sorted(found.items(), key=lambda one: str(one[0]))
        ]

    def _named(self, text: str) -> list[Link]:
        """What a text mentions by name."""
        tokens = self._automaton.read(text)
        best: dict[tuple[int, ...], dict[int, float]] = {}
        for found in self._automaton.find(tokens):
            if score := self._score(found, tokens, text):
                scores = best.setdefault(found.places, {})
                entity = self.names[found.name].entity
                scores[entity] = max(score, scores.get(entity, 0.0))
        pieces = [_pieces(tokens, places) for places in best]
        said = polarities(tokens.normal, pieces)
        links: list[Link] = []
        for scores, spans, polarity in zip(best.values(), pieces, said, strict=True):
            start, end = spans[0][0], spans[-1][1]
            if _PART_OF_MORE.match(tokens.normal, end):
                continue
            top = max(scores.values())
            links += [
                Link(self.entities[entity], start, end, text[start:end], round(score, 4), polarity)
                for entity, score in scores.items()
                if score == top
            ]
        return links

    def _score(self, found: Found, tokens: Tokens, text: str) -> float:
        """How well a name fits; 0 where it is none: an abbreviation in small letters may be a word."""
        name = self.names[found.name]
        start, end = tokens.starts[found.places[0]], tokens.ends[found.places[-1]]
        if len(name.text) <= 3 and name.text.isascii() and name.text.isupper() and text[start:end] != name.text:
            return 0.0
        if found.kind == "exact" and tokens.normal[start:end] in (normal(name.text), normal(spelt(name.text))):
            return name.share
        share: float = getattr(self.config, "same" if found.kind == "exact" else found.kind)
        return name.share * share

    def _near(self, texts: Sequence[str], links: Sequence[Sequence[Link]]) -> list[tuple[int, Link]]:
        """Entities whose names are near in meaning to clauses in which nothing was found."""
        assert self.encode is not None and self.vectors is not None
        own = [name.entity for name in self.names if name.share == 1]
        clauses: dict[str, list[tuple[int, int, int]]] = {}
        for row, (text, known) in enumerate(zip(texts, links, strict=True)):
            for clause in _CLAUSE.finditer(text):
                said = clause[0].strip()
                start = clause.start() + clause[0].index(said[:1])
                end = start + len(said)
                if not _CLAUSE_CHARACTERS[0] <= len(said) <= _CLAUSE_CHARACTERS[1]:
                    continue
                if any(link.start < end and start < link.end for link in known):
                    continue
                if polarities(normal(text), [((end, end),)]) == ["present"]:
                    clauses.setdefault(said, []).append((row, start, end))
        found: list[tuple[int, Link]] = []
        said_all = list(clauses)
        for first in range(0, len(said_all), _NUMBER_ROWS):
            some = said_all[first : first + _NUMBER_ROWS]
            likeness = np.asarray(self.encode(some)) @ self.vectors.T  # (clauses, names)
            for said, column, cosine in zip(some, likeness.argmax(axis=1), likeness.max(axis=1), strict=True):
                if cosine >= self.config.nearest:
                    entity, score = self.entities[own[column]], round(min(float(cosine), 1.0), 4)
                    found += [(row, Link(entity, a, b, said, score, "present")) for row, a, b in clauses[said]]
        return found

    def to_arrays(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """The names with their entities and shares, and the vectors; and the rest."""
        arrays: dict[str, NDArray[Any]] = {
            "name_entities": np.array([name.entity for name in self.names], dtype=np.int64),
            "name_shares": np.array([name.share for name in self.names], dtype=np.float64),
        }
        if self.vectors is not None:
            arrays["vectors"] = self.vectors
        document = {
            "entities": list(self.entities),
            "names": [name.text for name in self.names],
            "same": [list(ways) for ways in self.same],
            "config": asdict(self.config),
        }
        return arrays, document

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], document: Mapping[str, Any], *, encode: Encoder | None = None
    ) -> Linker:
        """Take back what ``to_arrays`` gave. An encoder is not kept: give the one it was made with."""
        names = zip(arrays["name_entities"], document["names"], arrays["name_shares"], strict=True)
        return cls(
            entities=tuple(document["entities"]),
            names=tuple(Name(int(entity), text, float(share)) for entity, text, share in names),
            same=tuple(map(tuple, document["same"])),
            config=LinkConfig(**document["config"]),
            encode=encode if "vectors" in arrays else None,
            vectors=arrays.get("vectors"),
        )


def answers(links: Iterable[Link], findings: Findings | None = None) -> dict[str, bool | None]:
    """What the links of one record say of findings, as ``Findings.observe`` takes it.

    What is mentioned as present is ``True``, as absent ``False``. What is uncertain, or said to be both, is ``None``:
    it is known that it was spoken of, and nothing else. Of a mention that is uncertain beside a certain one the certain
    one counts. What is somebody else's or over is left out.

    Args:
        links: Of one record, from all its texts.
        findings: Where given, only these are kept, and one that is said to be absent while what presupposes it is
            there becomes ``None``.

    Example:
        >>> linker = Linker.of(["fever", "cough", "rash", "asthma"])
        >>> (links,) = linker.link(["I have a fever but no cough. Maybe a rash. My brother has asthma."])
        >>> answers(links)
        {'fever': True, 'cough': False, 'rash': None}
    """
    said: dict[str, set[str]] = {}
    for link in links:
        if link.polarity != "other":
            said.setdefault(link.entity, set()).add(link.polarity)
    found: dict[str, bool | None] = {}
    for entity, ways in said.items():
        sure = ways - {"uncertain"}
        found[entity] = None if len(sure) != 1 else "present" in sure
    if findings is None:
        return found
    places = {name: place for place, name in enumerate(findings.names)}
    found = {entity: there for entity, there in found.items() if entity in places}
    for entity in [entity for entity, there in found.items() if there]:
        place = int(findings.parents[places[entity]])
        while place >= 0:
            if found.get(findings.names[place]) is False:
                found[findings.names[place]] = None
            place = int(findings.parents[place])
    return found


def _same_words(background: Sequence[Source], config: LinkConfig) -> tuple[tuple[str, ...], ...]:
    """Words that replace each other within names, the one that they replace first."""
    found: dict[str, list[str]] = {}
    for source in background:
        for fact, _ in source.facts({(config.words, 2)}):
            word, replaced = map(written, fact.arguments)
            found.setdefault(replaced, [replaced]).append(word)
    return tuple(map(tuple, found.values()))


def _widen(names: dict[tuple[int, str], float], background: Sequence[Source], config: LinkConfig, forms: Forms) -> None:
    """Add the names that backgrounds give, where an entity has none that is as good."""
    owners: dict[tuple[str, ...], list[int]] = {}
    for entity, text in names if background else ():
        owners.setdefault(forms.name_keys(text), []).append(entity)
    keys = lru_cache(maxsize=None)(forms.name_keys)
    for source in background:
        for relations, both in ((config.synonyms, True), (config.kinds, False)):
            for fact, weight in source.facts({(relation, 2) for relation in relations}):
                head, tail = map(written, fact.arguments)
                for text, of in ((head, tail), (tail, head)) if both else ((head, tail),):
                    for entity in owners.get(keys(of), ()):
                        _add(names, entity, text, relations[fact.relation] * weight)


def _add(names: dict[tuple[int, str], float], entity: int, text: str, share: float) -> None:
    names[entity, text] = max(share, names.get((entity, text), 0.0))


def _is_name(text: str) -> bool:
    """Whether a name can be looked for: with letters, and more than one character unless a background says so."""
    return any(char.isalpha() for char in text) and not text.startswith(("http:", "https:"))


def _pieces(tokens: Tokens, places: tuple[int, ...]) -> Pieces:
    """Where the pieces of a mention lie: tokens next to each other are one."""
    pieces: list[tuple[int, int]] = []
    for place, before in zip(places, (-2, *places[:-1]), strict=True):
        start = pieces.pop()[0] if place == before + 1 else tokens.starts[place]
        pieces.append((start, tokens.ends[place]))
    return tuple(pieces)
