"""Decisions on intents made by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from huiyi.decide import Decider
from huiyi.decide.decider import _best_f1
from huiyi.values import Decision, Intents, Label, Record, Span, Task

CHOICE = Task("intent", "choice", tuple(map(Label, "abc")))
SEVERAL = Task("intent", "several", tuple(map(Label, "abc")))


def decider(*, threshold: float = 0.8, candidate: float = 0.2, label: float = 0.0, scope: float = 0.05) -> Decider:
    made = Decider()
    promise = {"kind": "estimated", "max_error": 0.05, "delta": 0.1, "oos_rate": 0.1, "covers_oos": False}
    promise |= {"threshold": threshold, "scope_level": scope, "rows": 100}
    made.from_arrays({}, {"promise": promise, "candidate_threshold": candidate, "label_threshold": label})
    return made


def decided(made: Decider, task: Task, row: list[float], in_scope: float = 0.5, **record: Any) -> Decision:
    intents = Intents(task, np.array([row]), np.array([in_scope]))
    (decision,) = made.decide(intents, [Record(**{"id": "r1", "text": "hello", **record})])
    return decision


@pytest.mark.parametrize(
    ("row", "in_scope", "kind", "candidates"),
    [
        ([0.9, 0.07, 0.03], 0.5, "act", "a"),
        ([0.8, 0.1, 0.1], 0.05, "act", "a"),
        ([0.3, 0.5, 0.2], 0.5, "clarify", "bac"),
        ([0.9, 0.07, 0.03], 0.04, "decline", "a"),
    ],
)
def test_choice(row: list[float], in_scope: float, kind: str, candidates: str) -> None:
    decision = decided(decider(), CHOICE, row, in_scope)
    assert decision.kind == kind
    assert [candidate.label for candidate in decision.candidates] == list(candidates)
    assert (decision.label, decision.labels) == ("abc"[np.argmax(row)], ("abc"[np.argmax(row)],))
    assert (decision.probability, decision.in_scope) == (max(row), in_scope)
    assert (decision.question is not None) == (kind == "clarify")
    assert (decision.record_id, decision.task) == ("r1", "intent")


@pytest.mark.parametrize(
    "threshold",
    [0.9, 0.3],
)
def test_no_candidate_means_decline(threshold: float) -> None:
    decision = decided(decider(threshold=threshold, candidate=0.6), CHOICE, [0.4, 0.3, 0.3])
    assert (decision.kind, decision.candidates) == ("decline", ())


@pytest.mark.parametrize("scope_level", [0.05, 0.0])
def test_what_nothing_was_perceived_of_is_declined(scope_level: float) -> None:
    made = decider(scope=scope_level)
    assert decided(made, CHOICE, [1, 0, 0], 0.0).kind == "decline"
    assert decided(made, CHOICE, [1, 0, 0], 0.06).kind == "act"


def test_a_reply_settles() -> None:
    decision = decided(decider(), CHOICE, [0.3, 0.5, 0.2], 0.01, answers={"intent": "C"})
    assert (decision.kind, decision.label, decision.probability, decision.question) == ("act", "c", 1, None)


@pytest.mark.parametrize(
    ("row", "kind", "labels", "probability"),
    [
        ([0.95, 0.9, 0.05], "act", ("a", "b"), 0.9),
        ([0.95, 0.5, 0.05], "clarify", ("a", "b"), 0.5),
        ([0.1, 0.1, 0.05], "act", (), 0.9),
    ],
)
def test_several(row: list[float], kind: str, labels: tuple[str, ...], probability: float) -> None:
    decision = decided(decider(candidate=0.4, label=0.4), SEVERAL, row)
    assert (decision.kind, decision.label, decision.labels) == (kind, None, labels)
    assert decision.probability == pytest.approx(probability)


def test_every_decision_has_its_own_id() -> None:
    intents = Intents(CHOICE, np.full((50, 3), 1 / 3), np.ones(50))
    decisions = decider().decide(intents, [Record(text="x")] * 50, model="m", version="1", seed=7)
    assert len({decision.id for decision in decisions}) == 50
    assert {(d.model, d.version, d.seed) for d in decisions} == {("m", "1", 7)}


def test_fit_counts_unknown_labels_as_wrong_and_out_of_scope_rows_apart() -> None:
    labels = ["a"] * 100 + ["never seen"] * 100 + ["oos"] * 10
    intents = Intents(CHOICE, np.array([[0.9, 0.05, 0.05]] * 210), np.ones(210))
    records = [Record(labels={"intent": label}) for label in labels]
    made = Decider()
    made.fit(intents, records, max_error=0.05, oos_rate=0.1, held_out=True)
    assert (made.promise.kind, made.promise.rows, made.promise.covers_oos) == ("none", 210, True)
    assert made.candidate_threshold == 0  # no set can hold a label that is not known


def test_fit_of_several_finds_the_best_f1() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random((300, 3)) < 0.3
    probabilities = np.where(truth, rng.uniform(0.35, 1, truth.shape), rng.uniform(0, 0.3, truth.shape))
    records = [Record(labels={"intent": tuple(np.array(list("abc"))[row])}) for row in truth]
    made = Decider()
    made.fit(Intents(SEVERAL, probabilities, np.ones(300)), records, max_error=0.05, oos_rate=0.1, held_out=True)
    assert 0.3 < made.label_threshold <= 0.36
    again = Decider()
    again.from_arrays(*made.to_arrays())
    assert (again.promise, again.label_threshold) == (made.promise, made.label_threshold)


def test_the_threshold_of_the_best_f1_takes_all_that_are_as_probable() -> None:
    probabilities = np.array([[0.9], [0.9], *[[0.3]] * 100])
    truth = np.array([[True], [False], *[[True]] * 3, *[[False]] * 97])
    assert _best_f1(probabilities, truth) == 0.9


SLOTS = Task("slots", "spans", (Label("city"), Label("day")))


def spans_told(sure: float, *spans: Span) -> Intents:
    return Intents(SLOTS, np.array([[sure]]), np.ones(1), [spans])


def spans_decider() -> Decider:
    """Of rows whose spans are right as often as they seem to be: those above 0.5 are."""
    sure = np.linspace(0, 1, 400)
    right, wrong = (Span("city", 0, 4),), (Span("day", 0, 4),)
    records = [Record(text="Oslo", labels={"slots": right if value > 0.5 else wrong}) for value in sure]
    made = Decider()
    intents = Intents(SLOTS, sure[:, None], np.ones(400), [right] * 400)
    made.fit(intents, records, max_error=0.05, oos_rate=0, held_out=True)
    return made


def test_spans_are_acted_on_only_when_all_seem_right() -> None:
    made, record = spans_decider(), Record(text="Oslo on Monday")
    spans = (Span("city", 0, 4, 0.9), Span("day", 8, 14, 0.6))
    (acted,) = made.decide(spans_told(0.9, *spans), [record])
    assert (acted.kind, acted.spans, acted.labels, acted.label) == ("act", spans, ("city", "day"), None)
    (asked,) = made.decide(spans_told(0.3, *spans), [record])
    assert asked.kind == "clarify" and asked.question is not None
    assert asked.question.text == "Is “Monday” the day?"
    assert made.decide(spans_told(0.3), [record])[0].kind == "decline"
    assert made.decide(spans_told(0.9), [record])[0].kind == "act"  # sure that there are none
    unheard = replace(spans_told(0.9, *spans), in_scope=np.zeros(1))
    assert made.decide(unheard, [Record(text=" ")])[0].kind == "decline"


@pytest.mark.parametrize(("reply", "kind"), [("yes", "act"), ("是", "act"), ("No", "decline"), ("perhaps", "clarify")])
def test_a_reply_settles_the_spans(reply: str, kind: str) -> None:
    record = Record(text="Oslo", answers={"slots": reply})
    (decision,) = spans_decider().decide(spans_told(0.3, Span("city", 0, 4, 0.3)), [record])
    assert decision.kind == kind
    assert (decision.question is None) == (kind != "clarify")
