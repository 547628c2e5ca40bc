"""What can be read, and what comes of it."""

import csv
import gzip
import io
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huiyi.data import Columns, Table, read
from huiyi.values import Media, Record, Span, Turn

CSV = "text,intent\nwhere is my card,card_arrival\nhello,oos\n"
OBJECTS = [{"text": "where is my card", "intent": "card_arrival"}, {"text": "hello", "intent": "oos"}]
JSONL = "".join(json.dumps(row) + "\n" for row in OBJECTS)
EXPECTED = [("where is my card", {"intent": "card_arrival"}), ("hello", {"intent": "oos"})]

# Everything that UTF-8 can write, but NUL, which is taken out.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def content(table: Table) -> list[tuple[str | None, dict[str, Any]]]:
    return [(record.text, dict(record.labels)) for record in table.records]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tickets.csv", CSV),
        ("semicolons.csv", CSV.replace(",", ";")),
        ("tabs.csv", CSV.replace(",", "\t")),
        ("tickets.tsv", CSV.replace(",", "\t")),
        ("windows.csv", CSV.replace("\n", "\r\n")),
        ("mac.csv", CSV.replace("\n", "\r")),
        ("spaced.csv", CSV.replace("text,intent", " text , intent ").replace("oos", " oos ")),
        ("TICKETS.CSV", CSV),
        ("tickets.jsonl", JSONL),
        ("tickets.ndjson", JSONL.replace("\n", "\r\n")),
        ("tickets.json", json.dumps(OBJECTS, indent=2)),
        ("lines.json", JSONL),
    ],
)
@pytest.mark.parametrize("is_zipped", [False, True])
def test_formats_give_the_same(tmp_path: Path, name: str, text: str, is_zipped: bool) -> None:
    path = write(tmp_path / f"{name}.gz", gzip.compress(text.encode())) if is_zipped else write(tmp_path / name, text)
    for source in (path, str(path)):
        table = read(source)
        assert content(table) == EXPECTED
        assert (table.source, table.rows, table.task_name, table.kind) == (path.name, (1, 2), "intent", "choice")
        assert [record.id for record in table.records] == ["1", "2"]
        assert table.left_out == table.notices == ()


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (OBJECTS, "the list"),
        ([("where is my card", "card_arrival"), ("hello", "oos")], "the list"),
        ([Record(text=text, labels=labels) for text, labels in EXPECTED], "the list"),
    ],
)
def test_lists(source: list[Any], name: str) -> None:
    table = read(source)
    assert content(table) == EXPECTED
    assert (table.source, table.rows, table.task_name, table.kind) == (name, (1, 2), "intent", "choice")
    assert [record.id for record in table.records] == ["1", "2"]


def test_records_keep_what_they_have() -> None:
    several = Record(id="a", text="both", labels={"topics": ("card", "refund"), "intent": "card"})
    none = Record(id="b", text="neither", labels={"topics": ()})
    table = read([several, none], Columns(label="topics"))
    assert table.records == (several, none)
    assert (table.task_name, table.kind, table.notices) == ("topics", "several", ())
    both = read([several, none])
    assert both.kinds == {"intent": "choice", "topics": "several"}
    assert both.notices == ("the list: 1 row without a label in 'intent' (first: 2).",)
    assert read([Record(labels={"x": (Span("city", 0, 1),)})]).kind == "spans"
    assert read([Record(text="hello")]).kind is None


def test_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "text": ["a", None, "c"],
            "intent": [1, None, 2],  # a column of floats, as soon as one is missing
            "plan": pandas.array([1, None, 2], dtype="Int64"),
            "time": pandas.to_datetime(["2024-05-01", None, "2024-05-02"]),
        }
    )
    table = read(frame, Columns(fields=("plan",)))
    assert content(table) == [("a", {"intent": "1"}), (None, {}), ("c", {"intent": "2"})]
    assert [dict(record.fields) for record in table.records] == [{"plan": 1}, {}, {"plan": 2}]
    assert [record.time for record in table.records] == [datetime(2024, 5, 1), None, datetime(2024, 5, 2)]
    assert table.source == "the DataFrame"


def test_a_frame_like_those_of_polars() -> None:
    class Frame:
        columns = ("text", "intents")

        def __len__(self) -> int:
            return 2

        def to_dicts(self) -> list[dict[str, Any]]:
            raise AssertionError("columns are cheaper than rows")

        def to_dict(self, *, as_series: bool) -> dict[str, list[Any]]:
            assert not as_series
            return {"text": ["a", "b"], "intents": [["x", "y"], []]}

    assert content(read(Frame())) == [("a", {"intents": ("x", "y")}), ("b", {"intents": ()})]


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    folder = tmp_path / "support"
    folder.mkdir()
    write(folder / "b.csv", "text,intent\nthree,y\n,\nfour,\n")
    write(folder / "a.jsonl", '{"text": "one", "intent": "x"}\n\n{"text": "two", "history": ["hi"]}\n')
    write(folder / ".hidden.csv", "not,read\n")
    write(folder / "README.md", "About these files")
    table = read(folder)
    assert [record.text for record in table.records] == ["one", "two", "three", "", "four"]
    assert table.rows == (1, 3, 4, 5, 6)
    assert [record.id for record in table.records] == ["1", "3", "4", "5", "6"]
    assert table.source == "support"
    assert table.notices == (
        "support: not read: '.hidden.csv', 'README.md'.",
        "support: 3 rows without a label (first: support/a.jsonl row 3, support/b.csv row 2, support/b.csv row 3).",
    )


def test_every_column_that_is_known(tmp_path: Path) -> None:
    write(
        tmp_path / "rich.csv",
        "id,text,image,audio,history,time,plan,agent,intent\n"
        "t-7,hi,a.png|b/c.png,voice.wav,hello | who is there,2024-05-01T09:30:00Z,gold,bob,greet\n"
        ',hi,,,"[""hello"", {""speaker"": ""agent"", ""text"": ""yes?""}]",yesterday,,bob,greet\n',
    )
    (tmp_path / "b").mkdir()
    for name in ("a.png", "b/c.png", "voice.wav"):
        (tmp_path / name).touch()
    table = read(tmp_path / "rich.csv", Columns(fields=("plan",)))
    first, second = table.records
    assert first == Record(
        id="t-7",
        text="hi",
        images=(Media(path=tmp_path / "a.png"), Media(path=tmp_path / "b/c.png")),
        audios=(Media(path=tmp_path / "voice.wav"),),
        fields={"plan": "gold"},
        history=(Turn("", "hello"), Turn("", "who is there")),
        time=datetime(2024, 5, 1, 9, 30, tzinfo=UTC),
        labels={"intent": "greet"},
    )
    assert second.history == (Turn("", "hello"), Turn("agent", "yes?"))
    assert (second.id, second.images, second.fields, second.time) == ("2", (), {}, None)
    assert table.left_out == ("agent",)
    assert table.notices == ("rich.csv: 1 row whose time is not ISO 8601 and was left out (first: 2).",)


def test_lists_and_numbers_in_json(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"text": 12, "label": 1, "image": ["a.png", "a|b.png"], "history": [{"text": "hi"}], "id": 5, "age": 41},
        {"text": 1.0, "label": 1.0, "age": None},
        {"text": 2.5, "label": True, "history": []},
        {"text": None, "label": float("nan")},
    ]
    path = write(tmp_path / "rows.jsonl", "\n".join(json.dumps(row) for row in rows))
    for name in rows[0]["image"]:
        (tmp_path / name).touch()
    table = read(path, Columns(label="label", fields=("age",)))
    assert content(table) == [("12", {"label": "1"}), ("1", {"label": "1"}), ("2.5", {"label": "True"}), (None, {})]
    assert table.records[0].images == (Media(path=tmp_path / "a.png"), Media(path=tmp_path / "a|b.png"))
    assert table.records[0].history == (Turn("", "hi"),)
    assert [record.id for record in table.records] == ["5", "2", "3", "4"]
    assert [dict(record.fields) for record in table.records] == [{"age": 41}, {}, {}, {}]


def test_times_may_be_dates() -> None:
    rows = [{"text": "a", "time": date(2024, 5, 1)}, {"text": "b", "time": datetime(2024, 5, 1, 8)}]
    assert [record.time for record in read(rows).records] == [datetime(2024, 5, 1), datetime(2024, 5, 1, 8)]


def test_named_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "body,topic,lang,intent,text\na,x,en,1,t\nb,y,zh,2,t\nc,,en,3,t\n")
    columns = Columns(text="body", label="topic", ignore=("intent",), where={"lang": "en"})
    table = read(path, columns)
    assert content(table) == [("a", {"topic": "x"}), ("c", {})]
    assert (table.rows, table.task_name, table.left_out) == ((1, 3), "topic", ("text",))
    assert table.notices == ("t.csv: 1 row without a label (first: 3).",)
    assert content(table.labelled()) == [("a", {"topic": "x"})]
    assert table.labelled().rows == (1,)


def test_where_compares_as_strings() -> None:
    rows = [{"text": "a", "fold": 1}, {"text": "b", "fold": 1.0}, {"text": "c", "fold": "1"}, {"text": "d", "fold": 2}]
    assert [record.text for record in read(rows, Columns(where={"fold": "1"})).records] == ["a", "b", "c"]


def test_without_a_label_column(tmp_path: Path) -> None:
    table = read(write(tmp_path / "t.csv", "text,topic\na,x\n"))
    assert (table.task_name, table.kind, table.left_out, table.notices) == (None, None, ("topic",), ())
    assert table.labelled().records == ()


def test_pictures_or_fields_need_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").touch()
    monkeypatch.chdir(tmp_path)
    assert read([{"image": "a.png"}]).records[0].text is None
    assert read([{"plan": "gold"}], Columns(fields=("plan",))).records[0].fields == {"plan": "gold"}


def test_a_program_may_name_any_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But the paths in a file stay below its folder, wherever that is."""
    for name in ("data/inner", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
    for path in (tmp_path / "data/inner/a.png", tmp_path / "elsewhere/b.png"):
        path.touch()
    monkeypatch.chdir(tmp_path / "data")
    rows = [{"text": "hi", "image": [tmp_path / "elsewhere/b.png", "../elsewhere/b.png", "inner/a.png"]}]
    found = [media.path for media in read(rows).records[0].images]
    assert found == [tmp_path / "elsewhere/b.png", Path("../elsewhere/b.png"), Path("inner/a.png")]
    frame = pytest.importorskip("pandas").DataFrame({"text": ["hi"], "image": [str(tmp_path / "elsewhere/b.png")]})
    assert read(frame).records[0].images == (Media(path=tmp_path / "elsewhere/b.png"),)
    (tmp_path / "linked").symlink_to(tmp_path / "data")  # the folder itself may be reached by a link
    (tmp_path / "data/also.png").symlink_to("inner/a.png")
    write(tmp_path / "data/t.csv", "text,image\nhi,inner/../inner/a.png|also.png\n")
    for source in ("t.csv", tmp_path / "linked/t.csv"):
        first, second = read(source).records[0].images
        assert first.path is not None and first.path.samefile(tmp_path / "data/inner/a.png")
        assert second.path is not None and second.path.name == "also.png"


def test_columns_without_a_name(tmp_path: Path) -> None:
    table = read(write(tmp_path / "t.csv", ",text,intent,\n0,hi,greet,\n"))
    assert content(table) == [("hi", {"intent": "greet"})]
    assert table.left_out == ("column 1", "column 4")


def test_quoted_cells_may_hold_anything_and_be_huge(tmp_path: Path) -> None:
    limit = csv.field_size_limit()
    huge = 'He said: "no, never",\nand left. ' * 320_000  # 10 MB
    with (tmp_path / "t.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["text", "intent"], [huge, "a"], ['5" screen', "b"]])
    assert content(read(tmp_path / "t.csv")) == [(huge, {"intent": "a"}), ('5" screen', {"intent": "b"})]
    assert csv.field_size_limit() == limit


@given(rows=st.lists(st.tuples(TEXTS, TEXTS), min_size=1), delimiter=st.sampled_from([",", ";", "\t"]))
def test_csv_round_trip(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], delimiter: str) -> None:
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=delimiter).writerows([["text", "intent"], *rows])
    table = read(write(tmp_path_factory.mktemp("csv") / "t.csv", stream.getvalue()))
    assert [record.text for record in table.records] == [text for text, _ in rows]
    assert [record.labels.get("intent", "") for record in table.records] == [label.strip() for _, label in rows]


@given(
    rows=st.lists(st.tuples(TEXTS, st.lists(TEXTS)), min_size=1),
    ensure_ascii=st.booleans(),
    ending=st.sampled_from(["jsonl", "json"]),
)
def test_json_round_trip(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, list[str]]], ensure_ascii: bool, ending: str
) -> None:
    objects = [{"text": text, "intents": labels} for text, labels in rows]
    lines = [json.dumps(row, ensure_ascii=ensure_ascii) for row in objects]
    written = "\n".join(lines) if ending == "jsonl" else f"[{','.join(lines)}]"
    table = read(write(tmp_path_factory.mktemp("json") / f"t.{ending}", written))
    assert [record.text for record in table.records] == [text for text, _ in rows]
    assert [record.labels["intents"] for record in table.records] == [
        tuple(dict.fromkeys(label.strip() for label in labels if label.strip())) for _, labels in rows
    ]


# Encodings


CHINESE = "text,intent\n我的卡还没到，怎么办？,查卡\n你好,问候\n"
WESTERN = "text,intent\nle café est fermé,fermé\n“quoted” résumé,autre\n"


@pytest.mark.parametrize(
    ("written", "encoding", "notice"),
    [
        (CHINESE, "utf-8", None),
        (CHINESE, "utf-8-sig", "t.csv: the byte-order mark at its start was left out."),
        (CHINESE, "utf-16", "t.csv: read as UTF-16, as its byte-order mark says."),
        (CHINESE, "gb18030", "t.csv: not UTF-8, so read as GB18030, which is a guess. Save it as UTF-8 to be sure."),
        (
            WESTERN,
            "cp1252",
            "t.csv: not UTF-8, so read as Windows-1252, which is a guess. Save it as UTF-8 to be sure.",
        ),
    ],
)
def test_encodings(tmp_path: Path, written: str, encoding: str, notice: str | None) -> None:
    table = read(write(tmp_path / "t.csv", written.encode(encoding)))
    assert [record.text for record in table.records] == [line.split(",")[0] for line in written.splitlines()[1:]]
    assert table.notices == ((notice,) if notice else ())


def test_nuls_and_lone_surrogates_are_taken_out_and_noted(tmp_path: Path) -> None:
    lines = [
        '{"text": "a\\u0000b", "intent": "x\0"}',
        '{"text": "c\\ud800d", "intent": "y"}',
        '{"text": "\\ud83d\\ude00"}',
    ]
    table = read(write(tmp_path / "t.jsonl", "\n".join(lines)))
    assert content(table) == [("ab", {"intent": "x"}), ("c\ufffdd", {"intent": "y"}), ("😀", {})]
    assert table.notices == (
        "t.jsonl: 1 row with NUL characters, which were taken out (first: 1).",
        "t.jsonl: 1 row with lone surrogates, which were replaced by U+FFFD (first: 2).",
        "t.jsonl: 1 row without a label (first: 3).",
    )
    table = read(write(tmp_path / "t.csv", "text,intent\nwhere is\0 my card,card\nI want my money back,refund\n"))
    assert table.records[0].text == "where is my card"
    assert table.notices == ("t.csv: 1 row with NUL characters, which were taken out (first: 1).",)
