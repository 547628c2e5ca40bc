"""The command line: what is printed where, and how it ends."""

import io
import json
import os
import subprocess
import sys
import wave
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

import huiyi
from huiyi import Model
from huiyi.cli.demo import _desk_knowledge
from huiyi.data.desk import FOLDER
from huiyi.storage import MANIFEST

Run = Callable[..., Any]
"""The fixture ``run``."""

ROWS = [(f"{words} {i}", label) for i in range(6) for words, label in (("buy ticket", "buy"), ("train late", "delay"))]


@pytest.fixture
def train_csv(tmp_path: Path) -> Path:
    return write(tmp_path / "train.csv", ROWS)


def write(path: Path, rows: list[tuple[str, str]], header: str = "text,intent") -> Path:
    path.write_text("\n".join([header, *(f'"{text}",{label}' for text, label in rows)]) + "\n", "utf-8")
    return path


def train(run: Run, source: object, *more: object, out: object = "model") -> Any:
    return run("train", source, "--out", out, "--signals", "words", *more)


def refused(ended: Any, *words: str) -> None:
    """Exit code 2, nothing on the output stream, and one line on the error stream."""
    assert ended.code == 2, ended
    assert ended.out == ""
    assert len(ended.err.splitlines()) == 1, ended.err
    assert ended.err.startswith("huiyi: ")
    for word in words:
        assert word in ended.err


# What works


def test_train_decide_and_evaluate(run: Run, train_csv: Path, tmp_path: Path) -> None:
    ended = train(run, train_csv)
    assert ended.code == 0, ended.err
    assert "intent: 12 rows, 2 labels" in ended.out
    assert "No promise" in ended.out
    assert (tmp_path / "model" / MANIFEST).is_file()

    ended = run("decide", "model", "the train is late", "--json")
    assert ended.code == 0, ended.err
    decision = json.loads(ended.out)
    assert decision["label"] == "delay"
    assert len(decision["model"]) == 64

    test = write(tmp_path / "test.csv", [("ticket", "buy"), ("late", "delay"), ("pizza", "oos")])
    ended = run("evaluate", "model", test, "--json", "--report", "report.html")
    assert ended.code == 0, ended.err
    figures = json.loads(ended.out)
    assert (figures["n"], figures["accuracy"]) == (3, 1)
    assert "delay" in (tmp_path / "report.html").read_text("utf-8")

    ended = run("evaluate", "model", test, "--lang", "zh")
    assert ended.code == 0, ended.err
    assert "准确率" in ended.out


def test_decide_on_a_file_gives_a_line_a_record(run: Run, train_csv: Path, saved: Path, tmp_path: Path) -> None:
    ended = run("decide", saved, train_csv)
    assert ended.code == 0, ended.err
    decisions = [json.loads(line) for line in ended.out.splitlines()]
    assert [decision["record_id"] for decision in decisions] == [str(i) for i in range(1, len(ROWS) + 1)]


def test_decide_in_words(run: Run, saved: Path, model: Model) -> None:
    ended = run("decide", saved, "train?", "--answer", "intent=问票价和优惠", "--lang", "zh")
    assert ended.code == 0, ended.err
    assert "执行: ask_fare (问票价和优惠) 100.0%" in ended.out
    assert "decline" in run("decide", saved, "").out
    asked = next(text for text in ("train", "ticket", "tickets tonight", "票", "车") if model.decide(text).question)
    assert "?" in run("decide", saved, asked).out or "？" in run("decide", saved, asked).out


def test_texts_that_look_like_options_markup_or_folders(run: Run, saved: Path) -> None:
    for text in ("[red]ticket[/red] [/]", "/", "x" * 5_000, "票 🙏"):
        ended = run("decide", saved, text, "--json")
        assert ended.code == 0, ended.err
        assert json.loads(ended.out)["kind"] in ("act", "clarify", "decline")
        assert run("decide", saved, text).code == 0
    assert run("decide", saved, "--json", "--", "--help").code == 0


def test_notices_go_to_the_error_stream(run: Run, tmp_path: Path) -> None:
    source = write(tmp_path / "train.csv", [*ROWS, ("hello", ""), ("buy ticket 0", "buy")])
    ended = train(run, source)
    assert ended.code == 0
    assert "note: " in ended.err
    assert "note: " not in ended.out


def test_options_reach_the_training(run: Run, tmp_path: Path) -> None:
    source = write(tmp_path / "train.csv", ROWS, header="question,topic")
    held_out = [(f"{text}, please", label) for text, label in ROWS * 9]
    validation = write(tmp_path / "held_out.csv", held_out, header="question,topic")
    options = ["--text", "question", "--label", "topic", "--no-examples", "--seed", 7, "--max-error", 0.2]
    ended = train(run, source, *options, "--validation", validation, "--oos-rate", 0)
    assert ended.code == 0, ended.err
    model = huiyi.load(tmp_path / "model")
    assert (model.task.name, model.examples, model.max_error) == ("topic", (), 0.2)
    assert (model.promise.kind, model.promise.oos_rate, model.decide("late").seed) == ("guaranteed", 0, 7)


@pytest.mark.parametrize("command", ["train", "evaluate", "decide", "explain", "replay", "check", "demo"])
def test_help(run: Run, command: str) -> None:
    assert f"  {command} " in run("--help").out
    ended = run(command, "--help")
    assert ended.code == 0
    assert f" {command} [OPTIONS]" in ended.out
    assert ended.err == ""


def test_check(run: Run, tmp_path: Path) -> None:
    rows = [*ROWS, ("buy ticket 0", "delay"), ("", "buy")]
    ended = run("check", write(tmp_path / "rows.csv", rows), "--test", write(tmp_path / "test.csv", ROWS[:3]))
    assert ended.code == 0, ended.err
    assert "buy ticket 0" in ended.out


@pytest.mark.slow
def test_demo(run: Run, tmp_path: Path) -> None:
    ended = run("demo", "--out", "desk")
    assert ended.code == 0, ended.err
    assert (tmp_path / "report.html").is_file()
    assert (tmp_path / "desk" / MANIFEST).is_file()
    for word in ("act: ", "clarify: ", "decline: ", "something else", "您是想", "Do you mean"):
        assert word in ended.out
    asked, told, other = (
        ended.out.index(words)
        for words in ("--answer departs_on=", "what to do: refuse_refund", "what to do: refund_in_full")
    )
    assert asked < told < ended.out.index("Checked: every step holds") < other
    day = date.today() + timedelta(days=60)
    ended = run(
        "decide", "desk", "行程取消了，想退掉特价票", "--answer", f"departs_on={day}", "--proof", "--lang", "zh"
    )
    assert ended.code == 0, ended.err
    for word in ("应当: voucher_for_half (发放票价一半的代金券)", f"发车日期是 {day}", "已核对"):
        assert word in ended.out


def test_a_reply_of_which_rules_can_make_nothing(run: Run, train_csv: Path, tmp_path: Path) -> None:
    (tmp_path / "desk.rules").write_text("""
        ask(late, "How many minutes?").
        do(request, pay) :- intent(request, delay), late(request, ?late), ?late >= 60.
    """)
    assert train(run, train_csv, "--signals", "words", "--knowledge", "desk.rules").code == 0
    ended = run("decide", "model", "train late", "--answer", "late=an hour")
    refused(ended, "--answer late=an hour", "expected a number")
    assert run("decide", "model", "train late", "--answer", "late=61").code == 0


def test_the_demo_says_in_one_line_what_knowledge_needs(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyoxigraph", None)
    assert _desk_knowledge() == ()
    assert capfd.readouterr().err == (
        'note: Knowledge graphs need the extra "reason". Install it with: pip install "huiyi[reason]"\n'
    )


def as_a_program(tmp_path: Path, *arguments: object, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", "from huiyi.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, env={**os.environ, **environment}, check=False)


def test_as_a_program(train_csv: Path, tmp_path: Path) -> None:
    done = as_a_program(tmp_path, "train", train_csv, "--out", "model", "--signals", "words", "--lang", "zh")
    assert (done.returncode, done.stderr) == (0, b"")
    done = as_a_program(tmp_path, "train", "nowhere.csv", "--out", "other")
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1)


def test_a_terminal_that_knows_no_chinese(train_csv: Path, tmp_path: Path) -> None:
    options = ["--out", "model", "--signals", "words", "--lang", "zh"]
    done = as_a_program(tmp_path, "train", train_csv, *options, PYTHONIOENCODING="cp1252")
    assert (done.returncode, done.stderr) == (0, b"")


# What is refused

BAD_SOURCES: dict[str, tuple[bytes | None, tuple[str, ...]]] = {
    "missing file": (None, ("There is no file", "rows.csv")),
    "empty file": (b"", ("rows.csv",)),
    "only a header": (b"text,intent\n", ("has a header but no row",)),
    "one class": (b"text,intent\na,x\nb,x\n", ("only the label 'x'", "expected two or more")),
    "blank labels": (b"text,intent\na,\nb, \n", ("'intent' is blank in all 2 rows",)),
    "no label column": (b"text,intnet\na,x\nb,y\n", ("Did you mean 'intnet'?",)),
    "not UTF-8": ("text,intent\n\u7968\u4ef7,x\n\u665a\u70b9,y\n".encode("utf-16-le")[1:], ("rows.csv",)),
    "a text of 10 MB": (b"text,intent\n" + b"a" * 10_000_000 + b",x\nb,y\n", ("10,000,000", "2,000,000")),
}


@pytest.mark.parametrize("name", BAD_SOURCES)
def test_bad_sources(run: Run, tmp_path: Path, name: str) -> None:
    content, words = BAD_SOURCES[name]
    if content is not None:
        (tmp_path / "rows.csv").write_bytes(content)
    refused(train(run, "rows.csv"), *words)
    assert {path.name for path in tmp_path.iterdir()} <= {"rows.csv"}


@pytest.mark.parametrize("option", ["--text", "--label"])
def test_mistyped_columns(run: Run, train_csv: Path, option: str) -> None:
    refused(train(run, train_csv, option, "intnet"), "intnet", "Did you mean 'intent'?")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--max-error", "2"], ["--max-error is 2.0"]),
        (["--max-error", "little"], ["--max-error", "number"]),
        (["--oos-rate", "-1"], ["--oos-rate is -1.0"]),
        (["--signals", "wrods"], ["Did you mean 'words'?"]),
        (["--where", "lang"], ["expected NAME=VALUE"]),
        (["--lang", "fr"], ["--lang 'fr'", "en or zh"]),
        (["--task", "task.yaml"], ["task.yaml", "no such file"]),
        (["--maxerror", "0.1"], ["--maxerror"]),
        (["--validation", "nowhere.csv"], ["There is no file"]),
    ],
)
def test_bad_options(run: Run, train_csv: Path, tmp_path: Path, options: list[str], words: list[str]) -> None:
    refused(run("train", train_csv, "--out", "model", *options), *words)
    assert [path.name for path in tmp_path.iterdir()] == [train_csv.name]


def test_missing_arguments(run: Run) -> None:
    refused(run("train"), "TRAIN")
    refused(run("train", "rows.csv"), "--out")
    refused(run("tarin"), "tarin")


def test_output_places(run: Run, train_csv: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    refused(train(run, train_csv, out="there"), "exists already", "--out")
    refused(train(run, train_csv, out=train_csv), "exists already")
    refused(train(run, train_csv, out=train_csv / "below"), "not a folder that you may write to")
    # The place is looked at before the rows are: nobody waits for a training in vain.
    refused(train(run, "nowhere.csv", out="there"), "exists already")
    assert {path.name for path in tmp_path.iterdir()} == {"there", "train.csv"}
    assert not list((tmp_path / "there").iterdir())


def test_read_only_places(run: Run, train_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    refused(train(run, train_csv), f"{tmp_path} is not a folder that you may write to")


@pytest.fixture
def folder(run: Run, train_csv: Path, tmp_path: Path) -> Path:
    train(run, train_csv)
    return tmp_path / "model"


@pytest.mark.parametrize("command", [("decide", "hello"), ("evaluate", "train.csv")])
def test_models_that_are_none(run: Run, folder: Path, command: tuple[str, str]) -> None:
    def call(place: object) -> Any:
        return run(command[0], place, command[1])

    refused(call("nowhere"), "nowhere is not there")
    refused(call("."), f"has no {MANIFEST}")
    manifest = (folder / MANIFEST).read_text("utf-8")
    (folder / MANIFEST).write_text(manifest.replace('"format": 1', '"format": 2'), "utf-8")
    refused(call(folder), "has format 2", "Upgrade huiyi")
    (folder / MANIFEST).write_text(manifest, "utf-8")
    for path in folder.iterdir():
        content = path.read_bytes()
        path.write_bytes(b"?" + content[1:])
        refused(call(folder), path.name)
        path.write_bytes(content)
    (folder / "config.json").unlink()
    refused(call(folder), "config.json")


def test_bad_test_files(run: Run, folder: Path, tmp_path: Path) -> None:
    unknown = write(tmp_path / "test.csv", [("hello", "greet"), ("bye", "leave")])
    refused(run("evaluate", folder, unknown), "test.csv")
    refused(run("evaluate", folder, "nowhere.csv"), "There is no file")
    refused(run("evaluate", folder, "train.csv", "--report", "train.csv/report.html"), "report.html")
    refused(run("evaluate", folder, "train.csv", "--label", "intnet"), "Did you mean 'intent'?")


def test_one_unknown_label_is_named_and_counted_as_wrong(run: Run, folder: Path, tmp_path: Path) -> None:
    some = write(tmp_path / "test.csv", [("ticket", "buy"), ("ticket", "bying")])
    ended = run("evaluate", folder, some, "--json")
    assert (ended.code, json.loads(ended.out)["accuracy"]) == (0, 0.5)
    assert "bying" in run("evaluate", folder, some).err


def test_bad_records(run: Run, folder: Path, tmp_path: Path) -> None:
    refused(run("decide", folder, "hello", "--answer", "intent"), "expected NAME=VALUE")
    (tmp_path / "long.csv").write_text("text\n" + "a" * 2_000_001 + "\n", "utf-8")
    refused(run("decide", folder, "long.csv"), "2,000,001")


def test_check_of_a_missing_file(run: Run) -> None:
    refused(run("check", "nowhere.csv"), "There is no file")


def test_the_desk_can_be_named_by_its_path(run: Run) -> None:
    ended = train(run, FOLDER / "train.csv", "--task", FOLDER / "task.yaml", "--where", "language=zh")
    assert ended.code == 0, ended.err
    assert "intent: 240 rows, 20 labels" in ended.out


def test_stopped(run: Run, train_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", stop)
    ended = train(run, train_csv)
    assert (ended.code, len(ended.err.splitlines())) == (130, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["train.csv"]


def test_a_full_disk(run: Run, train_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    refused(train(run, train_csv), "No space left on device")
    assert [path.name for path in tmp_path.iterdir()] == ["train.csv"]


def test_version(run: Run) -> None:
    assert run("--version") == (0, f"huiyi {huiyi.__version__}\n", "")


def test_a_file_that_is_not_there_is_not_taken_for_a_text(run: Run, saved: Path) -> None:
    for said in ("tickets.csv", "data/tickets.jsonl.gz", "Notes.TXT"):
        ended = run("decide", saved, said)
        assert (ended.code, ended.out) == (2, "")
        assert f"{said}: no such file" in ended.err
    assert run("decide", saved, "is tickets.csv a file").code == 0


def test_a_text_on_standard_input(run: Run, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("buy ticket 3"))
    ended = run("decide", saved, "-", "--json")
    assert json.loads(ended.out)["label"] == json.loads(run("decide", saved, "buy ticket 3", "--json").out)["label"]


def test_a_folder_of_records(run: Run, saved: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    write(tmp_path / "folder" / "a.csv", ROWS)
    write(tmp_path / "folder" / "b.csv", ROWS[:2])
    assert len(run("decide", saved, "folder/").out.splitlines()) == len(ROWS) + 2
    assert run("decide", saved, "folder").out.startswith(("act", "clarify", "decline"))  # a word like any other


def test_notices_of_a_file_of_records(run: Run, saved: Path, tmp_path: Path) -> None:
    source = tmp_path / "rows.csv"
    source.write_text("text,intent,agent\nbuy ticket 1,buy,Ann\ntrain late 1,,Bob\n", "utf-8")
    ended = run("decide", saved, source)
    assert "columns not used: agent" in ended.err
    assert len(ended.out.splitlines()) == 2
    assert run("decide", saved, source, "--answer", "intent=buy").code == 2


@pytest.mark.parametrize("answer", ["intent=byu", "color=red"])
def test_answers_to_nothing_that_is_asked(run: Run, saved: Path, answer: str) -> None:
    ended = run("decide", saved, "a ticket", "--answer", answer)
    assert (ended.code, ended.out) == (2, "")
    assert answer.partition("=")[0] in ended.err


def test_answers_that_are_known(run: Run, saved: Path) -> None:
    assert run("decide", saved, "a ticket", "--answer", "intent=book_ticket").out.startswith("act: book_ticket")
    assert run("decide", saved, "a ticket", "--answer", "intent=something else").code == 0


def test_fields(run: Run, tmp_path: Path) -> None:
    """Named once, when it trains; ``evaluate`` and ``decide`` look for them by themselves."""
    plans = {"gold": "first", "free": "later"}
    lines = [f"bag {i},{plan},{40 + i},{label}" for i in range(30) for plan, label in plans.items()]
    source = tmp_path / "bags.csv"
    source.write_text("\n".join(["text,plan,age,intent", *lines]) + "\n", "utf-8")
    assert run("train", source, "--out", "model", "--fields", "plan,age").code == 0
    assert json.loads(run("evaluate", "model", source, "--json").out)["accuracy"] == 1
    told = [json.loads(line)["label"] for line in run("decide", "model", source).out.splitlines()]
    assert told == list(plans.values()) * 30
    decided = run("decide", "model", "bag", "--field", "plan=gold", "--field", "age=71", "--json")
    assert json.loads(decided.out)["label"] == "first"
    refused = run("decide", "model", "bag", "--field", "plam=gold")
    assert (refused.code, len(refused.err.splitlines())) == (2, 1)
    assert "plam" in refused.err and "Did you mean 'plan'?" in refused.err
    why = run("decide", "model", "bag", "--field", "plan=gold", "--explain")
    assert why.code == 0 and "what counted: " in why.out and "fields +" in why.out
    assert "依据：" in run("decide", "model", "bag", "--field", "plan=gold", "--explain", "--lang", "zh").out
    assert "nothing in it that the model listens to" in run("decide", "model", " ").out


@pytest.fixture
def colours(tmp_path: Path) -> list[Path]:
    """Pictures of red and of blue things, and a table that names some of them."""
    from PIL import Image

    (tmp_path / "data" / "seen").mkdir(parents=True)
    paths = []
    for number in range(16):
        path = tmp_path / "data" / "seen" / f"{number}.png"
        Image.new("RGB", (40, 30 + number), ("red", "blue")[number % 2]).save(path)
        paths.append(path)
    rows = "".join(f"seen/{number}.png,{('rose', 'sea')[number % 2]}\n" for number in range(12))
    (tmp_path / "data" / "train.csv").write_text(f"image,intent\n{rows}", "utf-8")
    return paths


@pytest.mark.slow
def test_pictures_alone(run: Run, colours: list[Path], tmp_path: Path) -> None:
    """They are learnt from, travel with a file of records, and may be named from anywhere."""
    ended = run("train", "data/train.csv", "--out", "model")
    assert ended.code == 0, ended.err
    assert "image/" in ended.out
    found = [json.loads(run("decide", "model", "--image", path, "--json").out)["label"] for path in colours[12:]]
    assert found == ["rose", "sea", "rose", "sea"]
    assert run("decide", "model", "--image", colours[12], "--image", colours[14]).code == 0
    lines = run("decide", "model", "data/train.csv").out.splitlines()
    assert [json.loads(line)["label"] for line in lines] == ["rose", "sea"] * 6
    colours[13].write_bytes(b"")
    refused(run("decide", "model", "--image", colours[13]), f"{colours[13]} is empty. Expected a picture in")
    refused(run("decide", "model", "--image", "nowhere.png"), "nowhere.png is not there")
    refused(run("decide", "model", "data/train.csv", "--image", colours[12]), "go with one text")
    refused(run("decide", "model"), "nothing to decide on; expected a text")


def test_a_picture_of_a_text_is_read(run: Run, saved: Path, tmp_path: Path) -> None:
    """By a model that has learnt from texts alone; and what was read is shown."""
    from PIL import Image, ImageDraw, ImageFont

    said = "two beds to Osprey Bay tonight"
    image = Image.new("RGB", (420, 60), "white")
    ImageDraw.Draw(image).text((20, 16), said, "black", ImageFont.load_default(24))
    image.save(tmp_path / "shot.png")
    by_text, by_picture = (
        json.loads(run("decide", saved, *given, "--json").out) for given in ([said], ["--image", "shot.png"])
    )
    assert by_picture["readings"]["ocr"]["text"] == said
    assert (by_picture["label"], by_picture["probability"]) == (by_text["label"], by_text["probability"])
    ended = run("decide", saved, "--image", "shot.png")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[0] == f"read in the picture: “{said}”"
    assert f"图中文字：“{said}”" in run("decide", saved, "--image", "shot.png", "--lang", "zh").out
    assert "read in" not in run("decide", saved, said, "--image", "shot.png").out
    image.crop((0, 0, 420, 5)).save(tmp_path / "blank.png")
    assert "nothing in it that the model listens to" in run("decide", saved, "--image", "blank.png").out
    refused(run("decide", saved, "--image", "nowhere.png"), "nowhere.png is not there. Expected a picture in")


def test_a_model_that_neither_looks_nor_reads_says_so(run: Run, tmp_path: Path) -> None:
    rows = [("gold", "first"), ("free", "later")] * 6
    assert (
        run("train", write(tmp_path / "plans.csv", rows, "plan,intent"), "--out", "model", "--fields", "plan").code == 0
    )
    ended = run("decide", "model", "--field", "plan=gold", "--image", "cat.png")
    refused(ended, "--image: the model has learnt from no pictures, and from no texts as which")


def test_a_voice_message_is_decided_on(run: Run, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model of texts hears it as one, and what was heard is printed."""
    pytest.importorskip("av", reason='recordings are read with the extra "audio"')
    from huiyi.perceive.encoders.whisper import reader
    from huiyi.values import Reading

    heard = replace(reader(), work=lambda sounds: [Reading("where is my card", 0.9)] * len(sounds))
    monkeypatch.setattr("huiyi.perceive.perceivers.speech_reader", lambda: heard)
    with wave.open(str(tmp_path / "call.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(32_000))
    found, text = (run("decide", saved, *more, "--json") for more in (("--audio", "call.wav"), ("where is my card",)))
    assert json.loads(found.out)["readings"] == {"speech": {"text": "where is my card", "confidence": 0.9}}
    assert json.loads(found.out)["label"] == json.loads(text.out)["label"]
    assert "heard in the recording: “where is my card”" in run("decide", saved, "--audio", "call.wav").out
    assert "语音内容：“where is my card”" in run("decide", saved, "--audio", "call.wav", "--lang", "zh").out
    (tmp_path / "call.wav").write_bytes(b"hello")
    refused(run("decide", saved, "--audio", "call.wav"), "call.wav is no recording that can be read")
    refused(run("decide", saved, "--audio", "nowhere.wav"), "nowhere.wav is not there")


def test_a_model_that_hears_nothing_says_so(run: Run, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("plan,intent\ngold,stay\nfree,leave\ngold,stay\nfree,leave\n", "utf-8")
    assert run("train", "rows.csv", "--fields", "plan", "--out", "forms").code == 0
    refused(run("decide", "forms", "--audio", "call.wav"), "--audio: the model has learnt from no recordings, and from")


@pytest.mark.slow
def test_pictures_that_cannot_be_read_are_left_out_when_asked(run: Run, colours: list[Path], tmp_path: Path) -> None:
    """Missing files by their row, broken ones by what is wrong with them; what was seen is kept beside the model."""
    colours[2].write_bytes(b"no picture")
    with (tmp_path / "data" / "train.csv").open("a") as file:
        file.write("seen/gone.png,rose\n")
    refused(run("train", "data/train.csv", "--out", "model"), "row 13: the column 'image' holds the path")
    ended = run("train", "data/train.csv", "--out", "model", "--skip-bad")
    assert ended.code == 0, ended.err
    assert "1 row bad and skipped (first: 13)" in ended.err
    assert "1 picture or recording could not be read and was left out; the first: record 3: " in ended.err
    assert (tmp_path / "model.run" / "features.sqlite").is_file()
    refused(run("evaluate", "model", "data/train.csv"), "row 13")
    ended = run("evaluate", "model", "data/train.csv", "--skip-bad")
    assert (ended.code, "1 picture or recording could not be read" in ended.err) == (0, True)
    ended = run("decide", "model", "data/train.csv", "--skip-bad")
    kinds = [json.loads(line)["kind"] for line in ended.out.splitlines()]
    assert (len(kinds), kinds[2], "could not be read" in ended.err) == (12, "decline", True)


def test_explain(run: Run, saved: Path, model: Model, tmp_path: Path) -> None:
    text = "how much is a bed to Whitecliff"
    panel = run("explain", saved, text, "--html", "why.html")
    assert panel.code == 0, panel.err
    assert panel.out.startswith("Why ask_fare") and "words: " in panel.out and "→ why.html" in panel.out
    assert "Whitecliff" in (tmp_path / "why.html").read_text("utf-8")
    sentence = run("explain", saved, text, "--for", "person").out
    assert sentence.startswith("This was taken to be about") and len(sentence.splitlines()) == 1
    assert "系统认为" in run("explain", saved, text, "--for", "person", "--lang", "zh").out
    other = json.loads(run("explain", saved, text, "--about", model.task.names[1], "--json").out)
    assert other["label"] == model.task.names[1]
    assert run("explain", saved, "").code == 0
    assert [node["text"] for node in other["graph"]["nodes"] if node["kind"] == "decision"]


def test_explain_a_whole_model(run: Run, saved: Path, model: Model) -> None:
    told = run("explain", saved, "--html", "model.html")
    assert all(f"{name}: " in told.out for name in model.task.names) and "→ model.html" in told.out
    assert "<svg" not in Path("model.html").read_text("utf-8")
    about = run("explain", saved, "--about", "ask_fare", "--lang", "zh").out
    assert about.startswith("ask_fare：") and "book_ticket：" not in about
    plain = json.loads(run("explain", saved, "--json").out)
    assert [one["label"] for one in plain[model.task.name]["labels"]] == list(model.task.names)


def test_what_cannot_be_explained(run: Run, saved: Path) -> None:
    refused(run("explain", saved, "--for", "person"), "nothing to explain")
    refused(run("explain", saved, "--method", "shapley"), "nothing to explain")
    refused(run("explain", saved, "--about", "ask_fair"), "Did you mean 'ask_fare'?")
    refused(run("explain", saved, "--seconds", "0"), "more than 0")
    refused(run("explain", saved, "a", "--for", "judge"), "person, agent or auditor")
    refused(run("explain", saved, "a", "--about", "ask_fair"), "Did you mean 'ask_fare'?")
    refused(run("explain", saved, "a", "--method", "chain"), "Did you mean 'chains'?")
    refused(run("explain", saved, "a", "--seconds", "0"), "more than 0")
    refused(run("explain", saved, "a", "--for", "auditor", "--seconds", "1"), "replayed")


def test_an_auditors_record_is_replayed(run: Run, saved: Path, tmp_path: Path) -> None:
    kept = tmp_path / "record.json"
    kept.write_text(run("explain", saved, "how much is a bed", "--for", "auditor").out, "utf-8")
    ended = run("replay", saved, kept)
    assert (ended.code, ended.out.startswith("identical: ")) == (0, True), ended
    kept.write_text(kept.read_text("utf-8").replace('"kind": "', '"kind": "x'), "utf-8")
    ended = run("replay", saved, kept)
    assert (ended.code, ended.out.startswith("differs: decision.kind")) == (1, True), ended
    kept.write_text("[]", "utf-8")
    refused(run("replay", saved, kept), "no auditor's record")
    refused(run("replay", saved, tmp_path / "none.json"), "No such file")
    kept.write_text("{", "utf-8")
    refused(run("replay", saved, kept), "cannot be read as JSON")
