"""The question that settles which of the candidates is meant, and the reply to it."""

from __future__ import annotations

from collections.abc import Sequence

from huiyi.values import Candidate, Question, Record, Task

MOST_OPTIONS = 4

_WORDING = {
    "en": {
        "one": "Do you mean: {}?",
        "many": "Do you mean: {}?",
        "join": ", ",
        "last": ", or ",
        "other": "something else",
    },
    "zh": {"one": "您是想：{}吗？", "many": "您是想：{}？", "join": "、", "last": "，还是", "other": "其他"},
}


def language_of(text: str) -> str:
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
    listed = words[0] if len(words) == 1 else wording["last"].join([wording["join"].join(words[:-1]), words[-1]])
    text = wording["one" if len(words) == 1 else "many"].format(listed)
    return Question(text, (*words, wording["other"]), about=task.name)


def is_none_of_these(task: Task, record: Record) -> bool:
    """Whether the person, when asked, said that it is something else."""
    reply = record.answers.get(task.name, "").strip().casefold()
    return reply in {wording["other"].casefold() for wording in _WORDING.values()}


def reply_to(task: Task, record: Record) -> str | None:
    """The label the person named when asked, by its name or its description in any language."""
    reply = record.answers.get(task.name, "").strip().casefold()
    if not reply:
        return None
    for label in task.labels:
        known = {label.name, label.words(), *label.descriptions.values()}
        if reply in {words.casefold() for words in known}:
            return label.name
    return None
