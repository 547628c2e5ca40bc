"""Explanation graphs of decisions: what they hold, in both languages, and pictures that fit."""

import re
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import huiyi
from huiyi import Model, Record, TrainConfig
from huiyi.evaluate import draw_graph, explanation_graph, graph_in_words
from huiyi.evaluate.graph_drawing import MOST_GROUNDS, MOST_WORDS, WIDTH, laid_out
from huiyi.explain import Edge, Graph, Node

TEXT = "how much is a bed to Whitecliff on the night train"


def made(model: Model, record: Any, language: str = "en", about: str | None = None) -> Graph:
    decision = model.decide(record, prove=model.reasoner is not None)
    return explanation_graph(model, decision, model.explain(record, about, counterfactual=False), language)


def reaches(graph: Graph, node: str) -> bool:
    return node == "decision" or any(reaches(graph, edge.target) for edge in graph.edges if edge.source == node)


@pytest.fixture(scope="module")
def knowing(words_only: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A model with evidence and a rule."""
    pytest.importorskip("pyoxigraph", reason="knowledge needs the extra reason")
    folder = tmp_path_factory.mktemp("knowledge")
    (folder / "facts.csv").write_text(
        "head,relation,tail\nflu,has_symptom,fever\nflu,has_symptom,chills\ncold,has_symptom,sneezing\nflu,needs,bed\n",
        "utf-8",
    )
    (folder / "desk.rules").write_text(
        "@rule rest do(request, ?what) :- intent(request, ?ill), needs(?ill, ?what).", "utf-8"
    )
    rows = [("i feel ill", "flu"), ("i am in bed", "flu"), ("my nose runs", "cold"), ("i caught it", "cold")]
    files = [str(folder / name) for name in ("facts.csv", "desk.rules")]
    return huiyi.train(rows, knowledge=files, config=replace(words_only, max_error=0.6))


def test_words_lead_over_sources_to_intents_and_the_decision(model: Model) -> None:
    graph, decision = made(model, TEXT), model.decide(TEXT)
    assert [node.text for node in graph.of("word")] == TEXT.split()
    assert [node.text for node in graph.of("source")] == ["text"]
    intents = {node.text: node.value for node in graph.of("intent")}
    assert intents[str(decision.label)] == pytest.approx(decision.probability, abs=1e-6)
    assert {one.label for one in decision.candidates[:4]} <= set(intents)
    (end,) = graph.of("decision")
    assert {"act": "act", "clarify": "ask", "decline": "decline"}[decision.kind] in end.text
    assert all(reaches(graph, node.id) for node in graph.nodes)
    added = sum(edge.value or 0.0 for edge in graph.edges if edge.target == "source text")
    assert added == pytest.approx(graph.by_id["source text"].value, abs=0.1)
    assert not (graph.of("thing") or graph.of("fact") or graph.of("rule"))


def test_words_lead_over_things_facts_and_rules_where_there_is_knowledge(knowing: Model) -> None:
    text = "i have a fever and chills"
    graph = made(knowing, text)
    decision = knowing.decide(text)
    assert (decision.kind, decision.label, decision.action) == ("act", "flu", "bed")
    (fever,) = [node for node in graph.of("thing") if node.text == "fever"]
    assert [node.text for node in graph.into(fever.id)] == ["fever"]
    flu = graph.by_id["intent flu"]
    assert fever in graph.into(flu.id)
    assert any("facts.csv, line 2" in " ".join(node.notes) for node in graph.into(flu.id) if node.kind == "fact")
    (rule,) = graph.of("rule")
    assert flu in graph.into(rule.id) and rule in graph.into("decision")
    assert graph.by_id["decision"].notes == ("bed",)
    assert all(reaches(graph, node.id) for node in graph.nodes)
    words = " ".join(graph_in_words(graph))
    assert "fever (from fever)" in words and words.index("fever (from") < words.index("what was decided")


def test_another_label_is_there_too(model: Model) -> None:
    other = next(name for name in model.task.names if name != model.decide(TEXT).label)
    graph = made(model, TEXT, about=other)
    assert graph.by_id[f"intent {other}"] in [
        graph.by_id[edge.target] for edge in graph.edges if edge.source == "source text"
    ]


def test_why_nothing_was_decided(model: Model) -> None:
    nothing = made(model, Record())
    assert nothing.by_id["decision"].notes == ("nothing in it that the model listens to",)
    assert made(model, Record(), "zh").by_id["decision"].notes == ("其中没有模型能感知的内容",)
    asked = replace(model.decide(TEXT), kind="clarify", question=None)
    graph = explanation_graph(model, asked, model.explain(TEXT, counterfactual=False))
    assert graph.by_id["decision"].notes == ("not sure enough to act",)
    assert not {node.kind for node in nothing.nodes} & {"word", "source"}


def test_chinese_is_told_by_words(model: Model) -> None:
    graph = made(model, "去白崖的卧铺多少钱", "zh")
    lines = graph_in_words(graph, "zh")
    assert lines[0].startswith("词语：") and lines[-1].startswith("→ 决定：")
    assert "".join(node.text for node in graph.of("word")) == "去白崖的卧铺多少钱"


def large() -> Graph:
    """More words and facts than are drawn, and names that would break a picture."""
    words = [Node(f"w{n}", "word", "<b>&" if n == 3 else f"word{n}", (n - 20) / 40) for n in range(30)]
    facts = [
        Node(f"f{n}", "fact", f"fact {n} " * 6, 1.0, ("given: a_long_name_of_a_file.csv, line 7",)) for n in range(40)
    ]
    rest = [Node("i", "intent", "x" * 200, 0.5), Node("t", "thing", "a thing", 1.0), Node("d", "decision", "act")]
    edges = [Edge(word.id, "i", word.value) for word in words] + [Edge(fact.id, "i") for fact in facts]
    return Graph((*words, *facts, *rest), (*edges, Edge("w3", "t"), Edge("t", "i"), Edge("i", "d")))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_pictures_fit_a_phone(model: Model, language: str) -> None:
    for graph in (made(model, TEXT, language), large()):
        picture = draw_graph(graph, language)
        root = ElementTree.fromstring(picture)
        assert root.attrib["width"] == str(WIDTH) == "360"
        numbers = [
            float(x) for path in re.findall(r' d="M([^"]*)"', picture) for x in re.findall(r"-?[\d.]+", path)[::2]
        ]
        assert all(0 <= x <= WIDTH for x in numbers)
        assert "<script" not in picture and "href" not in picture and "<b>" not in picture


def test_boxes_stay_off_each_other() -> None:
    boxes, _ = laid_out(large())
    for box in boxes:
        assert box.left >= 0 and box.left + box.width <= WIDTH
    for one, other in combinations(boxes, 2):
        apart = one.left + one.width <= other.left or other.left + other.width <= one.left
        assert apart or one.bottom <= other.top or other.bottom <= one.top


def test_only_so_much_is_drawn() -> None:
    picture = draw_graph(large())
    assert len(re.findall(r">word\d", picture)) + picture.count("&lt;b&gt;") == MOST_WORDS
    assert "&lt;b&gt;" in picture  # something rests on it
    assert f"{30 - MOST_WORDS} more" in picture
    assert f"{41 - MOST_GROUNDS} further steps are not drawn" in picture


def test_the_graph_is_in_the_page_and_the_panel(model: Model, tmp_path: Path) -> None:
    from huiyi.evaluate import for_agent, write_explanation

    explanation, decision = model.explain(TEXT, counterfactual=False), model.decide(TEXT)
    write_explanation(model, decision, explanation, TEXT, tmp_path / "why.html")
    assert (tmp_path / "why.html").read_text("utf-8").count("<svg") == 1
    assert "How it came about:" in "\n".join(for_agent(model, decision, explanation, "en"))
