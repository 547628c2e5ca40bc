"""Proofs of decisions for people."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

import huiyi
from huiyi import Model, TrainConfig
from huiyi.errors import OptionError, OutputError
from huiyi.evaluate import draw_proofs, in_words, proofs_in_words
from huiyi.evaluate.proofs import proofs_of
from huiyi.reason import Domain, Fact, Knowledge
from huiyi.values import Decision, Question, Record

NAME = "<b>'quoted' & [red]bold"
RULES = """
@rule bed en "whoever has ?what stays in bed" zh "有?what应卧床"
do(request, stay_in_bed) :- mentions(request, ?what), grave(?what).
grave('fever').
"""
SAYS = {"cold": "sneezing", "flu": "fever", NAME: "spots"}
RECORD = Record(text="i have fever and fever")


@pytest.fixture(scope="module")
def knowing() -> Model:
    knowledge = Knowledge()
    knowledge.add([Fact("has_symptom", pair) for pair in SAYS.items()], source="graph.csv")
    rows = [(f"i have {said} {n}", label) for label, said in SAYS.items() for n in range(8)]
    domain = Domain(knowledge, {"desk.rules": RULES})
    model = huiyi.train(rows, config=TrainConfig(signals=("words",), max_error=0.5), knowledge=domain)
    assert model.reasoner is not None
    belief = model.reasoner.beliefs["intent"]  # the words alone tell these few texts, so it is not trusted by itself
    model.reasoner.beliefs["intent"] = replace(belief, evidence=replace(belief.evidence, trust=1.0))
    return model


@pytest.fixture(scope="module")
def told(knowing: Model) -> Decision:
    return knowing.decide(RECORD, prove=True)


def test_words_in_both_languages(knowing: Model, told: Decision) -> None:
    assert (told.kind, told.action) == ("act", "stay_in_bed")
    english = "\n".join(proofs_in_words(knowing, RECORD, told, "en"))
    assert "intent: flu." in english
    assert "whoever has fever stays in bed" in english
    assert "the request speaks of fever (given: the text: “fever”" in english
    assert "before" in english
    assert english.endswith("Checked: every step holds by the facts and rules as they are now.")
    chinese = "\n".join(proofs_in_words(knowing, RECORD, told, "zh"))
    for said in (
        "本请求提到了fever（已知：文本：“fever”",
        "有fever应卧床",
        "已核对：按现有的事实和规则，每一步都成立。",
    ):
        assert said in chinese


def test_what_does_not_hold_is_said(knowing: Model, told: Decision) -> None:
    lines = proofs_in_words(knowing, Record(text="i have sneezing"), told, "en")
    assert lines[-1].startswith("Checked, and wrong: ")
    assert proofs_in_words(knowing, Record(text="i have sneezing"), told, "zh")[-1].startswith("核对有误：")


def test_nothing_to_say(knowing: Model, told: Decision) -> None:
    assert proofs_in_words(knowing, RECORD, replace(told, proofs=()), "en")[1].startswith("No fact or rule")
    assert proofs_in_words(knowing, RECORD, replace(told, proofs=None), "zh")[1].startswith("没有任何")
    assert proofs_of(replace(told, proofs=None)) == ()
    with pytest.raises(OptionError, match="There is nothing to draw"):
        draw_proofs(knowing, replace(told, proofs=()), Path("a.svg"), "en")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_drawing(knowing: Model, told: Decision, tmp_path: Path, language: str) -> None:
    draw_proofs(knowing, told, tmp_path / "a.svg", language)
    said = " ".join(ET.parse(tmp_path / "a.svg").getroot().itertext())
    assert ("有fever应卧床" if language == "zh" else "whoever has fever stays in bed") in said, "the action"
    strange = knowing.decide("i have spots", prove=True)
    draw_proofs(knowing, strange, tmp_path / "b.svg", language)
    drawn = "".join("".join(ET.parse(tmp_path / "b.svg").getroot().itertext()).split())
    assert "".join(NAME.split()) in drawn, "as text, and nothing else"
    with pytest.raises(OutputError, match="the proof cannot be written here"):
        draw_proofs(knowing, told, tmp_path / "nowhere" / "a.svg", language)


def test_questions_say_how_to_reply(knowing: Model, told: Decision) -> None:
    asked = replace(told, kind="clarify", action=None, question=Question("Since when?", (), "place of the ache"))
    lines = in_words(asked, knowing, str(RECORD.text), "en")
    assert lines == ["clarify: Since when?", "  (to reply: --answer 'place of the ache=…')"]
    plain = replace(asked, question=Question("Since when?", (), "发病_1"))
    assert in_words(plain, knowing, str(RECORD.text), "en")[1] == "  (to reply: --answer 发病_1=…)"
    assert in_words(told, knowing, str(RECORD.text), "en")[1] == "  what to do: stay_in_bed"
    assert in_words(told, knowing, str(RECORD.text), "zh")[1] == "  应当: stay_in_bed"
