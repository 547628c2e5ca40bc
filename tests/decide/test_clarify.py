import pytest

from huiyi.decide import ask, is_none_of_these, language_of, reply_to
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


ALIKE = Task("intent", "choice", (Label("cardArrival"), Label("card_arrival"), Label("其他"), Label("refund")))


def test_labels_that_are_worded_alike_are_told_apart_by_their_names() -> None:
    names = ("cardArrival", "card_arrival", "refund")
    assert ask(ALIKE, candidates(*names)).options[:-1] == names
    for name in names:
        assert reply_to(ALIKE, Record(answers={"intent": name})) == name
    assert reply_to(ALIKE, Record(answers={"intent": "card arrival"})) is None


def test_a_label_called_like_the_last_option() -> None:
    assert reply_to(ALIKE, Record(answers={"intent": "其他"})) == "其他"  # its very name
    assert not is_none_of_these(ALIKE, Record(answers={"intent": "其他"}))
    assert is_none_of_these(ALIKE, Record(answers={"intent": "Something else"}))
    assert is_none_of_these(TASK, Record(answers={"intent": "其他"}))
