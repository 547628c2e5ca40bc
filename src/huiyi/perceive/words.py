"""The signal ``words``: which words and which characters were used.

Latin words count whole, in pairs and by their characters, so that a typo
costs little; Chinese counts by characters, which needs no segmenter and is
right for mixed text too.

Source:
    Salton and Buckley, "Term-weighting approaches in automatic text
    retrieval", Information Processing & Management 24(5), 1988 (tf-idf with
    logarithmic counts).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.perceive.text import said
from huiyi.values import Record

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

LATIN_CHARACTERS = (2, 3, 4, 5)
CHINESE_CHARACTERS = (1, 2, 3, 4)
LARGEST_VOCABULARY = 400_000
RARE_FROM = 2_000  # with more texts than this, what occurs in one text only is left out: it saves half the vocabulary

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_RUNS = re.compile(rf"[{_CJK}]+|[^\W{_CJK}]+(?:'[^\W{_CJK}]+)*")
_IS_CJK = re.compile(rf"[{_CJK}]")
_LONGEST_RUN = 64  # a longer run of letters is no word; its characters are counted in pieces of this size


def terms(text: str) -> tuple[Iterator[str], Iterator[str]]:
    """Return the terms of a text: those made of words, and those made of characters.

    Example:
        >>> words, characters = terms("Card 没到")
        >>> list(words)
        ['card', '没', '到', 'card 没', '没 到']
        >>> list(characters)[-3:]
        ['没', '没到', '到']
    """
    runs = _runs(text)
    return _terms_of_words(runs), (term for run in runs for term in _terms_of_characters(run))


def _runs(text: str) -> list[str]:
    """The words of a text, and its stretches of Chinese, in small letters."""
    return [
        run[i : i + _LONGEST_RUN]
        for run in _RUNS.findall(unicodedata.normalize("NFKC", text).lower())
        for i in range(0, len(run), _LONGEST_RUN)
    ]


def _terms_of_words(runs: Sequence[str]) -> Iterator[str]:
    """Yield words, or characters of Chinese, one by one and in pairs."""
    words = [word for run in runs for word in (run if _IS_CJK.match(run) else [run])]
    yield from words
    for left, right in pairwise(words):
        yield f"{left} {right}"


def _terms_of_characters(run: str) -> Iterator[str]:
    """Yield the few characters that follow each other in a run."""
    sizes, edged = (CHINESE_CHARACTERS, run) if _IS_CJK.match(run) else (LATIN_CHARACTERS, f" {run} ")
    for start in range(len(edged)):
        for size in sizes:
            if start + size > len(edged):
                break
            yield edged[start : start + size]


class WordsPerceiver:
    """Tf-idf of words and characters, each half of length 1 before both are joined.

    Example:
        >>> perceiver = WordsPerceiver()
        >>> records = [Record(text="lost my card"), Record(text="卡丢了"), Record()]
        >>> perceiver.fit(records)
        >>> signals, present = perceiver.perceive(records)
        >>> similar = (signals["words"] @ signals["words"].T).toarray()
        >>> similar.round(2).tolist(), present.tolist()
        ([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]], [True, True, False])
    """

    def __init__(self) -> None:
        self._vocabulary: dict[str, int] = {}  # a term of words carries a leading tab, to tell "to" from " to"
        self._idf: NDArray[np.float32] = np.zeros(0, dtype=np.float32)

    @property
    def vocabulary(self) -> Mapping[str, int]:
        """Term to column. Terms of words begin with a tab."""
        return self._vocabulary

    def fit(self, records: Sequence[Record]) -> None:
        """Learn which terms there are and how rare each is."""
        texts = dict.fromkeys(said(record) for record in records)
        counts: Counter[str] = Counter()
        for text in texts:
            words, characters = terms(text)
            counts.update({f"\t{word}" for word in words}.union(characters))
        least = 2 if len(texts) > RARE_FROM else 1
        kept = [term for term, count in counts.most_common(LARGEST_VOCABULARY) if count >= least]
        self._vocabulary = {term: column for column, term in enumerate(sorted(kept))}
        documents = np.array([counts[term] for term in self._vocabulary], dtype=np.float32)
        self._idf = np.log((1 + len(texts)) / (1 + documents)) + 1

    def perceive(
        self, records: Sequence[Record], *, tick: Callable[[int], None] | None = None
    ) -> tuple[Mapping[str, csr_array], NDArray[np.bool_]]:
        """Return sparse rows of shape (n, terms), and which records have a known term."""
        from scipy.sparse import csr_array

        columns: list[int] = []
        values: list[NDArray[np.float32]] = []
        ends = [0]
        place = self._vocabulary.get
        spelt: dict[str, list[int]] = {}  # most words occur in more than one text
        for record in records:
            runs = _runs(said(record))
            for run in runs:
                if run not in spelt:
                    spelt[run] = [column for term in _terms_of_characters(run) if (column := place(term)) is not None]
            words = (column for word in _terms_of_words(runs) if (column := place(f"\t{word}")) is not None)
            for half in (words, (column for run in runs for column in spelt[run])):
                counts = Counter(half)
                if counts:
                    weights = 1 + np.log(np.fromiter(counts.values(), dtype=np.float32, count=len(counts)))
                    weights *= self._idf[list(counts)]
                    columns += counts
                    values.append(weights / (np.linalg.norm(weights) * np.sqrt(2)))
            ends.append(len(columns))
            if tick is not None:
                tick(1)
        data = np.concatenate([*values, np.zeros(0)]).astype(np.float32)
        shape = (len(records), len(self._vocabulary))
        signal = csr_array((data, np.array(columns, dtype=np.int32), np.array(ends, dtype=np.int32)), shape=shape)
        return {"words": signal}, np.diff(ends) > 0

    def to_arrays(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """The rarity of each term, and the terms in order."""
        return {"idf": self._idf}, {"terms": list(self._vocabulary)}

    def from_arrays(self, arrays: Mapping[str, NDArray[Any]], config: Mapping[str, Any]) -> None:
        """Take back what ``to_arrays`` gave."""
        self._idf = arrays["idf"]
        self._vocabulary = {term: column for column, term in enumerate(config["terms"])}
