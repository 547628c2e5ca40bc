"""One label, several, spans and tags, as files write them."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huiyi.data import Columns, Table, read
from huiyi.data.labels import as_tagged_spans, joined
from huiyi.errors import ColumnError
from huiyi.values import Span


def spans(table: Table) -> list[list[tuple[str, str]]]:
    """Label and text of each record's spans."""
    return [
        [(span.label, (record.text or "")[span.start : span.end]) for span in record.labels[table.task_name or ""]]
        for record in table.records
    ]


def test_the_first_known_label_column_is_taken() -> None:
    row = {"text": "hi", "tokens": ["hi"], "tags": ["O"], "spans": [], "intents": ["a"], "intent": "b"}
    for name in ("intent", "intents", "spans", "tags"):
        assert read([row]).task_name == name
        del row[name]
    assert read([row]).task_name is None
    assert read([{"text": "hi", "tags": ["O"]}]).task_name is None  # tags count tokens


def test_several_labels_in_csv(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('text,intents\na,x| y |x\nb,\nc,"[""p|q"", ""r""]"\nd,z\n', encoding="utf-8")
    table = read(tmp_path / "t.csv")
    assert table.kind == "several"
    assert [record.labels["intents"] for record in table.records] == [("x", "y"), (), ("p|q", "r"), ("z",)]
    assert table.notices == ("t.csv: 1 row with a blank label, read as none of the labels (first: 2).",)


@pytest.mark.parametrize(
    ("label", "kind", "value"),
    [
        ("refund|card", "choice", "refund|card"),
        (7.0, "choice", "7"),
        (["refund", 3], "several", ("refund", "3")),
        ([{"label": "card", "start": 0, "end": 4}], "spans", (Span("card", 0, 4),)),
    ],
)
def test_of_a_named_column_the_values_decide(label: Any, kind: str, value: Any) -> None:
    table = read([{"text": "nothing", "topic": None}, {"text": "cards", "topic": label}], Columns(label="topic"))
    assert (table.kind, table.records[1].labels) == (kind, {"topic": value})


def test_tags_under_another_name() -> None:
    row = {"tokens": ["to", "New", "York"], "ner": ["O", "B-city", "I-city"]}
    assert spans(read([row], Columns(label="ner"))) == [[("city", "New York")]]
    assert read([row | {"ner": ["a", "b", "c"]}], Columns(label="ner")).kind == "several"


def test_spans_in_csv(tmp_path: Path) -> None:
    cell = json.dumps([{"label": "city", "start": 3, "end": 9}]).replace('"', '""')
    (tmp_path / "t.csv").write_text(f'text,spans\nto London,"{cell}"\nhi,\nho,[]\n', encoding="utf-8")
    table = read(tmp_path / "t.csv")
    assert spans(table.labelled()) == [[("city", "London")], []]
    assert table.notices == ("t.csv: 1 row without a label (first: 2).",)


def test_spans_move_with_the_text_when_nuls_are_taken_out() -> None:
    row = {"text": "\0to\0 Lon\0don now", "spans": [{"label": "city", "start": 5, "end": 12}]}
    assert spans(read([row])) == [[("city", "London")]]


def test_tags_beside_tokens() -> None:
    rows = [
        {"tokens": ["to", "St.", "Louis", "now"], "tags": ["O", "B-to", "I-to", "O"]},
        {"tokens": ["我", "在", "北", "京"], "tags": ["O", "O", "B-city", "I-city"]},
        {"tokens": "fly home", "tags": "O I-place"},
    ]
    table = read(rows)
    assert [record.text for record in table.records] == ["to St. Louis now", "我在北京", "fly home"]
    assert spans(table) == [[("to", "St. Louis")], [("city", "北京")], [("place", "home")]]
    assert (table.task_name, table.kind) == ("tags", "spans")


def test_a_text_beside_tokens_is_kept_where_it_holds_them() -> None:
    row = {"text": "Don't go to L.A.!", "tokens": ["Do", "n't", "go", "to", "L.A.", "!"], "tags": "O O O O B-city O"}
    other = {"text": "gone", "tokens": ["L.A.", "calling"], "tags": "B-city O"}
    table = read([row, other])
    assert [record.text for record in table.records] == ["Don't go to L.A.!", "L.A. calling"]
    assert spans(table) == [[("city", "L.A.")], [("city", "L.A.")]]


def test_tokens_are_the_text_where_there_is_none() -> None:
    table = read([{"tokens": ["play", "jazz"], "intent": "music"}])
    assert (table.records[0].text, table.records[0].labels, table.left_out) == ("play jazz", {"intent": "music"}, ())


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (["SOCCER", "-", "JAPAN", "."], "SOCCER - JAPAN ."),
        (["播放", "Taylor", "Swift", "的", "歌"], "播放Taylor Swift的歌"),
        (["用", "C", "S", "O", "L", "5", "0", "元"], "用CSOL50元"),
        (["I", "a", "m"], "I a m"),
        (["你好", "，", "world", "！"], "你好，world！"),
        (["오늘", "날씨"], "오늘 날씨"),
        (["", "a", ""], "a"),
    ],
)
def test_joining_tokens(tokens: list[str], text: str) -> None:
    assert joined(tokens, None)[0] == text


WORDS = st.lists(st.text("ab京都カ.", min_size=1), min_size=1)


@given(tokens=WORDS, data=st.data())
def test_each_token_lies_where_its_offsets_say(tokens: list[str], data: st.DataObject) -> None:
    text, offsets = joined(tokens, None)
    assert [text[start:end] for start, end in offsets] == tokens
    assert text.replace(" ", "") == "".join(tokens)
    tags = [data.draw(st.sampled_from(["O", "B-x", "I-x", "B-y", "I-y"])) for _ in tokens]
    assert as_tagged_spans(tags, offsets) == tuple(plainly_decoded(tags, offsets))


def plainly_decoded(tags: list[str], offsets: list[tuple[int, int]]) -> list[Span]:
    """The same, from the definition: a span starts where a tag does not go on with the one before."""
    starts = [
        i
        for i, tag in enumerate(tags)
        if tag != "O" and (tag[0] == "B" or i == 0 or tags[i - 1] == "O" or tags[i - 1][2:] != tag[2:])
    ]
    decoded = []
    for start in starts:
        end = start + 1
        while end < len(tags) and tags[end] == "I" + tags[start][1:]:
            end += 1
        decoded.append(Span(tags[start][2:], offsets[start][0], offsets[end - 1][1]))
    return decoded


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"tokens": ["a", "b"], "tags": ["O"]}, "row 2: the column 'tags' holds 1 for 2 tokens"),
        ({"tokens": ["a"], "tags": ["S-city"]}, "row 2: the column 'tags' holds the tag 'S-city': write O, B-label"),
        ({"tokens": ["a"], "tags": ["B-"]}, "row 2: the column 'tags' holds the tag 'B-'"),
        ({"tokens": [["a"]], "tags": ["O"]}, "row 2: the column 'tokens' holds ['a'] where text was expected"),
    ],
)
def test_bad_tags(row: dict[str, Any], message: str) -> None:
    with pytest.raises(ColumnError) as caught:
        read([{"tokens": ["a"], "tags": ["O"]}, row])
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "span",
    [
        {"label": "city", "start": 3, "end": 10},
        {"label": "city", "start": 3, "end": 3},
        {"label": "city", "start": -1, "end": 3},
        {"label": " ", "start": 0, "end": 2},
        {"label": "city", "start": "0", "end": 2},
        {"start": 0, "end": 2},
        "city",
    ],
)
def test_bad_spans(span: Any) -> None:
    with pytest.raises(ColumnError, match=r"row 1: the column 'spans' holds the span .* of a text of 9 characters"):
        read([{"text": "to London", "spans": [span]}])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["x", ["x", "y"]], "row 2: the column 'topic' holds ['x', 'y'], but other rows hold one label"),
        ([["x"], [{"a": 1}]], "row 2: the column 'topic' holds {'a': 1} where text was expected"),
    ],
)
def test_labels_of_two_kinds(labels: list[Any], message: str) -> None:
    with pytest.raises(ColumnError) as caught:
        read([{"text": "a", "topic": label} for label in labels], Columns(label="topic"))
    assert message in str(caught.value)


def test_several_labels_that_only_look_like_json(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text,intents\na,\"['x', 'y']\"\n", encoding="utf-8")
    with pytest.raises(ColumnError, match=r"t\.csv, row 1: the column 'intents' holds .* no list in JSON: write it as"):
        read(tmp_path / "t.csv")
