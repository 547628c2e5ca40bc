"""Spans beside intents, from the file to the decision, on a tiny backbone."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import huiyi
from huiyi import Model, TrainConfig
from huiyi.cli import main
from huiyi.errors import DataError
from huiyi.train.tuning.finetune import SPAN_CONSISTENCY, FinetuneConfig
from huiyi.values import Record, places

pytest.importorskip("torch", reason="fine-tuning needs the extra tune")
pytest.importorskip("onnxruntime", reason="serving a tuned model needs the extra onnx")

PLACES = ("paris", "new york", "rome", "oslo", "san marino", "bonn", "new delhi", "lima")
DAYS = ("monday", "friday", "tomorrow", "sunday", "next week")
FORMS = {
    "fly": ("fly me to {place} {day}", "a ticket to {place} please", "i want to fly to {place} on {day}"),
    "hotel": ("a room in {place}", "book a hotel in {place} for {day}", "i need a bed in {place} {day} please"),
}


def rows() -> list[dict[str, Any]]:
    """Sentences with their tokens, tags and intent."""
    found = []
    for intent, forms in FORMS.items():
        for form in forms:
            for place in PLACES:
                for day in DAYS:
                    tokens, tags = [], []
                    for word in form.split():
                        name = word.strip("{}")
                        spoken = {"place": place, "day": day}.get(name, word).split()
                        tokens += spoken
                        tags += [f"{'I' if i else 'B'}-{name}" for i in range(len(spoken))] if name != word else ["O"]
                    row = {"tokens": tokens, "tags": tags, "intent": intent}
                    if row not in found:
                        found.append(row)
    return found


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "train.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows()), "utf-8")
    return path


@pytest.fixture(scope="module")
def config(make_backbone: Callable[[Iterable[str]], str]) -> TrainConfig:
    backbone = make_backbone(word for row in rows() for word in row["tokens"])
    return TrainConfig(effort="tuned", encoder=backbone, signals=("words",))


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """What is tiny and knows nothing must learn faster."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "huiyi.train.tuned.FinetuneConfig", partial(FinetuneConfig, rate=3e-3, tag_rate=1e-2, batch_rows=8)
        )
        patch.setattr("huiyi.train.tuned.MOST_SPAN_EPOCHS", 6)
        yield


@pytest.fixture(scope="module")
def model(file: Path, config: TrainConfig) -> Model:
    return huiyi.train(file, config=config)


def test_one_model_tells_intent_and_spans(model: Model, file: Path) -> None:
    assert {task.name: task.kind for task in model.tasks} == {"intent": "choice", "tags": "spans"}
    assert model.summary["tuning"]["consistency"] == SPAN_CONSISTENCY
    figures = huiyi.evaluate(model, file).figures
    assert figures["accuracy"] > 0.9
    assert figures["span_f1"] > 0.8
    assert figures["token_accuracy"] > 0.9


def test_saved_it_finds_the_same_without_torch(model: Model, tmp_path: Path) -> None:
    text = "book a hotel in new york for friday"
    told = model.align(model.perceive([Record(text=text)]), "tags")
    model.save(tmp_path / "desk")
    program = (
        "import sys, json, huiyi; from huiyi import Record\n"
        f"model = huiyi.load({str(tmp_path / 'desk')!r})\n"
        f"told = model.align(model.perceive([Record(text={text!r})]), 'tags')\n"
        "assert 'torch' not in sys.modules\n"
        "print(json.dumps([[s.label, s.start, s.end, s.probability] for s in told.spans[0]]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    again = json.loads(done.stdout)
    assert told.spans is not None
    assert {(label, start, end) for label, start, end, _ in again} == places(told.spans[0])
    np.testing.assert_allclose([p for *_, p in again], [span.probability for span in told.spans[0]], atol=1e-6)


def test_decided_in_words(model: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model.save(tmp_path / "desk")

    def said(*more: str) -> str:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["huiyi", "decide", str(tmp_path / "desk"), "a ticket to rome please", *more])
            main()
        return capsys.readouterr().out

    assert "tags: " in said() and "“rome” place" in said("--answer", "tags=yes")
    assert "as strange as" not in said("--answer", "tags=no")  # it was read, and refused by the person
    with pytest.raises(SystemExit) as left:
        said("--answer", "tags=perhaps")
    assert left.value.code == 2
    assert "expected yes or no" in capsys.readouterr().err


def test_spans_alone(config: TrainConfig) -> None:
    alone = huiyi.train([{"tokens": row["tokens"], "tags": row["tags"]} for row in rows()], config=config)
    assert [task.kind for task in alone.tasks] == ["spans"]
    assert (
        huiyi.evaluate(alone, [{"tokens": row["tokens"], "tags": row["tags"]} for row in rows()]).figures["span_f1"]
        > 0.8
    )


@pytest.mark.parametrize("others", [(), ("intent",)])
def test_rows_without_any_span(config: TrainConfig, others: tuple[str, ...]) -> None:
    bare = [
        {"tokens": row["tokens"], "tags": ["O"] * len(row["tags"]), **{name: row[name] for name in others}}
        for row in rows()
    ]
    with pytest.raises(DataError, match=r"'tags'"):
        huiyi.train(bare, config=config)


def test_texts_longer_than_a_window_are_named_and_read_to_their_end(config: TrainConfig, model: Model) -> None:
    from huiyi.train.tuned import _cut
    from huiyi.train.tuning.backbones import load_backbone

    words = ("i want to fly to rome please " * 45).split()
    text = " ".join([*words, "fly", "me", "to", "oslo"])
    record = Record(text=text, labels={"tags": ()})
    (task,) = [task for task in model.tasks if task.kind == "spans"]
    (notice,) = _cut([task], load_backbone(config.encoder), [record, Record(text="rome", labels={"tags": ()})])
    assert notice.startswith("of 1 long texts")
    (units,) = model.perceive([record]).tokens.values()
    assert len(units.values) == len(text.split())


def test_rules_speak_of_spans_and_intents(model: Model, tmp_path: Path) -> None:
    pytest.importorskip("pyoxigraph", reason="knowledge needs the extra reason")
    from huiyi.reason import Domain, Fact, Knowledge, Proof, Reasoner

    knowledge = Knowledge()
    knowledge.add([Fact("has_airport", (place,)) for place in PLACES])
    rules = "do(request, book) :- intent(request, fly), place(request, ?where), has_airport(?where)."
    reasoner = Reasoner(Domain(knowledge, {"desk.rules": rules}), model.tasks, [])
    knowing = Model(model.perception, model.skills, summary=model.summary, reasoner=reasoner)
    text = "fly me to new york friday"
    decision = knowing.decide(text, prove=True)
    place = next(span for span in decision.tasks["tags"].spans if span.label == "place")
    assert (decision.kind, decision.action) == ("act", "book")
    (proof,) = decision.proofs or ()
    assert {"place(request, 'new york')", "intent(request, fly)"} <= {
        str(step.fact) for step in Proof.from_json(dict(proof)).given
    }
    assert knowing.replay(text, decision) == ()
    moved = replace(decision.tasks["tags"], spans=(replace(place, start=place.start + 1),))
    assert knowing.replay(text, replace(decision, tasks={**decision.tasks, "tags": moved})) != ()
    knowing.save(tmp_path / "model")
    assert huiyi.load(tmp_path / "model").decide(text).action == "book"
    knowing.of("intent").save(tmp_path / "one")
    assert huiyi.load(tmp_path / "one").decide(text).action is None, "of what it does not look for nothing is known"
