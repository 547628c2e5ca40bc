"""The engine against a plainer evaluator, and overlays that leave nothing behind."""

from __future__ import annotations

import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huiyi.errors import DataError, OptionError
from huiyi.reason import Closure, Fact, Given, Proof, Rules, View, close, contradictions, prove, replay
from huiyi.reason.plain import broken, follows

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
    Rules.joined(
        [
            rules,
            Rules.parse("@relation edge(?x, ?y). @relation node(?x). @relation blocked(?x). @relation born(?x, ?y)."),
        ]
    )
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
@settings(max_examples=40)
@given(facts=some)
def test_what_follows_is_what_a_plain_evaluator_finds(rules: Rules, facts: list[Given]) -> None:
    closure = close(facts, rules)
    truth = expected(facts, rules)
    assert weights(closure) == pytest.approx(truth)
    assert len(closure.contradictions()) == len(broken(truth, rules.rules))


@pytest.mark.parametrize("rules", DECLARED)
@settings(max_examples=40)
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


@pytest.mark.parametrize("rules", DECLARED)
@settings(max_examples=20)
@given(facts=some, more=some)
def test_every_fact_has_a_proof_that_holds(rules: Rules, facts: list[Given], more: list[Given]) -> None:
    with close(facts, rules).adding(more, source="the form") as view:
        for fact in state(view):
            if not fact.relation.startswith(":-"):
                proof = prove(view, fact)
                assert proof.fact == fact
                assert proof.weight == pytest.approx(view.weight(fact))
                assert replay(proof, facts, rules, given=more, source="the form") == ()
                assert Proof.from_json(json.loads(json.dumps(proof.to_json()))) == proof


@pytest.mark.parametrize("rules", [rules for rules in DECLARED if any(rule.head is None for rule in rules.rules)])
@settings(max_examples=40)
@given(facts=some)
def test_the_facts_of_a_contradiction_are_as_few_as_can_be(rules: Rules, facts: list[Given]) -> None:
    closure = close(facts, rules)
    known = follows({one.fact: 1.0 for one in facts}, rules.strata)

    def is_absent(atom: Any) -> bool:
        return not any(atom.admits(fact) for fact in known)

    found = contradictions(closure)
    assert len(found) == len(broken(known, rules.rules))
    for contradiction in found:
        assert replay(contradiction.proof, facts, rules) == ()
        kept = {given.fact: 1.0 for given in contradiction.facts}

        def breaks(
            some_facts: dict[Fact, float], rule: Any = contradiction.rule, what: Proof = contradiction.proof
        ) -> bool:
            all_of = follows(some_facts, rules.strata, absent=is_absent)
            instances = broken(all_of, [rule], absent=is_absent)
            return any(rule.concludes.fact(bindings) == what.fact for _, bindings in instances)

        assert breaks(kept)
        for fact in kept:
            assert not breaks({other: 1.0 for other in kept if other != fact})


def everything(closure: Closure) -> Any:
    """The whole state of a closed graph, its indexes and numbers too."""
    return (
        [closure.symbols.value(number) for number in range(len(closure.symbols))],
        {key: (table._rows, sorted(table._hidden), table._indexes) for key, table in closure.tables.items()},
        dict(closure.dependents),
        dict(closure.blocked),
        dict(closure.own_given),
    )


def test_what_follows_and_how_sure_it_is() -> None:
    rules = Rules.parse(
        """
        @rule r weight 0.5  near(?x, ?y) :- road(?x, ?y).
        near(?x, ?z) :- near(?x, ?y), near(?y, ?z).
        """
    )
    closure = close([Given(Fact("road", ("a", "b")), 0.5), Fact("road", ("b", "c")), Fact("near", ("a", "b"))], rules)
    assert closure.weight(Fact("near", ("a", "b"))) == 1.0  # given, which is surer than what follows
    assert closure.weight(Fact("near", ("a", "c"))) == 0.5
    assert closure.weight(Fact("near", ("c", "a"))) == 0.0
    assert [str(fact) for fact in closure.facts("near", "a", None)] == ["near(a, b)", "near(a, c)"]
    assert closure.facts("near", "nobody", None) == []
    with pytest.raises(OptionError, match=r"No rule speaks of 'nera' with 2 arguments.* Did you mean 'near'"):
        closure.facts("nera", None, None)


def test_relations_of_three() -> None:
    rules = Rules.parse(
        "@relation sold(?who, ?what, ?to). owns(?to, ?what) :- sold(?_, ?what, ?to), not sold(?to, ?what, ?_)."
    )
    closure = close([Fact("sold", ("Ada", "lamp", "Bo"))], rules)
    assert closure.facts("owns", None, None) == [Fact("owns", ("Bo", "lamp"))]
    with closure.adding([Fact("sold", ("Bo", "lamp", "Cy"))]) as view:
        assert view.facts("owns", None, None) == [Fact("owns", ("Cy", "lamp"))]
        proof = prove(view, Fact("owns", ("Cy", "lamp")))
        given = [Fact("sold", ("Ada", "lamp", "Bo")), Fact("sold", ("Bo", "lamp", "Cy"))]
        assert replay(proof, given, rules, source="the request") == (
            "step 1: sold(Bo, lamp, Cy) does not come from the request",
        )


def test_today_is_said_by_the_caller() -> None:
    rules = Rules.parse("@relation placed(?o, ?d). fresh(?o) :- placed(?o, ?d), age_days(?d) <= 30.")
    fact = [Fact("placed", ("o1", "2026-01-10"))]
    fresh = Fact("fresh", ("o1",))
    assert close(fact, rules, today=date(2026, 1, 31)).holds(fresh)
    assert not close(fact, rules, today=date(2026, 3, 1)).holds(fresh)
    closure = close(fact, rules)
    for day, expected in ((date(2026, 1, 31), True), (date(2026, 3, 1), False)):
        with closure.adding([], today=day) as view:
            assert view.holds(fresh) is expected
    with pytest.raises(OptionError, match="nobody has said which day it is"), closure.adding([]):
        pass
    with pytest.raises(OptionError, match="Expected one day"):
        close(fact, rules, today=date(2026, 1, 31)).adding([], today=date(2026, 3, 1)).__enter__()


def test_rules_without_end_are_stopped_and_named() -> None:
    rules = Rules.parse("@rule down n(?y) :- n(?x), ?y = ?x - 1, ?y <= 100.")
    with pytest.raises(DataError, match=r"more than 1,000 facts follow, most of them \(1,001\) by the rule 'down'"):
        close([Fact("n", (3,))], rules, most=1_000)
    closure = close([], Rules.joined([rules, Rules.parse("@relation n(?x).")]))
    with pytest.raises(DataError, match="more than 50 facts"), closure.adding([Fact("n", (3,))], most=50):
        pass


def test_an_error_in_a_request_leaves_nothing() -> None:
    closure = close([Fact("edge", ("a", "b"))], DECLARED[0])
    before = pickle.dumps(everything(closure))
    with pytest.raises(ZeroDivisionError), closure.adding([Fact("edge", ("b", "c"))]):
        _ = 1 / 0
    assert pickle.dumps(everything(closure)) == before


def test_requests_may_run_side_by_side() -> None:
    rules = DECLARED[0]
    closure = close([Fact("node", (n,)) for n in range(30)] + [Fact("edge", (n, n + 1)) for n in range(20)], rules)
    before = pickle.dumps(everything(closure))

    def ask(n: int) -> int:
        with closure.adding([Fact("edge", (20, n)), Fact("node", (f"new {n}",))]) as view:
            return len(view.facts("path", None, None)) + len(view.facts("apart", None, None))

    alone = [ask(n) for n in range(20, 30)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(20, 30))) == alone
    assert pickle.dumps(everything(closure)) == before
