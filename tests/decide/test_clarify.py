import pytest

from huiyi.decide import ask, language_of, reply_to
from huiyi.decide.clarify import MOST_OPTIONS
from huiyi.values import Candidate, Label, Record, Task

TASK = Task(
    "intent",
    "choice",
    (
        Label("late_train", {"en": "a late train", "zh": "火车晚点"}),
        Label("refund", {"zh": "退票"}),
        Label("lost_item"),
        Label("petTravel"),
        Label("food", {"": "something to eat"}),
    ),
)


def candidates(*names: str) -> list[Candidate]:
    return [Candidate(name, 0.2) for name in names]


@pytest.mark.parametrize(
    ("names", "language", "text"),
    [
        (["late_train"], "en", "Do you mean: a late train?"),
        (["late_train"], "zh", "您是想：火车晚点吗？"),
        (["late_train", "lost_item"], "en", "Do you mean: a late train, or lost item?"),
        (["late_train", "refund", "petTravel"], "en", "Do you mean: a late train, 退票, or pet travel?"),
        (["late_train", "refund"], "zh", "您是想：火车晚点，还是退票？"),
        (["food", "refund", "late_train"], "zh", "您是想：something to eat、退票，还是火车晚点？"),
    ],
)
def test_wording(names: list[str], language: str, text: str) -> None:
    question = ask(TASK, candidates(*names), language=language)
    assert question.text == text
    assert question.about == "intent"
    assert question.options[-1] == {"en": "something else", "zh": "其他"}[language]
    assert all(option in text for option in question.options[:-1])


def test_no_more_options_than_people_read() -> None:
    question = ask(TASK, candidates(*TASK.names))
    assert len(question.options) == MOST_OPTIONS + 1
    assert "something to eat" not in question.text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_option_settles_the_question(language: str) -> None:
    for name in TASK.names:
        option = ask(TASK, candidates(name), language=language).options[0]
        assert reply_to(TASK, Record(answers={"intent": option})) == name


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        ("late_train", "late_train"),
        ("  A Late TRAIN ", "late_train"),
        ("火车晚点", "late_train"),
        ("pet travel", "petTravel"),
        ("something else", None),
        ("late", None),
        ("", None),
    ],
)
def test_replies(reply: str, label: str | None) -> None:
    assert reply_to(TASK, Record(answers={"intent": reply})) == label
    assert reply_to(TASK, Record(answers={"topic": reply})) is None


@pytest.mark.parametrize(
    ("text", "language"), [("我要改 booking", "zh"), ("change 我的 booking please", "en"), ("123", "en")]
)
def test_language(text: str, language: str) -> None:
    assert language_of(text) == language
