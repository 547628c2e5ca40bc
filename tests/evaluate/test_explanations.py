"""Explanations for people: what is said to whom, in both languages, and a page that stands alone."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from huiyi import Explanation, Model
from huiyi.evaluate import for_agent, for_person, write_explanation
from huiyi.values import Change, Counterfactual, Decision, Example, Faithfulness, Relabelling, Word

TEXT = "My <b>card</b> was stolen, not lost"


@pytest.fixture(scope="module")
def label(model: Model) -> str:
    return model.task.names[0]


@pytest.fixture
def explanation(model: Model, label: str) -> Explanation:
    weights = {"My": 0.0, "card": 0.1, "was": 0.01, "stolen": 0.6, "not": -0.2, "lost": 0.05}
    places = [(word, TEXT.index(word)) for word in weights]
    return Explanation(
        task=model.task.name, label=label, probability=0.7, without_words=0.14, shares={"text": 0.56},
        words=tuple(Word(word, start, start + len(word), weights[word]) for word, start in places),
        method="chains", passes=40, sufficed=True, seed=0, faithfulness=Faithfulness(0.5, 0.05, 0.9),
        nearest=(Example("it was stolen", (label,), 0.9, 0.2), Example("a <i>row</i>", ("other",), 0.8, -0.1)),
        counterfactual=Counterfactual("My card was lost", (Change("stolen", "lost"),), "act", ("loss",), 0.8, True),
    )  # fmt: skip


def decided(model: Model, label: str, kind: str) -> Decision:
    return Decision("", "", kind, model.task.name, label, (label,), 0.7, 0.5, ())  # type: ignore[arg-type]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("kind", ["act", "clarify", "decline"])
def test_a_person_hears_one_sentence_without_numbers(
    model: Model, label: str, explanation: Explanation, language: str, kind: str
) -> None:
    said = for_person(model, decided(model, label, kind), explanation, language)
    assert not re.search(r"\d|%", said)
    assert len(re.findall(r"[.。]", said)) == 1
    assert ("stolen" in said) == (kind != "decline")
    assert "lost" not in said  # it added little


def test_a_person_hears_of_other_sources_and_labels(model: Model, label: str, explanation: Explanation) -> None:
    decision = decided(model, label, "act")
    assert "because of fields and “stolen”" in for_person(
        model, decision, replace(explanation, shares={"text": 0.1, "fields": 0.4}), "en"
    )
    other = replace(explanation, label=model.task.names[1])
    assert for_person(model, decision, other, "en").startswith("What spoke most for")
    assert for_person(model, decision, replace(other, words=()), "en").startswith("Nothing in the text spoke for")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_agent_sees_all_of_it(model: Model, label: str, explanation: Explanation, language: str) -> None:
    panel = "\n".join(for_agent(model, decided(model, label, "act"), explanation, language, ["proof"]))
    for part in ("70.0%", "stolen +60.0%", "not -20.0%", "it was stolen", "stolen → lost", "proof"):
        assert part in panel
    assert panel.index("stolen +60.0%") < panel.index("not -20.0%") < panel.index("card +10.0%")
    assert ("people do not write so" in panel) == (language == "en")


def test_how_far_words_can_be_trusted(model: Model, label: str, explanation: Explanation) -> None:
    def said(**other: object) -> str:
        return "\n".join(for_agent(model, decided(model, label, "act"), replace(explanation, **other), "en"))  # type: ignore[arg-type]

    assert "These words carry it" in said()
    assert "a good part" in said(faithfulness=Faithfulness(0.3, 0.3, 1.0))
    assert "with care" in said(faithfulness=Faithfulness(0.05, 0.5, 1.0))
    assert "matter little" in said(without_words=0.69)
    assert "too little time" in said(sufficed=False)
    assert "most of these have another label" in said(nearest=explanation.nearest[1:])
    assert "most of these have another label" not in said()
    assert "No small change" in said(counterfactual=None)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_stands_alone(
    model: Model, label: str, explanation: Explanation, tmp_path: Path, language: str
) -> None:
    path = tmp_path / "why.html"
    write_explanation(model, decided(model, label, "act"), explanation, TEXT, path, language=language)
    page = path.read_text("utf-8")
    addresses = page.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")  # the name of a notation
    assert "<script" not in page and "http" not in addresses
    assert "<b>card" not in page and "&lt;b&gt;" in page and "<i>row" not in page
    assert re.search(r"--blue\) 55%[^>]*>stolen<", page) and re.search(r"--orange\) 18%[^>]*>not<", page)
    text = re.sub(r"<[^>]*>", "", re.search(r"line-height:2\">(.*?)</p>", page)[1])  # type: ignore[index]
    assert text == "My &lt;b&gt;card&lt;/b&gt; was stolen, not lost"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_rows_to_relabel(model: Model, label: str, explanation: Explanation, tmp_path: Path, language: str) -> None:
    def shown(found: Relabelling | None) -> tuple[str, str]:
        told, decision = replace(explanation, relabelling=found), decided(model, label, "act")
        write_explanation(model, decision, told, TEXT, tmp_path / "why.html", language=language)
        return "\n".join(for_agent(model, decision, told, language)), (tmp_path / "why.html").read_text("utf-8")

    rows = (Example("it <b>was</b> gone", (label,), 0.9, 0.2), Example("gone", ("other",), 0.5, 0.1))
    for verified, known in (
        (True, {"en": "fitted again to see", "zh": "已重新拟合"}),
        (False, {"en": "estimate", "zh": "估计"}),
    ):
        panel, page = shown(Relabelling("loss", rows, 0.613, verified))
        for said in (panel, page):
            assert known[language] in said and "loss" in said and "61" in said
        assert f"{label}: “it <b>was</b> gone”" in panel and "<b>was" not in page and "+0.200" in page
    for said in shown(None):
        assert "relabel" not in said and "labelled so" not in said and "标" not in said.replace("标签", "")
