"""The exams keep to their own rules, and speak of things that are in the graph."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
EXAMS = ROOT / "benchmarks" / "exams"
GRAPH = Path(os.environ.get("HUIYI_DATA", ROOT.parent / "shared" / "data")) / "kg_medical_zh"
POLARITIES = {"present", "absent", "uncertain", "other"}
SIZES = {  # complaints, and how many of them deny something
    "medical_zh": (300, 120),
    "medical_zh_dev": (60, 24),
    "medical_zh_dev2": (110, 80),
}
LETTERS = {"medical_zh": "m", "medical_zh_dev": "d", "medical_zh_dev2": "e"}

each_exam = pytest.mark.parametrize("name", SIZES)
with_graph = pytest.mark.skipif(
    not GRAPH.is_dir(), reason="kg_medical_zh is not here; set HUIYI_DATA to the folder that has it"
)


@cache
def exam(name: str) -> tuple[dict[str, Any], ...]:
    lines = (EXAMS / f"{name}.jsonl").read_text("utf-8").splitlines()
    return tuple(json.loads(line) for line in lines)


@cache
def triples() -> tuple[tuple[str, str, str], ...]:
    found = []
    for part in ("train", "valid", "test"):
        with gzip.open(GRAPH / f"{part}.tsv.gz", "rt", encoding="utf-8", newline="\n") as lines:
            next(lines)  # the header
            for line in lines:
                head, relation, tail = line.rstrip("\n").split("\t")
                found.append((head, relation, tail))
    return tuple(found)


@each_exam
def test_size(name: str) -> None:
    complaints, denials = SIZES[name]
    polarities = [{mention["polarity"] for mention in row["mentions"]} for row in exam(name)]
    assert len(polarities) >= complaints
    assert sum("absent" in found for found in polarities) >= denials
    assert set().union(*polarities) == POLARITIES


@each_exam
def test_rows(name: str) -> None:
    rows = exam(name)
    assert [row["id"] for row in rows] == [f"{LETTERS[name]}{i:03d}" for i in range(1, len(rows) + 1)]
    for row in rows:
        assert list(row) == ["id", "text", "disease", "mentions"], row["id"]
        assert 10 <= len(row["text"]) <= 80, row["id"]
        assert row["text"] == row["text"].strip() and "\n" not in row["text"], row["id"]
    assert max(Counter(row["disease"] for row in rows).values()) <= 2


@each_exam
def test_mentions(name: str) -> None:
    for row in exam(name):
        assert len(row["mentions"]) >= 2, row["id"]
        read = 0
        for mention in row["mentions"]:
            assert list(mention) == ["quote", "ids", "polarity"], row["id"]
            assert mention["polarity"] in POLARITIES, row["id"]
            assert mention["ids"] and len(set(mention["ids"])) == len(mention["ids"]), (row["id"], mention["quote"])
            at = row["text"].find(mention["quote"], read)  # quotes stand in the order of the text and do not overlap
            assert mention["quote"] and at >= 0, (row["id"], mention["quote"])
            read = at + len(mention["quote"])


def test_no_complaint_stands_in_two_files() -> None:
    texts = [row["text"] for name in SIZES for row in exam(name)]
    assert len(texts) == len(set(texts))


def test_development_shows_nothing_of_the_exam() -> None:
    for key in ("text", "disease"):
        shown, unseen = ({row[key] for row in exam(name)} for name in ("medical_zh_dev", "medical_zh"))
        assert not shown & unseen
        assert key == "disease" or len(unseen) == len(exam("medical_zh"))


@with_graph
@each_exam
def test_names_are_in_the_graph(name: str) -> None:
    symptoms = {tail for _, relation, tail in triples() if relation == "has_symptom"}
    diseases = {head for head, relation, _ in triples() if relation in ("has_symptom", "belongs_to")}
    named = {one for row in exam(name) for mention in row["mentions"] for one in mention["ids"]}
    assert not named - symptoms - diseases


@with_graph
@each_exam
def test_complaints_tell_of_their_disease(name: str) -> None:
    known = {(head, tail) for head, relation, tail in triples() if relation == "has_symptom"}
    for row in exam(name):
        told = [mention for mention in row["mentions"] if mention["polarity"] in ("present", "uncertain")]
        own = [mention["quote"] for mention in told if any((row["disease"], one) in known for one in mention["ids"])]
        assert len(own) >= 2, (row["id"], row["disease"], own)


@with_graph
def test_departments() -> None:
    at = {(head, tail) for head, relation, tail in triples() if relation == "belongs_to"}
    diseases = {row["disease"] for row in exam("medical_zh")}
    assert len({tail for head, tail in at if head in diseases}) >= 30
