"""Several tasks in one model, and a task added to one."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

import huiyi
from huiyi import Columns, Label, Model, Task, TrainConfig
from huiyi.data.desk import FOLDER, desk
from huiyi.data.tasks import read_tasks
from huiyi.errors import DataError, OptionError
from huiyi.evaluate import write_report

WORDS = TrainConfig(signals=("words",))
PLACES = ("Yunmen", "Baiya", "the harbour", "the old town", "platform two")
ROWS = [
    {"text": f"{what} to {place} {when}", "intent": intent, "urgency": urgency, "topics": topics}
    for place in PLACES
    for what, intent, topics in (
        ("a ticket", "buy", ["ticket"]),
        ("my train is late going", "delay", ["train"]),
        ("ticket for a train", "buy", ["ticket", "train"]),
    )
    for when, urgency in (("right now please", "high"), ("some time next month", "low"))
]
BOTH = Columns(label="intent,urgency")


@pytest.fixture(scope="module")
def both() -> Model:
    return huiyi.train(ROWS, columns=BOTH, config=WORDS)


def test_each_column_of_labels_is_a_task(both: Model) -> None:
    decision = both.decide("a ticket to Baiya right now please")
    assert {name: part.label for name, part in decision.tasks.items()} == {"intent": "buy", "urgency": "high"}
    assert (decision.task, decision.label) == ("intent", "buy")
    assert both.of("urgency").decide("some time next month").label == "low"


def test_a_task_of_which_the_model_knows_nothing(both: Model) -> None:
    with pytest.raises(OptionError, match="Did you mean 'urgency'"):
        both.of("urgencies")


def test_saved_and_loaded(both: Model, tmp_path: Path) -> None:
    both.save(tmp_path / "both")
    again = huiyi.load(tmp_path / "both")
    assert [task.name for task in again.tasks] == ["intent", "urgency"]
    for name in again.skills:
        first, second = (model.of(name).decide("my train is late") for model in (both, again))
        assert first.probability == pytest.approx(second.probability, abs=1e-6)
    assert again.examples[0].labels == both.examples[0].labels == {"intent": "buy", "urgency": "high"}


def test_rows_may_lack_a_label(both: Model) -> None:
    rows = [row if place % 3 else {**row, "urgency": None} for place, row in enumerate(ROWS)]
    model = huiyi.train(rows, columns=BOTH, config=WORDS)
    assert model.skills["intent"].summary["rows"] == len(ROWS)
    assert model.skills["urgency"].summary["rows"] == sum(row["urgency"] is not None for row in rows)


def test_a_task_is_added_and_the_others_stay(both: Model, tmp_path: Path) -> None:
    both.save(tmp_path / "both")
    base = huiyi.load(tmp_path / "both")
    more = huiyi.train(ROWS, columns=Columns(label="topics"), config=WORDS, add_to=base)
    more.save(tmp_path / "more")
    more = huiyi.load(tmp_path / "more")
    assert [(task.name, task.kind) for task in more.tasks] == [
        ("intent", "choice"), ("urgency", "choice"), ("topics", "several"),
    ]  # fmt: skip
    said = ["a train to Baiya", "late again", "zebra", "现在就要"]
    for name in base.skills:
        for first, second in zip(base.of(name).decide_all(said), more.of(name).decide_all(said), strict=True):
            assert first.probability == pytest.approx(second.probability, abs=1e-6)
            assert (first.kind, first.label, first.in_scope) == (second.kind, second.label, second.in_scope)
    assert set(more.decide("ticket for a train").tasks["topics"].labels) == {"ticket", "train"}
    assert more.summary["added_to"]["rows"] == base.summary["rows"]


def test_a_task_of_the_desk_is_added_later(tmp_path: Path) -> None:
    columns = Columns(label="intent,urgency")
    train, described = FOLDER / "tasks_train.jsonl", FOLDER / "tasks.yaml"
    huiyi.train(train, task=described, columns=columns, config=WORDS).save(tmp_path / "two")
    two = huiyi.load(tmp_path / "two")
    huiyi.train(train, task=described, columns=Columns(label="mood"), config=WORDS, add_to=two).save(tmp_path / "three")
    three = huiyi.load(tmp_path / "three")
    assert [task.name for task in three.tasks] == ["intent", "urgency", "mood"]
    records = desk("tasks_test").records
    before, after = two.perceive(records), three.perceive(records)
    for task in ("intent", "urgency"):
        first, second = two.align(before, task), three.align(after, task)
        assert first.probabilities == pytest.approx(second.probabilities, abs=1e-6)
        assert first.in_scope == pytest.approx(second.in_scope, abs=1e-6)
    figures = huiyi.evaluate(three, huiyi.read(FOLDER / "tasks_test.jsonl", Columns(label="intent,urgency,mood"))).tasks
    assert {task: figures[task].figures["n"] for task in figures} == {"intent": 120, "urgency": 120, "mood": 120}
    assert all(figures[task].figures["accuracy"] > 0.4 for task in figures)  # by chance: 0.1, 0.41 and 0.37


def test_a_task_is_added_from_other_rows_with_other_signals(both: Model) -> None:
    rows = [("hello there", "polite"), ("hi, good day", "polite"), ("this is rubbish", "rude"), ("you fools", "rude")]
    more = huiyi.train(rows, columns=Columns(label="intent"), task=Task("tone", "choice", ()), add_to=both)
    assert more.of("tone").decide("hello, good day").label == "polite"
    assert {name.split("/")[0] for name in more.skills["tone"].summary["weights"]} - {"words"}


def test_a_task_that_the_model_does_already_is_refused(both: Model) -> None:
    with pytest.raises(DataError, match="does 'urgency' already"):
        huiyi.train(ROWS, columns=Columns(label="urgency"), config=WORDS, add_to=both)


def test_evaluation_of_each(both: Model) -> None:
    evaluation = huiyi.evaluate(both, huiyi.read(ROWS, BOTH))
    assert set(evaluation.tasks) == {"intent", "urgency"}
    assert evaluation.figures["accuracy"] == evaluation.tasks["intent"].figures["accuracy"]
    only = huiyi.evaluate(both, huiyi.read(ROWS, Columns(label="urgency")))
    assert set(only.tasks) == {"urgency"}
    assert any("nothing is measured of 'intent'" in notice for notice in only.notices)
    of_all = huiyi.evaluate(both, ROWS)  # columns called like the tasks need no --label
    assert set(of_all.tasks) == {"intent", "urgency"}
    with pytest.raises(DataError, match="the model tells 'intent', 'urgency'"):
        huiyi.evaluate(both, huiyi.read(ROWS, Columns(label="topics")))


def test_a_report_shows_each(both: Model, tmp_path: Path) -> None:
    evaluation = huiyi.evaluate(both, ROWS)
    write_report(evaluation, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text("utf-8")
    titles = re.findall(r"<h1>.*?</h1>", page)
    assert len(titles) == 2 and "intent" in titles[0] and "urgency" in titles[1]
    assert page.count('class="panel notes"') == 1


def test_held_out_rows_of_each(both: Model) -> None:
    rows = [{**row, "text": f"{row['text']} thanks {place}"} for place, row in enumerate(ROWS * 8)]
    model = huiyi.train(ROWS, validation=rows, columns=BOTH, config=WORDS)
    assert {skill.summary["held_out_rows"] for skill in model.skills.values()} == {len(rows)}
    assert model.of("intent").promise.kind == "guaranteed"
    assert both.of("intent").promise.kind != "guaranteed"


def test_a_task_file_with_several(tmp_path: Path) -> None:
    file = tmp_path / "task.yaml"
    file.write_text(
        "tasks:\n- name: urgency\n  max_error: 0.2\n- name: intent\n  labels: [{name: buy, description: 买票}]\n",
        "utf-8",
    )
    model = huiyi.train(ROWS, task=file, config=WORDS)
    assert [task.name for task in model.tasks] == ["urgency", "intent"]
    assert [model.of(name).max_error for name in ("urgency", "intent")] == [0.2, 0.05]
    assert model.of("intent").task.labels[0] == Label("buy", {"": "买票"})


def test_named_columns_choose_the_tasks_of_a_file() -> None:
    given = [Task("urgency", "choice", (Label("high"),)), Task("topics", "several", ()), Task("intent", "choice", ())]
    model = huiyi.train(ROWS, task=given, columns=Columns(label="urgency,topics"), config=WORDS)
    assert [task.name for task in model.tasks] == ["urgency", "topics"]
    assert any("--label does not name: 'intent'" in notice for notice in model.summary["notices"])
    more = huiyi.train(ROWS, task=given[:1], columns=BOTH, config=WORDS)
    assert [task.name for task in more.tasks] == ["urgency", "intent"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("tasks: []", "length >= 1"),
        ("tasks:\n- name: a\n- name: a", "task 'a' stands there twice"),
        ("tasks:\n- name: a\n  kind: span", "Invalid enum value 'span'"),
        ("tasks:\n- name: a\n  max_error: 2", "max_error"),
        ("tasks:\n- {name: a, labels: [{name: x}, {name: x}]}", "label 'x' stands there twice"),
        ("name: intent", "neither `labels` nor `tasks`"),
        ("- a", "neither `labels` nor `tasks`"),
    ],
)
def test_task_files_that_cannot_be_used(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "task.yaml"
    file.write_text(content, "utf-8")
    with pytest.raises(DataError) as caught:
        read_tasks(file)
    assert message in str(caught.value) and len(str(caught.value).splitlines()) == 1


def test_a_task_without_its_column() -> None:
    tasks = [Task("intent", "choice", ()), Task("urgancy", "choice", ())]
    with pytest.raises(DataError, match="no column holds the labels of 'urgancy'"):
        huiyi.train(ROWS, task=tasks, config=WORDS)


def test_decisions_are_plain_json(both: Model) -> None:
    from dataclasses import asdict

    told = json.loads(json.dumps(asdict(both.decide("a ticket"))))
    assert set(told["tasks"]) == {"intent", "urgency"} and told["tasks"]["intent"]["tasks"] == {}
    assert replace(both.decide("a ticket"), tasks={}).tasks == {}
