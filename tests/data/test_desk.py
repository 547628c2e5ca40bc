"""The desk's rows are judged by people; what a machine can check of them is checked here."""

import csv
import json
import re
from collections import Counter
from itertools import combinations
from typing import Any, Literal

import pytest
import yaml

from huiyi.data.desk import FOLDER, TASKS, desk
from huiyi.data.tasks import read_tasks
from huiyi.values import OUT_OF_SCOPE

PARTS: tuple[Literal["train", "test", "oos"], ...] = ("train", "test", "oos")


def rows_of(part: str) -> list[dict[str, str]]:
    with (FOLDER / f"{part}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


ROWS: dict[str, list[dict[str, str]]] = {part: rows_of(part) for part in PARTS}
ALL_ROWS = [row for rows in ROWS.values() for row in rows]
TASK = yaml.safe_load((FOLDER / "task.yaml").read_text(encoding="utf-8"))
INTENTS = [label["name"] for label in TASK["labels"]]


@pytest.mark.parametrize(
    ("part", "intents", "rows_each"), [("train", INTENTS, 12), ("test", INTENTS, 4), ("oos", [OUT_OF_SCOPE], 40)]
)
def test_every_intent_has_as_many_rows_in_each_language(part: str, intents: list[str], rows_each: int) -> None:
    counts = Counter((row["intent"], row["language"]) for row in ROWS[part])
    assert counts == {(intent, language): rows_each for intent in intents for language in ("en", "zh")}


@pytest.mark.parametrize("part", PARTS)
def test_the_files_hold_four_whole_columns_and_clean_texts(part: str) -> None:
    for row in ROWS[part]:
        assert list(row) == ["id", "text", "intent", "language"]
        assert row["text"] == " ".join(row["text"].split()) != ""


def test_ids_are_unique() -> None:
    assert len({row["id"] for row in ALL_ROWS}) == len(ALL_ROWS)


def test_no_text_is_there_twice() -> None:
    bare = Counter(re.sub(r"\W", "", row["text"]).casefold() for row in ALL_ROWS)
    assert [text for text, count in bare.items() if count > 1] == []


def words_of(text: str) -> list[str]:
    """Latin words and single Chinese characters."""
    return re.findall(r"[\u4e00-\u9fff]|[a-zA-Z']+", text)


def test_texts_are_of_chat_length() -> None:
    assert [row["text"] for row in ALL_ROWS if len(words_of(row["text"])) > 60] == []


def test_the_language_is_the_one_that_carries_the_sentence() -> None:
    for row in ALL_ROWS:
        words = words_of(row["text"])
        chinese_share = sum(not word.isascii() for word in words) / len(words)
        assert chinese_share > 0.5 if row["language"] == "zh" else chinese_share < 0.3, row["text"]


@pytest.mark.parametrize(("language", "other"), [("en", r"[\u4e00-\u9fff]"), ("zh", r"[a-z]{4}")])
def test_some_rows_mix_the_other_language_in(language: str, other: str) -> None:
    mixed = [row for row in ROWS["train"] if row["language"] == language and re.search(other, row["text"])]
    assert len(mixed) >= 5


def four_grams(text: str) -> set[str]:
    lowered = text.lower()
    return {lowered[start : start + 4] for start in range(len(lowered) - 3)}


def test_no_two_rows_share_a_sentence_frame() -> None:
    """Of the shorter row's 4-grams at most 60 % stand in the other row of its intent and language."""
    grams = [(row, four_grams(row["text"])) for row in ROWS["train"] + ROWS["test"]]
    for (left, left_grams), (right, right_grams) in combinations(grams, 2):
        if (left["intent"], left["language"]) == (right["intent"], right["language"]):
            shared = len(left_grams & right_grams)
            assert shared <= 0.6 * min(len(left_grams), len(right_grams)), (left["text"], right["text"])


def test_every_label_is_described_in_both_languages() -> None:
    assert (TASK["name"], TASK["kind"], len(INTENTS), len(set(INTENTS))) == ("intent", "choice", 20, 20)
    for language in ("en", "zh"):
        descriptions = [label["description"][language] for label in TASK["labels"]]
        assert len(set(descriptions)) == len(INTENTS)
        for description in descriptions:  # fits in a question: "Do you mean: <one>, or <another>?"
            assert 4 <= len(description) <= 60
            assert not re.search(r"[.?!,。？！，：;；]", description)
            assert description[0].islower() if language == "en" else not description.isascii()


def test_rows_and_readme_name_the_same_trains() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    running = set(re.findall(r"\| (L\d{3})", readme))
    named = {train for row in ALL_ROWS for train in re.findall(r"\bL\d{3}\b", row["text"], re.ASCII)}
    assert named <= running
    assert len(running) == 8


@pytest.mark.parametrize("part", PARTS)
def test_desk_reads_each_part_whole(part: Literal["train", "test", "oos"]) -> None:
    table = desk(part)
    assert table.task_name == "intent"
    assert [(record.id, record.text, record.labels["intent"]) for record in table.records] == [
        (row["id"], row["text"], row["intent"]) for row in ROWS[part]
    ]


TASK_PARTS: tuple[Literal["tasks_train", "tasks_test"], ...] = ("tasks_train", "tasks_test")
TASK_ROWS: dict[str, list[dict[str, Any]]] = {
    part: [json.loads(line) for line in (FOLDER / f"{part}.jsonl").read_text("utf-8").splitlines()]
    for part in TASK_PARTS
}
ALL_TASK_ROWS = [row for rows in TASK_ROWS.values() for row in rows]


@pytest.mark.parametrize(("part", "rows"), [("tasks_train", 320), ("tasks_test", 120)])
def test_desk_reads_each_part_of_several_tasks(part: Literal["tasks_train", "tasks_test"], rows: int) -> None:
    table = desk(part)
    assert dict(table.kinds) == {task.name: task.kind for task in read_tasks(FOLDER / "tasks.yaml").tasks}
    assert tuple(table.kinds) == TASKS
    assert [record.text for record in table.records] == [row["text"] for row in TASK_ROWS[part]]
    assert len(table.records) == rows
    languages = Counter(row["language"] for row in TASK_ROWS[part])
    assert languages == {"en": rows / 2, "zh": rows / 2}


def test_labels_of_several_tasks_are_those_of_the_task_file() -> None:
    for task in read_tasks(FOLDER / "tasks.yaml").tasks:
        known = {label.name for label in task.labels}
        for part in TASK_PARTS:
            given = [row[task.name] for row in TASK_ROWS[part] if task.name in row]
            labels = [span["label"] for spans in given for span in spans] if task.kind == "spans" else given
            assert set(labels) == known
        assert all(set(label.descriptions) == {"en", "zh"} for label in task.labels)
        assert known <= set(INTENTS) or task.name != "intent"


def test_spans_lie_in_their_texts() -> None:
    for row in ALL_TASK_ROWS:
        end = 0
        for span in row.get("spans", ()):
            assert end <= span["start"] < span["end"] <= len(row["text"])
            end = span["end"]
            marked = row["text"][span["start"] : end]
            assert marked[0].isalnum() and marked[-1].isalnum()
            for edge in (span["start"], end):  # no word of Latin letters is cut
                assert not re.fullmatch("[a-zA-Z0-9]{2}", row["text"][max(edge - 1, 0) : edge + 1]), marked


def test_stations_and_trains_of_spans_are_those_of_the_readme() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    for row in ALL_TASK_ROWS:
        for span in row.get("spans", ()):
            if span["label"] in ("from_station", "to_station", "train_number"):
                assert row["text"][span["start"] : span["end"]] in readme


def test_no_task_follows_from_another() -> None:
    for first, second in combinations(("intent", "urgency", "mood"), 2):
        pairs = {(row[first], row[second]) for row in ALL_TASK_ROWS if first in row and second in row}
        assert len(pairs) > 0.8 * len({left for left, _ in pairs}) * len({right for _, right in pairs})


def test_texts_of_several_tasks_are_clean_and_new() -> None:
    bare = Counter(re.sub(r"\W", "", row["text"]).casefold() for row in [*ALL_ROWS, *ALL_TASK_ROWS])
    assert [text for text, count in bare.items() if count > 1] == []
    for row in ALL_TASK_ROWS:
        assert row["text"] == " ".join(row["text"].split())
        assert len(words_of(row["text"])) <= 60
        chinese_share = sum(not word.isascii() for word in words_of(row["text"])) / len(words_of(row["text"]))
        assert chinese_share > 0.5 if row["language"] == "zh" else chinese_share < 0.3, row["text"]


def test_no_test_row_has_the_frame_of_a_training_row() -> None:
    for row in TASK_ROWS["tasks_test"]:
        grams = four_grams(row["text"])
        for other in TASK_ROWS["tasks_train"]:
            if row["language"] == other["language"]:
                others = four_grams(other["text"])
                assert len(grams & others) <= 0.6 * min(len(grams), len(others)), (row["text"], other["text"])
