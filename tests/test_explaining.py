"""Explanations of a model's decisions: what they say, whatever the record holds, and that they change nothing."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import huiyi
from huiyi import Label, Model, Record, Task, TrainConfig
from huiyi.errors import DataError, OptionError
from huiyi.evaluate import audit, replay_audit
from huiyi.perceive.encoders.onnx_pictures import OnnxPictureEncoder
from huiyi.values import Media

TEXT = "how much is a bed to Whitecliff on the night train"


def told(model: Model, record: Record) -> Any:
    return model.align(model.perceive([record])).probabilities[0]


@pytest.fixture(scope="module")
def sourced() -> Model:
    """Trained on words and a field, each of which settles something."""
    rows = [
        Record(text=f"{word} {i}", fields={"plan": plan}, labels={"intent": label})
        for i in range(40)
        for word, plan, label in (("late", "gold", "refund"), ("late", "basic", "wait"), ("ticket", "gold", "buy"))
    ]
    return huiyi.train(rows, config=TrainConfig(signals=("words", "fields")))


def test_what_is_explained_is_what_is_decided(model: Model) -> None:
    found, decision = huiyi.explain(model, TEXT), model.decide(TEXT)
    assert (found.task, found.label) == (decision.task, decision.label)
    assert found.probability == pytest.approx(decision.probability, abs=1e-6)
    assert found.without_words == pytest.approx(
        float(told(model, Record(text=""))[model.task.names.index(found.label)]), abs=1e-6
    )
    assert sum(word.weight for word in found.words) + found.without_words == pytest.approx(found.probability)
    assert sum(found.shares.values()) == pytest.approx(found.probability - found.without_words)
    assert [TEXT[word.start : word.end] for word in found.words] == TEXT.split()
    assert found.sufficed and found.faithfulness is not None and found.faithfulness.comprehensiveness > 0.1


def test_what_words_leave_is_what_the_model_says(model: Model) -> None:
    found = model.explain(TEXT, method="occlusion")
    column = model.task.names.index(found.label)
    for number, word in enumerate(found.words):
        rest = " ".join(each for place, each in enumerate(TEXT.split()) if place != number)
        lost = told(model, Record(text=TEXT))[column] - told(model, Record(text=rest))[column]
        assert word.weight == pytest.approx(float(lost), abs=1e-5)


def test_chinese_is_told_by_words(model: Model) -> None:
    found = model.explain("银行卡能买去白崖的卧铺吗")
    assert found.words[0].text == "银行"
    assert "".join(word.text for word in found.words) == "银行卡能买去白崖的卧铺吗"


def test_a_model_without_a_tuned_backbone_cannot_be_looked_into(model: Model) -> None:
    with pytest.raises(OptionError, match="'gradients' looks into a backbone that was tuned, and the model has none"):
        model.explain(TEXT, method="gradients")
    with pytest.raises(OptionError, match="expected one of: chains, shapley, occlusion, gradients, attention"):
        model.explain(TEXT, method="gradient")


def test_another_label_can_be_asked_about(model: Model) -> None:
    other = next(name for name in model.task.names if name != model.decide(TEXT).label)
    found = model.explain(TEXT, about=other)
    assert found.label == other
    column = model.task.names.index(other)
    assert found.probability == pytest.approx(float(told(model, Record(text=TEXT))[column]), abs=1e-6)
    with pytest.raises(OptionError, match=r"no label 'ask_fair'.*Did you mean 'ask_fare'\?"):
        model.explain(TEXT, about="ask_fair")


def test_other_sources_stay_as_they_are(sourced: Model) -> None:
    gold = Record(text="late again", fields={"plan": "gold"})
    found = sourced.explain(gold, about="refund")
    assert found.without_words == pytest.approx(
        float(told(sourced, Record(fields={"plan": "gold"}))[sourced.task.names.index("refund")]), abs=1e-6
    )
    assert set(found.shares) == {"text", "fields"}
    assert found.shares["fields"] > 0.05
    weights = {word.text: word.weight for word in found.words}
    assert weights["late"] > 0.1 > weights["again"]


def test_records_without_a_text(sourced: Model) -> None:
    for record in (Record(fields={"plan": "gold"}), Record(), ""):
        found = sourced.explain(record)
        assert (found.words, found.faithfulness) == ((), None)
        assert found.probability == found.without_words


def test_several_labels(words_only: TrainConfig) -> None:
    rows = [
        Record(text=f"{words} {i}", labels={"intents": labels})
        for i in range(20)
        for words, labels in (("late", ("delay",)), ("ticket", ("buy",)), ("late ticket", ("delay", "buy")))
    ]
    model = huiyi.train(rows, task=Task("intents", "several", (Label("delay"), Label("buy"))), config=words_only)
    found = model.explain("late ticket", about="buy")
    weights = {word.text: word.weight for word in found.words}
    assert weights["ticket"] > 0.2 > weights["late"]
    assert model.explain("late").label == "delay"


def test_a_text_longer_than_the_window(model: Model) -> None:
    text = " ".join(["and then we waited"] * 150 + ["how much is a bed to Whitecliff"])
    found = model.explain(text, seconds=20)
    assert 1 < len(found.words) <= 60
    assert found.words[-1].end == len(text)


def test_what_knowledge_revised_is_explained(words_only: TrainConfig, tmp_path: Path) -> None:
    pytest.importorskip("pyoxigraph", reason="knowledge needs the extra reason")
    facts = tmp_path / "facts.csv"
    facts.write_text("head,relation,tail\nflu,has_symptom,fever\ncold,has_symptom,sneezing\n", "utf-8")
    rows = [("i feel ill", "flu"), ("i am in bed", "flu"), ("my nose runs", "cold"), ("i caught it", "cold")]
    model = huiyi.train(rows, knowledge=[str(facts)], config=words_only)
    text = "my nose runs and i have a fever"
    found, aligned = model.explain(text, about="flu"), told(model, Record(text=text))
    revised = model.reason(model.perceive([Record(text=text)]), model.align(model.perceive([Record(text=text)])))
    column = model.task.names.index("flu")
    assert found.probability == pytest.approx(float(revised.intents.probabilities[0, column]), abs=1e-6)
    assert found.probability > float(aligned[column]) + 0.05
    assert max(found.words, key=lambda word: word.weight).text == "fever"


def test_explaining_changes_nothing_and_repeats(model: Model) -> None:
    before = told(model, Record(text=TEXT))
    assert model.explain(TEXT) == model.explain(TEXT)
    np.testing.assert_array_equal(told(model, Record(text=TEXT)), before)
    assert model.decide(TEXT).explanation is None


@pytest.mark.parametrize("given", [None, 5, ["a"]])
def test_what_cannot_be_explained(model: Model, given: Any) -> None:
    with pytest.raises(DataError, match=r"expected a text or a huiyi\.Record"):
        model.explain(given)


class Corners(OnnxPictureEncoder):
    """Says how bright each quarter of a picture is."""

    def __init__(self) -> None:
        super().__init__("corners", b"corners", side=16, width=4)

    def _features(self, batch: np.ndarray) -> np.ndarray:
        means = batch.reshape(-1, 2, 8, 2, 8, 3).mean(axis=(2, 4, 5)).reshape(-1, 4) / 255
        found: np.ndarray = means.astype(np.float32)
        return found


def lit(folder: Path, name: str, corner: int, seed: int) -> Media:
    """A dark picture, one quarter of which is bright."""
    pixels = np.random.default_rng(seed).integers(60, size=(32, 32, 3), dtype=np.uint8)
    row, column = divmod(corner, 2)
    pixels[16 * row : 16 * row + 16, 16 * column : 16 * column + 16] += 180
    Image.fromarray(pixels).save(folder / f"{name}.png")
    return Media(path=folder / f"{name}.png")


@pytest.fixture(scope="module")
def looking(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Trained on pictures, words and fields: the bright quarter tells all, a field a little."""
    folder = tmp_path_factory.mktemp("pictures")
    rows = [
        Record(
            text=f"see here {i}",
            fields={"side": "back" if label == "dent" and i % 2 else "front", "number": i},
            images=(lit(folder, f"{label}{i}", corner, i),),
            labels={"intent": label},
        )
        for i in range(12)
        for label, corner in (("scratch", 0), ("dent", 3), ("stain", 1))
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("huiyi.perceive.image.efficientnet_lite0", Corners)
        model = huiyi.train(rows, config=TrainConfig(signals=("words", "image", "fields")))
    return model


def test_regions_and_fields_of_a_record(looking: Model, tmp_path: Path) -> None:
    record = Record(text="see here", fields={"side": "front", "number": ""}, images=(lit(tmp_path, "new", 3, 99),))
    found = looking.explain(record)
    assert found.label == "dent" and found.fields is not None and found.regions is not None
    column = looking.task.names.index("dent")
    assert found.probability == pytest.approx(float(told(looking, record)[column]), abs=1e-6)
    for weighed in (found.fields, found.regions):
        total = sum(part.weight for part in weighed.parts)
        assert total + weighed.without == pytest.approx(found.probability, abs=1e-6)
    assert [entry.name for entry in found.fields.parts] == ["side"]  # a field that says nothing is not there
    gone = told(looking, Record(text="see here", images=record.images))
    assert found.fields.without == pytest.approx(float(gone[column]), abs=1e-6)
    first = found.regions.parts[0]
    assert first.left >= 0.5 and first.top >= 0.5 and first.weight > 0.01
    assert found.stretches is None
    assert looking.explain(record) == found
    assert looking.decide(record).explanation is None


def test_a_record_with_none_of_it(looking: Model, sourced: Model) -> None:
    found = looking.explain("see here")
    assert (found.fields, found.regions, found.stretches) == (None, None, None)
    several = sourced.explain(Record(text="late", fields={"plan": "gold"}))
    assert several.fields is not None and several.regions is None


def test_time_is_shared_out(looking: Model, tmp_path: Path) -> None:
    record = Record(text="see here", fields={"side": "back"}, images=(lit(tmp_path, "new", 3, 99),))
    found = looking.explain(record, seconds=1e-6)
    assert found.fields is not None and found.regions is not None
    assert not (found.sufficed or found.fields.sufficed or found.regions.sufficed)
    assert looking.explain(record, seconds=60).regions == looking.explain(record).regions
    for seconds in (0, -1, float("nan")):
        with pytest.raises(OptionError, match="expected more than 0"):
            looking.explain(record, seconds=seconds)


def test_auditors_records_hold_regions(looking: Model, tmp_path: Path) -> None:
    looking.save(tmp_path / "model")
    record = Record(text="see here", fields={"side": "back"}, images=(lit(tmp_path, "new", 3, 99),))
    kept = json.loads(json.dumps(audit(looking, record)))
    assert kept["decision"]["explanation"]["regions"]["parts"][0]["left"] >= 0.5
    assert replay_audit(looking, kept) == ()
    kept["decision"]["explanation"]["regions"]["parts"][0]["weight"] += 1e-9
    assert replay_audit(looking, kept)[0].startswith("decision.explanation.regions.parts[0].weight")
