"""The core's own encoder after it learnt labels: what travels with a model."""

import numpy as np
import pytest

from huiyi.errors import DataError
from huiyi.perceive import SentencePerceiver, TextPerceiver, perceiver
from huiyi.perceive.encoders.use import UniversalSentenceEncoder, weights
from huiyi.values import Record, source_of

RECORDS = [Record(text="where is my card"), Record(), Record(text="我的卡在哪里")]


@pytest.fixture(scope="module")
def changed() -> SentencePerceiver:
    return SentencePerceiver("sentence@intent", UniversalSentenceEncoder({"d0": weights()["d0"] * np.float32(0.5)}))


def test_it_hears_otherwise_than_the_encoder_that_it_comes_from(changed: SentencePerceiver) -> None:
    signals, present = changed.perceive(RECORDS)
    usual, _ = TextPerceiver().perceive(RECORDS)
    assert list(signals) == [changed.name] == ["sentence@intent"]
    assert signals[changed.name].shape == (3, 512)
    assert present.tolist() == [True, False, True]
    assert np.linalg.norm(signals[changed.name][present], axis=1) == pytest.approx(1)
    cosines = (signals[changed.name] * usual["text"]).sum(axis=1)[present]
    assert ((cosines < 0.9999) & (cosines > 0.5)).all()
    assert source_of(changed.name) == "text"


def test_only_what_learnt_is_saved(changed: SentencePerceiver) -> None:
    arrays, config = changed.to_arrays()
    assert list(arrays) == ["d0"]
    again = perceiver("sentence@intent")
    again.from_arrays(arrays, config)
    assert isinstance(again, SentencePerceiver)
    assert again.tuned
    here, there = changed.perceive(RECORDS)[0], again.perceive(RECORDS)[0]
    assert np.array_equal(here["sentence@intent"], there["sentence@intent"])
    with pytest.raises(DataError, match=r"was trained with encoder 'universal.*' of weights abc"):
        perceiver("sentence@intent").from_arrays(arrays, {**config, "sha256": "abc"})
