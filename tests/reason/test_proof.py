"""Proofs: every derived fact has one that holds, and what was tampered with does not."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from huiyi.drawing import measured, wrapped
from huiyi.errors import DataError, OptionError
from huiyi.reason import Fact, Given, Knowledge, Proof, Rules, Wording, close, contradictions, draw, prove, replay
from huiyi.reason.drawing import _PADDING, _SIZE, _WIDTH, MOST_BOXES, laid_out

TODAY = date(2026, 1, 31)
RULES = """
@relation placed_on(?order, ?day) en "?order was placed on ?day" zh "?order于?day下单".
@relation used(?order) en "?order was used" zh "?order已经用过".
@rule in_time weight 0.9
  en "?order may be refunded" zh "?order可以退款"
eligible(?order, refund) :- placed_on(?order, ?day), age_days(?day) <= 30, not used(?order), sold_by(?order, ?shop),
    part_of(?shop, chain).
@transitive part_of.
used(?order) :- worn(?order).
"""
FACTS = [
    Given(Fact("placed_on", ("o1", "2026-01-10")), 1.0, "orders.csv, line 3"),
    Given(Fact("sold_by", ("o1", "shop <1>")), 0.8, "orders.csv, line 9"),
    Fact("part_of", ("shop <1>", "region")),
    Fact("part_of", ("region", "chain")),
    Fact("worn", ("o2",)),
]
ELIGIBLE = Fact("eligible", ("o1", "refund"))


def example() -> tuple[Rules, Proof]:
    rules = Rules.parse(RULES)
    return rules, prove(close(FACTS, rules, today=TODAY), ELIGIBLE)


def test_the_proof_is_the_shortest_and_always_the_same() -> None:
    rules = Rules.parse("@transitive to.  @rule also to(?x, ?z) :- to(?x, ?y), to(?y, ?z), ?x != ?z.")
    facts = [
        Fact("to", pair)
        for pair in [("a", "b"), ("b", "d"), ("a", "c"), ("c", "d"), ("d", "e"), ("a", "x"), ("x", "y")]
    ]
    facts += [Fact("to", ("y", "e")), Fact("to", ("b", "e"))]
    proofs = [
        prove(close(order, rules), Fact("to", ("a", "e"))) for order in (facts, facts[::-1], facts[3:] + facts[:3])
    ]
    assert [str(step.fact) for step in proofs[0].steps] == ["to(a, b)", "to(b, e)", "to(a, e)"]
    assert proofs[0].steps[-1].rule == "transitive to"
    assert proofs[0] == proofs[1] == proofs[2]


def test_what_has_no_proof() -> None:
    closure = close(FACTS, Rules.parse(RULES), today=TODAY)
    with pytest.raises(OptionError, match=r"eligible\(o2, refund\) does not follow, so it has no proof"):
        prove(closure, Fact("eligible", ("o2", "refund")))


def test_a_long_chain() -> None:
    rules = Rules.parse("reached(?y) :- reached(?x), next(?x, ?y).")
    facts = [Fact("next", (n, n + 1)) for n in range(3_000)] + [Fact("reached", (0,))]
    proof = prove(close(facts, rules), Fact("reached", (3_000,)))
    assert len(proof.steps) == 6_001
    assert replay(proof, facts, rules) == ()
    assert Proof.from_json(proof.to_json()) == proof
    picture = draw(proof, Wording(rules))
    assert f"{6_001 - MOST_BOXES} further steps are not drawn" in picture


# Tampering


def test_facts_that_changed_are_found() -> None:
    rules, proof = example()
    assert replay(proof, FACTS, rules, today=TODAY) == ()
    for place, fact in enumerate(FACTS[:4]):
        assert replay(proof, FACTS[:place] + FACTS[place + 1 :], rules, today=TODAY), fact
    assert replay(proof, FACTS, rules) == ("step 6: today(2026-01-31) is not among the facts",)
    assert replay(proof, [*FACTS, Fact("worn", ("o1",))], rules, today=TODAY) == (
        "step 7: used(o1) is known, so the rule 'in_time' does not apply",
    )
    surer = [FACTS[0], replace(FACTS[1], weight=0.9), *FACTS[2:]]  # type: ignore[type-var]
    assert "sold_by(o1, 'shop <1>') has the weight 0.9, not 0.8" in "; ".join(replay(proof, surer, rules, today=TODAY))
    elsewhere = [replace(FACTS[0], source="a note"), *FACTS[1:]]  # type: ignore[type-var]
    assert replay(proof, elsewhere, rules, today=TODAY) == (
        "step 1: placed_on(o1, 2026-01-10) does not come from orders.csv, line 3",
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("@rule in_time", "@rule later", "there is no rule 'in_time'"),
        ("<= 30", "<= 20", "the steps before do not meet the conditions of the rule 'in_time'"),
        ("<= 30", "<= 40", "the comparisons of the rule 'in_time' are others"),
        ("weight 0.9", "weight 0.8", "the weight of eligible(o1, refund) is 0.64, not 0.72"),
        ("eligible(?order, refund)", "eligible(?order, repair)", "is not what the rule 'in_time' concludes"),
        ("not used(?order)", "not worn(?order)", "what must be absent for the rule 'in_time' is something else"),
        ("part_of(?shop, chain)", "part_of(chain, ?shop)", "do not meet the conditions"),
        (", not used(?order)", "", "what must be absent"),
        ("worn(?order)", "placed_on(?order, ?_)", "used(o1) is known"),
        ("@transitive part_of.", "", "there is no rule 'transitive part_of'"),
        ("?day), age_days(?day)", "?when), age_days(?when)", "the values of the variables"),
    ],
)
def test_rules_that_changed_are_found(old: str, new: str, message: str) -> None:
    _, proof = example()
    assert old in RULES
    assert message in "; ".join(replay(proof, FACTS, Rules.parse(RULES.replace(old, new)), today=TODAY))


def test_a_proof_that_changed_is_found() -> None:
    rules, proof = example()
    for place, step in enumerate(proof.steps):
        others = [
            replace(step, fact=Fact(step.fact.relation, ("nobody",) * len(step.fact.arguments))),
            replace(step, weight=step.weight / 2),
            replace(step, rule="transitive part_of" if step.rule != "transitive part_of" else "in_time"),
        ]
        if step.rule:
            others += [
                replace(step, because=step.because[::-1]),
                replace(step, because=step.because[1:]),
                replace(step, bindings={}),
                replace(step, rule=""),
                replace(step, because=(place,) * len(step.because)),
            ]
        if step.absent:
            others.append(replace(step, absent=()))
        if step.comparisons:
            others.append(replace(step, comparisons=("1 <= 30",)))
        if step.sources:
            others.append(replace(step, sources=("somewhere",)))
        for other in others:
            changed = Proof((*proof.steps[:place], other, *proof.steps[place + 1 :]))
            assert replay(changed, FACTS, rules, today=TODAY), other


@pytest.mark.parametrize("arguments", [[], [""], ["a", "b", "c"], ["\ud800", "x"], [1e300, -1], ["x" * 200_000, "y"]])
@pytest.mark.parametrize("relation", ["", "placed_on", "\ud800", "rdf:type", "<>"])
def test_no_document_breaks_the_check(relation: str, arguments: list[Any]) -> None:
    rules, proof = example()
    knowledge = Knowledge()
    knowledge.add(FACTS)
    for place in range(len(proof.steps)):
        document = proof.to_json()
        document["steps"][place] |= {"relation": relation, "arguments": arguments}
        assert replay(Proof.from_json(document), knowledge, rules, today=TODAY)
        document["steps"][place] |= {"absent": [{"relation": relation, "arguments": [*arguments, None]}]}
        assert replay(Proof.from_json(document), FACTS, rules, today=TODAY)


def test_the_graph_is_asked_itself() -> None:
    rules, _ = example()
    knowledge = Knowledge()
    knowledge.add(FACTS)
    proof = prove(close(knowledge, rules, today=TODAY), ELIGIBLE)
    assert replay(proof, knowledge, rules, today=TODAY) == ()
    assert proof.steps[0].sources == ("orders.csv, line 3",)
    knowledge.add([Fact("worn", ("o1",))])
    assert replay(proof, knowledge, rules, today=TODAY) == (
        "step 7: used(o1) is known, so the rule 'in_time' does not apply",
    )


# JSON, words and pictures


@pytest.mark.parametrize(
    "change",
    [
        {"because": [6]},
        {"because": [-1]},
        {"because": ["0"]},
        {"arguments": [True]},
        {"arguments": None},
        {"weight": "much"},
        {"bindings": []},
    ],
)
def test_json_that_is_no_proof(change: dict[str, Any]) -> None:
    document = example()[1].to_json()
    document["steps"][6] = {**document["steps"][6], **change}
    with pytest.raises(DataError, match="This is no proof") as caught:
        Proof.from_json(document)
    assert len(str(caught.value).splitlines()) == 1
    for other in ({}, {"steps": []}, [], None, {"steps": [{}]}):
        with pytest.raises(DataError):
            Proof.from_json(other)


def test_words() -> None:
    rules, proof = example()
    assert Wording(rules).proof(proof).splitlines() == [
        "o1 may be refunded.",
        "Why:",
        "1. o1 was placed on 2026-01-10 (given: orders.csv, line 3)",
        "2. o1 sold by shop <1> (given: orders.csv, line 9; weight 0.8)",
        "3. shop <1> part of region (given)",
        "4. region part of chain (given)",
        "5. shop <1> part of chain (since part_of passes on from one to the next; from 3, 4)",
        "6. today is 2026-01-31",
        "7. o1 may be refunded (by the rule “in_time”; age_days(2026-01-10) = 21 <= 30; "
        "nothing says that o1 was used; weight 0.72; from 1, 2, 5, 6)",
    ]
    names = {"o1": "一号订单", "sold_by": "卖家"}
    chinese = Wording(rules, "zh", lambda name, language: names.get(name, name)).proof(proof).splitlines()
    assert chinese[0] == "一号订单可以退款。"
    assert chinese[2] == "1. 一号订单于2026-01-10下单（已知：orders.csv, line 3）"
    assert chinese[3] == "2. 一号订单的“卖家”是shop <1>（已知：orders.csv, line 9；权重 0.8）"
    assert "没有记录表明一号订单已经用过" in chinese[-1]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_picture(language: Any) -> None:
    rules, proof = example()
    wording = Wording(rules, language)
    picture = draw(proof, wording)
    root = ET.fromstring(picture)
    texts = [text.text or "" for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert any("shop <1>" in text for text in texts)
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")
    boxes, edges, left_out = laid_out(proof, wording)
    assert left_out == 0 and len(boxes) == len(proof.steps)
    assert edges == sorted((place, earlier) for place, step in enumerate(proof.steps) for earlier in step.because)
    by_step = {box.step: box for box in boxes}
    for upper, lower in edges:
        assert by_step[upper].top + by_step[upper].height < by_step[lower].top
    for one in boxes:
        assert all(measured(line, _SIZE * 1.08) <= _WIDTH - 2 * _PADDING for line in one.title)
        assert one.left >= 0 and one.left + _WIDTH <= float(root.attrib["width"])
        assert one.top >= 0 and one.top + one.height <= float(root.attrib["height"])
        for other in boxes:
            apart = abs(one.left - other.left) >= _WIDTH or one.top + one.height <= other.top
            assert one.step == other.step or apart or other.top + other.height <= one.top


def test_no_text_breaks_the_picture() -> None:
    rules = Rules.parse("said(?x) :- heard(?x).")
    for name in ("</svg><script>alert(1)</script>", "\0\x0b\ufffe", "]]>", "x" * 5_000, "退" * 500, "a\nb", '"&amp;'):
        proof = prove(close([Fact("heard", (name,))], rules), Fact("said", (name,)))
        root = ET.fromstring(draw(proof, Wording(rules)))
        assert {element.tag.rpartition("}")[2] for element in root.iter()} == {"svg", "title", "rect", "path", "text"}
        assert len(Wording(rules).proof(proof).splitlines()) == 4


def test_lines_fit() -> None:
    for text in ("退款" * 40, "a b " * 50, "W" * 90):
        lines = wrapped(text, 200, 13)
        assert len(lines) <= 8
        assert all(measured(line, 13) <= 200 + 13 for line in lines[:-1])


def test_a_contradiction_in_words() -> None:
    rules = Rules.parse(
        """
        @rule one_state en "?order is both open and closed" zh "?order既打开又关闭"
        :- open(?order), closed(?order).
        closed(?order) :- paid(?order), sent(?order).
        """
    )
    facts = [Given(Fact(name, ("o1",)), source=f"{name}.csv, line 2") for name in ("open", "paid", "sent")]
    closure = close([*facts, Fact("closed", ("o2",))], rules)
    (found,) = contradictions(closure)
    assert set(found.facts) == set(facts)
    assert str(found).startswith("one_state is broken by: open(o1) (open.csv, line 2); ")
    assert Wording(rules).proof(found.proof).startswith("o1 is both open and closed.")
    with closure.adding([Fact("open", ("o2",))]) as view:
        assert len(contradictions(view)) == 2
    assert len(contradictions(closure)) == 1
