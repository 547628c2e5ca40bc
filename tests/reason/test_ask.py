"""Questions: the one that tells most, in order, and when to stop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huiyi.errors import DataError, OptionError
from huiyi.reason import AskConfig, Asker, Evidence, EvidenceConfig, Fact, Knowledge, Statements

PAIRS = [
    ("flu", "fever"),
    ("flu", "ache"),
    ("flu", "where"),
    ("cold", "cough"),
    ("measles", "fever"),
    ("measles", "rash"),
]
FACTS = [
    *(Fact("has_symptom", pair) for pair in PAIRS),
    Fact("sub_question_of", ("where", "ache")),
    *(Fact("has_value", ("where", value)) for value in ("head", "back")),
    Fact("has_none_value", ("where", "nowhere")),
]
CANDIDATES = ("flu", "cold", "measles")
EVIDENCE = Evidence.of(Statements(FACTS), CANDIDATES)
LABELS = {
    ("fever", "en"): "Do you have a fever?",
    ("fever", "zh"): "您发烧吗？",
    ("ache", "zh"): "疼痛",
    ("head", "zh"): "头部",
    ("nowhere", "zh"): "没有",
}


def label(name: str, language: str) -> str:
    return LABELS.get((name, language), name)


ASKER = Asker(EVIDENCE, label=label)


def entropy(shares: np.ndarray) -> float:
    return float(-(shares * np.log2(np.maximum(shares, 1e-300))).sum())


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.01, 1), min_size=3, max_size=3))
def test_the_gain_is_what_the_doubt_is_expected_to_fall_by(prior: list[float]) -> None:
    before = np.array([prior]) / sum(prior)
    gains = ASKER.gains(before)[0]
    chances = np.tile(EVIDENCE.leaks, (3, 1))
    given = EVIDENCE.present_if.tocoo()
    chances[given.row, given.col] = given.data
    for finding in ("fever", "ache", "cough", "rash"):
        place = EVIDENCE.findings.place(finding)
        there = float(before[0] @ chances[:, place])
        after = {
            answer: EVIDENCE.revise(before, EVIDENCE.findings.observe([{finding: answer}]))[0]
            for answer in (True, False)
        }
        expected = entropy(before[0]) - there * entropy(after[True]) - (1 - there) * entropy(after[False])
        assert gains[place] == pytest.approx(expected, abs=1e-6)


def test_what_presupposes_something_is_asked_after_it() -> None:
    findings = EVIDENCE.findings
    may = ASKER.open({})
    assert [name for name, is_open in zip(findings.names, may, strict=True) if is_open] == [
        "ache",
        "cough",
        "fever",
        "rash",
    ]
    assert ASKER.open({"ache": True})[findings.place("where")]
    assert not ASKER.open({"ache": False})[findings.place("where")]
    assert not ASKER.open({"ache": True, "where": None})[findings.place("where")]  # it was asked, in vain


def test_a_talk_to_its_end() -> None:
    asker = Asker(EVIDENCE, AskConfig(sure_enough=0.9))
    so = {"rash": True, "fever": True}
    answers: dict[str, bool] = {}
    said = []
    while (step := asker.next([1, 1, 1], answers)).question:
        said.append(step.question.about)
        assert step.gain > 0
        answers[step.question.about] = so.get(step.question.about, False)
    assert step.stop == "sure"
    found = EVIDENCE.revise(np.ones((1, 3)), EVIDENCE.findings.observe([answers]))[0]
    assert found.argmax() == 2
    again = []
    answers = {}
    while (step := asker.next([1, 1, 1], answers)).question:
        again.append(step.question.about)
        answers[step.question.about] = so.get(step.question.about, False)
    assert again == said


def test_when_to_stop() -> None:
    assert ASKER.next([0.99, 0.005, 0.005], {}).stop == "sure"
    assert (
        Asker(EVIDENCE, AskConfig(most_questions=2)).next([1, 1, 1], {}, asked=["fever", "ache"]).stop
        == "most questions"
    )
    nothing = dict.fromkeys(("fever", "ache", "cough", "rash"))
    assert ASKER.next([1, 1, 1], nothing).stop == "nothing to gain"
    assert Asker(EVIDENCE, AskConfig(least_gain=1)).next([1, 1, 1], {}).stop == "nothing to gain"


def test_costs() -> None:
    first = ASKER.next([1, 1, 1], {}).question
    assert first is not None
    dear = Asker(EVIDENCE, costs={first.about: 100.0}).next([1, 1, 1], {}).question
    assert dear is not None
    assert dear.about != first.about
    with pytest.raises(DataError, match="Did you mean 'fever'"):
        Asker(EVIDENCE, costs={"fevers": 1.0})
    with pytest.raises(OptionError, match="above 0"):
        Asker(EVIDENCE, costs={"fever": 0.0})
    for wrong in ({"sure_enough": 0.0}, {"least_gain": -1.0}, {"most_questions": -1}):
        with pytest.raises(OptionError, match="AskConfig"):
            AskConfig(**wrong)  # type: ignore[arg-type]


def test_many_records_at_once_are_asked_as_each_alone() -> None:
    prior = np.random.default_rng(0).dirichlet(np.ones(3), size=20)
    may = np.tile(ASKER.open({}), (20, 1))
    together = ASKER.choose(prior, may)
    assert list(together) == [int(ASKER.choose(row[None], may[:1])[0]) for row in prior]
    assert list(ASKER.choose(prior[:2], np.zeros_like(may[:2]))) == [-1, -1]


def test_words() -> None:
    english, chinese = ASKER.question("fever"), ASKER.question("fever", "zh")
    assert (english.text, english.options) == ("Do you have a fever?", ("yes", "no", "I don't know"))
    assert (chinese.text, chinese.options) == ("您发烧吗？", ("是", "否", "不知道"))
    assert ASKER.question("ache").text == "Is this so: ache?"
    assert ASKER.question("ache", "zh").text == "有没有这种情况：疼痛？"
    assert ASKER.question("where", "zh").options == ("back", "头部", "没有", "不知道")


def test_replies() -> None:
    assert ASKER.read("fever", " YES ") is True
    assert ASKER.read("fever", "否", "zh") is False
    assert ASKER.read("fever", "I don't know") is None
    assert ASKER.read("where", "头部", "zh") == "head"
    assert ASKER.read("where", "nowhere") is False
    with pytest.raises(DataError, match="Did you mean 'head'"):
        ASKER.read("where", "haed")
    with pytest.raises(DataError, match="No fact speaks of"):
        ASKER.question("gout")
    with pytest.raises(DataError, match="No fact speaks of"):
        ASKER.next([1, 1, 1], {}, asked=["gout"])


def test_labels_of_a_graph() -> None:
    pytest.importorskip("pyoxigraph")
    knowledge = Knowledge()
    knowledge.add(FACTS)
    evidence = Evidence.of(knowledge, CANDIDATES, EvidenceConfig())
    assert evidence.findings.names == EVIDENCE.findings.names
    first = Asker(evidence, label=knowledge.label).next([1, 1, 1], {}).question
    assert first == Asker(EVIDENCE).next([1, 1, 1], {}).question
