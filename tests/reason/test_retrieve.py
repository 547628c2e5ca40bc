"""Retriever: which thing a text is about, by words and by meaning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from huiyi.errors import DataError, OptionError
from huiyi.reason import Fact, RetrieveConfig, Retriever, Statements
from huiyi.reason.forms import Forms

NAMES = [
    "Licence to fish in rivers (renewal)",
    "Licence to fish in rivers (replacement of a lost one)",
    "Licence to keep bees",
    "营业执照遗失补办",
    "营业执照注销登记",
    "养蜂登记",
]


def best(retriever: Retriever, text: str) -> str:
    (ranked,) = retriever.retrieve([text])
    return ranked[0].thing


@pytest.mark.parametrize(
    ("text", "thing"),
    [
        ("I keep some bees behind the house, may I have a licence?", NAMES[2]),
        ("my fishing licence is lost, who replaces it", NAMES[1]),
        ("执照丢了，遗失的要补办一张", NAMES[3]),
        ("店不开了，登记要注销", NAMES[4]),
        ("我养蜜蜂，养蜂的要登记吗", NAMES[5]),
    ],
)
def test_parts_of_a_name_in_any_order_find_it(text: str, thing: str) -> None:
    assert best(Retriever.of(NAMES), text) == thing


def test_what_is_rare_counts_more_than_what_many_names_have() -> None:
    retriever = Retriever.of(["red permit", "green permit", "blue permit", "permit of a circus"])
    assert best(retriever, "permit permit permit, a circus") == "permit of a circus"
    (ranked,) = retriever.retrieve(["green"])
    assert [one.thing for one in ranked] == ["green permit"]  # nothing of the others was said


@given(st.lists(st.text("ab国 ,", min_size=1, max_size=6), min_size=1, max_size=5, unique=True), st.text("ab国 ,"))
def test_the_score_is_the_formula(names: list[str], text: str) -> None:
    config = RetrieveConfig(pair=2.0, length=0.25)
    retriever = Retriever.of(names, config=config)

    def parts(words: str) -> set[tuple[str, ...]]:
        read = Forms().tokens(words)
        pairs = {(read.keys[n], read.keys[n + 1]) for n in range(len(read) - 1) if read.joined(n)}
        return {(key,) for key in read.keys} | pairs

    own = [parts(name) for name in retriever.things]

    def weight(part: tuple[str, ...]) -> float:
        having = sum(part in some for some in own)
        return float((2.0 if len(part) == 2 else 1.0) * np.log(1 + (len(own) - having + 0.5) / (having + 0.5)))

    totals = [sum(map(weight, some)) for some in own]
    middle = sum(totals) / len(totals)
    expected = {
        name: sum(map(weight, parts(text) & some)) / (0.75 * middle + 0.25 * total)
        for name, some, total in zip(retriever.things, own, totals, strict=True)
        if parts(text) & some
    }
    (ranked,) = retriever.retrieve([text])
    assert {one.thing: one.score for one in ranked} == pytest.approx(expected)
    assert [one.score for one in ranked] == sorted((one.score for one in ranked), reverse=True)
    assert all(one.score == one.words for one in ranked)


def test_other_names_of_a_graph_find_a_thing_too() -> None:
    graph = Statements([Fact("skos:altLabel", ("d7", "养狗证")), Fact("nickname", ("d9", "dog tax"))])
    assert Retriever.of(graph).things == ("d7",)
    assert best(Retriever.of(graph, ["d7", "d9"]), "怎么办养狗证") == "d7"
    retriever = Retriever.of(graph, ["d7", "d9"], relations=["nickname"])
    assert retriever.called == (("d7",), ("d9", "dog tax"))
    assert best(retriever, "is there a tax on dogs?") == "d9"


MEANINGS = {"dog": (1.0, 0.0, 0.2), "hound": (0.9, 0.1, 0.2), "boat": (0.0, 1.0, 0.2), "vessel": (0.1, 0.9, 0.2)}


def encode(texts: Sequence[str]) -> NDArray[Any]:
    vectors = np.array([MEANINGS[text] for text in texts])
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_meaning_finds_what_words_do_not() -> None:
    assert Retriever.of(["dog", "boat"]).retrieve(["hound"]) == [()]
    retriever = Retriever.of(["dog", "boat"], encode=encode, config=RetrieveConfig(meaning=0.5))
    for text, thing in (("hound", "dog"), ("vessel", "boat")):
        (ranked,) = retriever.retrieve([text])
        assert [(one.thing, one.words) for one in ranked] == [(thing, 0.0)]  # the other one is opposite
        assert 0.45 < ranked[0].score <= 0.5
    (ranked,) = retriever.retrieve(["dog"])
    assert ranked[0].score == pytest.approx(ranked[0].words + 0.5)


def test_of_several_names_the_nearest_counts() -> None:
    graph = Statements([Fact("rdfs:label", ("boat", "hound"))])
    retriever = Retriever.of(graph, ["boat", "vessel"], encode=encode)
    assert best(retriever, "dog") == "boat"


def test_saved_and_taken_back_it_ranks_alike() -> None:
    config = RetrieveConfig(pair=0.5, length=0.1, meaning=0.7)
    retriever = Retriever.of(["dog", "boat", "vessel"], encode=encode, config=config)
    arrays, document = retriever.to_arrays()
    again = Retriever.from_arrays(arrays, document, encode=encode)
    assert again.config == config
    assert again.retrieve(["hound", "vessel"]) == retriever.retrieve(["hound", "vessel"])
    plain = Retriever.of(NAMES)
    arrays, document = plain.to_arrays()
    assert not arrays
    assert Retriever.from_arrays(arrays, document).retrieve(NAMES) == plain.retrieve(NAMES)


def test_equal_ones_come_by_name_and_no_more_than_asked_for() -> None:
    (ranked,) = Retriever.of(["permit b", "permit c", "permit a"]).retrieve(["a permit"], most=2)
    assert [one.thing for one in ranked] == ["permit a", "permit b"]
    assert Retriever.of(NAMES).retrieve([]) == []
    assert Retriever.of(NAMES).retrieve(["", "…"]) == [(), ()]


def test_what_cannot_be_is_refused_in_one_line() -> None:
    with pytest.raises(DataError, match="nothing to retrieve"):
        Retriever.of(Statements([Fact("part_of", ("a", "b"))]))
    with pytest.raises(OptionError, match="length from 0 to 1"):
        RetrieveConfig(length=1.5)
    with pytest.raises(OptionError, match="at least 1"):
        Retriever.of(NAMES).retrieve(["bees"], most=0)
