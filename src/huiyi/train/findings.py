"""What a check can find, and the words for it in English and in Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

_WORDS: Mapping[str, tuple[str, str]] = {
    "empty": ("rows with nothing to read: {count}", "没有内容的行：{count}"),
    "too long": ("texts of more than {most:,} characters: {count}", "超过 {most:,} 个字符的文本：{count}"),
    "one label": ("there is only the label {labels}; expected two or more", "只有一个标签 {labels}，至少需要两个"),
    "class size": (
        "labels with fewer than {least} rows, too few to tell or to judge: {labels}",
        "不足 {least} 行的标签，难以学习也难以检查：{labels}",
    ),
    "imbalance": (
        "{label!r} has {count:,} rows, {times:.0f} times the median label",
        "{label!r} 有 {count:,} 行，是标签中位数的 {times:.0f} 倍",
    ),
    "spelling": ("labels that are spelt almost alike: {labels}", "拼写几乎相同的标签：{labels}"),
    "repeated": (
        "rows that repeat the text and the label of an earlier row: {count}",
        "文本和标签都与前面某行相同的行：{count}",
    ),
    "conflict": ("one text under {labels}: “{text}”", "同一文本有不同标签 {labels}：“{text}”"),
    "label error": (
        "rows whose label is in doubt, the most suspicious first: {count}",
        "标签可疑的行，最可疑的在前：{count}",
    ),
    "not checked": (
        "label errors were not looked for: that takes rows to read under two labels, and no spans",
        "未检查标签错误：需要至少两个标签下有可读的行，且不支持片段标注",
    ),
    "leak": (
        "the field {field!r} alone gives the label away: it tells {told:.1%} of {count:,} rows; "
        "always saying the commonest label, {base:.1%}",
        "字段 {field!r} 单独就泄露标签：{count:,} 行中能猜对 {told:.1%}，而只猜最常见的标签为 {base:.1%}",
    ),
    "language": (
        "texts mostly in letters that are neither Latin nor Chinese: {count}",
        "主要用拉丁字母和汉字以外的文字写成的文本：{count}",
    ),
    "overlap": ("rows whose text is also in {test}: {count}", "文本也出现在 {test} 中的行：{count}"),
    "overlap conflict": (
        "rows whose text has another label in {test}: {count}",
        "文本在 {test} 中标签不同的行：{count}",
    ),
    "unseen label": ("labels of {test} that no row here has: {labels}", "{test} 中有而这里没有的标签：{labels}"),
}
_SHOWN_CHARACTERS = 60

KINDS = tuple(_WORDS)
"""Every kind of finding, in the order in which findings are told."""


@dataclass(frozen=True)
class Finding:
    """One thing worth knowing of the data.

    Attributes:
        kind: One of ``KINDS``.
        rows: Numbers of the rows it is about, 1 for the first row of data.
        details: What its words are filled with.

    Example:
        >>> Finding("empty", rows=(3, 9), details={"count": 2}).message
        'rows with nothing to read: 2'
    """

    kind: str
    rows: tuple[int, ...] = ()
    details: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def message(self) -> str:
        """What was found, in one line of English."""
        return self.describe("en")

    def describe(self, language: str) -> str:
        """What was found, in one line of ``en`` or ``zh``."""
        return _WORDS[self.kind][("en", "zh").index(language)].format(**self.details)


def shown(text: str) -> str:
    r"""A text on one line, cut to size, without what a terminal would obey.

    Example:
        >>> shown("a\tb\x1b[31m")
        'a b�[31m'
    """
    line = " ".join(text[: 4 * _SHOWN_CHARACTERS].split())
    cut = line[:_SHOWN_CHARACTERS].rstrip() + "…" if len(line) > _SHOWN_CHARACTERS else line
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in cut)
