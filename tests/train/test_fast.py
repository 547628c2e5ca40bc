"""Training, on words alone where nothing else is asked: it takes milliseconds."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import huiyi
from huiyi import Columns, Model, Table, Task, TrainConfig
from huiyi.errors import DataError, OptionError
from huiyi.train import held_out_intents
from huiyi.values import Label, Record, Span, Turn

ROWS = [(f"{words} {i}", label) for i in range(20) for words, label in (("buy ticket", "buy"), ("train late", "delay"))]
OTHERS = [(f"{text}, please", label) for text, label in ROWS]
TASK = Task("intent", "choice", (Label("buy", {"en": "buy a ticket"}), Label("delay", {"en": "train is late"})))


@pytest.fixture
def train(words_only: TrainConfig) -> Any:
    def run(rows: Any, **options: Any) -> Model:
        return huiyi.train(rows, **{"config": words_only, **options})

    return run


def labels(model: Model, *texts: str) -> list[str | None]:
    return [model.decide(text).label for text in texts]


# What can be trained on


def test_two_classes(train: Any) -> None:
    model = train(ROWS)
    assert labels(model, "a ticket please", "is my train late") == ["buy", "delay"]
    assert model.task == Task("intent", "choice", (Label("buy"), Label("delay")))
    assert (model.summary["rows"], model.summary["notices"]) == (40, [])
    assert model.skills["intent"].summary["labels"] == 2


def test_one_example_a_class_with_all_signals() -> None:
    model = huiyi.train([("where is my card", "arrival"), ("火车晚点了", "delay"), ("my dog", "pet")])
    assert labels(model, "the card has not come", "is the train late?", "狗") == ["arrival", "delay", "pet"]
    assert model.promise.kind == "none"


def test_no_example_but_a_task(train: Any) -> None:
    model = train([Record(text="hello")], task=TASK)
    assert labels(model, "one ticket", "late again") == ["buy", "delay"]
    assert model.promise.kind == "none"


def test_a_class_without_example(train: Any) -> None:
    task = replace(TASK, labels=(*TASK.labels, Label("pet", {"en": "travel with a dog", "zh": "带狗"})))
    model = train(ROWS, task=task)
    assert model.task.names == ("buy", "delay", "pet")
    assert labels(model, "my dog wants to travel", "带狗", "ticket") == ["pet", "pet", "buy"]


def test_labels_beyond_the_task_file(train: Any) -> None:
    model = train([*ROWS, ("lost my bag", "lost")], task=TASK)
    assert model.task.names == ("buy", "delay", "lost")
    assert model.task.labels[0].descriptions == {"en": "buy a ticket"}


def test_rare_classes(train: Any) -> None:
    model = train([*ROWS * 3, ("lost my umbrella", "lost")])
    assert labels(model, "umbrella lost", "buy ticket", "train late") == ["lost", "buy", "delay"]


def test_numbers_and_chinese_as_labels(train: Any) -> None:
    model = train([{"text": text, "intent": {"buy": 7, "delay": "晚点"}[label]} for text, label in ROWS])
    assert model.task.names == ("7", "晚点")
    assert labels(model, "buy", "late") == ["7", "晚点"]


def test_chinese(train: Any) -> None:
    model = train([(f"{words}{i}", label) for i in range(10) for words, label in (("买票", "买"), ("晚点", "误"))])
    assert labels(model, "我想买一张票", "火车又晚点了") == ["买", "误"]


def test_several_labels(train: Any) -> None:
    rows = [
        {"text": f"{text} {i}", "intents": labels}
        for i in range(15)
        for text, labels in (("buy ticket", "buy"), ("train late", ["delay"]), ("buy late", "buy|delay"), ("hello", []))
    ]
    model = train(rows)
    assert model.task.kind == "several"
    told = {text: set(model.decide(text).labels) for text in ("buy", "late", "hello", "buy late 99")}
    assert told == {"buy": {"buy"}, "late": {"delay"}, "hello": set(), "buy late 99": {"buy", "delay"}}
    assert model.decide("buy").label is None


def test_several_labels_one_of_them_out_of_scope(train: Any) -> None:
    rows = [*({"text": text, "intents": [label]} for text, label in ROWS), {"text": "hm", "intents": ["oos", "buy"]}]
    with pytest.raises(DataError, match="oos"):
        train(rows)


def test_history_decides_what_yes_means() -> None:
    rows = [
        Record(text="yes", history=(Turn("agent", f"{words} {i}"),), labels={"intent": label})
        for i in range(4)
        for words, label in (("shall I book a ticket", "buy"), ("shall I report the delay", "delay"))
    ]
    model = huiyi.train(rows)
    asked = Record(text="yes", history=(Turn("agent", "may I book the ticket for you?"),))
    assert model.decide(asked).label == "buy"
    assert "history" in model.perception.names


def test_rows_out_of_scope_are_no_label(train: Any) -> None:
    strange = [(f"pizza {topping}", "oos") for topping in ("ham", "cheese", "corn", "egg", "tuna", "fish")]
    model = train([*ROWS, *strange])
    assert model.task.names == ("buy", "delay")
    assert model.promise.covers_oos
    assert model.decide("pizza with ham").in_scope < model.decide("buy ticket 3").in_scope
    assert model.decide("pizza with ham").kind == "decline"


def test_only_what_is_unlike_any_word_seen(train: Any) -> None:
    model = train(ROWS)
    decision = model.decide("🙏")
    assert decision.kind != "act"
    assert decision.probability == pytest.approx(0.5)


# What is noticed


def test_unlabelled_empty_and_repeated_rows_are_noticed(train: Any) -> None:
    model = train([*ROWS, ("buy  TICKET 0", "buy"), ("hello", None), ("", "buy"), (" \0", "delay")])
    assert model.summary["rows"] == len(ROWS)
    notices = " ".join(model.summary["notices"])
    assert "1 row without a label" in notices
    assert "2 rows with nothing to perceive, not trained on" in notices
    assert "1 row saying the same as one before under the same label, counted once" in notices


def test_columns_left_out_are_told(train: Any) -> None:
    model = train([{"text": text, "intent": label, "agent": "Li"} for text, label in ROWS])
    assert model.summary["left_out_columns"] == ["agent"]


def test_progress_reaches_its_end(train: Any) -> None:
    told: dict[str, list[tuple[int, int]]] = {}
    train(ROWS, validation=OTHERS, progress=lambda what, done, total: told.setdefault(what, []).append((done, total)))
    assert set(told) == {"reading", "learning", "held-out rows"}
    for steps in told.values():
        assert steps == sorted(steps)
        assert steps[-1][0] == steps[-1][1] > 0


def test_training_leaves_its_input_alone_and_repeats_itself(train: Any, desk_table: Table, desk_task: Task) -> None:
    before = [(record.text, record.labels["intent"]) for record in desk_table.records]
    first, second = (train(desk_table, task=desk_task) for _ in range(2))
    assert [(record.text, record.labels["intent"]) for record in desk_table.records] == before
    told = [m.align(m.perceive(desk_table.records)).probabilities for m in (first, second)]
    np.testing.assert_array_equal(*told)


# Held-out rows


def held_out_rows(n: int) -> list[tuple[str, str]]:
    return [(f"{('buy a ticket', 'the train is late')[i % 2]} {i}", ("buy", "delay")[i % 2]) for i in range(n)]


@pytest.mark.parametrize(("rows", "kind"), [(100, "guaranteed"), (20, "none")])
def test_held_out_rows_make_it_a_guarantee(train: Any, rows: int, kind: str) -> None:
    model = train(ROWS, validation=held_out_rows(rows))
    assert (model.promise.kind, model.promise.rows) == (kind, rows)
    assert model.skills["intent"].summary["held_out_rows"] == rows
    assert train([*ROWS, *held_out_rows(100)]).promise.kind == "estimated"


def test_held_out_labels_that_are_not_known_count_as_wrong(train: Any) -> None:
    strangers = [(text, "never seen") for text, _ in held_out_rows(300)[100:]]
    model = train(ROWS, validation=held_out_rows(100) + strangers)
    assert model.promise.kind == "none"
    assert model.task.names == ("buy", "delay")


def test_of_several_labels_one_that_is_not_known_makes_the_row_wrong(train: Any) -> None:
    def several(rows: Sequence[tuple[str, str]], *more: str) -> list[dict[str, Any]]:
        return [{"text": text, "intents": [label, *more]} for text, label in rows]

    assert train(several(ROWS), validation=several(held_out_rows(200))).promise.kind == "guaranteed"
    assert train(several(ROWS), validation=several(held_out_rows(200), "never seen")).promise.kind == "none"


def test_held_out_rows_out_of_scope(train: Any) -> None:
    strange = [(f"pizza {i}", "oos") for i in range(100)]
    model = train(ROWS, validation=held_out_rows(400) + strange, config=TrainConfig(signals=("words",), max_error=0.2))
    assert model.promise.covers_oos
    assert model.promise.kind == "guaranteed"


def test_held_out_intents_have_not_seen_their_row(desk_table: Table) -> None:
    contrary = replace(desk_table.records[0], labels={"intent": "check_delay"})
    changed = replace(desk_table, records=(contrary, *desk_table.records[1:]))
    records, intents = held_out_intents(changed)
    assert records[0].labels["intent"] == "check_delay"
    assert intents.task.names[int(intents.probabilities[0].argmax())] == "book_ticket"


# What is refused


def refused(train: Any, rows: Any, error: type[Exception] = DataError, **options: Any) -> str:
    with pytest.raises(error) as caught:
        train(rows, **options)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.parametrize("rows", [[("a", "x"), ("b", "x")], [("a", "x"), ("b", "oos")]])
def test_one_class(train: Any, rows: Sequence[tuple[str, str]]) -> None:
    assert "there is only the label 'x'; expected two or more" in refused(train, rows)


def test_blank_labels(train: Any) -> None:
    assert "blank in all 2 rows" in refused(train, [("a", ""), ("b", None)])
    assert "blank in all 2 rows" in refused(train, ROWS, validation=[("a", ""), ("b", None)])


def test_no_rows(train: Any) -> None:
    assert "empty" in refused(train, [])


def test_no_text(train: Any) -> None:
    assert "text" in refused(train, [("", "x"), (" ", "y")])


def test_spans_need_fine_tuning(train: Any) -> None:
    rows = [Record(text="to London", labels={"spans": (Span("city", 3, 9),)})]
    assert "Add --effort tuned" in refused(train, rows, OptionError)
    tagged = {"tokens": ["to", "London"], "tags": ["O", "B-city"]}
    assert "Add --effort tuned" in refused(train, [tagged], OptionError)


def test_spans_beside_an_intent_are_left_out_and_told(train: Any) -> None:
    rows = [
        {"text": text, "intent": label, "spans": [{"label": "start", "start": 0, "end": 3}]} for text, label in ROWS
    ]
    model = train(rows)
    assert [task.name for task in model.tasks] == ["intent"]
    assert any("'spans' holds spans" in notice for notice in model.summary["notices"])
    assert "Add --effort tuned" in refused(train, rows, OptionError, columns=Columns(label="intent,spans"))


def test_a_task_of_another_kind(train: Any) -> None:
    assert "'choice', but 'several' is expected" in refused(train, ROWS, task=replace(TASK, kind="several"))


def test_all_mistakes_in_options_at_once(train: Any) -> None:
    bad = TrainConfig(max_error=1.5, oos_rate=-1, signals=("word", "text"))
    message = refused(train, ROWS, OptionError, config=bad)
    assert message.count("; ") == 2
    assert "Did you mean 'words'?" in message


@pytest.mark.parametrize("value", [0.0, 1.0, float("nan"), -0.1])
def test_impossible_errors(train: Any, value: float) -> None:
    assert "--max-error" in refused(train, ROWS, OptionError, config=TrainConfig(max_error=value))


def test_columns_reach_the_reader(train: Any) -> None:
    rows = [{"question": text, "topic": label} for text, label in ROWS]
    model = train(rows, columns=Columns(text="question", label="topic"))
    assert (model.task.name, labels(model, "late")) == ("topic", ["delay"])
    assert "Did you mean 'topic'?" in refused(train, rows, columns=Columns(text="question", label="topics"))


def test_a_task_file(train: Any, tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_text("labels:\n  - {name: buy, description: 买票}\n  - name: delay\n", "utf-8")
    model = train(ROWS, task=path)
    assert model.task.labels[0] == Label("buy", {"": "买票"})
    assert labels(model, "我要买票") == ["buy"]
    assert "no such file" in refused(train, ROWS, task=tmp_path / "tsk.yaml")


# What the user may not have meant


def test_held_out_rows_that_were_trained_on_are_refused_or_told(train: Any) -> None:
    with pytest.raises(DataError, match=r"40 of 40 held-out rows are trained on too"):
        train(ROWS, validation=[(text.upper(), label) for text, label in ROWS])
    model = train(ROWS, validation=[*OTHERS, ROWS[0]])
    assert model.summary["notices"] == ["the list: the texts of 1 row are trained on too"]
    assert train(ROWS, validation=OTHERS).summary["notices"] == []


def test_labels_that_only_the_rows_or_only_the_task_have_are_named(train: Any) -> None:
    task = replace(TASK, labels=(*TASK.labels, Label("dealy", {"en": "late"})))
    notices = train([*ROWS, ("a refund", "refund")], task=task).summary["notices"]
    assert notices == [
        "the list: labels that the task file does not name: 'refund'",
        "the list: labels of the task file without an example: 'dealy'",
    ]
    assert train(ROWS, task=TASK).summary["notices"] == []


def test_a_task_with_rows_whose_labels_were_not_found_says_so(train: Any) -> None:
    rows = [{"text": text, "category": label} for text, label in ROWS]
    (notice,) = train(rows, task=TASK).summary["notices"]
    assert "no column of labels found" in notice and "--label" in notice
    assert train(rows, task=TASK, columns=Columns(label="category")).summary["rows"] == len(ROWS)


@pytest.mark.parametrize("name", ["OOS", "out-of-scope", "Out_of_scope"])
def test_a_label_that_looks_like_out_of_scope_is_told(train: Any, name: str) -> None:
    (notice,) = train([*ROWS, ("hello", name), ("hi", name)]).summary["notices"]
    assert repr(name) in notice and "'oos'" in notice


def test_signals_that_no_record_has(train: Any) -> None:
    with pytest.raises(DataError, match="no record has anything for history"):
        train(ROWS, config=TrainConfig(signals=("history",)))


def test_held_out_rows_of_another_kind(train: Any) -> None:
    with pytest.raises(DataError, match=r"are of the kind 'several', but 'choice' is expected"):
        train(ROWS, validation=[("a ticket", ["buy"])])


def test_held_out_rows_with_an_intent_and_out_of_scope_at_once(train: Any) -> None:
    rows = [{"text": text, "intents": [label]} for text, label in ROWS]
    with pytest.raises(DataError, match="'oos' and 'buy' at once"):
        train(rows, validation=[{"text": "a ticket", "intents": ["buy", "oos"]}])


def test_held_out_rows_that_are_all_out_of_scope_leave_the_sense_of_scope_as_it_was(train: Any) -> None:
    plain, told = train(ROWS), train(ROWS, validation=[("bake bread", "oos"), ("my cat", "oos")])
    assert any("no row is in scope" in notice for notice in told.summary["notices"])
    assert told.promise.kind == "none"
    text = "how to bake sourdough bread"
    assert told.decide(text).in_scope == plain.decide(text).in_scope < 0.5


def test_held_out_rows_without_a_text_are_not_counted(train: Any) -> None:
    model = train(ROWS, validation=[*OTHERS, ("", "buy"), ("\u3000", "delay")])
    assert model.skills["intent"].summary["held_out_rows"] == len(OTHERS)
    assert any("2 rows with nothing to perceive, not counted" in notice for notice in model.summary["notices"])
