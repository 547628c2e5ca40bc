"""The tuned strategy, end to end, on a tiny backbone."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import huiyi
from huiyi import Columns, Model, TrainConfig
from huiyi.cli import main
from huiyi.errors import DataError, MissingExtraError, OptionError, OutputError
from huiyi.explain import Inside
from huiyi.train import tuned
from huiyi.train.tuning import finetune
from huiyi.train.tuning.tuner import Lessons, Tuner
from huiyi.values import Record

pytest.importorskip("torch", reason="fine-tuning needs the extra tune")
pytest.importorskip("onnxruntime", reason="serving a tuned model needs the extra onnx")

WORDS = {
    "card": "card stolen lost pin",
    "order": "parcel order late track",
    "money": "refund money back cancel",
}
ROWS = [
    (f"{shared} {words.split()[i % 4]} my {words.split()[(i // 4) % 4]} {'please' if i % 3 else 'it'} {i % 5}", label)
    for label, words in WORDS.items()
    for i, shared in enumerate(["where", "is", "the", "has", "was", "not"] * 5)
]


@pytest.fixture(scope="module")
def backbone(make_backbone: Callable[[Iterable[str]], str]) -> str:
    return make_backbone(word for text, _ in ROWS for word in text.split())


@pytest.fixture(scope="module")
def config(backbone: str) -> TrainConfig:
    return TrainConfig(effort="tuned", encoder=backbone, signals=("words",))


@pytest.fixture(scope="module")
def model(config: TrainConfig) -> Model:
    return huiyi.train(ROWS, config=config)


def test_a_backbone_adds_signals_and_changes_none(model: Model) -> None:
    fast = huiyi.train(ROWS, config=TrainConfig(signals=("words",)))
    texts = [Record(text=text) for text, _ in ROWS]
    tuned, plain = model.perceive(texts), fast.perceive(texts)
    assert set(tuned.signals) <= {"words", "text@tiny", "text@intent"}
    for name in set(tuned.signals) & set(plain.signals):
        assert (tuned.signals[name] != plain.signals[name]).nnz == 0
    assert any(name.startswith("text@") for name in tuned.signals)
    assert model.summary["tuning"]["method"] == "full"
    assert model.summary["tuning"]["trained"] > 0


def test_saved_it_decides_the_same_without_torch(model: Model, tmp_path: Path) -> None:
    folder = tmp_path / "tuned"
    model.save(folder)
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    served = [name for name in manifest["files"] if name.endswith(".onnx")]
    assert served and set(manifest["arrays"]) <= set(manifest["files"])
    code = (
        "import sys, json\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        assert name.split('.')[0] not in ('torch', 'transformers', 'peft', 'onnx'), name\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "import huiyi\n"
        f"model = huiyi.load({str(folder)!r})\n"
        "from huiyi.values import Record\n"
        f"texts = {[text for text, _ in ROWS[::7]]!r}\n"
        "print(json.dumps(model.align(model.perceive([Record(text=t) for t in texts])).probabilities.tolist()))\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    here = model.align(model.perceive([Record(text=text) for text, _ in ROWS[::7]])).probabilities
    np.testing.assert_allclose(json.loads(said.stdout), here, atol=1e-6)


def test_its_decisions_are_explained(model: Model) -> None:
    text, label = ROWS[0]
    found = huiyi.explain(model, text, about=label)
    assert found.sufficed and found.words
    assert sum(word.weight for word in found.words) == pytest.approx(found.probability - found.without_words)
    assert found.nearest[0].text == text and found.nearest[0].similarity == pytest.approx(1, abs=1e-3)


def test_its_backbone_is_looked_into(model: Model) -> None:
    text, label = ROWS[0]
    head = model.skills["intent"].aligner.learnt_with(model.perception.backbones)
    assert head is not None and head[0] == "text@intent"
    backbone = model.perception.backbones["text@intent"]
    replayed = backbone.replayed()
    pieces = replayed.read(text)
    assert pieces is not None and [text[start:end] for start, end in pieces.spans if end] == text.split()
    here = replayed.vectors(pieces.embeddings[None]).numpy()
    np.testing.assert_allclose(here, backbone.encoder.encode([text])[""], atol=5e-3)  # one rounding may fall otherwise
    looks = replayed.attention(pieces.embeddings).numpy()
    assert looks.shape == (2, len(pieces.spans), len(pieces.spans))
    np.testing.assert_allclose(looks.sum(axis=2), 1, atol=1e-5)
    found = model.explain(text, about=label, method="attention", counterfactual=False)
    assert found.method == "attention" and 0 < sum(word.weight for word in found.words) < 1
    assert found.faithfulness is not None and found.passes > 0


def test_gradients_sum_to_what_the_backbone_says(model: Model) -> None:
    pytest.importorskip("captum", reason="gradients need the extra explain")
    text, label = ROWS[0]
    found = model.explain(text, about=label, method="gradients", counterfactual=False)
    signal, head = model.skills["intent"].aligner.learnt_with(model.perception.backbones)
    replayed = model.perception.backbones[signal].replayed()
    pieces = replayed.read(text)
    inside = Inside(replayed, *head.lines, model.task.names.index(label))
    changed = float(inside.probability(pieces.embeddings[None]) - inside.probability(pieces.blanks[None]))
    assert sum(word.weight for word in found.words) == pytest.approx(changed, abs=0.02)
    assert abs(changed) > 0.1


def test_of_few_rows_a_second_backbone_is_tuned(
    config: TrainConfig, backbone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = shutil.copytree(backbone, tmp_path / "other")
    monkeypatch.setattr(tuned, "_backbone_for", lambda records: backbone)
    monkeypatch.setattr(tuned, "MINILM", backbone)
    monkeypatch.setattr(tuned, "E5", str(other))
    usual = replace(config, encoder="")
    model = huiyi.train(ROWS, config=usual)
    assert model.summary["backbone"] == model.summary["tuning"]["backbone"] == backbone
    own = "universal-sentence-encoder-multilingual-3"  # tuned however many rows there are
    assert [report["backbone"] for report in model.summary["also_tuned"]] == [str(other), own]
    assert {"text@intent/prototypes", "text@intent-2/prototypes"} <= set(model.skills["intent"].summary["weights"])
    model.save(tmp_path / "model")
    texts = [text for text, _ in ROWS[::7]]
    for here, there in zip(model.decide_all(texts), huiyi.load(tmp_path / "model").decide_all(texts), strict=True):
        assert there.probability == pytest.approx(here.probability, abs=1e-6)
    monkeypatch.setattr(tuned, "FEW_ROWS", 10)
    assert [report["backbone"] for report in huiyi.train(ROWS, config=usual).summary["also_tuned"]] == [own]


def test_long_texts_take_as_long_as_several_short_ones(
    config: TrainConfig, backbone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few rows stay few when they are long: the lower layers stay as they came."""
    monkeypatch.setattr(tuned, "ROWS_SEEN", 1_000)
    monkeypatch.setattr(finetune, "FEW_ROWS", len(ROWS) + len(WORDS))
    epochs = {}
    for times in (1, 40):
        rows = [(" ".join([text] * times), label) for text, label in ROWS]
        tuning = huiyi.train(rows, config=config).summary["tuning"]
        epochs[times] = tuning["epochs"], tuning["consistency"] > 0
        assert tuning["frozen"] == finetune.FROZEN
    assert epochs[1] == (tuned.MOST_EPOCHS, True)
    assert tuned.FEWEST_EPOCHS_OF_LONG <= epochs[40][0] < tuned.FEWEST_EPOCHS


@pytest.mark.parametrize(("rows", "dearness", "epochs"), [(15_600, 1.0, 3), (2_000, 7.8, 2)])
def test_what_is_left_of_an_epoch_is_read_of_short_texts_alone(rows: int, dearness: float, epochs: int) -> None:
    """Both take as long as 15,600 short texts, of which 40,000 would be seen in 2.6 epochs."""
    lessons = Lessons([], ["a"] * rows, np.ones(rows, dtype=bool), {}, rows, [], dearness)
    assert tuned._epochs(lessons, has_spans=False) == epochs


def test_the_last_run_takes_as_many_epochs_as_were_best(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    real, told = Tuner.evidence, []
    monkeypatch.setattr(Tuner, "evidence", lambda tuner, folds: replace(real(tuner, folds), epochs=2))
    huiyi.train(ROWS, config=config, on_epoch=lambda what, figures: told.append((what, figures["epoch"])))
    assert max(epoch for what, epoch in told if what.endswith(", all")) == 2
    assert max(epoch for _, epoch in told) > 2


def test_a_packaged_encoder_that_is_named_has_the_cores_own_beside_it(
    config: TrainConfig, backbone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuned, "MINILM", backbone)
    beside = huiyi.train(ROWS, config=config).summary["also_tuned"]
    assert [(one["backbone"], one["frozen"]) for one in beside] == [(tuned.OWN, 0.0)]


@pytest.mark.parametrize("options", [{}, {"distil": True}, {"effort": "thorough", "minutes": 0.001}])
def test_all_that_is_tuned_leaves_the_same_rows_out(
    config: TrainConfig, backbone: str, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    """The transformer has time to leave one part out; the core's own encoder would leave all five."""
    monkeypatch.setattr(tuned, "MINILM", backbone)
    monkeypatch.setattr(Tuner, "most_rows_seen", 1)
    runs = set()
    huiyi.train(ROWS, config=replace(config, **options), on_epoch=lambda what, figures: runs.add(what))
    parts = {(what.split("@")[0].split()[-1], what.rpartition(", ")[2]) for what in runs}
    assert parts == {(signal, what) for signal in ("text", "sentence") for what in ("without part 1", "all")}


def test_what_one_says_does_not_depend_on_the_others(model: Model) -> None:
    texts = [text for text, _ in ROWS[::5]] + ["", "lost " * 300]
    together = model.decide_all(texts)
    for text, decision in zip(texts, together, strict=True):
        assert model.decide(text).probability == pytest.approx(decision.probability, abs=1e-6)
    assert together[-2].kind == "decline"


def test_evidence_is_of_every_row_when_rows_are_few(model: Model) -> None:
    assert model.promise.kind in ("estimated", "none")
    assert huiyi.evaluate(model, ROWS).figures["accuracy"] > 0.9


def test_unlabelled_texts_help_and_are_counted(config: TrainConfig) -> None:
    few, others = [row for i, row in enumerate(ROWS) if i % 5 == 0], [text for i, (text, _) in enumerate(ROWS) if i % 5]
    unlabelled = [Record(text=text) for text in [*others, few[0][0], " "]]
    model = huiyi.train(few, unlabelled=unlabelled, config=config)
    assert model.summary["unlabelled_rows"] == len(unlabelled)
    used = len({text.lower() for text in others} - {text.lower() for text, _ in few})
    assert any(f"{used} are used" in notice for notice in model.summary["notices"])


def test_unlabelled_texts_teach_the_frozen_signals_too(backbone: str, tmp_path: Path) -> None:
    unlabelled = [Record(text=text) for i, (text, _) in enumerate(ROWS) if i % 3]
    config = TrainConfig(effort="tuned", encoder=backbone, signals=("text",))
    model = huiyi.train(ROWS[::3], unlabelled=unlabelled, config=config)
    weights = model.skills["intent"].summary["weights"]
    assert {"text/logistic", "text@tiny/logistic"} <= set(weights)
    assert not any(name.endswith("kernel") for name in weights)
    model.save(tmp_path / "desk")
    texts = [text for text, _ in ROWS]
    again, here = huiyi.load(tmp_path / "desk").decide_all(texts), model.decide_all(texts)
    assert [decision.probability for decision in again] == pytest.approx([d.probability for d in here], abs=1e-6)


def test_unlabelled_texts_that_are_held_out(config: TrainConfig) -> None:
    model = huiyi.train(ROWS[::2], validation=ROWS[1::2], unlabelled=[Record(text=ROWS[1][0])], config=config)
    assert any("repeat 1 row" in notice for notice in model.summary["notices"])


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (TrainConfig(effort="tunde"), r"'tunde' is not known.*Did you mean 'tuned'"),
        (TrainConfig(effort="tuned", tune="lorra"), r"Did you mean 'lora'"),
        (TrainConfig(encoder="x", track="wandb"), "--encoder, --track: .* expected with --effort tuned"),
        (TrainConfig(effort="tuned", track="tensorbord"), r"Did you mean 'tensorboard'"),
        (TrainConfig(effort="tuned", encoder="no such folder"), "there is no such folder"),
    ],
)
def test_options_that_cannot_be_used(config: TrainConfig, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        huiyi.train(ROWS, config=config)


def test_unlabelled_texts_need_fine_tuning() -> None:
    with pytest.raises(OptionError, match="Add --effort tuned"):
        huiyi.train(ROWS, unlabelled=[Record(text="hello")])


class StoppedError(Exception):
    """What the test interrupts training with."""


def test_interrupted_and_resumed(config: TrainConfig, model: Model, tmp_path: Path) -> None:
    told: list[str] = []

    def stop(what: str, figures: Mapping[str, float]) -> None:
        told.append(what)
        if len(told) == 4:
            raise StoppedError

    run = tmp_path / "desk.run"
    with pytest.raises(StoppedError):
        huiyi.train(ROWS, config=config, folder=run, on_epoch=stop)
    with pytest.raises(OutputError, match="--resume"):
        huiyi.train(ROWS, config=config, folder=run)
    with pytest.raises(DataError, match="begun with other rows"):
        huiyi.train(ROWS[:-1], config=config, folder=run, resume=True)
    epochs: list[str] = []
    resumed = huiyi.train(
        ROWS, config=config, folder=run, resume=True, on_epoch=lambda what, figures: epochs.append(what)
    )
    again = huiyi.train(
        ROWS, config=config, folder=run, resume=True, on_epoch=lambda *_: pytest.fail("nothing is left")
    )
    assert again.skills["intent"].summary == resumed.skills["intent"].summary
    assert any(file.name.startswith("events.out.tfevents") for file in run.rglob("logs/**/*"))
    texts = [Record(text=text) for text, _ in ROWS]
    whole = model.align(model.perceive(texts)).probabilities
    np.testing.assert_allclose(resumed.align(resumed.perceive(texts)).probabilities, whole, atol=1e-5)


def test_the_command_line(backbone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: object) -> None:
    file = tmp_path / "tickets.csv"
    file.write_text("text,intent\n" + "".join(f"{text},{label}\n" for text, label in ROWS), "utf-8")
    out = tmp_path / "desk"
    options = ["--effort", "tuned", "--encoder", backbone, "--signals", "words"]
    monkeypatch.setattr(sys, "argv", ["huiyi", "train", str(file), "--out", str(out), *options])
    main()
    said = capfd.readouterr()  # type: ignore[attr-defined]
    assert "text@intent, all: epoch 1" in said.err
    assert (out / "manifest.json").is_file()
    assert (tmp_path / "desk.run" / "run.json").is_file()
    assert not (tmp_path / "desk.run" / "checkpoints").exists()


def test_without_the_library_that_serves_it(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model.save(tmp_path / "tuned")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"huiyi\[onnx\]"):
        huiyi.load(tmp_path / "tuned").decide("where is my card")


def test_several_tasks_share_one_backbone(config: TrainConfig) -> None:
    rows = [
        {"text": text, "intent": label if place % 4 else None, "polite": "yes" if "please" in text else "no"}
        for place, (text, label) in enumerate(ROWS)
    ]
    columns = Columns(label="intent,polite")
    model = huiyi.train(rows, columns=columns, config=config)
    assert set(model.skills) == {"intent", "polite"}
    assert "text@intent-polite" in model.perception.names
    for name in model.skills:
        told = huiyi.evaluate(model, huiyi.read(rows, columns)).tasks[name]
        assert told.figures["accuracy"] > 0.8


def test_a_tuned_task_is_added_and_the_others_stay(model: Model, config: TrainConfig, tmp_path: Path) -> None:
    rows = [{"text": text, "polite": "yes" if "please" in text else "no"} for text, _ in ROWS]
    model.save(tmp_path / "base")
    base = huiyi.load(tmp_path / "base")
    huiyi.train(rows, columns=Columns(label="polite"), config=config, add_to=base).save(tmp_path / "more")
    more = huiyi.load(tmp_path / "more")
    assert "text@polite" in more.perception.names
    heard = {head.rpartition("/")[0] for head in more.skills["polite"].summary["weights"]}
    assert "text@intent" not in heard  # it learnt other labels, of the same rows
    texts = [text for text, _ in ROWS] + ["zebra", ""]
    for first, second in zip(base.decide_all(texts), more.of("intent").decide_all(texts), strict=True):
        assert first.probability == pytest.approx(second.probability, abs=1e-6)
        assert (first.kind, first.label, first.in_scope) == (second.kind, second.label, second.in_scope)


def test_what_is_learnt_from_texts_alone_comes_first(config: TrainConfig) -> None:
    told: list[str] = []
    unlabelled = [Record(text=f"{text} and more") for text, _ in ROWS]
    before = replace(config, pretexts=("masked", "order"))
    huiyi.train(ROWS, unlabelled=unlabelled, config=before, on_epoch=lambda what, figures: told.append(what))
    assert "self-supervised" in told[0] and not any("self-supervised" in what for what in told[-2:])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"effort": "tuned", "pretexts": ("maskd",)}, "Did you mean 'masked'"),
        ({"effort": "fast", "pretexts": ("masked",)}, "--pretext: only fine-tuning knows that"),
        ({"effort": "tuned", "pretexts": ("masked",)}, "Add --unlabelled"),
    ],
)
def test_pretexts_that_cannot_be_used(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        huiyi.train(ROWS, config=TrainConfig(**options))


def test_without_any_text_there_is_nothing_to_fine_tune_to(backbone: str) -> None:
    rows = [Record(fields={"plan": plan}, labels={"intent": plan[0]}) for plan in ("gold", "free") * 5]
    config = TrainConfig(effort="tuned", encoder=backbone)
    with pytest.raises(OptionError, match="no row has a text"):
        huiyi.train(rows, config=config)


def test_fields_count_beside_a_tuned_backbone(config: TrainConfig) -> None:
    """The text tells half of it, the form the other half."""
    rows = [
        Record(text=text, fields={"plan": plan}, labels={"intent": f"{label} {plan}"})
        for text, label in ROWS
        for plan in ("gold", "free")
    ]
    model = huiyi.train(rows, config=replace(config, signals=("words", "fields")))
    assert "fields" in {name.partition("/")[0] for name in model.skills["intent"].summary["weights"]}
    told = {plan: model.decide(Record(text=ROWS[0][0], fields={"plan": plan})).label for plan in ("gold", "free")}
    assert told == {plan: f"{ROWS[0][1]} {plan}" for plan in ("gold", "free")}
