"""Form fields, from rows to decisions, beside a text and alone."""

from pathlib import Path

import numpy as np
import pytest

import huiyi
from huiyi import Columns, TrainConfig
from huiyi.values import Record

WORDS = TrainConfig(signals=("words", "fields"))
COLUMNS = Columns(label="team", fields=("plan", "age", "since"))


def rows(n: int, seed: int = 0) -> list[dict[str, object]]:
    """Half of what decides stands in the text, half in the form, which now and then is blank."""
    rng = np.random.default_rng(seed)
    found: list[dict[str, object]] = []
    for _ in range(n):
        lost, gold = rng.random(2) < 0.5
        form = {"plan": "gold" if gold else "free", "age": int(rng.integers(40, 80) if gold else rng.integers(18, 50))}
        found.append(
            {
                "text": f"my bag is {'lost' if lost else 'broken'} {rng.integers(1000)}",
                **(dict.fromkeys(form, "") if rng.random() < 0.2 else form),
                "since": f"20{rng.integers(10, 25)}-0{rng.integers(1, 10)}-15",
                "team": f"{'search' if lost else 'repair'} {'first' if gold else 'later'}",
            }
        )
    return found


@pytest.fixture(scope="module")
def model() -> huiyi.Model:
    return huiyi.train(rows(600), columns=COLUMNS, config=WORDS)


def test_both_sources_count(model: huiyi.Model) -> None:
    assert set(model.skills["team"].summary["weights"]) >= {"words/svm", "fields/logistic"}
    assert model.fields == ("age", "plan", "since")
    told = {
        form["plan"]: model.decide(Record(text="bag is lost", fields=form)).label
        for form in ({"plan": "gold"}, {"plan": "free"})
    }
    assert told == {"gold": "search first", "free": "search later"}


def test_lacking_the_form_it_is_unsure_which_of_two(model: huiyi.Model) -> None:
    decision = model.decide("my bag is lost")
    shares = {candidate.label: candidate.probability for candidate in decision.candidates}
    assert set(shares) == {"search first", "search later"}
    assert decision.probability < 0.65
    assert model.decide(Record(text="bag is lost", fields={"plan": "gold", "age": 70})).probability > 0.9


def test_the_form_alone(model: huiyi.Model) -> None:
    decision = model.decide(Record(fields={"plan": "gold", "age": "70"}))
    assert {candidate.label for candidate in decision.candidates} == {"search first", "repair first"}
    assert model.decide(Record(fields={"colour": "red"})).kind == "decline"
    assert model.decide(Record()).in_scope == 0


def test_saving_and_loading(model: huiyi.Model, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    again = huiyi.load(tmp_path / "model")
    records = [Record(text="bag is lost", fields={"plan": "gold"}), Record(text="bag"), Record(fields={"age": 30})]
    for left, right in zip(model.decide_all(records), again.decide_all(records), strict=True):
        assert (left.label, left.probability, left.in_scope) == (right.label, right.probability, right.in_scope)


def test_fields_alone_are_no_repeats() -> None:
    people = [
        {"plan": plan, "team": team} for plan, team in [("gold", "a"), ("gold", "a"), ("gold", "b"), ("free", "b")]
    ]
    model = huiyi.train(people * 40, columns=Columns(label="team", fields=("plan",)))
    assert model.summary["rows"] == 160
    told = model.decide(Record(fields={"plan": "gold"}))
    assert (told.label, told.probability) == ("a", pytest.approx(2 / 3, abs=0.08))


def test_the_same_text_with_other_fields_is_no_repeat() -> None:
    said = [{"text": "hello", "plan": plan, "intent": plan[0]} for plan in ("gold", "gold", "free", "gold", "free")]
    model = huiyi.train(said, columns=Columns(fields=("plan",)), config=WORDS)
    assert model.summary["rows"] == 2


def test_prose_in_a_field_is_read() -> None:
    notes = {"a": "the zip of the jacket came off on the first day", "b": "it has never arrived, where is my parcel"}
    said = [{"note": f"{text} {i}", "intent": label} for i in range(20) for label, text in notes.items()]
    model = huiyi.train(said, columns=Columns(fields=("note",)))
    assert model.decide(Record(fields={"note": "the parcel that I ordered did not arrive yet"})).label == "b"


def test_shares_sum_to_what_is_known(model: huiyi.Model) -> None:
    records = [
        Record(text="bag is lost", fields={"plan": "gold", "age": 70}),
        Record(text="bag is lost"),
        Record(fields={"plan": "gold"}),
        Record(),
        Record(text="bag is lost", answers={"team": "search first"}),
    ]
    decisions = model.decide_all(records, explain=True)
    both, text, form, nothing, replied = (dict(decision.shares or {}) for decision in decisions)
    for decision, shares in zip(decisions[:4], (both, text, form, nothing), strict=True):
        assert sum(shares.values()) == pytest.approx(decision.probability - 1 / 4, abs=1e-5)
    assert both["text"] > 0.1 and both["fields"] > 0.1
    assert set(text) == {"text"} and set(form) == {"fields"} and nothing == replied == {}
    assert model.decide("bag is lost").shares is None
