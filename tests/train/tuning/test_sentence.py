"""The core's own encoder in torch, and tuned."""

import numpy as np
import pytest

from huiyi.perceive.encoders.use import UniversalSentenceEncoder, windows_of

pytest.importorskip("torch", reason="fine-tuning needs the extra tune")

from huiyi.train.tuning.finetune import FinetuneConfig, Rows, finetune
from huiyi.train.tuning.loop import encode
from huiyi.train.tuning.sentence import RATE, sentence_backbone
from huiyi.values import Label, Task

TEXTS = ["where is my card", "我的卡在哪里", "x", "", "  a   b  ", "Ｃａfé ①", "\t", "🙂", "lost card " * 200]
KIND = Task("intent", "choice", (Label("card"), Label("parcel")))


def test_in_torch_it_says_what_it_says_in_the_core() -> None:
    backbone = sentence_backbone()
    items = backbone.items(TEXTS, max_tokens=8)
    vectors = encode(backbone.module, backbone, items)
    usual = UniversalSentenceEncoder().encode(TEXTS)["text"]
    cosines = (vectors * usual).sum(axis=1)
    assert cosines[:-1].min() > 0.9998  # it may be multiplied in 16-bit floats
    assert len(items.ids[-1]) == len(windows_of(TEXTS[-1])[0]) < 2 * 200  # of a long text, the first window
    alone = encode(backbone.module, backbone, backbone.items(TEXTS[:1], max_tokens=8))
    assert alone[0] == pytest.approx(vectors[0], abs=2e-3)


def test_it_learns_labels_and_leaves_torch_with_them() -> None:
    texts = [f"{where} {what}" for where in ("where is", "i lost", "who has", "send") for what in ("it", "that thing")]
    right = np.eye(2, dtype=np.float32)[[0, 1] * 4]
    config = FinetuneConfig(epochs=12, rate=RATE, layer_decay=1.0, patience=0)
    run = finetune(sentence_backbone(), Rows(texts, {"intent": right}), [KIND], config=config)
    assert run.history[-1]["loss"] < 0.8 * run.history[0]["loss"]
    assert run.parameters.trained == run.parameters.total
    tuned = {name: value.detach().numpy() for name, value in run.module.learnt.items()}  # type: ignore[union-attr,operator]
    core = UniversalSentenceEncoder(tuned).encode(texts)[""]
    vectors = run.encode(texts, max_tokens=8)
    assert (core * vectors).sum(axis=1).min() > 0.999
    assert np.array_equal(run.learnt["intent"].odds(core).argmax(axis=1), right.argmax(axis=1))


def test_it_is_tuned_to_the_same_again() -> None:
    rows = Rows(TEXTS[:4], {"intent": np.eye(2, dtype=np.float32)[[0, 1, 0, 1]]})
    one, other = (
        finetune(sentence_backbone(), rows, [KIND], config=FinetuneConfig(epochs=2, rate=RATE)) for _ in range(2)
    )
    assert np.array_equal(one.encode(TEXTS, max_tokens=8), other.encode(TEXTS, max_tokens=8))
