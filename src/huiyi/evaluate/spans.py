"""How right found spans are, as pure functions.

Source:
    Tjong Kim Sang and De Meulder, "Introduction to the CoNLL-2003 Shared
    Task", CoNLL 2003, section 3 (a span counts when label, start and end are right).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from huiyi.evaluate.metrics import Share
from huiyi.values import places

if TYPE_CHECKING:
    from huiyi.values import Span

_CJK = "\u2e80-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003ffff"
_TOKEN = re.compile(f"[{_CJK}]|[^\\s{_CJK}]+")


def span_f1(truth: Sequence[Sequence[Span]], found: Sequence[Sequence[Span]]) -> float | None:
    """F1 over the spans of all rows at once; None where there are none at all.

    Example:
        >>> from huiyi.values import Span
        >>> span_f1([[Span("city", 3, 9), Span("day", 10, 16)]], [[Span("city", 3, 9), Span("day", 10, 15)]])
        0.5
    """
    right = sum(len(places(row) & places(other)) for row, other in zip(truth, found, strict=True))
    pairs = sum(len(places(row)) + len(places(other)) for row, other in zip(truth, found, strict=True))
    return 2 * right / pairs if pairs else None


def token_accuracy(
    texts: Sequence[str], truth: Sequence[Sequence[Span]], found: Sequence[Sequence[Span]]
) -> Share | None:
    """Share of tokens with the right BIO tag. Tokens are parted by spaces; a Chinese character is one by itself.

    Example:
        >>> from huiyi.values import Span
        >>> token_accuracy(["to New York"], [[Span("city", 3, 11)]], [[Span("city", 7, 11)]])
        Share(hits=1, total=3)
    """
    hits = total = 0
    for text, right, other in zip(texts, truth, found, strict=True):
        starts = [match.start() for match in _TOKEN.finditer(text)]
        ends = [match.end() for match in _TOKEN.finditer(text)]
        tags, said = _tags(starts, ends, right), _tags(starts, ends, other)
        hits += sum(a == b for a, b in zip(tags, said, strict=True))
        total += len(starts)
    return Share(hits, total) if total else None


def _tags(starts: Sequence[int], ends: Sequence[int], spans: Sequence[Span]) -> list[str]:
    """The BIO tag of each token: of the first span that shares a character with it."""
    tags = ["O"] * len(starts)
    for span in sorted(spans, key=lambda span: span.start):
        inside = [i for i in range(len(starts)) if starts[i] < span.end and ends[i] > span.start and tags[i] == "O"]
        for i in inside:
            tags[i] = f"{'B' if i == inside[0] else 'I'}-{span.label}"
    return tags
