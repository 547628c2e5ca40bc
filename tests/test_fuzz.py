"""No text makes a decision crash, and every decision makes sense."""

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import huiyi
from huiyi import Decision, Model, Record, TrainConfig
from huiyi.errors import DataError
from huiyi.values import Turn

ANY_CHARACTER = st.characters(exclude_categories=())  # lone surrogates and unassigned code points too
ANY_TEXT = st.text(ANY_CHARACTER, max_size=300)
PIECES = (
    "ticket",
    "票",
    "🙏",
    "\u202e",
    "\ud800",
    "\0",
    "\u200b",
    "\ufdfa",
    "e\u0301\u0301",
    " ",
    "\n",
    "L101",
    "A" * 70,
)

TEXTS = {
    "empty": "",
    "white space": " \t\r\n\u3000\u2028",
    "only emoji": "🙏😀👩‍👩‍👧🇨🇳",
    "only NULs": "\0" * 100,
    "right to left": "أين قطاري \u202eالآن؟ איפה הרכבת",
    "lone surrogates": "\ud800\udfff card \ud83d",
    "control characters": "".join(map(chr, range(32))) + "\x7f\x85\x9f",
    "zero width": "\u200b\u200c\u200d\ufeff\u00ad",
    "combining marks alone": "\u0301" * 500,
    "private and unassigned": "\ue000\U000f0000\U0010ffff\u0378",
    "one ligature of 18 letters": "\ufdfa" * 500,
    "markup": "<script>alert(1)</script> [bold]x[/bold] {0} %s",
    "one long word": "a" * 20_000,
    "long Chinese": "票" * 20_000,
    "no spaces": "whereismytrain,L101" * 1_000,
}


def check(decision: Decision, model: Model) -> None:
    """Hold what every decision must hold."""
    assert 0 <= decision.probability <= 1
    assert 0 <= decision.in_scope <= 1
    assert decision.in_scope or decision.kind == "decline" or decision.probability == 1  # unheard, unless it replies
    assert decision.kind in ("act", "clarify", "decline")
    assert (decision.kind == "clarify") == (decision.question is not None)
    assert decision.label in model.task.names
    assert decision.labels == (decision.label,)
    probabilities = [candidate.probability for candidate in decision.candidates]
    assert probabilities == sorted(probabilities, reverse=True)
    assert all(0 <= probability <= 1 for probability in probabilities)
    assert {candidate.label for candidate in decision.candidates} <= set(model.task.names)
    assert len({candidate.label for candidate in decision.candidates}) == len(decision.candidates)
    if decision.candidates:
        assert (decision.candidates[0].label, probabilities[0]) == (decision.label, decision.probability)
    if decision.question is not None:
        assert len(set(decision.question.options)) == len(decision.question.options) >= 2
    again: Any = json.loads(json.dumps(asdict(decision)))
    assert again["id"] == decision.id


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_odd_texts(model: Model, text: str) -> None:
    decision = model.decide(text)
    check(decision, model)
    if not text.strip("\0 \t\r\n"):
        assert decision.kind == "decline"


@given(text=ANY_TEXT)
def test_any_text(model: Model, text: str) -> None:
    check(model.decide(text), model)


@given(pieces=st.lists(st.sampled_from(PIECES), max_size=40))
def test_texts_of_odd_pieces(model: Model, pieces: list[str]) -> None:
    check(model.decide("".join(pieces)), model)


@given(texts=st.lists(st.one_of(st.none(), ANY_TEXT), min_size=1, max_size=6))
def test_any_texts_together(model: Model, texts: list[str | None]) -> None:
    records = [Record(id=str(i), text=text) for i, text in enumerate(texts)]
    decisions = model.decide_all(records)
    assert [decision.record_id for decision in decisions] == [record.id for record in records]
    for record, decision in zip(records, decisions, strict=True):
        check(decision, model)
        assert decision.probability == pytest.approx(model.decide(record).probability, abs=1e-4)


@given(text=ANY_TEXT, turns=st.lists(ANY_TEXT, max_size=6), answer=ANY_TEXT)
def test_any_history_and_answer(model: Model, text: str, turns: list[str], answer: str) -> None:
    history = tuple(Turn("agent", turn) for turn in turns)
    check(model.decide(Record(text=text, history=history, answers={"intent": answer})), model)


@settings(max_examples=25)
@given(texts=st.lists(ANY_TEXT, min_size=4, max_size=12, unique=True))
def test_any_texts_can_be_learnt(texts: list[str]) -> None:
    """Or are refused in words."""
    rows = [Record(text=text, labels={"intent": "ab"[i % 2]}) for i, text in enumerate(["known a", "known b", *texts])]
    learnt = huiyi.train(rows, config=TrainConfig(signals=("words",)))
    for text in texts:
        check(learnt.decide(text), learnt)


SLOW = [pytest.param(character, marks=pytest.mark.slow) for character in ("a", "票", "🙏", "\ud800")]


@pytest.mark.parametrize("character", [*SLOW, " ", "\0"])
def test_a_megabyte_of_one_character(model: Model, character: str) -> None:
    check(model.decide(character * (2**20 // len(character.encode("utf-8", "surrogatepass")))), model)


@pytest.mark.parametrize("text", ["a" * 2_000_001, "票 " * 1_000_001, "\0" * 10_000_000], ids=len)
def test_texts_nobody_says(model: Model, text: str) -> None:
    with pytest.raises(DataError, match=r"characters, more than the 2,000,000"):
        model.decide(text)
