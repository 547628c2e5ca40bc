"""Everyday: what people call what ails them, in English and Chinese, as a background for linking.

``words/everyday.csv`` holds it, in our own words. A row says that the first words
are said for the others, which mean the same (``Synonym``), that the first are kinds of the others (``IsA``), or that
the first replace the others within names (``SameWord``: 肚子 for 腹). A bar stands between words; of several that the
first are said for, the likeliest stands first. Brackets among the first hold parts that may stand for each other, or be
missing: ``(膝盖|腿弯)(发|)酸`` are four words.
"""

from __future__ import annotations

import csv
import io
import re
from functools import cache
from importlib import resources
from itertools import combinations, product

from huiyi.reason.facts import Fact, Given, Statements

_BARS, _BRACKETS = re.compile(r"\|(?![^(]*\))"), re.compile(r"\(([^)]*)\)")
_STEP = 0.01  # by which the weight falls from one of the words that something is said for to the next


@cache
def everyday() -> Statements:
    """What people call what ails them: facts of the relations ``SaidFor``, ``Synonym``, ``IsA`` and ``SameWord``.

    Example:
        >>> from huiyi.reason.link import Linker
        >>> linker = Linker.of(["腹泻", "腹痛", "nausea"], background=[everyday()])
        >>> [link.entity for link in linker.link(["拉了两天肚子，肚子有点疼，and I feel like throwing up"])[0]]
        ['腹泻', '腹痛', 'nausea']
    """
    facts: list[Given] = []
    file = resources.files("huiyi.reason").joinpath("words", "everyday.csv")
    for row in csv.DictReader(io.StringIO(file.read_text("utf-8"), newline="")):
        heads, tails = _spelt_out(row["head"]), row["tail"].split("|")
        relation = row["relation"]
        if relation == "Synonym":
            facts += [Given(Fact(relation, pair)) for pair in combinations(tails, 2)]
            relation = "SaidFor"
        for head, (place, tail) in product(heads, enumerate(tails)):
            if head != tail:
                facts.append(Given(Fact(relation, (head, tail)), 1 - _STEP * place))
    return Statements(facts, source="everyday.csv")


def _spelt_out(words: str) -> list[str]:
    """All words that a row's head stands for.

    Example:
        >>> _spelt_out("腿软|(膝盖|腿弯)(发|)酸")
        ['腿软', '膝盖发酸', '膝盖酸', '腿弯发酸', '腿弯酸']
    """
    found = []
    for word in _BARS.split(words):
        pieces = [piece.split("|") if place % 2 else [piece] for place, piece in enumerate(_BRACKETS.split(word))]
        found += ["".join(parts) for parts in product(*pieces)]
    return found
