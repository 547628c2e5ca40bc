"""Retrieve: which thing of a graph is a text about, where it says so in its own words?

    retriever = Retriever.of(knowledge, things)      # or Retriever.of(names), without a graph
    ranked = retriever.retrieve(texts)               # for each text the likeliest things, best first

A linker finds names that stand in a text. People who ask for a thing with a
long name rarely use it: they shorten it, put its parts in another order, and
say other things beside. So every thing is ranked by how much of its names the
text holds, rare parts counting most, and, where there is an encoder, by how near
it is in meaning.

With g the tokens and pairs of neighbouring tokens (``forms.py``) of a text t and
of a thing's names n, N things of which df(g) have g, p(g) = 1 for a token and
`pair` for two, W(n) the sum of w over all g of n, and m the mean of W,

    w(g) = p(g) · log(1 + (N − df(g) + ½) / (df(g) + ½))
    score = Σ over g in t and n of w(g) / ((1 − b) m + b W(n))  +  meaning · max(0, cos(t, n))

The cosine is the best among a thing's names, of vectors centred on the mean of
all names. Scores order things, and are no probabilities; how low a score means
that there is no such thing depends on the graph, and is the caller's to choose.

Source:
    The inverse frequency and the part of the length, b, are those of BM25: Robertson and Zaragoza, "The Probabilistic
    Relevance Framework: BM25 and Beyond", Foundations and Trends in Information Retrieval 3(4), 2009. How often a token
    is repeated is left out: names are short.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array

from huiyi.errors import DataError, OptionError
from huiyi.reason.facts import LARGEST_TEXT, Source, written
from huiyi.reason.forms import Forms
from huiyi.reason.link import Encoder

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FORMS = Forms()

LABELS = ("rdfs:label", "skos:altLabel")
"""Relations to what a thing is called."""


@dataclass(frozen=True)
class RetrieveConfig:
    """What counts how much. Chosen on the development questions of ``benchmarks/services.py``.

    Attributes:
        pair: Weight of two tokens side by side beside that of one.
        length: How far a long name must be found as a whole, 0 to 1; ``b`` in the formula.
        meaning: What the cosine is multiplied by.
    """

    pair: float = 1.0
    length: float = 0.3
    meaning: float = 0.8

    def __post_init__(self) -> None:
        if not (self.pair >= 0 and 0 <= self.length <= 1 and self.meaning >= 0):
            raise OptionError(
                f"{self} cannot be used. Expected a length from 0 to 1, and no weight below 0: correct them."
            )


@dataclass(frozen=True, slots=True)
class Retrieved:
    """A thing that a text may be about.

    Attributes:
        thing: Its name.
        score: How well it fits, above 0. It orders things, and is no probability.
        words: The part of the score that comes from words in common; the rest comes from meaning.
    """

    thing: str
    score: float
    words: float


@dataclass(frozen=True, eq=False)
class Retriever:
    """Ranks the things of a graph by how well a text tells them.

    Attributes:
        things: Their names.
        called: What each is called, its own name first.
        config: See there.
        encode: Gives vectors of texts, each of length 1; or nothing, and only words count.
        vectors: Vectors of what things are called, one row each, in the order of ``called``.

    Raises:
        DataError: There is no thing.

    Example:
        >>> retriever = Retriever.of(["Renewing a fishing licence", "Losing a fishing licence", "渔船登记变更"])
        >>> for text in ("my licence to fish runs out, may I renew it?", "我的船换了主人，登记要变更"):
        ...     (best, *_), = retriever.retrieve([text])
        ...     print(best.thing)
        Renewing a fishing licence
        渔船登记变更
    """

    things: tuple[str, ...]
    called: tuple[tuple[str, ...], ...]
    config: RetrieveConfig = RetrieveConfig()
    encode: Encoder | None = None
    vectors: NDArray[Any] | None = None
    _columns: dict[str, int] = field(init=False, repr=False)
    _weights: csr_array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.things:
            raise DataError("There is nothing to retrieve. Expected the names of things, or a graph that has some.")
        columns: dict[str, int] = {}
        own = [[columns.setdefault(one, len(columns)) for one in _parts(names)] for names in self.called]
        shape = (len(own), len(columns))
        places = np.array(list(chain.from_iterable(own)), dtype=np.intp)
        rows = np.repeat(np.arange(len(own)), [len(some) for some in own])
        having = np.bincount(places, minlength=len(columns))
        weights = np.log1p((len(own) - having + 0.5) / (having + 0.5))
        weights *= [self.config.pair if " " in part else 1.0 for part in columns]
        totals = np.bincount(rows, weights[places], minlength=len(own))
        lengths = (1 - self.config.length) * totals.mean() + self.config.length * totals
        object.__setattr__(self, "_columns", columns)
        shares = weights[places] / np.maximum(lengths, 1e-12)[rows]
        object.__setattr__(self, "_weights", csr_array((shares, (rows, places)), shape=shape))

    @classmethod
    def of(
        cls,
        source: Source | Iterable[str],
        things: Iterable[str] | None = None,
        *,
        relations: Sequence[str] = LABELS,
        encode: Encoder | None = None,
        config: RetrieveConfig | None = None,
    ) -> Retriever:
        """Gather what things are called.

        Args:
            source: A ``Knowledge``, or ``Statements``; or only names, which are things each.
            things: Which things of the graph are looked for; without them, all that are called something.
            relations: What leads from a thing to a text that it is told by.
            encode: Gives vectors of texts, each of length 1.
            config: See there.

        Raises:
            DataError: There is no thing.
        """
        called: dict[str, dict[str, None]] = defaultdict(dict)
        if hasattr(source, "facts"):
            wanted = None if things is None else {written(name) for name in things}
            for fact, _ in source.facts({(relation, 2) for relation in relations}):
                thing, name = map(written, fact.arguments)
                if wanted is None or thing in wanted:
                    called[thing][name] = None
            known = sorted(wanted if wanted is not None else called)
        else:
            known = sorted({written(name) for name in (*source, *(things or ()))})
        names = tuple((thing, *(name for name in sorted(called[thing]) if name != thing)) for thing in known)
        vectors = None if encode is None or not names else np.asarray(encode(list(chain.from_iterable(names))))
        return cls(tuple(known), names, config or RetrieveConfig(), encode, vectors)

    def retrieve(self, texts: Sequence[str], *, most: int = 10) -> list[tuple[Retrieved, ...]]:
        """Rank what texts may be about.

        Args:
            texts: The texts. Of each the first 100,000 characters are read.
            most: How many things to give at most.

        Returns:
            For each text the things with a score above 0, best first; of equal ones, the first by name.
        """
        if most < 1:
            raise OptionError(f"most={most} cannot be used. Expected how many things to give, at least 1.")
        read = [text[:LARGEST_TEXT] for text in texts]
        if not read:
            return []
        words = self._words(read)
        scores = words if self.encode is None else words + self.config.meaning * self._cosines(read)
        ranked: list[tuple[Retrieved, ...]] = []
        for own, of_words in zip(scores, words, strict=True):
            order = np.argsort(-own, kind="stable")[:most]
            ranked.append(
                tuple(
                    Retrieved(self.things[place], float(own[place]), float(of_words[place]))
                    for place in order
                    if own[place] > 0
                )
            )
        return ranked

    def _words(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """How much of what things are called stands in texts, shape (texts, things)."""
        own = [[self._columns[one] for one in _parts([text]) if one in self._columns] for text in texts]
        places = np.array(list(chain.from_iterable(own)), dtype=np.intp)
        rows = np.repeat(np.arange(len(own)), [len(some) for some in own])
        there = csr_array((np.ones(len(places)), (rows, places)), shape=(len(own), len(self._columns)))
        return np.asarray((there @ self._weights.T).todense(), dtype=np.float64)

    def _cosines(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """The best cosine with what each thing is called, none below 0, shape (texts, things)."""
        assert self.encode is not None
        middle, names = self._centred
        likeness = _unit(np.asarray(self.encode(texts)) - middle) @ names.T  # (texts, names)
        starts = np.cumsum([0, *(len(names) for names in self.called[:-1])])
        return np.asarray(np.maximum(np.maximum.reduceat(likeness, starts, axis=1), 0.0), dtype=np.float64)

    @cached_property
    def _centred(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """The mean of the vectors, and what they are beside it, of length 1."""
        assert self.vectors is not None
        middle = self.vectors.mean(axis=0)
        return middle, _unit(self.vectors - middle)

    def to_arrays(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """The vectors; and what things are called, with the rest."""
        arrays = {} if self.vectors is None else {"vectors": self.vectors}
        return arrays, {"called": [list(names) for names in self.called], "config": asdict(self.config)}

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], document: Mapping[str, Any], *, encode: Encoder | None = None
    ) -> Retriever:
        """Take back what ``to_arrays`` gave. An encoder is not kept: give the one it was made with."""
        called = tuple(tuple(names) for names in document["called"])
        return cls(
            things=tuple(names[0] for names in called),
            called=called,
            config=RetrieveConfig(**document["config"]),
            encode=encode if "vectors" in arrays else None,
            vectors=arrays.get("vectors"),
        )


def _parts(texts: Iterable[str]) -> dict[str, None]:
    """The different tokens of texts, and the pairs of neighbours between which no mark stands.

    Example:
        >>> list(_parts(["养犬登记, dogs"]))
        ['养', '犬', '登', '记', 'dog', '养 犬', '犬 登', '登 记']
    """
    found: dict[str, None] = {}
    for text in texts:
        read = _FORMS.tokens(text.replace("_", " "))
        found.update(dict.fromkeys(read.keys))
        for place in range(len(read) - 1):
            if read.joined(place):
                found[f"{read.keys[place]} {read.keys[place + 1]}"] = None
    return found


def _unit(vectors: NDArray[Any]) -> NDArray[Any]:
    """Vectors of length 1; one of length 0 stays."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)  # type: ignore[no-any-return]
