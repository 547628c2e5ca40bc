"""An exported backbone as an encoder: rows that stand for themselves, and files that are refused."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huiyi.errors import DataError, MissingExtraError
from huiyi.perceive.encoders import Encoder
from huiyi.perceive.encoders import onnx as module
from huiyi.perceive.encoders.onnx import OnnxEncoder, read_tokenizer, token_batches

WIDTH, MAX_TOKENS = 32, 12
PHRASE = "where is my card it was stolen lost and not here yet how do i get a new one please 我 的 卡 丢 了 在 哪 里"
WORDS = PHRASE.split()
TEXTS = (
    "where is my card",
    "卡丢了",
    "",
    "where is my card",
    "my card 没到 yet",
    "\0",
    "🙏 please",
    "how do i get a new one please",
    "\ud800 card",
    "card " * 500,
    "i",
    "我的卡在哪里",
)


@pytest.fixture(scope="module")
def tokenizer() -> str:
    """Cuts at spaces and around each Chinese character, with marks before and after."""
    tokenizers = pytest.importorskip("tokenizers")
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS]
    vocabulary = {word: number for number, word in enumerate(names)}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.normalizer = tokenizers.normalizers.BertNormalizer()
    made.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return str(made.to_str())


@pytest.fixture(scope="module")
def backbone() -> Any:
    """A random BERT that gives the mean of its tokens, of length 1."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")

    class Mean(torch.nn.Module):
        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            features = self.inner(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            summed = (features * attention_mask[:, :, None]).sum(dim=1)
            return torch.nn.functional.normalize(summed, dim=1)

    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(WORDS) + 4,
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=MAX_TOKENS,
        initializer_range=0.2,
    )
    return Mean(transformers.BertModel(config, add_pooling_layer=False)).eval()


@pytest.fixture(scope="module", params=["int8", "fp32"])
def file(request: pytest.FixtureRequest, backbone: Any, tokenizer: str) -> bytes:
    """It as a file, of each precision."""
    for name in ("onnx", "onnxruntime"):
        pytest.importorskip(name)
    from huiyi.train.tuning.export import ParityTolerance, export

    loose = ParityTolerance(cosine_distance=1)
    quantised = request.param == "int8"
    left = export(backbone, tokenizer, TEXTS, width=WIDTH, max_tokens=MAX_TOKENS, quantised=quantised, tolerance=loose)
    assert left.precision == request.param
    return left.model


@pytest.fixture
def encoder(file: bytes, tokenizer: str) -> OnnxEncoder:
    return OnnxEncoder("tiny", file, tokenizer, width=WIDTH, max_tokens=MAX_TOKENS)


def test_is_an_encoder(encoder: Encoder, tokenizer: str) -> None:
    vectors = encoder.encode(TEXTS)
    assert vectors.keys() == encoder.widths.keys() == {""}
    assert vectors[""].dtype == np.float32
    assert vectors[""].shape == (len(TEXTS), WIDTH)
    np.testing.assert_allclose(np.linalg.norm(vectors[""], axis=1), 1, atol=1e-5)
    assert encoder.encode([])[""].shape == (0, WIDTH)


def test_gives_what_torch_gives(encoder: OnnxEncoder, backbone: Any, tokenizer: str) -> None:
    """One text at a time, so nothing is filled up."""
    import torch

    cutter = read_tokenizer(tokenizer, max_tokens=MAX_TOKENS)
    for text in TEXTS[:5]:
        ids = torch.tensor([cutter.encode(text).ids])
        with torch.inference_mode():
            expected = backbone(ids, torch.ones_like(ids)).numpy()
        np.testing.assert_allclose((encoder.encode([text])[""] * expected).sum(), 1, atol=2e-3)


def test_each_text_stands_for_itself(encoder: OnnxEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is encoded with it, in whatever batches and in however many threads."""
    together = encoder.encode(TEXTS)[""]
    alone = np.vstack([encoder.encode([text])[""] for text in TEXTS])
    order = np.random.default_rng(0).permutation(len(TEXTS))
    shuffled = encoder.encode([TEXTS[i] for i in order])[""]
    np.testing.assert_allclose(alone, together, atol=1e-6)
    np.testing.assert_allclose(shuffled, together[order], atol=1e-6)
    np.testing.assert_allclose(together[0], together[3], atol=1e-6)
    for batch_tokens, texts_at_once, threads in ((1, 3, 1), (20, 5, 3), (10_000, 10_000, 2)):
        monkeypatch.setattr(module, "BATCH_TOKENS", batch_tokens)
        monkeypatch.setattr(module, "TEXTS_AT_ONCE", texts_at_once)
        monkeypatch.setattr(encoder, "threads", threads)
        np.testing.assert_allclose(encoder.encode(TEXTS)[""], together, atol=1e-6)


def test_different_texts_differ_in_both_languages(encoder: OnnxEncoder) -> None:
    vectors = encoder.encode(["where is my card", "where is my new card", "卡丢了", "卡在哪里"])[""]
    cosines = vectors @ vectors.T
    assert (cosines[~np.eye(4, dtype=bool)] < 0.999).all()


def test_a_long_text_is_its_beginning(encoder: OnnxEncoder) -> None:
    beginning = "card " * (MAX_TOKENS - 2)
    vectors = encoder.encode([beginning, beginning + "and more", beginning[:-5] + "lost"])[""]
    np.testing.assert_allclose(vectors[1], vectors[0], atol=1e-6)
    assert not np.allclose(vectors[2], vectors[0], atol=1e-3)


def test_what_the_tokenizer_says_of_its_training_is_not_used(encoder: OnnxEncoder, file: bytes, tokenizer: str) -> None:
    import tokenizers

    told = tokenizers.Tokenizer.from_str(tokenizer)
    told.enable_truncation(3)
    told.enable_padding(length=MAX_TOKENS)
    other = OnnxEncoder("tiny", file, told.to_str(), width=WIDTH, max_tokens=MAX_TOKENS)
    np.testing.assert_array_equal(other.encode(TEXTS)[""], encoder.encode(TEXTS)[""])


def test_a_text_without_tokens_is_zero(file: bytes, tokenizer: str) -> None:
    import tokenizers

    bare = tokenizers.Tokenizer.from_str(tokenizer)
    bare.post_processor = tokenizers.processors.TemplateProcessing(single="$A", special_tokens=[])
    encoder = OnnxEncoder("tiny", file, bare.to_str(), width=WIDTH, max_tokens=MAX_TOKENS)
    done: list[int] = []
    vectors = encoder.encode(["", "card", " "], tick=done.append)[""]
    assert np.linalg.norm(vectors, axis=1).round(5).tolist() == [0, 1, 0]
    assert sum(done) == 3
    assert encoder.encode(["", ""])[""].tolist() == [[0.0] * WIDTH] * 2


def test_tick_counts_each_text_once(encoder: OnnxEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_TOKENS", 12)
    monkeypatch.setattr(module, "TEXTS_AT_ONCE", 7)
    done: list[int] = []
    encoder.encode(TEXTS, tick=done.append)
    assert sum(done) == len(TEXTS)
    assert len(done) > 3


def test_threads_share_one_session(encoder: OnnxEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    opened: list[Any] = []
    real = onnxruntime.InferenceSession
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *a, **k: opened.append(real(*a, **k)) or opened[-1])
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: encoder.encode(TEXTS)[""], range(16)))
    assert len(opened) == 1
    for result in results:
        np.testing.assert_allclose(result, results[0], atol=1e-6)


@pytest.mark.parametrize(
    ("asked", "threads", "expected"), [("3", None, 3), ("2,1", None, 2), ("3", 5, 5), ("none", None, 4), ("", None, 4)]
)
def test_how_many_threads(
    monkeypatch: pytest.MonkeyPatch, encoder: OnnxEncoder, asked: str, threads: int | None, expected: int
) -> None:
    used: list[int] = []
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    monkeypatch.setattr(module.os, "sched_getaffinity", lambda _: set(range(4)), raising=False)
    monkeypatch.setattr(module, "ThreadPoolExecutor", lambda most: used.append(most) or ThreadPoolExecutor(most))
    monkeypatch.setattr(module, "BATCH_TOKENS", 1)
    monkeypatch.setattr(encoder, "threads", threads)
    encoder.encode(TEXTS)
    assert used == [expected]


def test_nothing_is_opened_before_it_is_used() -> None:
    """Neither at import nor when one is made."""
    code = (
        "import sys; from huiyi.perceive.encoders.onnx import OnnxEncoder; "
        "made = OnnxEncoder('none', b'no file', 'no tokenizer', width=2, max_tokens=8); "
        "assert made.encode([])[''].shape == (0, 2); "
        "print(made.sha256[:8], [name for name in ('onnxruntime', 'tokenizers', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.split() == [
        OnnxEncoder("other", b"no file", "no tokenizer", width=2, max_tokens=8).sha256[:8],
        "[]",
    ]


def test_the_sum_covers_both_files() -> None:
    sums = {OnnxEncoder("x", model, text, width=2, max_tokens=8).sha256 for model in (b"a", b"b") for text in "cd"}
    assert len(sums) == 4


@pytest.mark.parametrize("missing", ["onnxruntime", "tokenizers"])
def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch, tokenizer: str, missing: str) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    encoder = OnnxEncoder("none", b"", tokenizer, width=2, max_tokens=8)
    with pytest.raises(MissingExtraError, match=r'Tuned models need the extra "onnx".*pip install "huiyi\[onnx\]"'):
        encoder.encode(["card"])


def test_a_file_that_is_no_model(tokenizer: str, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnxruntime")
    with pytest.raises(DataError, match=r"encoder 'broken': onnxruntime .* cannot open the ONNX file"):
        OnnxEncoder("broken", b"no model", tokenizer, width=2, max_tokens=8).encode(["card"])
    with pytest.raises(DataError, match=r"tokenizer cannot be read .* expected the content of .*tokenizer\.json"):
        OnnxEncoder("broken", b"", "{}", width=2, max_tokens=8).encode(["card"])
    assert capfd.readouterr() == ("", "")


def test_a_file_of_another_kind(file: bytes, tokenizer: str) -> None:
    with pytest.raises(DataError, match=r"expected input_ids, attention_mask to vectors \['batch', 7\]"):
        OnnxEncoder("other", file, tokenizer, width=7, max_tokens=8).encode(["card"])


def test_a_file_that_cannot_take_the_texts(file: bytes, tokenizer: str, capfd: pytest.CaptureFixture[str]) -> None:
    """It has positions for MAX_TOKENS."""
    encoder = OnnxEncoder("short", file, tokenizer, width=WIDTH, max_tokens=5 * MAX_TOKENS)
    with pytest.raises(
        DataError, match=f"encoder 'short': the ONNX file cannot take 1 texts of {5 * MAX_TOKENS} tokens"
    ):
        encoder.encode(["card " * 100])
    assert capfd.readouterr() == ("", "")


class Letters:
    """Each letter is a token, the number of its code."""

    def encode(self, text: str) -> Any:
        return type("Encoding", (), {"ids": [ord(letter) for letter in text]})


@given(st.lists(st.text("abc", max_size=40)), st.integers(1, 60))
def test_batches_hold_each_text_once_and_are_small(texts: list[str], most: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BATCH_TOKENS", most)
        batches = list(token_batches(Letters(), texts))
    assert sorted(window.row for batch in batches for window in batch.windows) == [
        i for i, text in enumerate(texts) if text
    ]
    for batch in batches:
        assert batch.ids.size <= most or len(batch.windows) == 1
        rows = [window.row for window in batch.windows]
        assert batch.ids.shape == batch.mask.shape == (len(rows), max(len(texts[row]) for row in rows))
        for row, ids, mask in zip(rows, batch.ids, batch.mask, strict=True):
            assert mask.tolist() == [1] * len(texts[row]) + [0] * (len(mask) - len(texts[row]))
            assert "".join(map(chr, ids[mask == 1])) == texts[row]
