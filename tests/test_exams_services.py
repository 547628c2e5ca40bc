"""The exam about government services agrees with itself, and with the graph where that is present."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = Path(os.environ.get("HUIYI_DATA", ROOT.parent / "shared" / "data")) / "kg_gov_services_zh"
RELATION = "服务对象"
KINDS = {"自然人", "企业法人", "事业法人", "社会组织法人", "非法人企业", "行政机关", "其他组织"}
KEYS = ["id", "text", "service", "applicant", "answer", "because", "why"]

Question = dict[str, Any]


def questions(name: str) -> list[Question]:
    """The questions of one file."""
    lines = (ROOT / "benchmarks" / "exams" / f"{name}.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


EXAM, DEV = questions("gov_services_zh"), questions("gov_services_zh_dev")
each = pytest.mark.parametrize("question", [pytest.param(question, id=question["id"]) for question in EXAM + DEV])


def test_ids_count_up() -> None:
    assert [question["id"] for question in EXAM] == [f"g{i:02d}" for i in range(1, 41)]
    assert [question["id"] for question in DEV] == [f"d{i:02d}" for i in range(1, 13)]


def test_there_are_enough_of_each_answer_as_the_page_says() -> None:
    counts = Counter(question["answer"] for question in EXAM)
    assert counts == {"eligible": 14, "not eligible": 12, "unknown": 14}
    page = (ROOT / "benchmarks" / "exams" / "gov_services_zh.md").read_text("utf-8")
    for answer, count in counts.items():
        assert f"{count} are `{answer}`" in page or f"{count} `{answer}`" in page
    assert set(Counter(question["answer"] for question in DEV).values()) == {4}


def test_the_exam_stays_unseen() -> None:
    texts = [question["text"] for question in EXAM + DEV]
    assert len(set(texts)) == len(texts)
    seen = {question["service"] for question in DEV} - {None}
    assert not seen & {question["service"] for question in EXAM}


@each
def test_keys_and_values(question: Question) -> None:
    assert list(question) == KEYS
    assert question["answer"] in {"eligible", "not eligible", "unknown"}
    assert question["applicant"] in {*KINDS, None}
    assert all(text == text.strip() != "" for text in (question["text"], question["why"]))
    assert question["service"] is None or question["service"] == question["service"].strip() != ""


@each
def test_the_facts_bear_the_answer(question: Question) -> None:
    kinds = [tail for _, _, tail in question["because"]]
    assert question["because"] == [[question["service"], RELATION, kind] for kind in kinds]
    assert len(set(kinds)) == len(kinds)
    if question["answer"] == "unknown":
        assert not kinds
    elif question["answer"] == "not eligible":
        assert kinds
        assert question["applicant"] in KINDS - set(kinds)
    else:
        assert set(kinds) == (KINDS if question["applicant"] is None else {question["applicant"]})


@pytest.fixture(scope="module")
def listed() -> dict[str, set[str]]:
    """Who may apply, by service; a service without such a list has an empty one."""
    files = [FOLDER / f"{part}.tsv.gz" for part in ("train", "valid", "test")]
    if missing := [file.name for file in files if not file.is_file()]:
        pytest.skip(f"{', '.join(missing)} not found; set HUIYI_DATA to the folder that has kg_gov_services_zh")
    found: dict[str, set[str]] = defaultdict(set)
    for file in files:
        with gzip.open(file, "rt", encoding="utf-8", newline="\n") as lines:
            next(lines)
            for line in lines:
                head, relation, tail = line.rstrip("\n").split("\t")
                found[head].update({tail} if relation == RELATION else ())
    return dict(found)


def test_the_graph_has_these_kinds(listed: dict[str, set[str]]) -> None:
    assert set().union(*listed.values()) == KINDS


@each
def test_the_graph_decides_as_the_exam_says(question: Question, listed: dict[str, set[str]]) -> None:
    service, applicant = question["service"], question["applicant"]
    if service is None:
        assert question["answer"] == "unknown"
        return
    assert service in listed
    facts = {tail for _, _, tail in question["because"]}
    assert facts <= listed[service]
    if question["answer"] == "not eligible":
        assert facts == listed[service]
        assert applicant not in listed[service]
    elif question["answer"] == "unknown" and applicant is None:
        assert listed[service] != KINDS  # or whoever asks may apply
    elif question["answer"] == "unknown":
        assert applicant in listed[service]  # or the list would settle it
