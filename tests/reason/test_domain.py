"""A domain: what is read, what says how the rest is used, and what comes back from a saved one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from huiyi.errors import DataError, MissingExtraError
from huiyi.reason import Domain, EvidenceConfig, Fact, Given, Knowledge

USES = """
evidence(has_symptom, 0.8).  evidence(shows, 0.5).
hidden(illness).  hidden("state of mind").
ask(days_ill, "How many days?").  ask(days_ill, "几天？", zh).  ask(city, "哪里？", zh).
do(request, rest) :- days_ill(request, ?d), city(request, ?c), has_symptom(flu, fever), shows(flu, rash).
@relation days_ill(?r, ?d).  @relation city(?r, ?c).
"""


def knowing(*facts: Fact) -> Knowledge:
    knowledge = Knowledge()
    knowledge.add([Given(fact, source="the graph") for fact in facts])
    return knowledge


GRAPH = (Fact("has_symptom", ("flu", "fever")), Fact("shows", ("flu", "rash")))


def test_what_facts_say_of_how_the_rest_is_used() -> None:
    domain = Domain(knowing(*GRAPH), {"desk.rules": USES})
    assert domain.evidence.relations == {"has_symptom": 0.8, "shows": 0.5}
    assert domain.hidden == ("illness", "state of mind")
    assert domain.questions == {"days_ill": {"en": "How many days?", "zh": "几天？"}, "city": {"zh": "哪里？"}}
    bare = Domain(knowing(*GRAPH))
    assert bare.evidence == EvidenceConfig()
    assert (bare.hidden, bare.questions) == ((), {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "evidence(has_symptom, 0).",
            "desk.rules, line 1: evidence(has_symptom, 0) cannot be used. Expected a relation",
        ),
        ("evidence(has_symptom, 1.5).", "a strength above 0 and up to 1"),
        ("evidence(has_symptom, often).", "a strength above 0 and up to 1"),
        ("evidence(has_symptom).", "such as evidence(has_symptom, 0.6)"),
        ("\nhidden(a, b).", "desk.rules, line 2: hidden(a, b) cannot be used. Expected the name of a task"),
        ("ask(days).", "Expected a relation, a question and perhaps en or zh"),
        ('ask(days, "How many?", fr).', "perhaps en or zh"),
        ('ask(days, "How many?", en, zh).', "perhaps en or zh"),
        ("evidence(?r, 0.5) :- strong(?r).  @relation strong(?r).", "line 1: evidence says how the rest is used"),
        ("@rule evidence  a(?x) :- b(?x).", "line 1: 'evidence' is what proofs call what is weighed"),
        ("evidence(has_symptm, 0.5).", "there is no fact of 'has_symptm'. Did you mean 'has_symptom'?"),
        ('ask(days_il, "?").  do(request, a) :- days_ill(request, 1).', "'days_il'. Did you mean 'days_ill'?"),
    ],
)
def test_what_says_it_wrongly_is_refused(text: str, said: str) -> None:
    with pytest.raises(DataError) as refused:
        Domain(knowing(*GRAPH), {"desk.rules": text})
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_reading_files(tmp_path: Path) -> None:
    (tmp_path / "a.rules").write_text("﻿b(?x) :- c(?x).\r\nc(one).\n", "utf-8")
    (tmp_path / "d.RULES").write_text("b(?x) :- e(?x).  e(two).", "utf-8")
    (tmp_path / "graph.csv").write_text("head,relation,tail\nflu,has_symptom,fever\n", "utf-8")
    domain = Domain.read([tmp_path / "a.rules", str(tmp_path / "d.RULES"), tmp_path / "graph.csv"])
    assert list(domain.rules.by_name) == ["b 1", "b 2"], "rules without a name are told apart across files"
    assert domain.rules.by_name["b 2"].source == "d.RULES, line 1"
    assert {fact for fact, _ in domain.facts.facts()} == {
        Fact("has_symptom", ("flu", "fever")),
        Fact("c", ("one",)),
        Fact("e", ("two",)),
    }
    assert domain.facts.sources(Fact("c", ("one",))) == ("a.rules, line 2",)
    assert Domain.read(tmp_path / "a.rules").texts == Domain.read(str(tmp_path / "a.rules")).texts != {}


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a.rules", "b/a.rules"], "a.rules is there twice"),
        (["c.rules", "d.rules"], "c.rules, line 1: the rule 'one' has a name that another has too"),
        (["nowhere.rules"], "nowhere.rules cannot be read: No such file or directory."),
        (["aa.rules"], "Did you mean 'a.rules'?"),
        (["nowhere.csv"], "There is no file"),
        (["graph.txt"], "graph.txt: its name tells no known format"),
        (["bad.csv"], "bad.csv, line 3 has 2 cells, but the header has 3. Nothing was loaded"),
        (["quotes.csv"], "quotes.csv, line 2 cannot be split into cells"),
        (["weight.csv"], "weight.csv, line 2"),
        (["latin.rules"], "latin.rules is not UTF-8"),
        (["b"], "its name tells no known format"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, names: list[str], said: str) -> None:
    (tmp_path / "b").mkdir()
    for name in ("a.rules", "b/a.rules"):
        (tmp_path / name).write_text("b(?x) :- c(?x).", "utf-8")
    for name in ("c.rules", "d.rules"):
        (tmp_path / name).write_text("@rule one  b(?x) :- c(?x).", "utf-8")
    (tmp_path / "graph.txt").write_text("x", "utf-8")
    (tmp_path / "bad.csv").write_text("head,relation,tail\na,b,c\na,b\n", "utf-8")
    (tmp_path / "quotes.csv").write_text('head,relation,tail\na,b,"c\n', "utf-8")
    (tmp_path / "weight.csv").write_text("head,relation,tail,weight\na,b,c,7\n", "utf-8")
    (tmp_path / "latin.rules").write_bytes(b"caf\xe9(x).")
    with pytest.raises(DataError) as refused:
        Domain.read([tmp_path / name for name in names])
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyoxigraph", None)
    with pytest.raises(MissingExtraError, match=r'pip install "huiyi\[reason\]"'):
        Domain.read([])


STRANGE = ("'); DROP TABLE x; --", 'a "quoted" (name), [here]', "退烧药。", "<script>&amp;", "n" * 5_000, "?x", "a\tb")


def test_what_comes_back() -> None:
    knowledge = knowing(*GRAPH, *(Fact("has_symptom", ("flu", name)) for name in STRANGE))
    knowledge.add([Given(Fact("has_symptom", ("flu", "ache")), 0.25, "a book, page 3")])
    knowledge.add([Given(Fact("has_symptom", ("flu", "ache")), 0.5, "a letter")])
    domain = Domain(knowledge, {"desk.rules": USES})
    arrays, document = domain.to_arrays()
    assert arrays["knowledge.nq"].dtype == "uint8"
    back = Domain.from_arrays(arrays, document)
    assert set(back.facts.facts()) == set(domain.facts.facts())
    for fact, _ in domain.facts.facts():
        assert set(back.facts.sources(fact)) == set(domain.facts.sources(fact)), fact
    assert back.facts.weight(Fact("has_symptom", ("flu", "ache"))) == 0.5
    assert (back.rules.rules, back.questions) == (domain.rules.rules, domain.questions)


def test_nothing_comes_back_as_nothing() -> None:
    arrays, document = Domain(Knowledge()).to_arrays()
    assert not list(Domain.from_arrays(arrays, document).facts.facts())
