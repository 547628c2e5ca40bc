"""What a whole model goes by: the right words, fields and signals, within the time, in both languages."""

import re
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import huiyi
from huiyi import Label, Model, Record, Task, TrainConfig
from huiyi.errors import OptionError
from huiyi.evaluate import evaluate, overview, overview_in_words, write_overview, write_report
from huiyi.explain import drivers
from huiyi.explain.overview import SHOWN

ROWS = [
    (f"{before} {word} {after}", label)
    for before in ("my", "the", "a")
    for after in ("today", "now", "again", "here")
    for word, label in (("parcel", "post"), ("letter", "post"), ("ticket", "travel"), ("train", "travel"))
]


@pytest.fixture(scope="module")
def counted() -> Model:
    return huiyi.train(ROWS, config=TrainConfig(signals=("words",)))


def words(found: Any, label: str) -> dict[str, Any]:
    return {one.text: one for own in found.labels if own.label == label for one in own.words}


def test_words_that_labels_go_by_come_first(counted: Model) -> None:
    found = overview(counted)
    assert found.is_exact and found.sufficed and found.rows == len(ROWS)
    assert {*list(words(found, "post"))[:2]} == {"parcel", "letter"}
    assert {*list(words(found, "travel"))[:2]} == {"ticket", "train"}
    assert words(found, "post")["parcel"].share == pytest.approx(0.5)
    assert all(len(one.words) <= SHOWN for one in found.labels)
    assert "parcel" not in words(found, "travel")


def test_weights_are_those_of_the_head(counted: Model) -> None:
    aligner: Any = counted.skills["intent"].aligner
    (signal,) = counted.perception["words"].perceive([Record(text="parcel"), Record(text="")])[0].values()
    told = aligner.heads["words/svm"].score(signal).labels * aligner.weights["words/svm"]
    over = (told[0] - told[1]) - (told[0] - told[1]).mean()
    assert words(overview(counted), "post")["parcel"].weight == pytest.approx(float(over[0]), rel=1e-5)


def test_where_no_head_is_linear_in_words_rows_are_told_without_each() -> None:
    found = overview(huiyi.train(ROWS[:24], config=TrainConfig(signals=("text",))))
    assert not found.is_exact
    assert {*list(words(found, "post"))[:2]} == {"parcel", "letter"}
    assert "lose on average without it" in overview_in_words(found)[-1]


def test_too_little_time_is_said() -> None:
    model = huiyi.train(ROWS, config=TrainConfig(signals=("text",)))
    found = overview(model, seconds=1e-6)
    assert not found.sufficed and found.rows < len(ROWS)
    assert "too little time" in overview_in_words(found)[-1]
    with pytest.raises(OptionError, match="expected more than 0"):
        overview(model, seconds=0)


def test_of_many_rows_each_label_has_its_share(counted: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("huiyi.evaluate.overview"), "MOST_ROWS", 4)
    in_order = sorted(counted.examples, key=lambda record: record.labels["intent"])
    found = overview(counted._with(examples=in_order))
    assert found.rows == 4 and found.sufficed
    assert all(one.signals for one in found.labels)


def test_pairs_that_are_mixed_up_and_the_words_between_them() -> None:
    mixed = [*ROWS, *((f"{word} please", label) for word in ("one", "two", "three") for label in ("ask", "want"))]
    found = overview(huiyi.train(mixed, config=TrainConfig(signals=("text", "words"))))
    assert found.pairs[0].labels == ("ask", "want")
    assert found.pairs[0].mixed_up == pytest.approx(1.0)  # each row has a twin of the other label
    told = overview(
        huiyi.train(ROWS, config=TrainConfig(signals=("words",))), pairs=[("travel", "post"), ("x", "post")]
    )
    assert [(pair.labels, pair.mixed_up) for pair in told.pairs] == [(("travel", "post"), None)]
    assert {*(one.text for one in told.pairs[0].words[0][:2])} == {"ticket", "train"}


def test_fields_and_signals() -> None:
    rows = [
        Record(text=f"{word} {i}", fields={"plan": plan, "age": age}, labels={"intent": label})
        for i in range(30)
        for word, plan, age, label in (("late", "gold", 20 + i % 3, "refund"), ("late", "basic", 70 + i % 3, "wait"))
    ]
    found = overview(huiyi.train(rows, config=TrainConfig(signals=("words", "fields"))))
    fields = {own.label: [one.text for one in own.fields] for own in found.labels}
    assert "plan: gold" in fields["refund"] and "plan: gold" not in fields["wait"]
    assert any(re.fullmatch(r"age: 7\d", text) for text in fields["wait"])
    assert "plan: basic" in "\n".join(overview_in_words(found))


def test_signals_add_up_to_what_the_model_says(model: Model) -> None:
    aligner: Any = model.skills[model.task.name].aligner
    context = model.perceive([Record(text="how much is a bed")])
    mixed = sum(aligner.adds(context).values())[0]
    odds = np.log(aligner.probabilities(context)[0])
    np.testing.assert_allclose(mixed - mixed.mean(), odds - odds.mean(), atol=1e-3)
    found = overview(model)
    assert all({"text", "words"} <= {*one.signals} for one in found.labels)
    assert all(one.signals["text"] > 0 for one in found.labels)


def test_without_examples_the_vocabulary_tells(counted: Model) -> None:
    found = overview(counted.without_examples())
    assert found.rows == 0 and not found.pairs
    assert words(found, "post")["parcel"].share is None


def test_several_labels() -> None:
    rows = [
        Record(text=f"{said} {i}", labels={"topics": labels})
        for i in range(12)
        for said, labels in (("late", ("delay",)), ("ticket", ("buy",)), ("late ticket", ("delay", "buy")))
    ]
    task = Task("topics", "several", (Label("delay"), Label("buy")))
    found = overview(huiyi.train(rows, task=task, config=TrainConfig(signals=("words",))))
    assert next(iter(words(found, "buy"))) == "ticket" and not found.pairs


def test_the_most_telling_are_those_that_many_rows_have() -> None:
    weights = np.array([[1.0, 0.0], [5.0, 0.0], [0.0, 1.0]])
    shares = np.array([[0.5, 0.0], [0.05, 0.0], [0.9, 0.9]])
    assert [one.text for one in drivers(["often", "rare", "other"], weights, shares, 0)] == ["often", "rare"]
    assert [one.text for one in drivers(["often", "rare", "other"], weights, None, 0)] == ["rare", "often"]
    assert drivers([], np.zeros((0, 2)), None, 0) == ()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_and_the_report(counted: Model, tmp_path: Path, language: str) -> None:
    found = overview(counted, pairs=[("post", "travel")])
    hostile = replace(found.labels[0], words=(replace(found.labels[0].words[0], text="<b>parcel"),))
    found = replace(found, labels=(hostile, *found.labels[1:]))
    write_overview([found], "abc", tmp_path / "model.html", language=language)
    evaluation = evaluate(counted, [("a parcel again", "post"), ("my train", "post"), ("ticket", "travel")])
    write_report(evaluation, tmp_path / "report.html", language=language, overviews={"intent": found})
    for name in ("model.html", "report.html"):
        page = (tmp_path / name).read_text("utf-8")
        assert "&lt;b&gt;parcel" in page and "<b>parcel" not in page and "<script" not in page
        assert {"en": "What drives each label", "zh": "每个标签的依据"}[language] in page
        assert "post / travel" in page
    assert '<td class="number"><bdi>1</bdi></td>' in page.split("post / travel")[1][:80]  # one test row was mixed up
    write_report(evaluation, tmp_path / "plain.html", language=language)
    assert 'driven"' not in (tmp_path / "plain.html").read_text("utf-8").split("<body>")[1]


def test_what_cannot_be_looked_at(counted: Model) -> None:
    with pytest.raises(OptionError, match="no such task"):
        overview(counted, "tags")
