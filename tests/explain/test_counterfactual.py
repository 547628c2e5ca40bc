"""Counterfactuals: the fewest changes, words that people write, and what the model really decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import huiyi
from huiyi import Model, Record
from huiyi.explain import Corpus, Search, units_of
from huiyi.explanation import Change
from huiyi.values import Decision

NAMES = ("delay", "loss", "theft")
CORPUS = Corpus(
    ["my card is late", "my card is lost", "my purse was stolen", "it is lost again"],
    [("delay",), ("loss",), ("theft",), ("loss",)],
)


def decision(kind: str, label: str, probability: float) -> Decision:
    return Decision("", "", kind, "intent", label, (label,), probability, 1.0, ())  # type: ignore[arg-type]


def decided(texts: Sequence[str]) -> Any:
    """The label whose word is there; all that is without one of them is a delay."""
    told = np.array([[0.5, 0.9 * ("lost" in text), 0.8 * ("stolen" in text)] for text in texts])
    told /= told.sum(axis=1, keepdims=True)
    return [decision("act", NAMES[int(row.argmax())], float(row.max())) for row in told], told


def found(text: str, weights: Sequence[float], model: Any = decided) -> Any:
    ((now,), _) = model([text])
    return Search(text, units_of(text), weights, now, NAMES, model, CORPUS).run()


def test_one_word_that_reads_well() -> None:
    one = found("My card is late.", [0, 0, 0, 1])
    assert (one.text, one.changes) == ("My card is lost.", (Change("late", "lost"),))
    assert (one.labels, one.kind, one.stilted) == (("loss",), "act", False)


def test_one_change_more_where_that_reads_better() -> None:
    one = found("it is lost again", [0, 0, 1, 0])  # nobody writes: it is again
    assert (one.text, one.labels, one.stilted) == ("it is late", ("delay",), False)
    assert one.changes == (Change("lost", ""), Change("again", "late"))


def test_what_nobody_writes_is_stilted() -> None:
    one = found("trains late", [0, 1])
    assert one is not None and one.stilted
    assert one.labels != ("delay",)


def test_no_change_is_found_where_none_changes_anything() -> None:
    def firm(texts: Sequence[str]) -> Any:
        return [decision("act", "delay", 0.9)] * len(texts), np.tile([0.9, 0.05, 0.05], (len(texts), 1))

    assert found("my card is late", [0, 0, 0, 1], firm) is None
    assert found("", [], firm) is None


def test_what_would_have_to_be_true_for_a_declined_decision() -> None:
    def strange(texts: Sequence[str]) -> Any:
        decisions, told = decided(texts)
        return [
            one if "card" in text else decision("decline", "delay", 0.4)
            for one, text in zip(decisions, texts, strict=True)
        ], told

    one = found("my zebra is late", [0, 0, 0, 0], strange)
    assert (one.kind, one.text) == ("act", "my card is late")


def test_words_stand_side_by_side_in_any_case() -> None:
    assert CORPUS.stands("CARD", "is") and CORPUS.stands("", "my") and not CORPUS.stands("is", "card")
    assert CORPUS.pulling("loss", "delay")[0] == "lost"


def test_words_put_in_are_written_as_the_text_is() -> None:
    mixed = Corpus(["my card is 丢 lost 2"], [("loss",)])
    assert mixed.pulling("loss", "delay", like="it is late") == ["2", "card", "is", "lost", "my"]
    assert mixed.pulling("loss", "delay", like="来晚了") == ["2", "丢"]
    assert len(mixed.pulling("loss", "delay", like="card 来晚了")) == 6


def test_a_model_confirms_what_was_found(model: Model) -> None:
    text = "how much is a bed to Whitecliff on the night train"
    one = model.explain(text).counterfactual
    assert one is not None and 1 <= len(one.changes) <= 3
    again = model.decide(one.text)
    assert (again.kind, again.labels) == (one.kind, one.labels)
    assert again.probability == pytest.approx(one.probability, abs=1e-6)
    assert again.labels != model.decide(text).labels or again.kind != model.decide(text).kind
    assert model.explain(text).counterfactual == one
    assert model.explain(text, counterfactual=False).counterfactual is None


def test_a_reply_settles_whatever_the_text_says(model: Model) -> None:
    record = Record(text="train?", answers={"intent": "ask_fare"})
    found = huiyi.explain(model, record)
    assert (found.label, found.counterfactual) == ("ask_fare", None)
