"""The stages joined, saved and loaded again."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import huiyi
from huiyi import Model, Record, Table, TrainConfig
from huiyi.decide import SCOPE_LEVEL
from huiyi.errors import DataError, ModelFolderError, OptionError, OutputError
from huiyi.perceive import Perception
from huiyi.storage import MANIFEST
from huiyi.values import Turn

TEXTS = ("two beds to Osprey Bay tonight", "票价多少", "is L101 late?", "我的狗 can come?", "asdf", "")

IN_ANOTHER_PROCESS = """
import json, sys
import huiyi
from huiyi.values import Record
model = huiyi.load(sys.argv[1])
intents = model.align(model.perceive([Record(text=text) for text in json.loads(sys.argv[2])]))
print(json.dumps([intents.probabilities.tolist(), intents.in_scope.tolist(), model.sha256]))
"""


def probabilities(model: Model, texts: Any) -> Any:
    return model.align(model.perceive([Record(text=text) for text in texts])).probabilities


def settled(decision: Any) -> dict[str, Any]:
    """A decision without what is never the same twice."""
    return {**asdict(decision), "id": "", "model": ""}


@pytest.fixture(scope="module")
def small(words_only: TrainConfig) -> Model:
    """Trained on words alone."""
    rows = [(f"{word} {i}", label) for i in range(12) for word, label in (("ticket", "buy"), ("late", "delay"))]
    return huiyi.train(rows, config=words_only)


def test_same_probabilities_in_a_new_process(model: Model, saved: Path) -> None:
    command = [sys.executable, "-c", IN_ANOTHER_PROCESS, str(saved), json.dumps(TEXTS)]
    done = subprocess.run(command, capture_output=True, check=True, encoding="utf-8")
    told, in_scope, sha256 = json.loads(done.stdout)
    intents = model.align(model.perceive([Record(text=text) for text in TEXTS]))
    np.testing.assert_allclose(told, intents.probabilities, atol=1e-6)
    np.testing.assert_allclose(in_scope, intents.in_scope, atol=1e-6)
    assert sha256 == model.sha256


def test_a_loaded_model_is_the_same(model: Model, saved: Path) -> None:
    again = huiyi.load(saved)
    assert again.summary == model.summary
    assert again.promise == model.promise
    assert again.task == model.task
    assert [(r.id, r.text, r.history, r.labels) for r in again.examples] == [
        (r.id, r.text, r.history, r.labels) for r in model.examples
    ]
    records = [Record(text=text) for text in TEXTS]
    for left, right in zip(model.decide_all(records), again.decide_all(records), strict=True):
        assert settled(left) == settled(right)
        assert left.model == right.model == model.sha256


def test_saved_twice_is_the_same(model: Model, saved: Path, tmp_path: Path) -> None:
    huiyi.load(saved).save(tmp_path / "again")
    for path in saved.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_rows_do_not_depend_on_each_other(model: Model) -> None:
    order = np.random.default_rng(0).permutation(len(TEXTS))
    together = probabilities(model, TEXTS)
    np.testing.assert_allclose(probabilities(model, [TEXTS[i] for i in order]), together[order], atol=1e-5)
    for i, text in enumerate(TEXTS):
        np.testing.assert_allclose(probabilities(model, [text])[0], together[i], atol=1e-5)


def test_deciding_leaves_the_model_as_it_is(model: Model) -> None:
    before = probabilities(model, TEXTS)
    decisions = [settled(model.decide(text)) for text in TEXTS]
    assert [settled(model.decide(Record(text=text))) for text in TEXTS] == decisions
    np.testing.assert_array_equal(probabilities(model, TEXTS), before)
    assert model.decide_all([]) == ()


def test_it_has_learnt_something(model: Model, desk_table: Table) -> None:
    told = probabilities(model, [record.text for record in desk_table.records])
    right = [
        model.task.names[row.argmax()] == r.labels["intent"] for row, r in zip(told, desk_table.records, strict=True)
    ]
    assert np.mean(right) > 0.95
    assert model.decide("how much is a bed to Whitecliff").label == "ask_fare"
    assert model.decide("去白崖的卧铺多少钱").label == "ask_fare"


def test_a_reply_settles(model: Model) -> None:
    decision = model.decide(Record(text="train", answers={"intent": "问票价和优惠"}))
    assert (decision.kind, decision.label, decision.question) == ("act", "ask_fare", None)


@pytest.mark.parametrize("given", [None, 5, b"text", ["a"], {"text": "a"}])
def test_what_cannot_be_decided_on(model: Model, given: Any) -> None:
    with pytest.raises(DataError, match=r"expected a text or a huiyi\.Record"):
        model.decide(given)


def test_without_examples(small: Model, tmp_path: Path) -> None:
    bare = small.without_examples()
    bare.save(tmp_path / "bare")
    assert not (tmp_path / "bare" / "examples.json").exists()
    again = huiyi.load(tmp_path / "bare")
    assert again.examples == ()
    assert settled(again.decide("late 3")) == settled(small.decide("late 3"))
    assert small.examples


def test_levels(small: Model, words_only: TrainConfig) -> None:
    assert (small.scope_level, small.max_error) == (SCOPE_LEVEL, 0.05)
    rows = [("a b", "x"), ("c d", "y")]
    carefree = huiyi.train(rows, config=TrainConfig(oos_rate=0, max_error=0.2, signals=words_only.signals))
    assert (carefree.promise.scope_level, carefree.max_error) == (0, 0.2)
    assert carefree.decide("zebra zebra").kind != "decline"


def test_existing_places_are_never_written_over(small: Model, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", "utf-8")
    for place in (tmp_path, tmp_path / "notes.txt", tmp_path / "notes.txt" / "model"):
        with pytest.raises(OutputError):
            small.save(place)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("name", ["config.json", "examples.json", "arrays.safetensors"])
def test_a_changed_file_is_named(small: Model, tmp_path: Path, name: str) -> None:
    small.save(tmp_path / "model")
    path = tmp_path / "model" / name
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ModelFolderError, match=name):
        huiyi.load(tmp_path / "model")


@pytest.mark.parametrize("key", ["training", "seed"])
def test_a_manifest_that_lacks_an_entry(small: Model, tmp_path: Path, key: str) -> None:
    small.save(tmp_path / "model")
    path = tmp_path / "model" / MANIFEST
    path.write_text(path.read_text("utf-8").replace(f'"{key}"', f'"{key}s"'), "utf-8")
    with pytest.raises(ModelFolderError):
        huiyi.load(tmp_path / "model").decide("late")


def test_the_manifest(model: Model, saved: Path) -> None:
    manifest = json.loads((saved / MANIFEST).read_text("utf-8"))
    assert manifest["huiyi"] == huiyi.__version__
    assert {name: told["rows"] for name, told in manifest["tasks"].items()} == {"intent": 96}
    assert set(manifest["files"]) == {path.name for path in saved.iterdir()} - {MANIFEST}
    assert manifest["training"]["rows"] == len(model.examples) == 96


def test_only_what_counts_is_perceived(model: Model) -> None:
    perceived = model.perceive([Record(text="hello")])
    assert set(model.skills["intent"].aligner.signals) <= set(perceived.signals)
    assert "history" not in model.perception.names


def test_unknown_signals() -> None:
    with pytest.raises(OptionError, match="Did you mean 'words'"):
        Perception(["word"])


def test_records_without_text(model: Model) -> None:
    for record in (Record(), Record(history=(Turn("agent", "hello"),)), Record(fields={"plan": "gold"})):
        decision = model.decide(record)
        assert decision.kind != "act"
        assert 0 <= decision.probability <= 1
