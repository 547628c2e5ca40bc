import dataclasses

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from huiyi.errors import DataError, OptionError
from huiyi.perceive import TextPerceiver, said_before
from huiyi.perceive.encoders import encoder
from huiyi.perceive.encoders.use import UniversalSentenceEncoder, _ids, _pieces, _tokenizer, pieces
from huiyi.perceive.text import HISTORY_TURNS, LONGEST_TEXT
from huiyi.values import Record, Turn

NAME = UniversalSentenceEncoder.name


class Counting:
    """An encoder that notes what it was asked to encode."""

    name, widths, sha256 = "counting", {"text": 1}, "0" * 64

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: list[str], *, tick: object = None) -> dict[str, np.ndarray]:
        self.asked += texts
        return {"text": np.array([[len(text)] for text in texts], dtype=np.float32)}


def test_equal_texts_are_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    counting = Counting()
    perceiver = TextPerceiver()
    monkeypatch.setattr(perceiver, "_encoder", counting)
    signals, _ = perceiver.perceive([Record(text=text) for text in ("bb", "a", "bb", "", "bb")])
    assert counting.asked == ["bb", "a"]
    assert signals["text"].ravel().tolist() == [2, 1, 2, 0, 2]


def test_texts_nobody_says() -> None:
    perceiver = TextPerceiver()
    perceiver.perceive([Record(text="")])
    with pytest.raises(DataError, match=r"record r7: the text has 2,000,001 characters, more than the 2,000,000"):
        perceiver.perceive([Record(id="r7", text="x" * (LONGEST_TEXT + 1))])


def test_history_is_the_last_turns() -> None:
    turns = tuple(Turn("person", f"turn {i}") for i in range(HISTORY_TURNS + 2))
    assert said_before(Record(history=turns)) == "turn 2\nturn 3\nturn 4\nturn 5"


def test_all_of_a_long_text_counts() -> None:
    filler = "please look into this for me as soon as you can today " * 40
    tool = encoder(NAME)
    plain, at_the_end = tool.encode([filler, filler + "my cat has swallowed the ticket " * 20])["text"]
    assert np.abs(plain - at_the_end).max() > 1e-3


@pytest.mark.parametrize("text", ["", "卡丢了", "where is my card", "my cat has swallowed the ticket " * 200])
def test_the_sentence_vector_has_length_one(text: str) -> None:
    views = encoder(NAME).encode([text])
    assert {view: vectors.shape for view, vectors in views.items()} == {"text": (1, 512), "phrases": (1, 1280)}
    np.testing.assert_allclose(np.linalg.norm(views["text"]), 1, atol=1e-5)


@pytest.mark.parametrize("text", ["", "a" * 2_001, "word " * 2_000, " " * 5_000, "a" * 1_999 + " b"])
def test_pieces_lose_nothing(text: str) -> None:
    pieces = _pieces(text)
    assert "".join(pieces) == text
    assert max(map(len, pieces)) <= 2_000


@given(st.text(max_size=60))
@example("a  b")
@example("▁ a▁▁b ")
@example(" \t\n ")
@example("ﬁne ① 我的卡丢了 lost, my 🙂🙂 card")
def test_words_cut_once_are_cut_as_the_whole_text_is(text: str) -> None:
    text = text.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")
    assert _ids(text) == _tokenizer()._encode_one(text)


def test_other_weights_are_refused() -> None:
    arrays, config = TextPerceiver().to_arrays()
    with pytest.raises(DataError, match=r"was trained with encoder 'universal.*' of weights abc"):
        TextPerceiver().from_arrays(arrays, {**config, "sha256": "abc"})
    with pytest.raises(OptionError, match="Did you mean 'universal-sentence-encoder-multilingual-3'"):
        encoder("universal-sentence-encoder")


def test_perceiving_needs_no_label() -> None:
    record = Record(text="hello", labels={"intent": "greet"})
    bare = dataclasses.replace(record, labels={})
    signals, _ = TextPerceiver().perceive([record, bare])
    np.testing.assert_array_equal(*signals["text"])


def test_texts_that_share_words_are_encoded_as_they_are_alone() -> None:
    """Of texts that are alike the same stretches are worked out once."""
    words = ["my", "card", "was", "not", "lost", "but", "stolen", "from", "my", "card", "case", "卡", "在", "家"]
    texts = [" ".join(words[:place] + words[place + 1 :]) for place in range(len(words))] + [
        "my",
        "card",
        "",
        "my card",
    ]
    tool = encoder(NAME)
    together = tool.encode(texts)
    for place, text in enumerate(texts):
        for view, vectors in tool.encode([text]).items():
            np.testing.assert_allclose(together[view][place], vectors[0], atol=1e-5)


def test_pieces_are_the_text() -> None:
    for text in ("我的银行卡在哪里", "ﾊﾟｿｺﾝ", "㍿", "𠀀𠀁"):
        assert "".join(pieces(text)) == text
    assert "银行" in pieces("我的银行卡在哪里")
