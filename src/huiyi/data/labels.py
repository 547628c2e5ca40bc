"""From the cell of a label column to what ``Record.labels`` holds."""

from __future__ import annotations

import re
import reprlib
from typing import TYPE_CHECKING, Any, Literal

from huiyi.data.cells import CellError, as_list, as_text
from huiyi.values import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LabelForm = Literal["choice", "several", "spans", "tags"]
"""How labels are written down: as the task's kind, or spans as BIO tags beside tokens."""

_BIO = re.compile(r"O|[BI]-\s*\S.*", re.DOTALL)
# Ideographs, kana, their punctuation and full-width forms: scripts without spaces between words.
_CJK = re.compile("[\u2e80-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003ffff]")


def form_of(name: str, cells: Iterable[Any], *, has_tokens: bool) -> LabelForm:
    """Tell from a label column's name, or else from its first value, how labels are written there.

    Example:
        >>> form_of("topics", [None, ["refund", "card"]], has_tokens=False)
        'several'
    """
    if name == "intents":
        return "several"
    if name == "spans":
        return "spans"
    if name == "tags" and has_tokens:
        return "tags"
    value = next((cell for cell in cells if cell not in (None, "", [])), None)
    if not isinstance(value, list):
        return "choice"
    if isinstance(value[0], dict):
        return "spans"
    return "tags" if has_tokens and all(_is_bio(item) for item in value) else "several"


def as_choice(value: Any) -> str | None:
    """Read one label; blank is none.

    Raises:
        CellError: It is a list or an object.
    """
    if isinstance(value, list | dict):
        raise CellError(
            f"holds {reprlib.repr(value)}, but other rows hold one label: write one, "
            "or give every row a list in a column called 'intents'"
        )
    return (as_text(value) or "").strip() or None


def as_several(value: Any) -> tuple[str, ...]:
    """Read any number of labels, each once; blank means that there are none.

    Example:
        >>> as_several("refund|card|refund"), as_several("")
        (('refund', 'card'), ())
    """
    labels = ((as_text(item) or "").strip() for item in as_list(value))
    return tuple(dict.fromkeys(label for label in labels if label))


def as_spans(value: Any, text: str) -> tuple[Span, ...] | None:
    """Read spans of a text that may still hold NULs, as they lie once these are taken out.

    Raises:
        CellError: A span lacks its label, or does not lie within the text.

    Example:
        >>> as_spans([{"label": "city", "start": 3, "end": 9}], "to London")
        (Span(label='city', start=3, end=9, probability=None),)
    """
    if value in (None, ""):
        return None
    return tuple(_span(item, text) for item in as_list(value))


def _span(item: Any, text: str) -> Span:
    match item:
        case {"label": str(label), "start": int(start), "end": int(end)} if label.strip() and (
            0 <= start < end <= len(text)
        ):
            return Span(label.strip(), start - text.count("\0", 0, start), end - text.count("\0", 0, end))
    raise CellError(
        f"holds the span {reprlib.repr(item)} of a text of {len(text)} characters: "
        'write {"label": …, "start": …, "end": …} with 0 <= start < end <= characters'
    )


def as_tokens(value: Any) -> list[str]:
    """Read tokens or tags: a list, or a string with one in JSON or separated by white space."""
    items = value.split() if isinstance(value, str) and not value.lstrip().startswith("[") else as_list(value)
    return [as_text(item) or "" for item in items]


def as_tagged_spans(value: Any, offsets: Sequence[tuple[int, int]]) -> tuple[Span, ...] | None:
    """Join BIO tags, one for each token, into spans.

    Args:
        value: The cell of the tags.
        offsets: Where each token lies in the text, in characters.

    Raises:
        CellError: There are more or fewer tags than tokens, or one is not BIO.

    Example:
        >>> as_tagged_spans(["O", "B-city", "I-city"], [(0, 2), (3, 6), (7, 11)])
        (Span(label='city', start=3, end=11, probability=None),)
    """
    if value in (None, ""):
        return None
    tags = as_tokens(value)
    if len(tags) != len(offsets):
        raise CellError(f"holds {len(tags)} for {len(offsets)} tokens: write one tag for each token")
    spans: list[Span] = []
    is_open = False
    for tag, (start, end) in zip(tags, offsets, strict=True):
        if not _is_bio(tag):
            raise CellError(f"holds the tag {reprlib.repr(tag)}: write O, B-label or I-label")
        label = tag[2:].strip()
        if is_open and tag[0] == "I" and spans[-1].label == label:
            spans[-1] = Span(label, spans[-1].start, end)
        elif tag != "O":
            spans.append(Span(label, start, end))
        is_open = tag != "O"
    return tuple(spans)


def _is_bio(tag: Any) -> bool:
    return isinstance(tag, str) and _BIO.fullmatch(tag) is not None


def joined(tokens: Sequence[str], text: str | None) -> tuple[str, list[tuple[int, int]]]:
    """Find tokens in their text, or write the text that they make, and say where each lies.

    Without a text, words are parted by spaces, but not beside characters of
    scripts that use none. A row of single characters gets no spaces at all:
    there the letters of an English word stand apart as well.

    Args:
        tokens: Words, or characters, in order.
        text: The text as it was written, where that is known. It is kept
            when all tokens are found in it one after the other.

    Returns:
        The text, and start and end of each token in it.

    Example:
        >>> joined(["to", "St.", "Louis"], None)
        ('to St. Louis', [(0, 2), (3, 6), (7, 12)])
        >>> joined(["播放", "Taylor", "Swift", "的", "歌"], None)[0]
        '播放Taylor Swift的歌'
    """
    found = None if text is None else _find(tokens, text)
    if text is not None and found is not None:
        return text, found
    is_by_character = all(len(token) == 1 for token in tokens) and any(map(_CJK.match, tokens))
    written = ""
    offsets = []
    for token in tokens:
        if written and token and not (is_by_character or _CJK.match(written[-1]) or _CJK.match(token[0])):
            written += " "
        offsets.append((len(written), len(written) + len(token)))
        written += token
    return written, offsets


def _find(tokens: Sequence[str], text: str) -> list[tuple[int, int]] | None:
    offsets = []
    end = 0
    for token in tokens:
        start = text.find(token, end)
        if start < 0:
            return None
        end = start + len(token)
        offsets.append((start, end))
    return offsets
