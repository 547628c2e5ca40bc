"""Input that cannot be used: one line each that says what happened, where, and how to fix it."""

import gzip
import random
import re
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huiyi.data import Columns, read
from huiyi.errors import ColumnError, DataError, HuiyiError, OptionError
from huiyi.values import Record, Span


def refusal(source: Any, columns: Columns | None = None, **options: bool) -> str:
    """The message with which a source is refused, which is one line."""
    with pytest.raises(DataError) as caught:
        read(source, columns or Columns(), **options)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def refused(folder: Path, name: str, content: str | bytes, columns: Columns | None = None, **options: bool) -> str:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    message = refusal(path, columns, **options)
    assert name in message
    return message


# Places


def test_missing_file(tmp_path: Path) -> None:
    (tmp_path / "tickets.csv").touch()
    message = refusal(tmp_path / "tickts.csv")
    assert message.startswith("There is no file or folder")
    assert "Did you mean 'tickets.csv'?" in message
    assert "Did you mean" not in refusal(tmp_path / "zebra")
    assert refusal(tmp_path / "nowhere" / "t.csv").startswith(f"There is no folder {str(tmp_path / 'nowhere')!r}.")
    assert refusal("") == "The path of the data is empty. Expected that of a file or a folder."


def test_a_text_given_as_a_path() -> None:
    assert "File name too long" in refusal("my card\nhas not arrived\n" * 300)


def test_unknown_ending(tmp_path: Path) -> None:
    message = refused(tmp_path, "notes.xlsx", "hi")
    assert "its name tells no known format. Expected a file ending in .csv, .tsv, .jsonl" in message
    assert message.endswith("save it as CSV.")


def test_folders(tmp_path: Path) -> None:
    folder = tmp_path / "support"
    folder.mkdir()
    assert "holds no file that can be read; it holds: none." in refusal(folder)
    (folder / "README.md").touch()
    assert "holds no file that can be read; it holds: 'README.md'." in refusal(folder)
    (folder / "a.csv").write_text("text,intent\nhi,x\n")
    (folder / "b.csv").write_text("text,topic\nhi,x\n")
    assert "support/b.csv has no column 'intent', which support/a.csv has." in refusal(folder)
    (folder / "b.csv").write_text("text,intent\nhi,x\nhi\n")
    assert refusal(folder).startswith("support/b.csv, row 2 has 1 cell,")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(13, "Permission denied"), "t.csv cannot be read: permission denied. Give yourself the right"),
        (OSError(5, "Input/output error"), "t.csv cannot be read: Input/output error."),
    ],
)
def test_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, message: str) -> None:
    def fail(*_: object) -> NoReturn:
        raise error

    (tmp_path / "t.csv").write_text("text\nhi\n")
    monkeypatch.setattr(Path, "open", fail)
    assert refusal(tmp_path / "t.csv").startswith(message)


# Whole files


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", b""),
        ("t.csv", b"\n\n  \n"),
        ("t.csv", b"\xef\xbb\xbf"),
        ("t.tsv", b""),
        ("t.jsonl", b"\n\n"),
        ("t.json", b""),
        ("t.json", b"[]"),
        ("t.csv.gz", gzip.compress(b"", mtime=0)),
    ],
)
def test_empty_file(tmp_path: Path, name: str, content: bytes) -> None:
    assert refused(tmp_path, name, content).startswith(f"{name} is empty. Expected rows, one for each record")


def test_header_only(tmp_path: Path) -> None:
    assert refused(tmp_path, "t.csv", "text,intent\n") == (
        "t.csv has a header but no row that can be read. Expected at least one below it: add some."
    )
    assert "no row that can be read" in refused(tmp_path, "t.csv", "text,intent\nhi\n", skip_bad=True)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00", "is not text but a PNG picture"),
        (b"PK\x03\x04\x14\x00", "is not text but a zip archive, which an Excel file is too"),
        (gzip.compress(b"text\nhi\n", mtime=0), "is not text but gzip data in a file that does not end in .gz"),
        ("text,intent\nhi,a\n".encode("utf-16-le"), "or UTF-16 without a byte-order mark"),
        ("text,intent\n我的卡还没到怎么办呢,查卡\n".encode("utf-16-be"), "or UTF-16 without a byte-order mark"),
        (random.Random(0).randbytes(5000), "it holds NUL bytes as a binary file does"),
    ],
)
def test_binary_files(tmp_path: Path, content: bytes, what: str) -> None:
    assert what in refused(tmp_path, "t.csv", content)


@pytest.mark.parametrize(
    "content",
    [
        "text,intent\nle café,a\n".encode() + "le thé,b\n".encode("cp1252"),
        "text,intent\n我的卡还没到,查卡\n".encode() + "我的卡还没到,查卡\n".encode("gb18030"),
    ],
)
def test_mixed_encodings(tmp_path: Path, content: bytes) -> None:
    assert refused(tmp_path, "t.csv", content).startswith("t.csv, line 3 is not UTF-8, though other lines are.")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("где моя карта", "cp1251"), ("我的卡還沒到怎麼辦", "big5"), ("カードがまだ届きません", "shift-jis")],
)
def test_encodings_that_are_not_guessed(tmp_path: Path, text: str, encoding: str) -> None:
    message = refused(tmp_path, "t.csv", f"text,intent\n{text},{text}\n".encode(encoding))
    assert message.startswith("t.csv, line 2 is not UTF-8, and the file is neither GB18030 nor Windows-1252.")


def test_broken_utf_16(tmp_path: Path) -> None:
    message = refused(tmp_path, "t.csv", "text,intent\nhi,a\n".encode("utf-16") + b"\x00")
    assert "begins as UTF-16 but is broken further on" in message


def test_broken_gzip(tmp_path: Path) -> None:
    whole = gzip.compress(b"text,intent\n" + random.Random(0).randbytes(3000).hex().encode() + b",a\n")
    broken = whole[:100] + bytes([whole[100] ^ 255]) + whole[101:]
    for content in (whole[:-900], broken, b"text,intent\nhi,a\n"):
        assert refused(tmp_path, "t.csv.gz", content).startswith("t.csv.gz is not a whole gzip file (")


# Columns


def test_a_column_that_is_not_there(tmp_path: Path) -> None:
    content = "txt,intent,lang\nhi,a,en\n"
    assert refused(tmp_path, "t.csv", content) == (
        "t.csv has no column 'text'. Did you mean 'txt'? Its columns: 'txt', 'intent', 'lang'. "
        "Name the right one with --text."
    )
    assert "no column 'text'. Its columns" in refused(tmp_path, "t.csv", "question,intent\nhi,a\n")
    for columns, message in [
        (Columns(text="texts"), "no column 'texts'. Did you mean 'txt'?"),
        (Columns(text="txt", label="intents"), "no column 'intents'. Did you mean 'intent'?"),
        (Columns(text="txt", fields=("lan",)), "no column 'lan'. Did you mean 'lang'?"),
        (Columns(text="txt", ignore=("lnag",)), "no column 'lnag'. Did you mean 'lang'?"),
        (Columns(text="txt", where={"lag": "en"}), "no column 'lag'. Did you mean 'lang'?"),
    ]:
        assert message in refused(tmp_path, "t.csv", content, columns)


def test_many_columns_are_not_all_listed(tmp_path: Path) -> None:
    names = ",".join(f"x{number}" for number in range(40))
    assert "'x9' and 30 more." in refused(tmp_path, "t.csv", f"{names}\n{names}\n")


def test_duplicate_header_names(tmp_path: Path) -> None:
    assert refused(tmp_path, "t.csv", "text,intent, text\na,b,c\n") == (
        "t.csv has the column 'text' more than once (columns 1, 3). "
        "Each name must be there once: rename or delete the others."
    )


def test_no_label_column(tmp_path: Path) -> None:
    message = refused(tmp_path, "t.csv", "text,intnt,tags\nhi,a,O\n", needs_label=True)
    assert message.startswith("t.csv has no label column: expected 'intent', 'intents', 'spans', or 'tokens' with")
    assert "Did you mean 'intnt'? Its columns: 'text', 'intnt', 'tags'. Name the right one with --label." in message
    assert "no record carries a label" in refusal([Record(text="hi")], needs_label=True)


@pytest.mark.parametrize("column", ["intent", "intents"])
def test_blank_labels(tmp_path: Path, column: str) -> None:
    message = refused(tmp_path, "t.csv", f"text,{column}\nhi,\nho,  \n", needs_label=True)
    assert message.startswith(f"t.csv: the label column {column!r} is blank in all 2 rows.")


def test_where_keeps_nothing(tmp_path: Path) -> None:
    rows = "".join(f"hi,{lang},gold\n" for lang in ("en", "en", "zh", "fr", "de", "es", "it"))
    message = refused(tmp_path, "t.csv", f"text,lang,plan\n{rows}", Columns(where={"plan": "gold", "lang": "pt"}))
    assert message == (
        "t.csv has no row whose column 'lang' is 'pt'. It has: 'en', 'zh', 'fr', 'de', 'es' and 1 more. "
        "Choose one of these with --where."
    )


# Rows of CSV


def test_too_many_or_too_few_cells(tmp_path: Path) -> None:
    content = 'text,intent\n"two\nlines",a\nhi, there,a\nhi\nlast,b\n'
    message = refused(tmp_path, "t.csv", content)
    assert message.startswith("t.csv, row 2 has 3 cells, but the header has 2 ('text', 'intent').")
    assert "Put quotes around cells that hold commas, or pass --skip-bad" in message
    assert refused(tmp_path, "t.csv", "text;intent\nhi\n").startswith("t.csv, row 1 has 1 cell, but the header has 2")
    (tmp_path / "t.csv").write_text(content)
    table = read(tmp_path / "t.csv", skip_bad=True)
    assert (table.rows, table.notices) == ((1, 4), ("t.csv: 2 rows bad and skipped (first: 2, 3).",))


def test_unclosed_quote(tmp_path: Path) -> None:
    content = 'text,intent\nfine,a\n"oh no,b\n' + "fine,c\n" * 100
    for skip_bad in (False, True):  # nothing is left to skip to
        message = refused(tmp_path, "t.csv", content, skip_bad=skip_bad)
        assert message.startswith("t.csv, row 2: a quote is opened and never closed, so the rest of the file")
    assert "in the header: a quote is opened" in refused(tmp_path, "t.csv", 'text,"intent\nhi,a\n')


def test_a_quote_closed_by_the_next_one(tmp_path: Path) -> None:
    content = 'text,intent\nfine,a\n"oh no,b\nfine,c\n"quoted",d\nlast,e\n'
    message = refused(tmp_path, "t.csv", content)
    assert message.startswith("t.csv, row 2: a quoted cell goes on after its closing quote.")
    (tmp_path / "t.csv").write_text(content)
    assert [record.text for record in read(tmp_path / "t.csv", skip_bad=True).records] == ["fine", "last"]
    message = refused(tmp_path, "t.csv", '"text"s,intent\nhi,a\n', skip_bad=True)
    assert message.startswith("t.csv, in the header: a quoted cell goes on after its closing quote.")


# Rows of JSON


def test_broken_json_lines(tmp_path: Path) -> None:
    good = '{"text": "a", "intent": "b"}'
    content = f'{good}\n\n{{"text": "a" "intent": "b"}}\n["a", "b"]\nnull\n{good}\n'
    message = refused(tmp_path, "t.jsonl", content)
    assert message.startswith(
        "t.jsonl, row 3 is not JSON: Expecting ',' delimiter at character 14. Expected one object"
    )
    (tmp_path / "t.jsonl").write_text(content)
    table = read(tmp_path / "t.jsonl", skip_bad=True)
    assert (table.rows, table.notices) == ((1, 6), ("t.jsonl: 3 rows bad and skipped (first: 3, 4, 5).",))
    assert "row 2 is ['a'], not an object." in refused(tmp_path, "t.jsonl", f'{good}\n["a"]\n')
    assert "row 1 is not JSON: it is nested too deeply." in refused(tmp_path, "t.jsonl", "[" * 100_000)
    assert "row 1 is not JSON: Exceeds the limit" in refused(tmp_path, "t.jsonl", "1" * 5000)


def test_broken_json_list(tmp_path: Path) -> None:
    message = refused(tmp_path, "t.json", '[\n  {"text": "a"},\n  {"text": }\n]')
    assert message == "t.json is not JSON: Expecting value at line 3, character 12. Expected a list of objects."
    assert "row 1 is 'a', not an object" in refused(tmp_path, "t.json", '["a"]')
    message = refused(tmp_path, "t.json", '{\n  "rows": []\n}')
    assert "Expected a list of objects, or one object a line" in message


@pytest.mark.parametrize("value", ['{"a": 1}', '["a"]'])
def test_a_text_that_is_none(tmp_path: Path, value: str) -> None:
    content = f'{{"text": "a"}}\n{{"text": {value}}}\n'
    message = refused(tmp_path, "t.jsonl", content)
    assert re.match(r"t\.jsonl, row 2: the column 'text' holds .* where text was expected: write a string\.", message)
    assert read(tmp_path / "t.jsonl", skip_bad=True).notices == ("t.jsonl: 1 row bad and skipped (first: 2).",)


def test_nothing_but_bad_rows(tmp_path: Path) -> None:
    assert "every row is bad and was skipped" in refused(tmp_path, "t.jsonl", '{"text": []}\n', skip_bad=True)


def test_a_turn_that_is_none() -> None:
    message = refusal([{"text": "a", "history": ["hi", {"role": "user"}]}])
    assert message.startswith("the list, row 1: the column 'history' holds the turn {'role': 'user'}: write a string")


# Pictures and recordings


@pytest.mark.parametrize("column", ["image", "audio"])
@pytest.mark.parametrize(
    ("path", "what"),
    [
        (
            "https://example.com/a.png",
            "holds the address 'https://example.com/a.png', and nothing is fetched from a net",
        ),
        ("S3://bucket/a.png", "nothing is fetched from a network: save the file beside the data and write its path"),
        ("data:image/png;base64,iVBORw0KGgo=", "nothing is fetched from a network"),
        ("file:///etc/passwd", "nothing is fetched from a network"),
        ("/etc/passwd", "holds the path '/etc/passwd', which leaves the folder of the data: copy the file into the"),
        ("../secret.png", "holds the path '../secret.png', which leaves the folder of the data"),
        ("inner/../../secret.png", "which leaves the folder of the data"),
        ("link.png", "holds the path 'link.png', which leaves the folder of the data"),
        ("links/secret.png", "which leaves the folder of the data"),
        ("b.png", "holds the path 'b.png', but no such file is there: write its path from the folder of the data"),
        ("inner", "holds the path 'inner', but no such file is there"),
        ("circle", "holds"),
        ("x" * 5_000, "holds"),
    ],
)
def test_a_path_that_leads_nowhere_or_elsewhere(tmp_path: Path, column: str, path: str, what: str) -> None:
    data = tmp_path / "data"
    (data / "inner").mkdir(parents=True)
    for file in (data / "a.png", tmp_path / "secret.png"):
        file.touch()
    (data / "link.png").symlink_to(tmp_path / "secret.png")
    (data / "links").symlink_to(tmp_path)
    (data / "circle").symlink_to("circle")
    content = f'text,{column}\none,a.png\ntwo,"a.png|{path}"\n'
    message = refused(data, "t.csv", content)
    assert message.startswith(f"t.csv, row 2: the column {column!r} holds ")
    assert "which is absolute: copy" in refused(data, "u.csv", f"text,{column}\nhi,{data / 'a.png'}\n")
    assert what in message
    table = read(data / "t.csv", skip_bad=True)
    assert ([record.text for record in table.records], table.notices) == (
        ["one"],
        ("t.csv: 1 row bad and skipped (first: 2).",),
    )


def test_paths_that_a_program_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    message = refusal([{"text": "hi", "image": "a.png"}])
    assert message == (
        "the list, row 1: the column 'image' holds the path 'a.png', but no such file is there: "
        "write its path from the current folder."
    )
    assert "nothing is fetched" in refusal([{"text": "hi", "image": "https://example.com/a.png"}])
    assert "where text was expected" in refusal([{"text": "hi", "image": b"PNG"}])


# Lists and frames


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([], "the list is empty."),
        (7, "Cannot read examples from a int. Expected a path, a DataFrame, or a list"),
        (["where is my card"], "the list, row 1 is 'where is my card'. Expected Records only, or dicts, or pairs"),
        ([{"text": "a"}, Record(text="b")], "the list, row 2 is Record("),
        ([Record(labels={"a": "x"}), Record(labels={"a": ("x",)})], "the list: the labels 'a' are of several kinds"),
        ([Record(labels={"a": ["x"]})], "the list: a record has the label ['x'] for 'a'. Expected a string"),
        ([Record(labels={"a": ("x", Span("x", 0, 1))})], "the list: a record has the label ('x', Span("),
    ],
)
def test_lists(source: Any, message: str) -> None:
    assert refusal(source).startswith(message)


def test_records_have_no_columns() -> None:
    with pytest.raises(OptionError, match="only 'label' can be set"):
        read([Record(text="hi")], Columns(where={"lang": "en"}))
    message = refusal([Record(labels={"intent": "x"})], Columns(label="intnt"))
    assert message == "the list: no record has a label 'intnt'. Did you mean 'intent'? Its labels: 'intent'."


def test_a_frame_with_a_name_twice() -> None:
    pandas = pytest.importorskip("pandas")
    with pytest.raises(ColumnError, match="the DataFrame has the column 'text' more than once"):
        read(pandas.DataFrame([["a", "b"]], columns=["text", "text"]))


@given(content=st.binary(), name=st.sampled_from(["t.csv", "t.tsv", "t.jsonl", "t.json", "t.csv.gz"]))
def test_no_bytes_crash(tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str) -> None:
    path = tmp_path_factory.mktemp("bytes") / name
    for start in (b"", b"text,intent\n", b'{"text": "', b'[{"intent": "'):
        path.write_bytes(start + content)
        try:
            read(path)
        except HuiyiError as error:
            assert len(str(error).splitlines()) == 1
