"""The question that settles which of the candidates is meant, and the reply to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from huiyi.values import Candidate, Question, Record, Span, Task

MOST_OPTIONS = 4

_WORDING = {
    "en": {
        "one": "Do you mean: {}?",
        "many": "Do you mean: {}?",
        "join": ", ",
        "last": ", or ",
        "other": "something else",
        "span": "Is “{}” the {}?",
        "yes": "yes",
        "no": "no",
    },
    "zh": {
        "one": "您是想：{}吗？",
        "many": "您是想：{}？",
        "join": "、",
        "last": "，还是",
        "other": "其他",
        "span": "“{}”是{}吗？",
        "yes": "是",
        "no": "不是",
    },
}


_OTHERS = frozenset(wording["other"].casefold() for wording in _WORDING.values())


def language_of(text: str) -> Literal["en", "zh"]:
    """The language to answer in: ``zh`` if a fifth of the letters are Chinese, else ``en``.

    Example:
        >>> language_of("我的 card 还没到"), language_of("where is my card"), language_of("")
        ('zh', 'en', 'en')
    """
    letters = [character for character in text[:2000] if character.isalpha()]
    chinese = sum("\u4e00" <= letter <= "\u9fff" for letter in letters)
    return "zh" if letters and chinese / len(letters) >= 0.2 else "en"


def ask(task: Task, candidates: Sequence[Candidate], *, language: str = "en") -> Question:
    """Make the question of the likeliest candidates.

    Example:
        >>> from huiyi.values import Label
        >>> task = Task("intent", "choice", (Label("refund"), Label("delay", {"en": "a late train"})))
        >>> ask(task, [Candidate("delay", 0.5), Candidate("refund", 0.4)]).text
        'Do you mean: a late train, or refund?'
    """
    wording = _WORDING["zh" if language == "zh" else "en"]
    labels = {label.name: label for label in task.labels}
    words = [labels[candidate.label].words(language) for candidate in candidates[:MOST_OPTIONS]]
    taken = Counter(other.words(language).casefold() for other in task.labels)
    words = [  # two labels that are worded alike, or like the last option, are told apart by their names
        word if taken[word.casefold()] == 1 and word.casefold() not in _OTHERS else candidate.label
        for word, candidate in zip(words, candidates, strict=False)
    ]
    listed = words[0] if len(words) == 1 else wording["last"].join([wording["join"].join(words[:-1]), words[-1]])
    text = wording["one" if len(words) == 1 else "many"].format(listed)
    return Question(text, (*words, wording["other"]), about=task.name)


def ask_about(task: Task, span: Span, text: str, *, language: str = "en") -> Question:
    """Make the question whether a span is what it was taken for.

    Example:
        >>> from huiyi.values import Label
        >>> task = Task("slots", "spans", (Label("arrival_city"),))
        >>> ask_about(task, Span("arrival_city", 3, 9), "to Yunmen").text
        'Is “Yunmen” the arrival city?'
    """
    wording = _WORDING["zh" if language == "zh" else "en"]
    words = next(label.words(language) for label in task.labels if label.name == span.label)
    text = wording["span"].format(text[span.start : span.end], words)
    return Question(text, (wording["yes"], wording["no"]), about=task.name)


def says_yes(task: Task, record: Record) -> bool | None:
    """Whether the person, when asked, said yes or no; None when neither.

    Example:
        >>> says_yes(Task("slots", "spans", ()), Record(answers={"slots": "Yes"}))
        True
    """
    reply = record.answers.get(task.name, "").strip().casefold()
    for answer, is_yes in (("yes", True), ("no", False)):
        if reply in {wording[answer] for wording in _WORDING.values()}:
            return is_yes
    return None


def is_none_of_these(task: Task, record: Record) -> bool:
    """Whether the person, when asked, said that it is something else."""
    reply = record.answers.get(task.name, "").strip().casefold()
    return reply in _OTHERS and reply_to(task, record) is None


def reply_to(task: Task, record: Record) -> str | None:
    """The label the person named when asked: by its name, or by a wording in any language that no other label has."""
    reply = record.answers.get(task.name, "").strip()
    if reply in task.names:
        return reply
    meant = [
        label.name
        for label in task.labels
        if reply.casefold() in {words.casefold() for words in (label.name, label.words(), *label.descriptions.values())}
    ]
    return meant[0] if len(meant) == 1 and reply.casefold() not in _OTHERS else None
