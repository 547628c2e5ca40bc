"""A decision in words, for people."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from huiyi.evaluate.wording import wording

if TYPE_CHECKING:
    from huiyi.pipeline import Model
    from huiyi.values import Decision, Task

_KINDS = {
    "en": {
        "act": "act",
        "clarify": "clarify",
        "decline": "decline",
        "familiar": "as strange as {:.1%} of what is in scope",
        "unheard": "there is nothing in it that the model listens to",
        "counted": "what counted: ",
        "do": "what to do",
        "answer": "  (to reply: --answer {})",
        "ocr": "read in the picture: “{}”",
        "speech": "heard in the recording: “{}”",
    },
    "zh": {
        "act": "执行",
        "clarify": "询问",
        "decline": "拒绝",
        "familiar": "陌生程度：范围内仅 {:.1%} 的请求与之相当",
        "unheard": "其中没有模型能感知的内容",
        "counted": "依据：",
        "do": "应当",
        "answer": "  （回答：--answer {}）",
        "ocr": "图中文字：“{}”",
        "speech": "语音内容：“{}”",
    },
}


def in_words(decision: Decision, model: Model, text: str, language: str) -> list[str]:
    """A decision for people, task by task, and what was read in pictures and heard in recordings."""
    text = text if text.strip() else "\n".join(reading.text for reading in decision.readings.values())
    read = _readings_in_words(decision, language)
    if not decision.tasks:
        return [*read, *_one_in_words(decision, model, model.task, text, language)]
    return read + [
        f"{task.name}: {line}" if number == 0 else line
        for task in model.tasks
        for number, line in enumerate(_one_in_words(decision.tasks[task.name], model, task, text, language))
    ]


def _readings_in_words(decision: Decision, language: str) -> list[str]:
    """What was read in pictures and heard in recordings, for people: a line each."""
    return [
        _KINDS[language][source].format(" ".join(reading.text.split())) for source, reading in decision.readings.items()
    ]


def _one_in_words(decision: Decision, model: Model, task: Task, text: str, language: str) -> list[str]:
    """A decision on one task for people."""
    words = _KINDS[language]
    labels = {label.name: label.words(language) for label in task.labels}
    named = ", ".join(f"{name} ({labels[name]})" for name in decision.labels)
    if task.kind == "spans":
        named = ", ".join(f"“{text[span.start : span.end]}” {labels[span.label]}" for span in decision.spans) or "–"
    lines = [f"{words[decision.kind]}: {named} {decision.probability:.1%}"]
    if decision.kind == "decline" and task.kind != "spans":
        why = words["familiar"].format(decision.in_scope) if decision.in_scope else words["unheard"]
        lines = [f"{words['decline']}: {why}"]
    if decision.question is not None:
        lines = [f"{words['clarify']}: {decision.question.text}"]
        if decision.question.about == task.name and task.kind != "spans":
            *options, other = decision.question.options
            lines += [
                f"  {option} {c.probability:.1%}" for option, c in zip(options, decision.candidates, strict=False)
            ]
            lines += [f"  {other}"]
        else:
            lines += [f"  {option}" for option in decision.question.options]
            reply = f"{decision.question.about}=…"
            is_one_word = re.fullmatch(r"[\w=…]+", reply) is not None  # to a shell
            lines += [words["answer"].format(reply if is_one_word else shlex.quote(reply))]
    if decision.action is not None:
        action = decision.action
        called = action if model.reasoner is None else model.reasoner.label(action, language)
        lines += [f"  {words['do']}: {action}" + (f" ({called})" if called != action else "")]
    if decision.shares:
        sources = wording(language).sources
        shares = (f"{sources.get(source, source)} {share:+.1%}" for source, share in decision.shares.items())
        lines += [f"  {words['counted']}{', '.join(shares)}"]
    return lines
