from __future__ import annotations

import re
from html.parser import HTMLParser
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from huiyi.errors import OptionError, OutputError
from huiyi.evaluate import Evaluation, evaluate, figures_table, write_report

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import MakeModel, MakeTable

NASTY = "<script>alert('x')</script> https://example.org/ \x00\ud800\u202e " + "long " * 250_000


class Page(HTMLParser):
    """Reads a page as a browser would, and notes what matters here."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag != "meta":  # the only element here that is never closed
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def evaluation(make_model: MakeModel, make_table: MakeTable) -> Evaluation:
    beliefs = {
        "where is it": ((0.9, 0.1, 0.0), 0.9),
        NASTY: ((0.0, 1.0, 0.0), 0.4),
        "hm": ((0.4, 0.6, 0.0), 0.02),
    }
    rows = [("where is it", "a"), (NASTY, "a"), ("hm", "oos"), ("where is it", "<b>new</b>")]
    return evaluate(make_model(beliefs), make_table(*rows, notices=("1 < 2",)))


def written(evaluation: Evaluation, folder: Path, **options: Any) -> str:
    write_report(evaluation, folder / "report.html", **options)
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_is_whole_and_asks_for_nothing(evaluation: Evaluation, tmp_path: Path, language: str) -> None:
    source = written(evaluation, tmp_path, language=language)
    page = Page(source)
    assert not page.open
    assert not page.tags & {"script", "img", "link", "iframe", "object", "embed", "base", "form", "a", "image", "use"}
    names = {name for name, _ in page.attributes}
    assert not names & {"src", "href", "srcset", "action", "data", "xlink:href"}
    assert not any(name.startswith("on") for name in names)
    style = re.search("<style>.*</style>", source, re.DOTALL)
    assert style
    assert not re.search(r"@import|url\(|https?:", style.group())
    assert all("http" not in (value or "") for name, value in page.attributes if name != "http-equiv")
    assert f'<html lang="{language}">' in source


def test_texts_are_escaped_and_cut(evaluation: Evaluation, tmp_path: Path) -> None:
    source = written(evaluation, tmp_path)
    assert len(source) < 60_000
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;" in source
    assert "&lt;b&gt;new&lt;/b&gt;" in source
    assert "At most 5% of &lt;acts&gt; are wrong." in source
    assert "<li><bdi>1 &lt; 2</bdi></li>" in source
    assert "\x00" not in source
    assert "\ufffd\ufffd\u202e long" in source


def test_what_a_reader_looks_for_is_there(evaluation: Evaluation, tmp_path: Path) -> None:
    text = Page(written(evaluation, tmp_path)).text
    for expected in (
        "Evaluation · intent · test.csv",
        "Accuracy33.3%",
        "Measured on these rows: 66.7% of the acts were wrong (2 of 3); asked for: at most 5.0%.",
        "Does it know how sure to be?",
        "What would acting more often cost?",
        "Does it know what it does not know?",
        "Most frequent confusions",
        "Most confident mistakes",
        "Each label",
        "act_error_in_scope",
    ):
        assert expected in text


@pytest.mark.parametrize(
    "rows", [[("where", "a")], [("where", "oos")], [("hm", "oos"), ("hm", "b")], [("hm", "a")]], ids=str
)
def test_one_sided_evaluations_are_drawn_too(
    make_model: MakeModel, make_table: MakeTable, tmp_path: Path, rows: list[tuple[str, str]]
) -> None:
    model = make_model({"where": ((1.0, 0.0, 0.0), 1.0), "hm": ((0.4, 0.3, 0.3), 0.0)})
    source = written(evaluate(model, make_table(*rows)), tmp_path)
    assert not Page(source).open
    assert "nan" not in source.lower().replace("–", "")


def test_several_labels_have_no_reliability_diagram(
    make_model: MakeModel, make_table: MakeTable, tmp_path: Path
) -> None:
    model = make_model({"x": ((0.9, 0.9, 0.0), 0.9)}, kind="several")
    evaluation = evaluate(model, make_table(("x", ("a",)), ("x", ("a", "b")), kind="several"))
    text = Page(written(evaluation, tmp_path)).text
    assert "Does it know how sure to be?" not in text
    assert "a, b" in text


def test_an_existing_report_is_replaced_and_nothing_is_left_beside_it(evaluation: Evaluation, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("old")
    assert written(evaluation, tmp_path) != "old"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("place", ["missing/report.html", "a_file/report.html", "a_folder"])
def test_a_place_that_cannot_be_written_is_refused(evaluation: Evaluation, tmp_path: Path, place: str) -> None:
    (tmp_path / "a_file").write_text("")
    (tmp_path / "a_folder").mkdir()
    with pytest.raises(OutputError, match=r"the report cannot be written here \(.+\)\. Name a file"):
        write_report(evaluation, tmp_path / place)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a_file", "a_folder"]


def test_an_unknown_language_is_refused(evaluation: Evaluation, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="Choose one of en, zh"):
        write_report(evaluation, tmp_path / "report.html", language="fr")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("language", "accuracy"), [("en", "Accuracy"), ("zh", "准确率")])
def test_the_terminal_table_holds_every_figure(evaluation: Evaluation, language: str, accuracy: str) -> None:
    console = Console(width=120, record=True, file=StringIO())
    table = figures_table(evaluation, language=language)
    assert table.row_count == len(evaluation.figures)
    console.print(table)
    assert re.search(accuracy + r" +33\.3% +6\.1–79\.2%", console.export_text())
