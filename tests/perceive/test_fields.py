"""Fields of forms and profiles."""

from datetime import date, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huiyi.perceive.fields import KNOTS, MISSING, RARE, Field, FieldsPerceiver, as_moment, as_number, written
from huiyi.values import Record


def fitted(*values: Any) -> Field:
    """What is learnt of one field with these values."""
    perceiver = FieldsPerceiver()
    perceiver.fit([Record(fields={"it": value}) for value in values])
    return perceiver.fields["it"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "2.5", "-3e2", "1,000"], "number"),
        ([1, 2.5, True], "category"),
        (["2024-05-01", "2024-06-30T09:30"], "date"),
        ([date(2024, 5, 1), datetime(2024, 6, 30, 9, 30)], "date"),
        (["gold", "free", "gold"], "category"),
        (["金卡", "普通", "金卡"], "category"),
        ([True, False], "category"),
        ([["a", "b"], ("a",), []], "list"),
        (["1", "2", "n/a"], "category"),
    ],
)
def test_kinds(values: list[Any], kind: str) -> None:
    assert fitted(*values).kind == kind


def test_one_unreadable_value_in_twenty_leaves_numbers_numbers() -> None:
    field = fitted(*range(19), "unknown")
    assert field.kind == "number"
    assert field.places("unknown").tolist()[RARE] == 1


@given(
    st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=60, unique=True),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_a_number_lies_between_two_knots(numbers: list[float], asked: float) -> None:
    field = fitted(*numbers)
    shares, knots = field.places(asked)[2:], np.array(field.knots)
    assert len(knots) <= KNOTS and shares.sum() == pytest.approx(1, abs=1e-5) and (shares >= 0).all()
    marked = np.flatnonzero(shares)
    assert len(marked) <= 2 and np.ptp(marked) <= 1
    inside = float(np.clip(asked, knots[0], knots[-1]))
    assert shares @ knots == pytest.approx(inside, abs=1e-4 * (1 + np.abs(knots).max()))


def test_few_numbers_have_a_place_each() -> None:
    field = fitted(1, 2, 5, 5, 2)
    assert [field.places(number)[2:].tolist() for number in (1, 2, 5)] == np.eye(3).tolist()


def test_an_outlier_is_no_further_out_than_what_was_seen() -> None:
    field = fitted(*range(100))
    np.testing.assert_array_equal(field.places(1e300), field.places(99))


def test_rare_unseen_and_missing_values() -> None:
    field = fitted("gold", "gold", "free", "free", "odd")
    assert field.values == ("free", "gold")
    assert field.places("odd").tolist() == field.places("never seen").tolist() == [0, 1, 0, 0]
    for nothing in (None, "", "  ", float("nan")):
        assert field.places(nothing).tolist()[MISSING] == 1


@pytest.mark.parametrize("same", [("Gold", " gold "), (True, "true"), (1.0, "1"), (1, "1")])
def test_the_same_value_written_otherwise(same: tuple[Any, Any]) -> None:
    field = Field("category", values=("1", "gold", "true"))
    assert field.places(same[0]).tolist() == field.places(same[1]).tolist()
    assert not field.places(same[0])[RARE]


def test_lists_are_as_long_whatever_they_hold() -> None:
    field = fitted(["a", "b"], ["b"], ["a", "c"], ["c", "c"])
    for items in (["a"], ["a", "b"], ["a", "b", "c"], "a"):
        assert np.linalg.norm(field.places(items)) == pytest.approx(1)
    assert field.places(["a", "never seen"])[RARE] > 0


def test_dates() -> None:
    field = fitted("2024-01-01", "2024-07-01", "2024-12-31")
    first, same_weekday, other = map(field.places, ("2024-01-01", "2024-01-08", "2024-07-02T15:00+02:00"))
    along = 2 + len(field.knots)
    np.testing.assert_array_equal(first[along:], same_weekday[along:])  # month, weekday, hour
    assert not (first[along:] * other[along:]).any()
    assert field.places("soon")[RARE] == 1


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers()), st.dates()))
def test_any_value_has_places(value: Any) -> None:
    for field in (
        Field("number", knots=(0.0, 1.0)),
        Field("date", knots=(0.0, 20_000.0)),
        Field("category", values=("a",)),
        Field("list", values=("1",)),
    ):
        places = field.places(value)
        assert np.isfinite(places).all() and places.min() >= 0
        assert 0 < places.max() <= 1


def test_what_is_no_number_and_no_moment() -> None:
    assert [as_number(value) for value in ("", "inf", "nan", "1e999", True, None, [1], "10 kg")] == [None] * 8
    assert [as_moment(value) for value in ("", "13:00", "2024-13-01", 20240501, None)] == [None] * 5
    assert as_number(10**400) is None


def test_prose_is_read_and_not_looked_up() -> None:
    notes = ["the zip of the jacket came off on the first day", "it arrived, but two sizes too small for me"]
    records = [Record(fields={"note": note, "plan": "gold"}) for note in notes]
    perceiver = FieldsPerceiver()
    perceiver.fit(records)
    assert perceiver.fields["note"].kind == "prose"
    shown = [perceiver.fields["note"].places(value).tolist() for value in (*notes, None)]
    assert shown == [[0, 1], [0, 1], [1, 0]]
    assert [written(record) for record in records] == notes


def test_a_field_that_training_never_saw_says_nothing() -> None:
    perceiver = FieldsPerceiver()
    perceiver.fit([Record(fields={"plan": "gold"})] * 2)
    signals, present = perceiver.perceive([Record(fields={"colour": "red"}), Record(fields={"plan": "gold", "x": 1})])
    assert present.tolist() == [False, True]
    assert signals["fields"].shape == (2, 3)


def test_a_field_that_is_never_filled_says_nothing() -> None:
    perceiver = FieldsPerceiver()
    perceiver.fit([Record(fields={"note": None, "x": ""}), Record(fields={"x": float("nan")})])
    signals, present = perceiver.perceive([Record(fields={"note": "now it is"}), Record()])
    assert np.isfinite(signals["fields"]).all()
    assert present.tolist() == [True, False]
