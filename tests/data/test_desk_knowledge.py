"""The desk's facts and rules: whole, worded in both languages, true to the README, and each of use."""

import csv
import re
from datetime import datetime
from typing import Literal

import numpy as np
import pytest

from huiyi.data.desk import FOLDER, KNOWLEDGE
from huiyi.data.tasks import read_tasks
from huiyi.decide import language_of
from huiyi.reason import Domain, Fact, Proof, contradictions, prove, replay
from huiyi.reason.reasoner import Conclusion, Reasoner
from huiyi.values import Context, Decision, Record

LANGUAGES: tuple[Literal["en", "zh"], ...] = ("en", "zh")
NOW = datetime(2026, 11, 18)
"""The day of all requests here; 2026-11-20 is two days later."""

(TASK,) = read_tasks(FOLDER / "task.yaml").tasks
REASONER = Reasoner(Domain.read(KNOWLEDGE), [TASK], [])
README = (FOLDER / "README.md").read_text(encoding="utf-8")
RULES = [rule for rule in REASONER.rules.rules if rule.kind in ("rule", "constraint")]

# Text, intent, replies, and the action that follows: each rule has a part in one of them.
REQUESTS: tuple[tuple[str, str, dict[str, str], str], ...] = (
    (
        "I'd like my money back for this flexible ticket",
        "request_refund",
        {"departs_on": "2026-11-20"},
        "refund_in_full",
    ),
    ("flex fare for tonight, money back please", "request_refund", {}, "refund_less_fee"),
    ("退掉明天的灵活票", "request_refund", {}, "refund_in_full"),
    ("my promo fare, please take it back", "request_refund", {"departs_on": "2026-11-20"}, "refuse_refund"),
    ("下个月那张优惠票不要了", "request_refund", {"departs_on": "2026-12-20"}, "voucher_for_half"),
    ("退票", "request_refund", {"departs_on": "2026-11-20", "ticket": "特价票"}, "refuse_refund"),
    ("please cancel it", "request_refund", {"departs_on": "2026-11-17"}, "explain_departed"),
    ("we came in late", "claim_delay_compensation", {"minutes_late": "59"}, "explain_threshold"),
    ("we came in late", "claim_delay_compensation", {"minutes_late": "60"}, "pay_quarter"),
    ("晚点这么久，赔吗", "claim_delay_compensation", {"minutes_late": "125"}, "pay_half"),
    ("晚点这么久，赔吗", "claim_delay_compensation", {"minutes_late": "300"}, "pay_whole"),
    ("another evening, please: it is a flex ticket", "change_date", {}, "change_free"),
    ("特价票改到下周", "change_date", {}, "change_for_fee"),
    ("room for a kitten?", "travel_with_pet", {}, "welcome_in_box"),
    ("想带小狗坐L206", "travel_with_pet", {}, "book_pet_place"),
    ("Could my puppy ride on L308?", "travel_with_pet", {}, "suggest_other_train"),
    ("狗狗能去吗", "travel_with_pet", {"train": "夜猫子号"}, "suggest_other_train"),
    ("a parrot, then", "travel_with_pet", {"train": "L307"}, "book_pet_place"),
    ("I have skis with me", "luggage_allowance", {}, "book_bulky_item"),
    ("大提琴和一挂鞭炮", "luggage_allowance", {}, "refuse_item"),
    ("is there an Owl on Monday", "ask_timetable", {}, "name_other_nights"),
    ("L101停镜湖吗", "ask_timetable", {}, "name_trains_that_stop"),
    ("I get on at Old Mill with a wheelchair", "boarding_assistance", {}, "send_helper"),
)

# Text, intent and replies, and what is asked for.
ASKED: tuple[tuple[str, str, dict[str, str], str | None], ...] = (
    ("one saver ticket to give back", "request_refund", {}, "departs_on"),
    ("退票", "request_refund", {"departs_on": "2026-11-20"}, "ticket"),
    ("late again", "claim_delay_compensation", {}, "minutes_late"),
    ("换一天走", "change_date", {}, "ticket"),
    ("from a saver ticket to a flex ticket", "change_date", {}, "ticket"),
    ("带狗狗可以吗", "travel_with_pet", {}, "train"),
    ("when does it leave Whitecliff", "ask_timetable", {}, None),
    ("is there an Owl on Saturday", "ask_timetable", {}, None),
    ("L205停镜湖吗", "ask_timetable", {}, None),
    ("带狗狗可以吗", "travel_with_pet", {"train": "L999"}, None),
    ("the ramp at Cloudgate, please", "boarding_assistance", {}, None),
)


def concluded(text: str, intent: str, answers: dict[str, str]) -> Conclusion:
    record = Record(text=text, answers=answers, time=NOW)
    (case,) = REASONER.read(Context((record,), {}, np.zeros((1, 0), dtype=bool)))
    decision = Decision("", "", "act", "intent", intent, (intent,), 0.97, 0.5, ())
    return REASONER.conclude(case, {"intent": decision})


def proof_of(conclusion: Conclusion) -> Proof:
    """Why the action follows."""
    assert conclusion.action is not None
    given = (*conclusion.case.given, *conclusion.decided)
    with REASONER.closure.adding(
        [one for one in given if one.fact.key in REASONER.rules.keys], today=NOW.date()
    ) as view:
        return prove(view, conclusion.action)


@pytest.mark.parametrize(("text", "intent", "answers", "action"), REQUESTS)
def test_what_follows_is_proved_and_worded(text: str, intent: str, answers: dict[str, str], action: str) -> None:
    conclusion = concluded(text, intent, answers)
    assert conclusion.action == Fact("do", ("request", action))
    proof = proof_of(conclusion)
    given = (*conclusion.case.given, *conclusion.decided)
    assert replay(proof, REASONER.domain.knowledge, REASONER.rules, given=given, today=NOW.date()) == ()
    for language in LANGUAGES:
        words = REASONER.wording(language).proof(proof)
        assert not re.search(r"\?\w", words), words


@pytest.mark.parametrize(("text", "intent", "answers", "relation"), ASKED)
def test_what_is_missing_is_asked_for(text: str, intent: str, answers: dict[str, str], relation: str | None) -> None:
    conclusion = concluded(text, intent, answers)
    assert conclusion.action is None
    question = REASONER.missing(conclusion, language_of(text))
    assert (question and question.about) == relation
    if question:
        assert question.text == REASONER.domain.questions[question.about][language_of(text)]
        assert question.about != "ticket" or len(question.options) == 2
        assert question.about != "train" or len(question.options) == 8


def test_every_rule_has_a_part_in_some_request() -> None:
    used: set[str] = set()
    for text, intent, answers, _ in REQUESTS:
        used |= {step.rule for step in proof_of(concluded(text, intent, answers)).steps}
    blocking = {  # these keep an action from following, so they are in no proof: what they keep back
        "two_tickets": "from a saver ticket to a flex ticket",
        "higher_step": "下个月那张优惠票不要了",
        "runs_then": "is there an Owl on Saturday",
        "stops": "L205停镜湖吗",
    }
    assert {rule.name for rule in RULES if rule.head is not None} <= used | set(blocking)
    assert set(blocking.values()) <= {text for text, *_ in (*REQUESTS, *ASKED)}


def test_two_tickets_for_one_trip_are_a_contradiction() -> None:
    assert contradictions(REASONER.closure) == ()
    tickets = [Fact("ticket", ("request", name)) for name in ("flex_ticket", "saver_ticket")]
    with REASONER.closure.adding(tickets, today=NOW.date()) as view:
        assert {found.rule.name for found in contradictions(view)} == {"one_ticket"}


def test_rules_speak_of_intents_and_things_that_there_are() -> None:
    things = {row["id"] for row in rows("names.csv")}
    atoms = [atom for rule in RULES for atom in (*rule.atoms, *rule.negated, *([rule.head] if rule.head else []))]
    constants = {(atom.relation, term) for atom in atoms for term in atom.terms if isinstance(term, str)}
    assert {term for relation, term in constants if relation == "intent"} <= set(TASK.names)
    assert {term for relation, term in constants if relation != "intent"} <= things
    assert 12 <= len(RULES) <= 25


def test_all_is_worded_in_both_languages() -> None:
    for rule in RULES:
        assert set(rule.descriptions) == {"en", "zh"}, rule.name
    described = {relation.atom.relation: set(relation.descriptions) for relation in REASONER.rules.relations}
    spoken = {atom.relation for rule in RULES for atom in (*rule.atoms, *rule.negated)} - {"today"}
    assert {relation for relation in spoken if described.get(relation) != {"en", "zh"}} == set()
    assert {relation: set(words) for relation, words in REASONER.domain.questions.items()} == {
        relation: {"en", "zh"} for relation in ("ticket", "departs_on", "minutes_late", "train")
    }


def rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def test_things_are_named_once_and_facts_speak_of_them() -> None:
    names, facts = rows("names.csv"), rows("knowledge.csv")
    things = [row["id"] for row in names]
    assert len(things) == len(set(things))
    assert len(facts) == len({tuple(fact.values()) for fact in facts})
    for fact in facts:
        assert fact["head"] in things
        assert fact["tail"] in things or fact["tail"].isdigit(), fact
    for row in names:
        assert row["kind"] == "train" or not row["label@zh"].isascii(), row
        assert row["label"] or row["kind"] in ("train", "station", "day"), row
        assert all(alias.strip() for alias in row["alias"].split("|")) or not row["alias"]


def test_an_alias_is_of_one_thing_only() -> None:
    owners: dict[str, set[str]] = {}
    for row in rows("names.csv"):
        for column in ("label", "label@zh", "alias", "alias@zh"):
            for name in filter(None, row[column].split("|")):
                owners.setdefault(name, set()).add(row["id"])
    assert {name: of for name, of in owners.items() if len(of) > 1} == {
        name: {"L410", "L411"} for name in ("the Owl", "Owl", "夜猫子号", "夜猫子")
    }


def test_trains_and_stations_are_those_of_the_readme() -> None:
    with REASONER.closure.adding((), today=NOW.date()) as view:
        calls = {(fact.arguments[0], fact.arguments[1]) for fact in view.facts("calls_at", None, None)}
    called = {row["label@zh"]: row["id"] for row in rows("names.csv") if row["kind"] == "station"}
    told, short = set(), {"Fri": "Friday", "Sat": "Saturday", "Sun": "Sunday"}
    days = set()
    for train, runs, stops in re.findall(r"\| (L\d{3})[^|]*\| ([^|]+) \| (.+) \|", README):
        told |= {(train, place) for place in called.values() if place in stops}
        days |= {(train, short[day]) for day in runs.split(", ") if day != "nightly"}
    assert calls == told and len(told) == 28
    assert days == {(row["head"], row["tail"]) for row in rows("knowledge.csv") if row["relation"] == "only_on"}
    for chinese, place in called.items():
        assert f"{place} {chinese}" in README
