"""What a whole model goes by, for people: in words, as a part of the report, and as a page of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from huiyi.evaluate.markup import Column, isolated, one_line, section, table
from huiyi.evaluate.wording import wording
from huiyi.storage import write_page

if TYPE_CHECKING:
    from huiyi.explain import Driver, Overview

_TEMPLATE = Path(__file__).with_name("page.html")
_MOST_SAID = 5  # words of a label in the terminal
_VIEWS_ZH = {"phrases": "短语", "words": "词语"}  # of the text, beside what is called by its source

_SAID = {
    "en": {
        "title": "What the model goes by",
        "labels": "What drives each label",
        "pairs": "What is mixed up, and what tells it apart",
        "exact": "A word speaks for a label by what it adds to the label's log-odds, told by the head that is linear "
        "in words, and by how many of the label's rows have it. Other signals see the whole text and have their part.",
        "left_out": "A word speaks for a label by what the label's log-odds lose on average without it, in {rows} "
        "training rows, and by how many of the label's rows have it.",
        "signals": "What each signal adds is a mean over {rows} training rows, which the model has learnt.",
        "pairs_note": "Of the rows of both labels, the share that is taken for the other when it is left out, by the "
        "head that compares texts.",
        "short": "There was too little time to look at all training rows.",
        "label": "Label",
        "words": "Words (log-odds, rows)",
        "fields": "Fields (log-odds)",
        "signals_column": "Signals (log-odds)",
        "both": "Labels",
        "mixed_up": "Mixed up",
        "first": "Words for the first",
        "second": "Words for the second",
        "nothing": "nothing stands out",
        "and": " / ",
    },
    "zh": {
        "title": "模型的判断依据",
        "labels": "每个标签的依据",
        "pairs": "容易混淆的标签，以及如何区分",
        "exact": "词语对标签的作用：它使标签的对数优势增加多少（由对词语线性的部分给出），以及该标签有多少数据用到它。"
        "其余信号看整段文本，也起作用。",
        "left_out": "词语对标签的作用：在 {rows} 条训练数据中去掉它后，标签的对数优势平均减少多少，"
        "以及该标签有多少数据用到它。",
        "signals": "每种信号的贡献是 {rows} 条训练数据的平均值，模型已学过这些数据。",
        "pairs_note": "两个标签的数据中，留出后被比较文本的部分误认为另一个标签的比例。",
        "short": "时间太少，没有看完所有训练数据。",
        "label": "标签",
        "words": "词语（对数优势，数据占比）",
        "fields": "字段（对数优势）",
        "signals_column": "信号（对数优势）",
        "both": "标签",
        "mixed_up": "混淆",
        "first": "支持前者的词语",
        "second": "支持后者的词语",
        "nothing": "没有突出的依据",
        "and": " / ",
    },
}


def overview_in_words(overview: Overview, language: str = "en", about: str | None = None) -> list[str]:
    """A line for each label, or for the one asked about, then one for each pair of labels that is mixed up.

    Example:
        >>> import huiyi
        >>> from huiyi.evaluate import overview
        >>> model = huiyi.train([("where is my card", "arrival"), ("my card was stolen", "theft")])
        >>> overview_in_words(overview(model), about="theft")[0].split(",")[0]
        'theft: stolen +0.4 (100%)'
    """
    said = _SAID[language]
    colon = "：" if language == "zh" else ": "
    lines = []
    for one in overview.labels:
        if about in (None, one.label):
            told = ", ".join(map(_driver, one.words[:_MOST_SAID])) or said["nothing"]
            fields = f"; {', '.join(map(_driver, one.fields[:_MOST_SAID]))}" if one.fields else ""
            lines.append(f"{one.label}{colon}{told}{fields}")
    pairs = [pair for pair in overview.pairs if about is None or about in pair.labels]
    if pairs:
        lines += ["", f"{said['pairs']}{colon.rstrip()}"]
    for pair in pairs:
        share = "" if pair.mixed_up is None else f" {pair.mixed_up:.0%}"
        sides = said["and"].join(", ".join(one.text for one in side[:_MOST_SAID]) or "–" for side in pair.words)
        lines.append(f"  {said['and'].join(pair.labels)}{share}{colon}{sides}")
    return [*lines, "", *_notes(overview, language, signals=False)]


def overview_on_page(overview: Overview, language: str, counts: Mapping[tuple[str, str], int] | None = None) -> str:
    """The same as parts of a page.

    Args:
        overview: What was found.
        language: ``en`` or ``zh``.
        counts: Pair of labels to the test rows that were mixed up, where that was measured.
    """
    said = _SAID[language]
    has_fields = any(one.fields for one in overview.labels)
    has_signals = any(len(one.signals) > 1 for one in overview.labels)
    columns = [Column(said["label"]), Column(said["words"], "wide")]
    columns += [Column(said["fields"], "wide")] * has_fields + [Column(said["signals_column"])] * has_signals
    rows = [
        (
            one.label,
            ", ".join(map(_driver, one.words)) or "–",
            *([", ".join(map(_driver, one.fields)) or "–"] if has_fields else []),
            *([_signals(one.signals, language)] if has_signals else []),
        )
        for one in overview.labels
    ]
    notes = [one_line(note, most=1000) for note in _notes(overview, language, signals=has_signals)]
    parts = [section(said["labels"], table(columns, rows), note=" ".join(notes), style="driven")]
    if overview.pairs:
        told = [_mixed_up(pair.labels, pair.mixed_up, counts) for pair in overview.pairs]
        columns = [Column(said["both"]), *([Column(said["mixed_up"], "number")] if any(told) else [])]
        columns += [Column(said["first"], "wide"), Column(said["second"], "wide")]
        rows = [
            (
                said["and"].join(pair.labels),
                *([share or "–"] if any(told) else []),
                *(", ".join(one.text for one in side) or "–" for side in pair.words),
            )
            for pair, share in zip(overview.pairs, told, strict=True)
        ]
        note = "" if counts else one_line(said["pairs_note"], most=1000)
        parts.append(section(said["pairs"], table(columns, rows), note=note, style="driven"))
    return "\n".join(parts)


def write_overview(overviews: Sequence[Overview], model: str, path: str | Path, *, language: str = "en") -> None:
    """Write what a model goes by, task by task, as a self-contained HTML page.

    Args:
        overviews: Of each task.
        model: SHA-256 of the model, or "".
        path: The file to write.
        language: ``en`` or ``zh``.

    Raises:
        OutputError: The file cannot be written there.
    """
    said = _SAID[language]
    body = [
        f"<article><h1>{isolated(said['title'] + ' · ' + one.task)}</h1>\n{overview_on_page(one, language)}</article>"
        for one in overviews
    ]
    page = Template(_TEMPLATE.read_text("utf-8")).substitute(
        language=wording(language).code,
        title=one_line(said["title"]),
        body="\n".join([*body, f'<p class="soft">{isolated(model)}</p>']),
    )
    write_page(Path(path), page, what="the explanation of the model")


def _notes(overview: Overview, language: str, *, signals: bool) -> list[str]:
    """How it was found, with or without what is told of signals."""
    said = _SAID[language]
    notes = [said["exact"] if overview.is_exact else said["left_out"].format(rows=f"{overview.rows:,}")]
    if signals:
        notes.append(said["signals"].format(rows=f"{overview.rows:,}"))
    return notes if overview.sufficed else [*notes, said["short"]]


def _driver(driver: Driver) -> str:
    return f"{driver.text} {driver.weight:+.1f}" + ("" if driver.share is None else f" ({driver.share:.0%})")


def _signals(signals: Mapping[str, float], language: str) -> str:
    called = {**wording(language).sources, **(_VIEWS_ZH if language == "zh" else {})}
    return ", ".join(f"{called.get(name, name)} {added:+.1f}" for name, added in signals.items()) or "–"


def _mixed_up(labels: tuple[str, str], share: float | None, counts: Mapping[tuple[str, str], int] | None) -> str:
    if counts is not None:
        return f"{counts.get(labels, 0):,}"
    return "" if share is None else f"{share:.0%}"
