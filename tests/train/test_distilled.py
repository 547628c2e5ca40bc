"""A student in the place of what was tuned, and the core's own encoder tuned beside a transformer."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import huiyi
from huiyi import Model, TrainConfig
from huiyi.cli import main
from huiyi.errors import OptionError
from huiyi.train import tuned
from huiyi.values import Record, Span

pytest.importorskip("torch", reason="fine-tuning needs the extra tune")
pytest.importorskip("onnxruntime", reason="leaving torch needs the extra onnx")

ROWS = [
    (f"{where} {what} {when}", label)
    for what, label in (("card", "card"), ("pin", "card"), ("parcel", "order"), ("refund", "money"), ("cash", "money"))
    for where in ("where is my", "i lost a", "give me the")
    for when in ("today", "please", "again", "now")
]


@pytest.fixture(scope="module")
def config(make_backbone: Callable[[Iterable[str]], str]) -> TrainConfig:
    tiny = make_backbone(word for text, _ in ROWS for word in text.split())
    return TrainConfig(effort="tuned", encoder=tiny, signals=("words",), distil=True)


@pytest.fixture(scope="module")
def student(config: TrainConfig) -> Model:
    return huiyi.train(ROWS, unlabelled=[Record(text="where is the pin"), Record(text="a refund")], config=config)


def test_it_takes_the_place_of_what_taught_it(student: Model) -> None:
    assert set(student.perception.names) <= {"words", "sentence@intent"}
    assert "sentence@intent/prototypes" in student.skills["intent"].summary["weights"]
    assert huiyi.evaluate(student, ROWS).figures["accuracy"] > 0.9
    (notice,) = [one for one in student.summary["notices"] if "student" in one]
    assert "right, its teachers" in notice


def test_it_serves_with_the_core_alone(student: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    student.save(tmp_path / "student")
    for name in ("onnxruntime", "torch", "tokenizers"):
        monkeypatch.setitem(sys.modules, name, None)
    again = huiyi.load(tmp_path / "student")
    texts = [text for text, _ in ROWS[::7]]
    for here, there in zip(student.decide_all(texts), again.decide_all(texts), strict=True):
        assert (here.label, here.kind) == (there.label, there.kind)
        assert there.probability == pytest.approx(here.probability, abs=1e-6)
    assert again.explain(texts[0]).words


def test_it_learns_what_its_teachers_say(config: TrainConfig) -> None:
    """Labels of the unlabelled texts come from the teachers alone."""
    taught = {}

    class Seen(tuned.Student):
        def passed_on(self, which: np.ndarray) -> dict[str, np.ndarray]:  # type: ignore[type-arg,override]
            taught[int(which.sum())] = found = dict(super().passed_on(which))
            return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuned, "Student", Seen)
        huiyi.train(ROWS, unlabelled=[Record(text="the parcel please")], config=config)
    rows, shares = max(taught.items())
    targets = shares["intent"]
    assert rows == len(ROWS) + 3  # and the texts that name the labels
    assert len(targets) == rows + 1
    assert targets.sum(axis=1) == pytest.approx(1, abs=1e-4)
    own = targets[: len(ROWS)].max(axis=1)
    assert ((own > 0.5) & (own < 1)).all()
    assert len(taught) > 1  # runs that left rows out


@pytest.mark.parametrize(
    ("rows", "options", "says"),
    [
        (
            [huiyi.Record(text="to Rome", labels={"intent": ("go",), "slots": (Span("city", 3, 7),)})] * 3,
            {},
            "no spans",
        ),
        (ROWS, {"effort": "thorough"}, "a search has no student"),
        (ROWS, {"effort": "fast", "encoder": ""}, "--distil: only fine-tuning knows that"),
    ],
)
def test_where_there_is_no_student(config: TrainConfig, rows: object, options: dict[str, str], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        huiyi.train(rows, config=replace(config, **options))  # type: ignore[arg-type]


def test_the_cores_own_encoder_is_tuned_beside_another(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuned, "_backbone_for", lambda records: config.encoder)
    usual = replace(config, encoder="", distil=False)
    model = huiyi.train(ROWS, config=usual)
    assert [report["backbone"] for report in model.summary["also_tuned"]] == [
        "universal-sentence-encoder-multilingual-3"
    ]
    assert "sentence@intent/prototypes" in model.skills["intent"].summary["weights"]
    assert huiyi.train(ROWS, config=replace(usual, tune="head")).summary["also_tuned"] == []


@pytest.mark.parametrize("unlabelled", [[], [Record(text=f"{text} at once") for text, _ in ROWS[::2]]])
def test_the_cores_own_encoder_is_tuned_alone(unlabelled: list[Record], tmp_path: Path) -> None:
    own = TrainConfig(effort="tuned", encoder=tuned.OWN, signals=("text", "words"))
    rows = ROWS[:: 2 + 2 * bool(unlabelled)]
    model = huiyi.train(rows, unlabelled=unlabelled or None, config=own, folder=tmp_path / "run")
    assert set(model.perception.names) <= {"text", "words", "sentence@intent"}
    assert model.summary["backbone"] == tuned.OWN
    assert "sentence@intent/prototypes" in model.skills["intent"].summary["weights"]
    assert huiyi.evaluate(model, ROWS).figures["accuracy"] > 0.8
    assert (tmp_path / "run" / "checkpoints").is_dir()


@pytest.mark.parametrize("options", [{"distil": True}, {"pretexts": ("order",)}])
def test_what_it_cannot_do_alone(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="--encoder universal-sentence-encoder-multilingual-3"):
        config = TrainConfig(effort="tuned", encoder=tuned.OWN, **options)
        huiyi.train(ROWS, unlabelled=[Record(text="a parcel")], config=config)


def test_the_command_line(
    config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "rows.csv"
    data.write_text("text,intent\n" + "\n".join(f"{text},{label}" for text, label in ROWS), encoding="utf-8")
    out = tmp_path / "model"
    options = ["--effort", "tuned", "--encoder", config.encoder, "--distil"]
    monkeypatch.setattr(sys, "argv", ["huiyi", "train", str(data), "--out", str(out), *options])
    main()
    assert "its teachers" in "".join(capfd.readouterr())
    assert huiyi.load(out).decide("where is my parcel").label == "order"
