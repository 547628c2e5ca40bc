"""What a record says, as facts and in words."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from huiyi.reason import Domain, Fact, Knowledge, Linker, Reasoner, Rules
from huiyi.reason.facts import LARGEST_TEXT
from huiyi.reason.request import (
    DENIES,
    MENTIONS,
    REQUEST,
    SUPPOSES,
    heard,
    of_links,
    of_spans,
    of_values,
    relations_of,
    weight_of,
)
from huiyi.values import Context, Label, Record, Span, Task

TASK = Task("intent", "choice", (Label("refund", {"en": "getting money back", "zh": "退款"}),))


def reasoner(rules: str) -> Reasoner:
    return Reasoner(Domain(Knowledge(), {"desk.rules": rules}), [TASK], [])


@pytest.mark.parametrize(
    ("text", "relation"),
    [("I take the L307", "mentions"), ("it was not the L307", "denies"), ("does it stop, the L307?", "supposes")],
)
def test_a_text_says_asks_about_or_denies_something(text: str, relation: str) -> None:
    rules = "do(request, help) :- mentions(request, L307).  do(request, help) :- supposes(request, L307)."
    record = Record(text=text, time=datetime(2026, 11, 18))
    (case,) = reasoner(rules).read(Context((record,), {}, np.zeros((1, 0), dtype=bool)))
    assert [given.fact for given in case.given] == [Fact(relation, ("request", "L307"))]


def test_what_a_request_asks_about_is_worded_in_both_languages() -> None:
    model = reasoner("do(request, help) :- supposes(request, L307).")
    fact = Fact("supposes", ("request", "L307"))
    assert model.wording("en").fact(fact) == "the request asks about L307 or supposes it"
    assert model.wording("zh").fact(fact) == "本请求询问或假设L307"


def test_labels_of_tasks_are_called_by_their_descriptions_unless_the_graph_names_them(tmp_path: Path) -> None:
    model = reasoner("do(request, help) :- intent(request, refund).")
    fact = Fact("intent", ("request", "refund"))
    assert [model.wording(language).fact(fact) for language in ("en", "zh")] == [
        "intent: getting money back",
        "intent：退款",
    ]
    (tmp_path / "names.csv").write_text("id,label\nrefund,a refund\n")
    model.domain.knowledge.read(tmp_path / "names.csv")
    assert model.label("refund", "en") == "a refund"


def said(value: Any) -> list[Any]:
    return [given.fact.arguments[1] for given in of_values("field", value, "the form", str.lower)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Gold", ["gold"]),
        ("  Gold ", ["gold"]),
        ("30", [30]),
        (" 2026-01-31 ", [date(2026, 1, 31)]),
        (30, [30]),
        (3.0, [3]),
        (2.5, [2.5]),
        (np.int64(30), [30]),
        (np.float32(2.5), [2.5]),
        (np.bool_(True), ["yes"]),
        (True, ["yes"]),
        (False, ["no"]),
        (date(2026, 1, 31), [date(2026, 1, 31)]),
        (datetime(2026, 1, 31, 9, tzinfo=UTC), [datetime(2026, 1, 31, 9)]),
        (["a", "B", None, 3, float("nan")], ["a", "b", 3]),
        (("a", "a"), ["a", "a"]),
        ("金卡", ["金卡"]),
        ("'); DROP", ["'); drop"]),
        (10**30, [str(10**30)]),
        (None, []),
        ("", []),
        (" \n", []),
        ([], []),
        (float("nan"), []),
        (np.float64("nan"), []),
        (float("inf"), []),
        (-float("inf"), []),
        ({"a": 1}, []),
        (object(), []),
        ("x" * (LARGEST_TEXT + 1), []),
    ],
)
def test_what_a_field_says(value: Any, expected: list[Any]) -> None:
    found = said(value)
    assert found == expected
    assert [type(one) for one in found] == [type(one) for one in expected], "no number of another library"


def test_what_links_say() -> None:
    linker = Linker.of(["fever", "cough", "rash", "asthma", "咳嗽"])
    links = linker.link(["I have a fever but no cough. Maybe a rash. My brother has asthma.", "没有咳嗽"])
    assert [(given.fact, given.weight, given.source) for some in links for given in of_links("the text", some)] == [
        (Fact(MENTIONS, (REQUEST, "fever")), 1.0, "the text: “fever”"),
        (Fact(DENIES, (REQUEST, "cough")), 1.0, "the text: “cough”"),
        (Fact(SUPPOSES, (REQUEST, "rash")), 1.0, "the text: “rash”"),
        (Fact(DENIES, (REQUEST, "咳嗽")), 1.0, "the text: “咳嗽”"),
    ]


def test_what_is_heard() -> None:
    record = Record(text="my card")
    assert [(one.called, one.text) for one in heard(record, {"ocr": "VISA", "speech": "lost"})] == [
        ("the text", "my card"),
        ("the picture", "VISA"),
        ("the recording", "lost"),
    ]
    assert [one.called for one in heard(record, {"ocr": "my card"})] == ["the text"], "what stands in is heard once"
    assert [one.called for one in heard(Record(text=" "), {"ocr": "VISA"})] == ["the picture"]
    assert heard(Record(), {}) == []


def test_what_slots_say() -> None:
    text = "to Lyon on 2026-01-31"
    spans = [Span("city", 3, 7, 0.0), Span("day", 11, 21, 0.75), Span("city", 3, 7), Span("city", 2, 3, 0.5)]
    found = list(of_spans(text, spans, str))
    assert [given.fact for given in found] == [
        Fact("city", (REQUEST, "Lyon")),
        Fact("day", (REQUEST, date(2026, 1, 31))),
        Fact("city", (REQUEST, "Lyon")),
    ]
    assert [given.weight for given in found] == [1e-6, 0.75, 1.0], "what is improbable is not certain"
    assert found[0].source == "the text: “Lyon”"
    assert [weight_of(share) for share in (-0.1, 0.0, 0.5, 1.1)] == [1e-6, 1e-6, 0.5, 1.0]


def test_what_is_declared() -> None:
    rules = relations_of(["intent", "mood"], ["city", "mood", "city"], ["city", "denies"])
    names = [relation.atom.relation for relation in rules.relations]
    assert names == ["intent", "mood", "mentions", "supposes", "do"], "each once, and none that is declared elsewhere"
    assert rules.relations[0].descriptions == {"en": "intent: ?what", "zh": "intent：?what"}
    Rules.joined([rules, Rules.parse("do(request, a) :- intent(request, b), not mentions(request, c).")])
