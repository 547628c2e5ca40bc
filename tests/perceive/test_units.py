"""Units of texts, as three families of tokenizers cut them."""

from typing import Any

import pytest

from huiyi.perceive.encoders.units import CHARACTERS, letter_cases, units_of

tokenizers = pytest.importorskip("tokenizers", reason="units come from the extra onnx")
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers  # noqa: E402 - see above

TEXT = "Late Parcels: 24h, 我要退款Visa卡"
WORDS = ["Late", "Parcels", ":", "24", "h", ",", "我", "要", "退", "款", "Visa", "卡"]


def wordpiece() -> Any:
    pieces = ["[UNK]", "late", "par", "##cel", "##s", "24", "##h", "我", "要", "退", "visa", ":", ",", "卡"]
    tokenizer = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def sentencepiece() -> Any:
    known = ["<unk>", "▁", "▁Late", "▁Par", "cels", ":", "▁24", "h", ",", "我要", "退", "款", "Vi", "sa", "卡"]
    known += list("▁LatePrcls:24h,我要退款Visa卡")
    scores = {piece: -1.0 - place / 100 for place, piece in enumerate(dict.fromkeys(known))}
    tokenizer = Tokenizer(models.Unigram(list(scores.items()), unk_id=0, byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Split(Regex(CHARACTERS), "isolated")]
    )
    return tokenizer


def byte_level() -> Any:
    letters = {letter: place for place, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    merges = [("Ġ", "P"), ("ĠP", "a"), ("2", "4")]
    vocabulary = {**letters, **{"".join(pair): len(letters) + place for place, pair in enumerate(merges)}}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return tokenizer


@pytest.mark.parametrize("make", [wordpiece, sentencepiece, byte_level])
def test_units_are_words_and_characters_however_they_are_cut(make: Any) -> None:
    encoding = make().encode(TEXT)
    units = units_of(TEXT, encoding)
    assert [TEXT[start:end] for start, end in units.offsets] == WORDS
    for place, (start, _) in zip(units.places, units.offsets, strict=True):
        first, end = encoding.offsets[place]
        assert first <= start < end  # the first piece of a unit is one of its own
    assert len(set(units.places.tolist())) == len(WORDS)


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_what_says_nothing_has_no_units(text: str) -> None:
    for make in (wordpiece, sentencepiece, byte_level):
        units = units_of(text, make().encode(text))
        assert units.places.shape == (0,) and units.offsets.shape == (0, 2)


def test_a_piece_that_is_kept_whole_is_one_unit() -> None:
    """Without characters kept apart, two that are one piece cannot be told apart."""
    tokenizer = sentencepiece()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    units = units_of("我要退款", tokenizer.encode("我要退款"))
    assert ["我要退款"[start:end] for start, end in units.offsets] == ["我要", "退", "款"]


def test_cases_are_those_of_the_whole_word() -> None:
    text = "LATE Parcels viSa x"
    encoding = wordpiece().encode(text)
    told = {
        text[start:end]: case for case, (start, end) in zip(letter_cases(text, encoding), encoding.offsets, strict=True)
    }
    assert told == {"LATE": 2, "Par": 1, "cel": 1, "s": 1, "viSa": 3, "x": 0}
