"""What is asked where no action follows yet."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

import numpy as np
import pytest

from huiyi.reason import Closure, Domain, Fact, Given, Knowledge, Reasoner, Rules, View, close
from huiyi.reason.request import relations_of
from huiyi.reason.trials import MOST_OPTIONS, Trials
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


TODAY = date(2026, 1, 31)
Made = tuple[Trials, Closure, Callable[[str, str], str]]


def trials(text: str, *facts: Fact, names: dict[str, str] | None = None) -> Made:
    """What may be asked for by rules, without the rest of the stage."""
    knowledge = Knowledge()
    knowledge.add(facts)
    domain = Domain(knowledge, {"desk.rules": text})
    rules = Rules.joined([relations_of(["intent"], domain.questions, []), domain.rules])
    closure = close(domain.knowledge, rules)
    called = dict(names or {})
    with closure.adding((), today=TODAY if rules.asks_for_today else None) as view:
        made = Trials.of(domain.questions, rules, view)
    return made, closure, lambda name, language: called.get(f"{name} {language}", name)


def asked(made: Made, *given: Fact, language: str = "en") -> Question | None:
    found, closure, label = made

    @contextmanager
    def view(facts: Iterable[Given]) -> Iterator[View]:
        today = TODAY if closure.rules.asks_for_today else None
        with closure.adding(facts, today=today) as seen:
            yield seen

    return found.question([Given(fact) for fact in given], TODAY, view, label, language)


def about(made: Made, *given: Fact) -> str:
    question = asked(made, *given)
    return "" if question is None else question.about


INTENT = Fact("intent", ("request", "refund"))


@pytest.mark.parametrize(
    "rule",
    [
        "do(request, pay) :- asks(request, ?x), ?x <= 30.",
        "do(request, pay) :- asks(request, ?x), ?x + 2 < 30.5.",
        "do(request, pay) :- asks(request, 18).",
        "do(request, pay) :- asks(request, ?x), ?x < 2026-02-10.",
        "do(request, pay) :- asks(request, ?x), age_days(?x) <= 30.",
        "do(request, pay) :- asks(request, ?x), age_years(?x) >= 18.",
        "do(request, pay) :- asks(request, ?x), ?x + 14 >= today.",
        "do(request, pay) :- asks(request, yes).",
        "do(request, pay) :- asks(request, no).",
        "do(request, pay) :- asks(request, gold).",
        "do(request, pay) :- asks(request, ?x), ?x = gold.",
        "do(request, pay) :- asks(request, ?x), ?x != gold.",
        "do(request, pay) :- asks(request, ?x), slow(?x).",
        "do(request, pay) :- asks(request, ?x), part_of(?x, ?y), slow(?y).",
        "do(request, pay) :- asks(request, ?x), not slow(?x), carrier(?x).",
        "may(request) :- asks(request, gold).  do(request, pay) :- may(request).",
        "do(request, pay) :- asks(request, ?x), deep(?x).  deep(Deep).",
    ],
)
def test_what_changes_the_outcome_is_asked_for(rule: str) -> None:
    facts = [Fact("slow", ("Snail",)), Fact("carrier", ("Snail",)), Fact("carrier", ("Hare",))]
    facts += [Fact("part_of", ("Snail", "Snail"))]
    made = trials(f'ask(asks, "Which?").  @relation asks(?r, ?x).  {rule}', *facts)
    question = asked(made)
    assert question is not None, rule
    assert (question.text, question.about) == ("Which?", "asks")


def test_what_changes_nothing_is_not_asked_for() -> None:
    made = trials(
        """
        ask(day, "When?").  ask(member, "Which?").  ask(city, "Where?").
        do(request, pay) :- intent(request, refund), day(request, ?d), ?d <= 30.
        do(request, wait) :- intent(request, delay), city(request, Lyon).
        do(request, wait) :- intent(request, delay), city(request, ?_), member(request, gold).
        """
    )
    assert asked(made) is None, "no intent is known"
    assert about(made, INTENT) == "day"
    assert about(made, INTENT, Fact("day", ("request", 40))) == "", "it is known, and nothing follows"
    assert about(made, Fact("intent", ("request", "delay"))) == "city", "membership alone settles nothing"
    said = [Fact("intent", ("request", "delay")), Fact("city", ("request", "Rome"))]
    assert about(made, *said) == "member"


def test_the_question_that_tells_most_comes_first() -> None:
    made = trials(
        """
        ask(a, "A?").  ask(b, "B?").
        do(request, one) :- a(request, x).
        do(request, two) :- b(request, x).  do(request, three) :- b(request, y).  do(request, four) :- b(request, z).
        """
    )
    assert about(made) == "b"
    assert about(made, Fact("b", ("request", "w"))) == "a"
    assert about(made, Fact("b", ("request", "w")), Fact("a", ("request", "w"))) == ""


NAMES = 'ask(member, "Which card?").  ask(member, "哪种卡？", zh).  do(request, pay) :- member(request, ?m), kind(?m).'
CARDS = {"c1 en": "Gold", "c1 zh": "金卡", "c2 en": "Silver", "c2 zh": "银卡"}


def test_the_options_are_names() -> None:
    made = trials(NAMES, Fact("kind", ("c1",)), Fact("kind", ("c2",)), names=CARDS)
    assert asked(made) == Question("Which card?", ("Gold", "Silver"), "member")
    assert asked(made, language="zh") == Question("哪种卡？", ("金卡", "银卡"), "member")
    assert [made[0].option("member", said, made[2]) for said in ("gold", " 银卡", "c1", "C2", "brass", "")] == [
        *("c1", "c2", "c1", "c2"),
        *(None, None),
    ]
    alike = trials(NAMES, Fact("kind", ("c1",)), Fact("kind", ("c2",)), names={"c1 en": "Card", "c2 en": "Card"})
    found = asked(alike)
    assert found is not None
    assert found.options == (), "two that are called alike are no choice"


def test_yes_and_no() -> None:
    made = trials('ask(new, "Is it new?").  ask(new, "是新的吗？", zh).  do(request, pay) :- new(request, yes).')
    assert asked(made) == Question("Is it new?", ("no", "yes"), "new")
    assert asked(made, language="zh") == Question("是新的吗？", ("否", "是"), "new")
    assert [made[0].option("new", said, made[2]) for said in ("是", "NO", "否", "perhaps")] == ["yes", "no", "no", None]


@pytest.mark.parametrize(("count", "options"), [(1, 0), (2, 2), (MOST_OPTIONS, MOST_OPTIONS), (MOST_OPTIONS + 1, 0)])
def test_too_many_or_too_few_options_leave_the_answer_free(count: int, options: int) -> None:
    made = trials(NAMES, *(Fact("kind", (f"kind {n}",)) for n in range(count)))
    question = asked(made)
    assert question is not None
    assert len(question.options) == options


def test_what_rules_name_is_tried_before_what_the_graph_has() -> None:
    rule = 'ask(city, "Where?").  do(request, pay) :- city(request, Zwolle).'
    made = trials(rule, *(Fact("city", (f"order {n}", f"A{n:03}")) for n in range(300)))
    assert about(made) == "city"


def test_many_numbers_leave_room_for_days() -> None:
    rules = [f"do(request, n{n}) :- day(request, ?d), age_days(?d) > {n}, ?d < 2026-01-{n + 1:02}." for n in range(30)]
    made = trials(f'ask(day, "When?").  {" ".join(rules)}')
    assert about(made) == "day"


def test_a_language_without_words_has_those_of_another() -> None:
    made = trials('ask(day, "几号？", zh).  do(request, pay) :- day(request, ?d), ?d > 3.')
    question: Any = asked(made)
    assert question.text == "几号？"
