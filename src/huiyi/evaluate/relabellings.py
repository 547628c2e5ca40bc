"""Which training rows would have to be labelled otherwise, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from huiyi.evaluate.markup import Column, isolated, section, table

if TYPE_CHECKING:
    from huiyi.explanation import Explanation

_SAID = {
    "en": {
        "heading": "What to relabel",
        "one": "It would be {label} if this training row were labelled so",
        "more": "It would be {label} if these {count} training rows were labelled so",
        "tried": "({probability:.1%}; the model's heads were fitted again to see)",
        "guessed": "(about {probability:.0%}: an estimate, nothing was fitted again)",
        "row": "Training row",
        "now": "Labelled now",
        "counts": "Counts",
    },
    "zh": {
        "heading": "改动哪些标注会改变结果",
        "one": "如果下面这条训练数据改标为 {label}，结果就会是 {label}",
        "more": "如果下面 {count} 条训练数据改标为 {label}，结果就会是 {label}",
        "tried": "（{probability:.1%}；已重新拟合验证）",
        "guessed": "（约 {probability:.0%}：仅为估计，没有重新拟合）",
        "row": "训练数据",
        "now": "现有标签",
        "counts": "作用",
    },
}


def relabelling_in_words(explanation: Explanation, language: str) -> list[str]:
    r"""A line that says what would come of it, and one for each row; nothing where no few rows would change it.

    Example:
        >>> from huiyi.explanation import Example, Explanation, Relabelling
        >>> found = Relabelling("theft", (Example("it was taken", ("loss",), 0.9, 0.2),), 0.7, is_verified=False)
        >>> explained = Explanation("intent", "loss", 0.8, 0.1, (), {}, "chains", 9, True, 0, relabelling=found)
        >>> print(*relabelling_in_words(explained, "en"), sep="\n")
        It would be theft if this training row were labelled so (about 70%: an estimate, nothing was fitted again):
          loss: “it was taken”
    """
    found = explanation.relabelling
    if found is None:
        return []
    rows = [f"  {', '.join(row.labels)}: “{' '.join(row.text.split())}”" for row in found.rows]
    return [f"{_told(explanation, language)}{'：' if language == 'zh' else ':'}", *rows]


def relabelling_on_page(explanation: Explanation, language: str) -> str:
    """The same as a part of a page; nothing where no few rows would change it."""
    found, said = explanation.relabelling, _SAID[language]
    if found is None:
        return ""
    columns = [Column(said["row"], "wide"), Column(said["now"]), Column(said["counts"], "number")]
    cells = [
        (row.text, ", ".join(row.labels), "–" if row.influence is None else f"{row.influence:+.3f}")
        for row in found.rows
    ]
    note = isolated(_told(explanation, language), most=1000)
    return section(said["heading"], table(columns, cells), note=note)


def _told(explanation: Explanation, language: str) -> str:
    """What would come of it, and how that is known."""
    found, said = explanation.relabelling, _SAID[language]
    assert found is not None
    claim = said["one" if len(found.rows) == 1 else "more"].format(label=found.label, count=len(found.rows))
    known = said["tried" if found.is_verified else "guessed"].format(probability=found.probability)
    return f"{claim}{'' if language == 'zh' else ' '}{known}"
