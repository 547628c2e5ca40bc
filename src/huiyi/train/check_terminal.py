"""A check, laid out for the terminal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from huiyi.train.findings import Finding, shown

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

    from huiyi.train.check import Check

_ERRORS_SHOWN = 20
_EACH_KIND_SHOWN = 5
_ROWS_SHOWN = 5
_LABELS_SHOWN = 5  # of the largest, and of the smallest


@dataclass(frozen=True)
class _Wording:
    summary: str
    languages: Mapping[str, str]
    labels: tuple[str, ...]
    findings: tuple[str, ...]
    errors: tuple[str, ...]
    nothing: str
    more: str
    more_errors: str


_ENGLISH = _Wording(
    summary="{source}: {rows:,} rows, {labels:,} labels. Texts: {languages}.",
    languages={"en": "Latin letters", "zh": "Chinese", "other": "other letters", "none": "no letters"},
    labels=("Label", "Rows"),
    findings=("Found", "Rows"),
    errors=("Row", "Text", "Label", "Perhaps", "Probability"),
    nothing="Nothing found.",
    more="… {count:,} more",
    more_errors="{count:,} more rows of which another label is likelier, if not by much; --json lists them all.",
)
_CHINESE = _Wording(
    summary="{source}：{rows:,} 行，{labels:,} 个标签。文本：{languages}。",
    languages={"en": "拉丁字母", "zh": "中文", "other": "其他文字", "none": "无文字"},
    labels=("标签", "行数"),
    findings=("发现", "所在行"),
    errors=("行", "文本", "标签", "或应为", "概率"),
    nothing="没有发现问题。",
    more="……另有 {count:,} 项",
    more_errors="另有 {count:,} 行，其他标签只是略微更像；--json 会全部列出。",
)


def check_table(found: Check, language: str = "en") -> Group:
    """Lay out a check: how large the labels are, what was found, and the most suspicious labels.

    Args:
        found: What ``check`` returned.
        language: ``en`` or ``zh``.

    Example:
        >>> rich.print(check_table(check("tickets.csv")))  # doctest: +SKIP
    """
    from rich.console import Group
    from rich.text import Text

    words = {"en": _ENGLISH, "zh": _CHINESE}[language]
    languages = ", ".join(f"{words.languages[code]} {count:,}" for code, count in found.languages.items())
    summary = words.summary.format(source=found.source, rows=found.rows, labels=len(found.labels), languages=languages)
    parts: list[Text | Table] = [Text(summary), Text(), _labels(found, words), Text()]
    if found.findings:
        parts.append(_findings(found, words, language))
    elif not found.label_errors:
        parts.append(Text(words.nothing))
    if found.label_errors:
        parts += [Text(), _errors(found, words)]
    if (left := len(found.label_errors) - _ERRORS_SHOWN) > 0:
        parts.append(Text(words.more_errors.format(count=left), style="dim"))
    return Group(*parts)


def _labels(found: Check, words: _Wording) -> Table:
    """The largest labels and the smallest."""
    table = _table(words.labels)
    labels = list(found.labels.items())
    left = len(labels) - 2 * _LABELS_SHOWN
    cut = left > 1
    for name, count in labels[:_LABELS_SHOWN] if cut else labels:
        _add(table, shown(name), f"{count:,}")
    if cut:
        _add(table, words.more.format(count=left), "")
        for name, count in labels[-_LABELS_SHOWN:]:
            _add(table, shown(name), f"{count:,}")
    return table


def _findings(found: Check, words: _Wording, language: str) -> Table:
    """Some findings of each kind."""
    table = _table(words.findings)
    kinds: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in found.findings:
        kinds[finding.kind].append(finding)
    for findings in kinds.values():
        for finding in findings[:_EACH_KIND_SHOWN]:
            rows = ", ".join(map(str, finding.rows[:_ROWS_SHOWN]))
            _add(table, finding.describe(language), rows + (", …" if len(finding.rows) > _ROWS_SHOWN else ""))
        if (left := len(findings) - _EACH_KIND_SHOWN) > 0:
            _add(table, words.more.format(count=left), "")
    return table


def _errors(found: Check, words: _Wording) -> Table:
    """The rows most suspicious."""
    table = _table(words.errors)
    for error in found.label_errors[:_ERRORS_SHOWN]:
        odds = f"{error.probability_given:.1%} → {error.probability_suggested:.1%}"
        _add(table, str(error.row), shown(error.text), shown(error.given), shown(error.suggested), odds)
    return table


def _table(headings: tuple[str, ...]) -> Table:
    from rich.table import Table

    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _add(table: Table, *cells: str) -> None:
    """Add a row of plain text: square brackets in data are no markup."""
    from rich.text import Text

    table.add_row(*map(Text, cells))
