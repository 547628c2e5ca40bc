"""What is asked where no action follows yet."""

from datetime import date, datetime

import numpy as np
import pytest

from huiyi.reason.domain import Domain
from huiyi.reason.facts import Fact
from huiyi.reason.graph import Knowledge
from huiyi.reason.reasoner import Reasoner
from huiyi.values import Context, Decision, Label, Question, Record, Task

TASK = Task("intent", "choice", (Label("refund", {"en": "money back", "zh": "退款"}),))
NOW = datetime(2026, 11, 18)


def question(rules: str, facts: list[Fact] | None = None, **answers: str) -> Question | None:
    """What is asked about a request for a refund."""
    knowledge = Knowledge()
    knowledge.add(facts or [], source="the graph")
    reasoner = Reasoner(Domain(knowledge, {"desk.rules": rules}), [TASK], [])
    record = Record(text="my saver, please", answers=answers, time=NOW)
    (case,) = reasoner.read(Context((record,), {}, np.zeros((1, 0), dtype=bool)))
    decision = Decision("", "", "act", "intent", "refund", ("refund",), 0.97, 0.5, ())
    return reasoner.missing(reasoner.conclude(case, {"intent": decision}), "en")


@pytest.mark.parametrize(
    "condition",
    [
        "?left = ?day - today, ?left >= 7",  # days to come
        "?day - 7 >= today",
        "age_days(?day) <= 30",  # days past
        "age_years(?day) >= 18",
        "?day < 2027-03-01",
    ],
)
def test_a_day_is_asked_for_whichever_way_it_is_compared(condition: str) -> None:
    rules = f'ask(day, "Which day?"). do(request, pay) :- intent(request, refund), day(request, ?day), {condition}.'
    assert question(rules) == Question("Which day?", (), "day")


def test_what_it_is_compared_with_may_stand_in_the_graph() -> None:
    rules = """
        ask(late, "How late?").
        do(request, ?step) :- intent(request, refund), late(request, ?late), pays_from(?step, ?least), ?late >= ?least.
    """
    assert question(rules, [Fact("pays_from", ("half", 600))]) == Question("How late?", (), "late")


def test_a_rule_may_pass_a_value_on_before_it_is_compared() -> None:
    rules = """
        ask(late, "How late?").
        waited(?request, ?late) :- late(?request, ?late).
        do(request, pay) :- intent(request, refund), waited(request, ?late), ?late >= 600.
    """
    assert question(rules) == Question("How late?", (), "late")


def test_options_are_the_names_that_rules_can_use() -> None:
    rules = """
        ask(ticket, "Which ticket?").
        back(?ticket, ?action) :- pays(?ticket, ?action).
        do(request, ?action) :- intent(request, refund), ticket(request, ?ticket), back(?ticket, ?action).
    """
    facts = [Fact("pays", ("flex", "all")), Fact("pays", ("sleeper", "half")), Fact("other", ("dog", "cat"))]
    assert question(rules, facts) == Question("Which ticket?", ("flex", "sleeper"), "ticket")


def test_what_follows_from_the_text_is_not_asked_for() -> None:
    rules = """
        ask(ticket, "Which ticket?").
        ask(day, "Which day?").
        ticket(?request, ?ticket) :- mentions(?request, ?ticket), pays(?ticket, ?_).
        do(request, ?action) :- intent(request, refund), ticket(request, ?ticket), pays(?ticket, ?action),
            day(request, ?day), ?day < today.
        do(request, wait) :- intent(request, refund), ticket(request, flex), day(request, ?day), ?day >= today.
    """
    facts = [Fact("pays", ("flex", "all")), Fact("pays", ("saver", "half"))]
    later = date(2026, 11, 20).isoformat()
    assert question(rules, facts) == Question("Which day?", (), "day")
    assert question(rules, facts, day=later) is None  # for a saver ticket nothing follows, and it is one
    assert question(rules.replace("mentions(?request", "denies(?request"), facts, day=later) == Question(
        "Which ticket?", ("flex", "saver"), "ticket"
    )


def test_nothing_is_asked_that_changes_nothing() -> None:
    rules = 'ask(day, "Which day?"). do(request, pay) :- intent(request, other), day(request, ?day), ?day < today.'
    assert question(rules) is None


def test_a_reply_of_which_rules_can_make_nothing_is_asked_for_again() -> None:
    rules = """
        ask(day, "Which day?").
        ask(late, "How late?").
        do(request, pay) :- intent(request, refund), day(request, ?day), ?day < today.
        do(request, pay) :- intent(request, refund), late(request, ?late), ?late >= 60.
    """
    for relation, wrong, right in (("day", "tomorrow", "2026-11-20"), ("late", "an hour", "59")):
        alone = "".join(line for line in rules.splitlines(True) if f"{relation}(" in line or f"ask({relation}," in line)
        assert question(alone, **{relation: wrong}) is not None
        assert question(alone, **{relation: right}) is None
