"""The stage as a whole, on records and probabilities made by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest

from huiyi.errors import DataError
from huiyi.reason import Domain, Fact, Knowledge, Proof, Reasoner
from huiyi.values import Candidate, Context, Decision, Inference, Intents, Label, Question, Reading, Record, Span, Task

PAIRS = [("flu", "fever"), ("flu", "aching limbs"), ("flu", "where it aches"), ("cold", "cough"), ("measles", "rash")]
TASK = Task("illness", "choice", (Label("flu"), Label("cold"), Label("measles"), Label("gout")))
MOOD = Task("mood", "choice", (Label("angry"), Label("calm")))
SLOTS = Task("slots", "spans", (Label("day"), Label("city")))


def knowledge(*more: Fact) -> Knowledge:
    found = Knowledge()
    found.add([Fact("has_symptom", pair) for pair in PAIRS], source="graph.csv")
    found.add([Fact("sub_question_of", ("where it aches", "aching limbs")), *more])
    return found


def reasoner(rules: str = "", *more: Fact, tasks: Any = (TASK,), fields: Any = ()) -> Reasoner:
    return Reasoner(Domain(knowledge(*more), {"desk.rules": rules}), tasks, fields)


def context(*records: Record, **more: Any) -> Context:
    return Context(records, {}, np.zeros((len(records), 0), dtype=bool), **more)


def said(by: Reasoner, record: Record, **more: Any) -> set[str]:
    (case,) = by.read(context(record, **more))
    return {str(given.fact) for given in case.given}


def inferred(by: Reasoner, record: Record, *probabilities: float, task: Task = TASK) -> Inference:
    return by.revise(by.read(context(record)), Intents(task, np.array([probabilities or (0.25,) * 4]), np.ones(1)))


def decided(inference: Inference, kind: Any = "act", **more: Any) -> Decision:
    (row,), task = inference.intents.probabilities, inference.intents.task
    label = task.names[int(row.argmax())]
    candidates = tuple(Candidate(name, float(share)) for name, share in zip(task.names, row, strict=True))
    question = Question("Which?", (*task.names, "something else"), task.name) if kind == "clarify" else None
    found = Decision("1", "", kind, task.name, label, (label,), float(row.max()), 1.0, candidates, question)
    return replace(found, **more)


def test_what_records_say() -> None:
    by = reasoner("do(request, x) :- days(request, ?d), ?d > 3.", fields=["days", "shoe"])
    record = Record(text="I have a fever, but no cough", fields={"days": 4, "shoe": 43, "do": "pay", "mood": "x"})
    assert said(by, record) == {"mentions(request, fever)", "denies(request, cough)", "days(request, 4)"}
    assert said(by, Record(text="我发烧 fever")) == {"mentions(request, fever)"}
    assert said(by, Record()) == set()
    read = {"ocr": [Reading("rash", 0.9)], "speech": [None]}
    assert said(by, Record(text="fever"), readings=read) == {"mentions(request, fever)", "mentions(request, rash)"}
    assert said(by, record, readings=read, left_out=("text", "fields")) == {"mentions(request, rash)"}
    assert said(by, record, left_out=("text", "ocr")) == {"days(request, 4)"}


def test_a_form_says_only_what_rules_let_it() -> None:
    """Forms are filled in by strangers, and what to do is none of their business."""
    rules = """
    @relation days(?request, ?days).  @relation illness(?request, ?illness) en "it is ?illness".
    do(request, pay) :- illness(request, gout), days(request, ?d), vip(request, yes).
    vip(request, yes) :- days(request, 100).
    """
    by = reasoner(rules)
    assert by.takes == {"days"}
    fields = {"days": 4, "illness": "gout", "vip": "yes", "do": "pay", "mentions": "fever", "denies": "cough"}
    assert said(by, Record(fields=fields)) == {"days(request, 4)"}


@pytest.mark.parametrize(
    ("rules", "tasks", "fields", "message"),
    [
        ("do(request, x) :- day(request, 3).", (TASK,), [], "desk.rules, line 1: the relation 'day' is not known"),
        ("do(request, x) :- ilness(request, flu).", (TASK,), [], "Did you mean 'illness'?"),
        ("hidden(ilness).", (TASK,), [], "there is no such task. Did you mean 'illness'?"),
        ("", (Task("do", "choice", ()),), [], "a task is called 'do', which says what a request is about in rules"),
        ("", (Task("s", "spans", (Label("mentions"),)),), [], "a slot is called 'mentions'"),
        ("", (TASK, Task("s", "spans", (Label("illness"),))), [], "a slot is called 'illness', which is a task"),
        ("x(request) :- denies(request, 3).", (TASK,), ["denies"], "a field is called 'denies'"),
        ('ask(illness, "?").  x(request) :- illness(request, flu).', (TASK,), [], "a question is called 'illness'"),
        ("do(request, x) :- do(request).", (TASK,), [], "do(request) has 1 argument. Expected 2"),
    ],
)
def test_names_that_mean_nothing_or_two_things(rules: str, tasks: Any, fields: Any, message: str) -> None:
    with pytest.raises(DataError) as refused:
        reasoner(rules, tasks=tasks, fields=fields)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_fields_of_which_no_rule_speaks_may_have_any_name() -> None:
    assert reasoner("", fields=["do", "mentions", "illness"]).takes == set()


def test_facts_among_rules_are_facts() -> None:
    rules = """
    has_symptom(gout, 'sore toe').  slow('Snail Post').
    do(request, sorry) :- mentions(request, ?who), slow(?who).
    """
    by = reasoner(rules)
    record = Record(text="sore toe. Snail Post brought it")
    assert said(by, record) == {"mentions(request, 'sore toe')", "mentions(request, 'Snail Post')"}
    inference = inferred(by, record)
    assert inference.intents.probabilities[0, 3] > 0.9
    decision = decided(inference)
    conclusion = by.conclude(inference.facts[0], {"illness": decision})
    assert conclusion.action == Fact("do", ("request", "sorry"))
    decision = replace(decision, action="sorry")
    proofs = by.proofs(inference, 0, decision, conclusion)
    assert "desk.rules, line 2" in {source for proof in proofs for step in proof.given for source in step.sources}
    assert by.replay(proofs, inference, 0, decision, conclusion) == ()


def test_who_says_both_says_nothing_of_it() -> None:
    by = reasoner()
    assert said(by, Record(text="I have a fever. I have no fever.")) == {
        "mentions(request, fever)",
        "denies(request, fever)",
    }
    prior = (0.1, 0.2, 0.3, 0.4)
    both = inferred(by, Record(text="I have a fever. I have no fever."), *prior)
    assert (both.intents.probabilities == prior).all()
    child = inferred(by, Record(text="no aching limbs; where it aches: here"), *prior)
    there = inferred(by, Record(text="where it aches: here"), *prior)
    np.testing.assert_array_equal(child.intents.probabilities, there.intents.probabilities)


@pytest.mark.parametrize(
    ("text", "answers", "expected"),
    [
        ("I have a fever", {"fever": "no"}, {"denies(request, fever)"}),
        ("no fever", {"fever": "是"}, {"mentions(request, fever)"}),
        ("I have a fever", {"fever": "I don't know"}, {"mentions(request, fever)"}),
        ("I have a fever", {"fever": "不知道"}, {"mentions(request, fever)"}),
        ("", {"where it aches": "yes"}, {"mentions(request, 'where it aches')", "mentions(request, 'aching limbs')"}),
        ("no aching limbs", {"aching limbs": "yes"}, {"mentions(request, 'aching limbs')"}),
        ("", {"nothing of the graph": "yes"}, set()),
    ],
)
def test_replies_count_more_than_texts(text: str, answers: dict[str, str], expected: set[str]) -> None:
    assert said(reasoner(), Record(text=text, answers=answers)) == expected


def test_replies_about_relations_count_more_than_forms() -> None:
    rules = """
    ask(card, "Which?").  do(request, pay) :- card(request, gold), colour(request, fever).  @relation colour(?r, ?c).
    """
    by = reasoner(rules)
    record = Record(fields={"card": "silver", "colour": "fever"}, answers={"card": "Gold", "fever": "no"})
    assert said(by, record) == {"card(request, gold)", "colour(request, fever)", "denies(request, fever)"}
    assert said(by, Record(answers={"card": ""})) == set()


@pytest.mark.parametrize(("reply", "near"), [("yess", "Did you mean 'yes'?"), ("banana", "Expected one of yes, no, I")])
def test_replies_that_fit_no_option(reply: str, near: str) -> None:
    with pytest.raises(DataError, match="is no answer to the question about 'fever'") as refused:
        said(reasoner(), Record(answers={"fever": reply}))
    assert near in str(refused.value)


def test_what_follows_from_a_form_revises() -> None:
    rules = "mentions(request, fever) :- degrees(request, ?t), ?t >= 38.  @relation degrees(?r, ?t)."
    by = reasoner(rules)
    hot, cool = (inferred(by, Record(text="hello", fields={"degrees": t})) for t in (39, 36))
    assert hot.intents.probabilities[0, 0] > 0.74, "all but what gout has, of which the graph does not speak"
    assert (cool.intents.probabilities == 0.25).all()
    decision = decided(hot)
    conclusion = by.conclude(hot.facts[0], {"illness": decision})
    (proof,) = by.proofs(hot, 0, decision, conclusion)
    assert "degrees(request, 39)" in {str(step.fact) for step in proof.given}
    assert by.replay([Proof.from_json(proof.to_json())], hot, 0, decision, conclusion) == ()


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ("", "I have limbs that are aching, aching limbs, and limbs aching"),
        ("", "fever, no cough, where it aches: here"),
        ("do(request, x) :- mentions(request, ?_), not mentions(request, 'aching limbs').", "where it aches"),
        ("do(request, x) :- not denies(request, ?_).", "fever"),
    ],
)
def test_what_is_decided_replays(rules: str, text: str) -> None:
    """Also a finding that was mentioned twice, and one that nobody mentioned but another presupposes."""
    by = reasoner(rules)
    inference = inferred(by, Record(text=text))
    decision = decided(inference)
    conclusion = by.conclude(inference.facts[0], {"illness": decision})
    if rules:
        assert conclusion.action is not None
        decision = replace(decision, action="x")
    proofs = by.proofs(inference, 0, decision, conclusion)
    assert len(proofs) == 1 + bool(rules)
    assert by.replay(proofs, inference, 0, decision, conclusion) == ()
    for dropped in range(len(proofs)):
        kept = [proof for place, proof in enumerate(proofs) if place != dropped]
        assert by.replay(kept, inference, 0, decision, conclusion) == (f"nothing proves {proofs[dropped].fact}",)


def test_actions_that_are_not_taken_are_not_proved() -> None:
    by = reasoner("do(request, x) :- mentions(request, fever).")
    inference = inferred(by, Record(text="fever"))
    decision = decided(inference, "clarify")
    conclusion = by.conclude(inference.facts[0], {"illness": decision})
    assert [proof.fact.relation for proof in by.proofs(inference, 0, decision, conclusion)] == ["illness"]


def test_days_are_those_of_records() -> None:
    by = reasoner('ask(day, "When?").  do(request, pay) :- day(request, ?d), age_days(?d) <= 30.')
    record = Record(fields={"day": "2026-01-10"}, time=datetime(2026, 1, 31, tzinfo=UTC))
    (case,) = by.read(context(record))
    assert case.day == date(2026, 1, 31)
    conclusion = by.conclude(case, {})
    assert conclusion.action == Fact("do", ("request", "pay"))
    (late,) = by.read(context(replace(record, time=datetime(2026, 3, 31, tzinfo=UTC))))
    assert by.conclude(late, {}).action is None
    assert by.missing(by.conclude(late, {}), "en") is None, "it is known when"
    (unknown,) = by.read(context(replace(record, fields={})))
    question: Any = by.missing(by.conclude(unknown, {}), "en")
    assert question == Question("When?", (), "day")
    (answered,) = by.read(context(replace(record, fields={}, answers={"day": "2026-01-30"})))
    assert by.conclude(answered, {}).action is not None


def test_slots_and_their_replies() -> None:
    rules = 'ask(day, "When?").  do(request, book) :- day(request, friday), city(request, Lyon).'
    by = reasoner(rules, tasks=(TASK, SLOTS))
    text = "to Lyon on monday"
    spans = (Span("city", 3, 7, 0.9), Span("day", 11, 17, 0.8))
    slots = Decision("1", "", "act", "slots", None, ("city", "day"), 0.7, 1.0, (), spans=spans)
    (case,) = by.read(context(Record(text=text)))
    assert {str(one.fact) for one in by.conclude(case, {"slots": slots}).decided} == {
        "city(request, Lyon)",
        "day(request, monday)",
    }
    (case,) = by.read(context(Record(text=text, answers={"day": "Friday"})))
    assert by.conclude(case, {"slots": slots}).action == Fact("do", ("request", "book")), "the reply counts"
    assert by.conclude(case, {"slots": replace(slots, kind="decline")}).action is None


def test_what_is_declined_says_nothing_to_rules() -> None:
    by = reasoner("do(request, bed) :- illness(request, flu).")
    inference = inferred(by, Record(text="fever"))
    for kind, expected in (("act", "bed"), ("clarify", "bed"), ("decline", None)):
        conclusion = by.conclude(inference.facts[0], {"illness": decided(inference, kind)})
        assert (conclusion.action and conclusion.action.arguments[1]) == expected


def test_fitting() -> None:
    rng = np.random.default_rng(0)
    rows, right = [], []
    for place in range(120):
        label, finding = PAIRS[place % 4 + (place % 4 > 1)]
        rows.append(Record(text=f"I have {finding}", labels={"illness": label}))
        right.append(TASK.names.index(label))
    prior = rng.dirichlet(np.ones(4), 120) * 0.5 + np.eye(4)[right] * 0.1 + 0.1
    intents = Intents(TASK, prior / prior.sum(axis=1, keepdims=True), np.ones(120))
    true, few = reasoner(), reasoner()
    true.fit(TASK, intents, context(*rows))
    assert true.beliefs["illness"].evidence.trust > 0.1
    few.fit(TASK, Intents(TASK, intents.probabilities[:9], np.ones(9)), context(*rows[:9]))
    assert few.beliefs["illness"].evidence.trust == 1.0, "too few rows to tell: as it stands"
    wrong = Knowledge()
    heads = [head for head, _ in PAIRS]
    wrong.add([Fact("has_symptom", (head, tail)) for head, (_, tail) in zip(heads[2:] + heads[:2], PAIRS, strict=True)])
    misled = Reasoner(Domain(wrong), [TASK], [])
    misled.fit(TASK, intents, context(*rows))
    assert misled.beliefs["illness"].evidence.trust == 0.0
    inference = misled.revise(misled.read(context(*rows)), intents)
    assert (inference.intents.probabilities == intents.probabilities).all()
    assert misled.ask(inference, 0, decided(inferred(misled, rows[0]), "clarify"), "en") is None


def test_two_tasks_with_findings_of_their_own() -> None:
    more = [Fact("has_symptom", ("angry", "shouting")), Fact("has_symptom", ("calm", "whispering"))]
    by = reasoner("hidden(illness).  hidden(mood).", *more, tasks=(TASK, MOOD))
    record = Record(text="hello", answers={"fever": "no", "shouting": "I don't know"})
    (case,) = by.read(context(record))
    assert case.asked == ("fever", "shouting")
    for task in (TASK, MOOD):
        inference = inferred(by, record, *np.full(len(task.labels), 1 / len(task.labels)), task=task)
        question = by.ask(inference, 0, decided(inference, "clarify"), "en")
        assert question is not None
        assert question.about not in ("fever", "shouting"), "asked already"
        assert question.about in by.beliefs[task.name].evidence.findings


def test_what_is_hidden_is_never_asked_for_while_findings_tell() -> None:
    record = Record(text="hello")
    usual, hidden = reasoner(), reasoner("hidden(illness).")
    decision = decided(inferred(usual, record, 0.49, 0.49, 0.01, 0.01), "clarify")
    decision = replace(decision, candidates=decision.candidates[:2])
    decision = replace(decision, question=Question("Which?", ("flu", "cold", "something else"), "illness"))
    assert usual.ask(inferred(usual, record, 0.49, 0.49, 0.01, 0.01), 0, decision, "en") is None
    asked: Any = hidden.ask(inferred(hidden, record, 0.49, 0.49, 0.01, 0.01), 0, decision, "zh")
    assert asked.options == ("是", "否", "不知道")
    sure = inferred(hidden, record, 0.96, 0.02, 0.01, 0.01)
    assert hidden.ask(sure, 0, decision, "en") is not None, "it is the decider who knows what is sure enough"


def test_what_comes_back() -> None:
    rules = "do(request, x) :- days(request, ?d), city(request, ?c), mood(request, angry)."
    by = reasoner(rules, tasks=(TASK, MOOD, SLOTS), fields=["days"])
    evidence = replace(by.beliefs["illness"].evidence, trust=0.25, temperature=1.5)
    by.beliefs["illness"] = replace(by.beliefs["illness"], evidence=evidence)
    arrays, document = by.to_arrays()
    for tasks in ([TASK, MOOD, SLOTS], [TASK], [MOOD], [Task("new", "choice", TASK.labels), TASK]):
        back = Reasoner.from_arrays(arrays, document, tasks)
        assert set(back.beliefs) == {"illness"} & {task.name for task in tasks}, "a task learnt later is left as it was"
        assert back.takes == by.takes
        for belief in back.beliefs.values():
            assert (belief.evidence.trust, belief.evidence.temperature) == (0.25, 1.5)


def test_names_are_known_by_their_labels() -> None:
    rules = "do(request, x) :- card(request, c1), kind(c1).  @relation card(?r, ?c)."
    by = reasoner(rules, Fact("kind", ("c1",)), Fact("skos:altLabel", ("c1", "Gold Card")))
    assert said(by, Record(fields={"card": "gold  card"})) == {"card(request, c1)"}
    assert said(by, Record(fields={"card": "golden card"})) == {"card(request, 'golden card')"}


@pytest.mark.parametrize(
    "name", ["'); DROP TABLE x; --", 'a "quoted" (name), [here]', "<b>fever</b>", "发烧?", "x" * 60]
)
def test_strange_names(name: str) -> None:
    by = reasoner("", Fact("has_symptom", ("gout", name)))
    record = Record(text="hello", answers={name: "yes"})
    inference = inferred(by, record)
    assert inference.intents.probabilities[0, 3] > 0.9
    decision = decided(inference)
    conclusion = by.conclude(inference.facts[0], {"illness": decision})
    (proof,) = by.proofs(inference, 0, decision, conclusion)
    again = Proof.from_json(proof.to_json())
    assert by.replay([again], inference, 0, decision, conclusion) == ()
    for language in ("en", "zh"):
        told = by.wording(language).proof(again)  # type: ignore[arg-type]
        assert name in told


def test_hints() -> None:
    by = reasoner("", Fact("skos:altLabel", ("fever", "high temperature")))
    assert by.hints(MOOD) == {}
    hints = by.hints(TASK)
    assert set(hints) == {"flu", "cold", "measles"}
    assert {"flu", "aching limbs", "where it aches"} <= set(hints["flu"])
