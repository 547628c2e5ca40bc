"""Mined rules: those that were planted are found, counted right, and prove what they predict."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from huiyi.errors import DataError, OptionError
from huiyi.reason import Fact, Given, Knowledge, MineConfig, Mined, Rules, Statements, mine, replay
from huiyi.reason.facts import normal
from huiyi.reason.paths import Walks, decoded, found_bodies
from huiyi.reason.triples import Triples

PEOPLE = 8


def planted() -> Iterator[Fact]:
    """Everybody's uncle is the brother of a parent, but for the last one; and who lives in Lyon speaks French."""
    for n in range(PEOPLE):
        yield Fact("parent", (f"child {n}", f"parent {n}"))
        yield Fact("brother", (f"parent {n}", f"uncle {n}"))
        if n < PEOPLE - 1:
            yield Fact("uncle", (f"child {n}", f"uncle {n}"))
        yield Fact("lives_in", (f"child {n}", "Lyon" if n < 5 else "Bonn"))
        yield Fact("guest", (f"child {n}",))
        if n < 4:
            yield Fact("speaks", (f"child {n}", "French"))


GRAPH = Statements(planted(), source="a register")


@pytest.fixture(scope="module")
def mined() -> Mined:
    return mine(GRAPH)


def found(mined: Mined) -> dict[str, tuple[int, int, float]]:
    return {str(one.rule): (one.support, one.predictions, one.confidence) for one in mined.rules}


def test_planted_rules_are_counted_by_hand(mined: Mined) -> None:
    rules = found(mined)
    assert rules["uncle(?x, ?y) :- parent(?x, ?a), brother(?a, ?y)."] == (7, 8, round(7 / 13, 4))
    assert rules["speaks(?x, French) :- lives_in(?x, Lyon)."] == (4, 5, 0.4)
    assert rules["speaks(?x, French) :- lives_in(?x, ?a)."] == (4, 8, round(4 / 13, 4))
    assert rules["speaks(?x, French) :- guest(?x)."] == (4, 8, round(4 / 13, 4))
    assert rules["parent(?x, ?y) :- uncle(?x, ?a), brother(?y, ?a)."] == (7, 7, round(7 / 12, 4))


def test_the_prior_is_the_one_given() -> None:
    rules = found(mine(GRAPH, MineConfig(prior=1)))
    assert rules["uncle(?x, ?y) :- parent(?x, ?a), brother(?a, ?y)."][2] == round(7 / 9, 4)


def test_what_is_missing_is_predicted_and_proved(mined: Mined) -> None:
    missing = Fact("uncle", ("child 7", "uncle 7"))
    for asked in ({"head": "child 7"}, {"tail": "uncle 7"}, {"head": "child 7", "tail": "uncle 7"}, {}):
        first = mined.predict("uncle", **asked, top=1)
        assert [one.fact for one in first] == [missing]
    (one,) = mined.predict("uncle", head="child 7", top=1)
    assert [str(step.fact) for step in one.proof.steps] == [
        "parent('child 7', 'parent 7')",
        "brother('parent 7', 'uncle 7')",
        "uncle('child 7', 'uncle 7')",
    ]
    assert one.proof.steps[0].sources == ("a register",)
    assert replay(one.proof, GRAPH, one.as_rules()) == ()
    without = Statements((fact for fact in planted() if fact.relation != "brother"), source="a register")
    assert replay(one.proof, without, one.as_rules()) == (
        "step 2: brother('parent 7', 'uncle 7') is not among the facts",
    )


def test_known_facts_are_not_predicted(mined: Mined) -> None:
    known = set(planted())
    for relation in ("uncle", "speaks"):
        predictions = mined.predict(relation, top=1_000)
        assert predictions
        assert not known & {one.fact for one in predictions}
        assert [one.score for one in predictions] == sorted((one.score for one in predictions), reverse=True)
    assert mined.predict("speaks", head="child 0", tail="French") == []


def random_graph(seed: int) -> list[Fact]:
    rng = np.random.default_rng(seed)
    facts = {Fact(f"r{r}", (f"e{a}", f"e{b}")) for r, a, b in rng.integers(0, (3, 9, 9), (45, 3)).tolist()}
    return sorted({*facts, *(Fact("kind", (f"e{n}",)) for n in range(4))}, key=str)


@pytest.mark.parametrize("seed", range(2))
def test_every_proof_replays(seed: int) -> None:
    facts = [Given(fact, 0.5 if n % 3 else 1.0, f"line {n}") for n, fact in enumerate(random_graph(seed))]
    mined = mine(facts, MineConfig(least_support=1))
    kinds: set[int] = set()
    for relation in ("r0", "r1", "r2"):
        for one in mined.predict(relation, top=25):
            assert len(one.proofs) == len(one.rules)
            for rule, proof in zip(one.rules, one.proofs, strict=True):
                assert proof.fact == one.fact
                assert replay(proof, facts, one.as_rules()) == ()
                kinds.add(len(rule.rule.atoms))
    assert kinds == {1, 2, 3}


def walked(triples: Triples, body: tuple[int, ...]) -> dict[tuple[int, int], int]:
    """How many paths of different things there are from one thing to another, one after the other."""
    count, steps = len(triples.relations), {(way, at): set() for way in range(6) for at in range(len(triples.things))}
    for head, label, tail in zip(triples.heads.tolist(), triples.labels.tolist(), triples.tails.tolist(), strict=True):
        steps[label, head].add(tail)
        steps[label + count, tail].add(head)
    paths = [[at] for at in range(len(triples.things))]
    for way in body:
        paths = [[*path, to] for path in paths for to in steps[way, path[-1]] if to not in path]
    ends: dict[tuple[int, int], int] = {}
    for path in paths:
        ends[path[0], path[-1]] = ends.get((path[0], path[-1]), 0) + 1
    return ends


@pytest.mark.parametrize("seed", range(2))
def test_paths_are_those_that_can_be_walked(seed: int) -> None:
    triples = Triples.of(Statements(random_graph(seed)))
    bodies = [body for length in (1, 2, 3) for body in itertools.product(range(6), repeat=length)]
    expected = {body: walked(triples, body) for body in bodies}
    for body, ends in zip(bodies, Walks(triples).each(bodies, np.arange(len(triples.things))), strict=True):
        there = ends.tocoo()
        places = zip(there.row.tolist(), there.col.tolist(), strict=True)
        assert dict(zip(places, there.data.tolist(), strict=True)) == expected[body], body
    facts = np.flatnonzero((triples.labels == 0) & (triples.heads != triples.tails))
    pairs = list(zip(triples.heads[facts].tolist(), triples.tails[facts].tolist(), strict=True))
    counts = {body: sum(pair in expected[body] for pair in pairs) for body in bodies if body != (0,)}
    codes, times = found_bodies(triples, facts, np.random.default_rng(0))
    read = [tuple(way for way in row if way >= 0) for row in decoded(triples, codes).tolist()]
    assert dict(zip(read, times.tolist(), strict=True)) == {body: n for body, n in counts.items() if n}


def test_counts_are_those_of_the_rule_as_it_is_written() -> None:
    """Each rule, read back and applied to all by the engine's plain evaluator, gives what was counted."""
    from huiyi.reason.plain import follows

    facts = random_graph(1)
    mined = mine(facts, MineConfig(least_support=1, prior=1))
    assert len(mined.rules) > 100
    apart = {fact for fact in facts if len(set(fact.arguments)) > 1}
    for one in mined.rules[::7]:
        read = Rules.parse(str(one)).rules[0]
        head = read.head
        assert head is not None and (read.name, read.weight) == (one.rule.name, one.confidence)
        fresh = Rules.parse(str(read).replace(head.relation, "follows", 1))
        derived = {
            f.arguments for f in follows(dict.fromkeys(facts, 1.0), [list(fresh.rules)]) if f.relation == "follows"
        }
        assert len(derived) == one.predictions, read
        right = {fact.arguments for fact in apart if fact.relation == head.relation} & derived
        assert len(right) == one.support, read


def test_rules_can_be_read_back(mined: Mined) -> None:
    rules = Rules.parse(mined.text()).rules
    assert [(str(rule), rule.name, rule.weight) for rule in rules] == [
        (str(one.rule), one.rule.name, one.confidence) for one in mined.rules
    ]
    assert len(Rules.parse(mined.text(top=1)).rules) == 5


HOSTILE = [
    "it's",
    'a "b"',
    "line\nbreak",
    "back\\slash",
    "?x",
    "not",
    "30",
    "2026-01-31",
    "@rule",
    "大夫",
    "today",
    "):-",
    "-1.5",
]


def test_hostile_names() -> None:
    facts = [
        Fact(relation, (f"{name} {n}", name))
        for relation in ("it's :- so", 'the "one"', "line\nbreak")
        for name in HOSTILE
        for n in range(3)
    ]
    missing = normal(facts.pop())
    mined = mine([*facts, Fact("today", ("x", "y"))])
    assert [str(rule) for rule in Rules.parse(mined.text()).rules] == [str(one.rule) for one in mined.rules]
    (one,) = mined.predict(missing.relation, head=missing.arguments[0], tail=missing.arguments[1])
    assert one.fact == missing
    assert replay(one.proof, facts, one.as_rules()) == ()


def test_the_same_seed_gives_the_same_rules_whatever_the_order() -> None:
    facts, config = random_graph(2), MineConfig(samples=5, walks=10, seed=4)
    first, second = mine(facts, config), mine(facts[::-1], config)
    assert first.text() == second.text()
    assert first.text() != mine(facts, MineConfig(samples=5, walks=10, seed=5)).text()


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    facts, held = random_graph(2), [Fact("r0", ("e0", "new")), Fact("r1", ("e1", "new"))]
    alone = mine(facts, MineConfig(samples=5, walks=10))
    ranks = alone.ranks(held)

    def threads(jobs: Collection[Callable[[], Any]]) -> list[Any]:
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda job: job(), jobs))

    for module in ("huiyi.reason.mine", "huiyi.reason.ranks"):
        monkeypatch.setattr(sys.modules[module], "side_by_side", threads)
    together = mine(facts, MineConfig(samples=5, walks=10))
    assert together.text() == alone.text()
    assert together.ranks(held).tolist() == ranks.tolist()


def test_the_time_budget_keeps_what_there_is(mined: Mined) -> None:
    assert mined.is_complete
    cut = mine(GRAPH, MineConfig(seconds=1e-9))
    assert not cut.is_complete
    assert len(cut.rules) < len(mined.rules)
    assert cut.predict("uncle", head="child 7") == []


def test_progress_is_told() -> None:
    told: dict[str, tuple[int, int]] = {}
    mine(
        GRAPH,
        held_out=[Fact("uncle", ("child 7", "uncle 7"))],
        progress=lambda what, done, of: told.update({what: (done, of)}),
    )
    assert list(told) == [
        "rules that name a thing",
        "relations whose paths are looked for",
        "paths measured",
        "questions ranked",
    ]
    assert all(done == of > 0 for done, of in told.values())


def test_ranks_are_filtered_and_ties_are_shared() -> None:
    facts = [Fact("likes", ("Ada", "tea")), Fact("likes", ("Bo", "jam")), Fact("likes", ("Cy", "jam"))]
    mined = mine(facts, MineConfig(least_support=5))
    assert not mined.rules
    asked = [Fact("likes", ("Ada", "jam"))]
    # Five things, all alike: of the tails tea is right too, of the heads Bo and Cy.
    assert mined.ranks(asked).tolist() == [[(1 + 4) / 2, (1 + 3) / 2]]
    assert mined.ranks(asked, known=[Fact("likes", ("Ada", "Cy"))]).tolist() == [[(1 + 3) / 2, 2.0]]
    assert mined.ranks([Fact("likes", ("Ada", "new"))]).tolist() == [[(1 + 5) / 2, (1 + 6) / 2]]
    sure = mine(GRAPH).ranks([Fact("uncle", ("child 7", "uncle 7"))])
    assert sure.tolist() == [[1.0, 1.0]]
    with pytest.raises(DataError, match=r"likes\(Ada, tea\) is in the graph"):
        mined.ranks([facts[0]])


def test_held_out_facts_choose_the_aggregation() -> None:
    facts = random_graph(3)
    held, rest = facts[10:30:3], [fact for fact in facts if fact not in facts[10:30:3]]
    mined = mine(rest, MineConfig(least_support=1, longest=1))
    tuned = mined.tuned(held, fewest=3)
    assert (1 / tuned.ranks(held)).mean() > (1 / mined.ranks(held)).mean()


def test_what_is_not_there() -> None:
    mined = mine(GRAPH)
    with pytest.raises(DataError, match=r"no relation 'uncel' of two arguments. Did you mean 'uncle'\?"):
        mined.predict("uncel", head="child 7")
    with pytest.raises(DataError, match=r"The graph has no 'child 77'. Did you mean 'child 7'\?"):
        mined.predict("uncle", head="child 77")
    with pytest.raises(DataError, match="Did you mean 'uncle'"):
        mined.best("uncel")
    with pytest.raises(OptionError, match="longest = 4"):
        MineConfig(longest=4)


def test_an_empty_graph() -> None:
    for facts in ([], [Fact("kind", ("a",))], [Fact("self", ("a", "a"))]):
        mined = mine(facts)
        assert len(mined.rules) == 0 and mined.text() == "" and mined.is_complete
    with pytest.raises(DataError, match="no relation 'likes'"):
        mine([]).predict("likes")


def test_saved_and_taken_back(mined: Mined) -> None:
    arrays, document = mined.to_arrays()
    again = Mined.from_arrays(arrays, document, GRAPH)
    assert again.text() == mined.text()
    assert again.predict("uncle", head="child 7") == mined.predict("uncle", head="child 7")
    smaller = [fact for fact in planted() if fact.relation != "brother" and "Lyon" not in fact.arguments]
    changed = Mined.from_arrays(arrays, document, Statements(smaller))
    assert 0 < len(changed.rules) < len(mined.rules)
    assert "brother" not in changed.text() and "Lyon" not in changed.text()
    assert changed.predict("speaks", head="child 7")[0].rules[0].rule.body


def test_a_knowledge_graph_is_mined_alike(mined: Mined) -> None:
    knowledge = Knowledge()
    knowledge.add(planted(), source="a register")
    other = mine(knowledge)
    assert other.text() == mined.text()
    (one,) = other.predict("uncle", head="child 7", top=1)
    assert replay(one.proof, knowledge, one.as_rules()) == ()
