"""The engine against a plainer evaluator, and overlays that leave nothing behind."""

from __future__ import annotations

import pickle
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huiyi.errors import DataError, OptionError
from huiyi.reason.closure import Closure, View, close
from huiyi.reason.facts import Fact, Given
from huiyi.reason.plain import broken, follows
from huiyi.reason.rules import Rules

NAMES = ("a", "b", "c", "d")
PROGRAMS = [
    # paths, and what is not reached; a mutual circle; negation in three layers
    """
    path(?x, ?y) :- edge(?x, ?y).
    path(?x, ?z) :- path(?x, ?y), edge(?y, ?z).
    apart(?x, ?y) :- node(?x), node(?y), not path(?x, ?y), ?x != ?y.
    lonely(?x) :- node(?x), not path(?x, ?_), not path(?_, ?x).
    crowd(?x) :- node(?x), not lonely(?x).
    :- lonely(?x), edge(?x, ?x).
    """,
    """
    @transitive path.
    @subrelation edge path.
    @symmetric friend.
    @rule likely weight 0.9
    friend(?x, ?y) :- path(?x, ?y), node(?y), not blocked(?x).
    @rule weaker weight 0.5
    near(?x, ?y) :- friend(?x, ?y).
    near(?x, ?y) :- edge(?x, ?y), edge(?y, ?x).
    far(?x, ?y) :- path(?x, ?y), not near(?x, ?y).
    blocked(?x) :- edge(?x, ?x).
    """,
    """
    win(?x) :- edge(?x, ?y), not lost(?y).
    lost(?x) :- node(?x), not edge(?x, ?_).
    open(shop) :- not node(c).
    even(?x, ?x) :- node(?x), not win(?x).
    odd(?x, ?y) :- even(?x, ?z), edge(?z, ?y).
    even(?x, ?y) :- odd(?x, ?z), edge(?z, ?y), not blocked(?y).
    ring(?x) :- odd(?x, ?x), open(shop).
    """,
    """
    age(?x, ?n) :- born(?x, ?y), ?n = 10 - ?y.
    old(?x) :- age(?x, ?n), ?n >= 8.
    elder(?x, ?y) :- age(?x, ?n), age(?y, ?m), ?n > ?m, not blocked(?x).
    eldest(?x) :- age(?x, ?_), not elder(?_, ?x).
    step(?n) :- born(?_, ?n).
    step(?m) :- step(?n), ?m = ?n + 2, ?m < 9.
    blocked(?x) :- node(?x), not old(?x).
    """,
]
RULES = [Rules.parse(text) for text in PROGRAMS]
DECLARED = [
    Rules.joined([rules, Rules.parse("@relation edge(?x, ?y). @relation node(?x). @relation blocked(?x). @relation born(?x, ?y).")])
    for rules in RULES
]

names = st.sampled_from(NAMES)
fact = st.one_of(
    st.builds(lambda x, y: Fact("edge", (x, y)), names, names),
    st.builds(lambda x: Fact("node", (x,)), names),
    st.builds(lambda x: Fact("blocked", (x,)), names),
    st.builds(lambda x, n: Fact("born", (x, n)), names, st.integers(0, 5)),
)
# Weights that are powers of two, whose products are exact, so that no order of multiplying matters.
some = st.lists(st.builds(Given, fact, st.sampled_from([1.0, 1.0, 0.5, 0.25])), max_size=9)


def state(view: View) -> dict[Fact, tuple[Any, ...]]:
    """All that a view knows, with the reason for it, in values instead of numbers."""
    return {
        view.symbols.fact(key, row): (
            entry.weight,
            entry.size,
            entry.rule,
            [view.symbols.fact(*used) for used in entry.used],
            [(k, places, [view.symbols.value(n) for n in r]) for k, places, r in entry.absent],
        )
        for key, table in view.tables.items()
        for row in table
        if (entry := table.get(row))
    }


def weights(view: View) -> dict[Fact, float]:
    return {fact: found[0] for fact, found in state(view).items() if not fact.relation.startswith(":-")}


def expected(given: list[Given], rules: Rules) -> dict[Fact, float]:
    facts: dict[Fact, float] = {}
    for one in given:
        facts[one.fact] = max(one.weight, facts.get(one.fact, 0))
    return follows(facts, rules.strata)


@pytest.mark.parametrize("rules", DECLARED)
@settings(max_examples=60)
@given(facts=some)
def test_what_follows_is_what_a_plain_evaluator_finds(rules: Rules, facts: list[Given]) -> None:
    closure = close(facts, rules)
    truth = expected(facts, rules)
    assert weights(closure) == pytest.approx(truth)
    assert len(closure.contradictions()) == len(broken(truth, rules.rules))


@pytest.mark.parametrize("rules", DECLARED)
@settings(max_examples=100)
@given(facts=some, more=some, other=some)
def test_a_request_sees_what_a_closure_of_all_would(
    rules: Rules, facts: list[Given], more: list[Given], other: list[Given]
) -> None:
    """The same facts, weights, proofs and absences as from scratch, and the closure is as before."""
    closure = close(facts, rules)
    before = pickle.dumps(everything(closure))
    for request in (more, other):
        with closure.adding(request) as view:
            assert state(view) == state(close([*facts, *request], rules))
            for key, table in view.tables.items():
                for places in closure._program.indexed[key]:
                    for row in table:
                        found = list(table.find(places, tuple(row[place] for place in places)))
                        assert found.count(row) == 1
        assert pickle.dumps(everything(closure)) == before


def everything(closure: Closure) -> Any:
    """The whole state of a closed graph, its indexes and numbers too."""
    return (
        [closure.symbols.value(number) for number in range(len(closure.symbols))],
        {key: (table._rows, sorted(table._hidden), table._indexes) for key, table in closure.tables.items()},
        dict(closure.dependents),
        dict(closure.blocked),
        dict(closure.own_given),
    )
