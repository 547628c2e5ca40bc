from dataclasses import FrozenInstanceError, fields, is_dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from huiyi import values
from huiyi.values import (
    Context,
    Decision,
    Inference,
    Intents,
    Label,
    Media,
    Ragged,
    Record,
    Span,
    Task,
    Turn,
    alike,
    is_blank,
    spelt,
)

SHARED = [value for value in vars(values).values() if is_dataclass(value)]


@pytest.mark.parametrize("kind", SHARED, ids=lambda kind: kind.__name__)
def test_values_are_frozen(kind: type) -> None:
    value = kind.__new__(kind)
    with pytest.raises(FrozenInstanceError):
        setattr(value, fields(kind)[0].name, None)


def test_values_with_arrays_compare_by_identity() -> None:
    assert [kind for kind in SHARED if kind.__eq__ is object.__eq__] == [Ragged, Context, Intents, Inference]


def test_defaults_are_not_shared_mutables() -> None:
    for mapping in (Record().fields, Record().labels, Label("a").descriptions):
        with pytest.raises(TypeError):
            mapping["x"] = 1  # type: ignore[index]


def test_a_label_in_words() -> None:
    label = Label("cardArrival", {"en": "where is my card", "zh": "卡还没到"})
    assert [label.words(language) for language in ("en", "zh", "de", "")] == [
        "where is my card",
        "卡还没到",
        "where is my card",
        "where is my card",
    ]
    assert Label("lostCard/PIN-code").words() == "lost card pin code"
    assert Label("x", {"en": ""}).words("en") == "x"


def test_columns_follow_the_labels() -> None:
    assert Task("intent", "choice", (Label("b"), Label("a"))).names == ("b", "a")


@given(st.text())
@example("A𝐴")  # a capital without a small letter
def test_any_name_can_be_spelt(name: str) -> None:
    words = spelt(name)
    assert words == words.lower().strip()
    assert spelt(words) == words
    assert "".join(words.split()) == "".join(c for c in name.lower() if c not in "_-/." and not c.isspace())


def test_a_decision_needs_no_question() -> None:
    decision = Decision("d", "r", "act", "intent", "a", ("a",), 0.9, 0.5, ())
    assert (decision.question, decision.action, decision.propensity) == (None, None, None)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("refund", ("refund",)),
        (("refund", "card"), ("refund", "card")),
        ((), ()),
        ((Span("city", 0, 4), Span("day", 5, 9)), ("city", "day")),
        ("oos", ("oos",)),
        (("oos",), ("oos",)),
    ],
)
def test_the_labels_of_a_record_whatever_the_kind_of_task(given: object, names: tuple[str, ...]) -> None:
    record = Record(labels={"intent": given})
    assert record.labels_of("intent") == names
    assert record.is_out_of_scope("intent") == (names == ("oos",))
    assert record.labels_of("another task") == ()
    assert not record.is_out_of_scope("another task")


def test_blank_texts() -> None:
    assert all(map(is_blank, (None, "", " ", "\0\0", "\r\n\t")))
    assert not any(map(is_blank, (".", "\0a", "　卡　")))


def test_texts_that_differ_in_case_and_white_space_alone() -> None:
    assert alike(" Where is\tMY card\n") == alike("where is my card") != alike("where is my cards")
    assert alike(None) == ""


def test_a_record_that_says_nothing() -> None:
    assert Record().says_nothing
    assert Record(text="\u3000").says_nothing
    assert not Record(text="?").says_nothing
    assert not Record(history=(Turn("user", "hello"),)).says_nothing
    assert not Record(fields={"plan": "gold"}).says_nothing
    assert not Record(images=(Media(content=b"..."),)).says_nothing
