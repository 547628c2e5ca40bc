"""Spans: learnt beside labels from one forward pass, and served as ONNX, on tiny backbones."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from huiyi.align import SpanEvidence, SpansAligner
from huiyi.align.lattice import tags_of
from huiyi.perceive import BackbonePerceiver
from huiyi.perceive.encoders.onnx import OnnxEncoder
from huiyi.train.tuning.backbones import Backbone, encoder_module, hears_units, load_backbone, tokenizer_json
from huiyi.train.tuning.export import export
from huiyi.train.tuning.finetune import FinetuneConfig, Finetuned, Rows, finetune
from huiyi.values import Context, Label, Record, Span, Task, places

torch = pytest.importorskip("torch", reason="fine-tuning needs the extra tune")
pytest.importorskip("onnxruntime", reason="serving a tuned model needs the extra onnx")

INTENT = Task("intent", "choice", (Label("card"), Label("order"), Label("money")))
SLOTS = Task("slots", "spans", (Label("thing"), Label("state")))
THINGS, STATES = ("card", "pin", "parcel", "order", "refund", "money"), ("stolen", "lost", "late", "back")
CONFIG = FinetuneConfig(epochs=10, rate=3e-3, prototype_rate=1e-2, tag_rate=1e-2, batch_rows=8, max_tokens=32)


def spans_in(text: str) -> tuple[Span, ...]:
    """Each thing, and each state; "order track" is one thing."""
    found, place = [], 0
    for word in text.split():
        label = "thing" if word in THINGS else "state" if word in STATES else None
        if word == "track" and found and found[-1].end == place - 1:
            found[-1] = replace(found[-1], end=place + len(word))
        elif label is not None:
            found.append(Span(label, place, place + len(word)))
        place += len(word) + 1
    return tuple(found)


@pytest.fixture(scope="module")
def lessons(rows: list[tuple[str, str]]) -> Rows:
    texts = [text for text, _ in rows]
    targets = np.eye(3, dtype=np.float32)[[INTENT.names.index(label) for _, label in rows]]
    return Rows(texts, {"intent": targets, "slots": [spans_in(text) for text in texts]})


@pytest.fixture(scope="module")
def joint(tiny: Path, lessons: Rows) -> Finetuned:
    backbone = hears_units(load_backbone(str(tiny)), lessons.texts)
    return finetune(backbone, lessons, [INTENT, SLOTS], config=CONFIG)


def tags(run: Finetuned, texts: list[str]) -> np.ndarray:
    return run.tag_odds("slots", texts, max_tokens=32).values.argmax(axis=1)


def served(run: Finetuned, texts: list[str], *, quantised: bool = False, max_tokens: int = 32) -> OnnxEncoder:
    backbone = run.backbone
    left = export(
        encoder_module(run.module, backbone.pooling, with_features=True),
        tokenizer_json(backbone),
        texts,
        width=backbone.width,
        max_tokens=max_tokens,
        quantised=quantised,
        tags_of=lambda features: softmax(run.learnt["slots"].odds(features)),
        sees_case=backbone.sees_case,
    )
    assert left.parity.tag_agreement is not None and left.parity.tag_agreement >= 0.995
    return OnnxEncoder("tiny", left.model, tokenizer_json(backbone), width=backbone.width, max_tokens=max_tokens)


def softmax(odds: np.ndarray) -> np.ndarray:
    shares = np.exp(odds - odds.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def test_one_backbone_learns_labels_and_spans(joint: Finetuned, lessons: Rows) -> None:
    vectors = joint.encode(lessons.texts, max_tokens=32)
    told = (vectors @ joint.learnt["intent"].weights.T).argmax(axis=1)
    assert (told == lessons.targets["intent"].argmax(axis=1)).mean() > 0.9
    assert set(joint.history[-1]) == {"epoch", "loss", "seconds", "accuracy intent", "accuracy slots"}
    assert joint.history[-1]["accuracy slots"] > 0.95
    assert joint.learnt["slots"].weights.shape == (5, 32)


def test_texts_without_known_spans_do_not_teach_them(tiny: Path, lessons: Rows) -> None:
    """Half of the rows say that there is none at all, and are believed unless they say that nothing is known."""
    half = np.random.default_rng(0).random(len(lessons.texts)) < 0.5
    accuracy = {}
    for name, nothing in (("known", None), ("wrong", ())):
        spans = [right if kept else nothing for right, kept in zip(lessons.targets["slots"], half, strict=True)]
        backbone = hears_units(load_backbone(str(tiny)), lessons.texts)
        run = finetune(backbone, Rows(lessons.texts, {"slots": spans}), [SLOTS], config=CONFIG)
        odds = run.tag_odds("slots", lessons.texts, max_tokens=32)
        right = [tags_of(odds.offsets_of(row), spans_in(text), SLOTS.names) for row, text in enumerate(lessons.texts)]
        accuracy[name] = float((odds.values.argmax(axis=1) == np.concatenate(right)).mean())
    assert accuracy["known"] > max(0.9, accuracy["wrong"] + 0.05)


def test_an_aligner_finds_the_spans_that_were_learnt(joint: Finetuned, lessons: Rows) -> None:
    records = [Record(text=text, labels={"slots": spans_in(text)}) for text in lessons.texts]
    units = BackbonePerceiver("text@slots", served(joint, list(lessons.texts))).perceive_units(records)[2]
    context = Context(records, {}, np.zeros((len(records), 0)), units)
    learnt, aligner = joint.learnt["slots"], SpansAligner()
    odds = joint.tag_odds("slots", lessons.texts, max_tokens=32)
    aligner.fit(SLOTS, context, "text@slots", SpanEvidence(learnt.weights, learnt.bias, odds, np.arange(len(records))))
    told = aligner.align(context)
    right = [places(record.labels["slots"]) == places(told.spans[row]) for row, record in enumerate(records)]  # type: ignore[index]
    assert np.mean(right) > 0.8
    assert told.probabilities.mean() == pytest.approx(np.mean(right), abs=0.1)


@pytest.mark.parametrize("quantised", [False, True])
def test_served_units_are_those_of_torch(joint: Finetuned, lessons: Rows, quantised: bool) -> None:
    texts = [*lessons.texts, "", "unheard words"]
    read = served(joint, list(lessons.texts), quantised=quantised).read(texts)
    expected = joint.tag_odds("slots", texts, max_tokens=32)
    assert read.units is not None
    np.testing.assert_array_equal(read.units.splits, expected.splits)
    np.testing.assert_array_equal(read.units.offsets, expected.offsets)
    told = joint.learnt["slots"].odds(read.units.values)
    assert (told.argmax(axis=1) == expected.values.argmax(axis=1)).mean() >= 0.995
    if not quantised:
        np.testing.assert_allclose(told, expected.values, atol=0.2)  # torch may have read in 16 bits
        vectors = read.vectors[: len(lessons.texts)]
        np.testing.assert_allclose(vectors, joint.encode(lessons.texts, max_tokens=32), atol=0.02)


def test_a_perceiver_tells_units_beside_vectors(joint: Finetuned, lessons: Rows) -> None:
    encoder = served(joint, list(lessons.texts))
    perceiver = BackbonePerceiver("text@slots", encoder, tuned=True)
    assert perceiver.hears_units
    records = [Record(text=text) for text in ("cancel my order track", "", "cancel my order track", "lost card")]
    records.append(Record())
    signals, present, tokens = perceiver.perceive_units(records)
    plain, there = perceiver.perceive(records)
    np.testing.assert_array_equal(present, there)
    np.testing.assert_allclose(signals["text@slots"][present], plain["text@slots"][present], atol=1e-6)
    units = tokens["text@slots"]
    assert np.diff(units.splits).tolist() == [4, 0, 4, 2, 0]
    np.testing.assert_allclose(units.take([0]).values, units.take([2]).values, atol=1e-6)
    again = BackbonePerceiver("text@slots")
    again.from_arrays(*perceiver.to_arrays())
    np.testing.assert_allclose(again.perceive_units(records)[2]["text@slots"].values, units.values, atol=1e-6)


def test_a_text_longer_than_is_read_at_once_is_read_in_windows(joint: Finetuned, lessons: Rows) -> None:
    """No unit is lost or told twice, whatever the length, and it tells nearly what a wide window would."""
    encoder = served(joint, list(lessons.texts), max_tokens=16)
    wide = served(joint, list(lessons.texts), max_tokens=64)
    for words in (13, 14, 15, 30, 55):
        text = " ".join((lessons.texts[words] + " " + lessons.texts[0]).split() * 6)
        text = " ".join(text.split()[:words])
        read, whole = encoder.read([text, "lost card"]).units, wide.read([text]).units
        assert read is not None and whole is not None
        assert read.take([0]).offsets.tolist() == whole.offsets.tolist()
        assert len(read.take([1]).values) == 2
    assert encoder.read([text]).vectors == pytest.approx(encoder.encode([text])[""], abs=1e-6)


def cased(tiny: Path) -> Backbone:
    """The tiny backbone with a tokenizer that does not tell capitals."""
    from tokenizers import normalizers

    backbone = load_backbone(str(tiny))
    backbone.tokenizer.backend_tokenizer.normalizer = normalizers.Lowercase()
    return backbone


def test_how_words_are_written_is_heard_where_tokens_do_not_say_it(tiny: Path, lessons: Rows) -> None:
    texts = [" ".join(word.title() if i % 3 == 0 else word for i, word in enumerate(t.split())) for t in lessons.texts]
    spans = [
        tuple(
            Span("thing", text.index(word), text.index(word) + len(word))
            for word in dict.fromkeys(text.split())
            if word[0].isupper()
        )
        for text in texts
    ]
    assert not hears_units(cased(tiny), lessons.texts).sees_case  # there is nothing to hear
    assert not hears_units(load_backbone(str(tiny)), texts).sees_case  # its tokens say it
    backbone = hears_units(cased(tiny), texts)
    assert backbone.sees_case
    run = finetune(backbone, Rows(texts, {"slots": spans}), [SLOTS], config=CONFIG)
    assert run.history[-1]["accuracy"] > 0.95
    encoder = served(run, texts)
    read = encoder.read(texts).units
    assert read is not None
    told = run.learnt["slots"].odds(read.values).argmax(axis=1)
    assert (told == tags(run, texts)).mean() > 0.99
    lower = encoder.read([text.lower() for text in texts]).units
    assert lower is not None
    assert (run.learnt["slots"].odds(lower.values).argmax(axis=1) == told).mean() < 0.9
