"""Explanations for people: what is said to whom, in both languages, and a page that stands alone."""

import io
import re
import wave
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from huiyi import Explanation, Model
from huiyi.evaluate import for_agent, for_person, write_explanation
from huiyi.explanation import (
    Change,
    Counterfactual,
    Entry,
    Example,
    Faithfulness,
    Region,
    Relabelling,
    Stretch,
    Weighed,
    Word,
)
from huiyi.values import Decision, Media, Question, Reading, Record

TEXT = "My <b>card</b> was stolen, not lost"


@pytest.fixture(scope="module")
def label(model: Model) -> str:
    return model.task.names[0]


@pytest.fixture
def explanation(model: Model, label: str) -> Explanation:
    weights = {"My": 0.0, "card": 0.1, "was": 0.01, "stolen": 0.6, "not": -0.2, "lost": 0.05}
    places = [(word, TEXT.index(word)) for word in weights]
    return Explanation(
        task=model.task.name, label=label, probability=0.7, without_words=0.14, shares={"text": 0.56},
        words=tuple(Word(word, start, start + len(word), weights[word]) for word, start in places),
        method="chains", passes=40, sufficed=True, seed=0, faithfulness=Faithfulness(0.5, 0.05, 0.9),
        nearest=(Example("it was stolen", (label,), 0.9, 0.2), Example("a <i>row</i>", ("other",), 0.8, -0.1)),
        counterfactual=Counterfactual("My card was lost", (Change("stolen", "lost"),), "act", ("loss",), 0.8, True),
    )  # fmt: skip


def decided(model: Model, label: str, kind: str) -> Decision:
    return Decision("", "", kind, model.task.name, label, (label,), 0.7, 0.5, ())  # type: ignore[arg-type]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("kind", ["act", "clarify", "decline"])
def test_a_person_hears_one_sentence_without_numbers(
    model: Model, label: str, explanation: Explanation, language: str, kind: str
) -> None:
    said = for_person(model, decided(model, label, kind), explanation, language)
    assert not re.search(r"\d|%", said)
    assert len(re.findall(r"[.。]", said)) == 1
    assert ("stolen" in said) == (kind != "decline")
    assert "lost" not in said  # it added little


def test_what_is_clear_and_lacks_a_fact_is_not_called_unclear(
    model: Model, label: str, explanation: Explanation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "reasoner", SimpleNamespace(domain=SimpleNamespace(questions={"days": ()})))
    for about, clear in (("days", True), (model.task.name, False)):
        asked = replace(decided(model, label, "clarify"), question=Question("How many days?", ("1",), about))
        said = for_person(model, asked, explanation, "en")
        assert said.endswith("one thing more: How many days?") == clear
        assert said.startswith("It was not clear enough") != clear
    assert for_person(model, replace(asked, question=Question("几天？", (), "days")), explanation, "zh").endswith(
        "几天？"
    )


def test_a_person_hears_of_other_sources_and_labels(model: Model, label: str, explanation: Explanation) -> None:
    decision = decided(model, label, "act")
    assert "because of fields and “stolen”" in for_person(
        model, decision, replace(explanation, shares={"text": 0.1, "fields": 0.4}), "en"
    )
    other = replace(explanation, label=model.task.names[1])
    assert for_person(model, decision, other, "en").startswith("What spoke most for")
    assert for_person(model, decision, replace(other, words=()), "en").startswith("Nothing in the text spoke for")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_agent_sees_all_of_it(model: Model, label: str, explanation: Explanation, language: str) -> None:
    panel = "\n".join(for_agent(model, decided(model, label, "act"), explanation, language, ["proof"]))
    for part in ("70.0%", "stolen +60.0%", "not -20.0%", "it was stolen", "stolen → lost", "proof"):
        assert part in panel
    assert panel.index("stolen +60.0%") < panel.index("not -20.0%") < panel.index("card +10.0%")
    assert ("people do not write so" in panel) == (language == "en")


def test_how_far_words_can_be_trusted(model: Model, label: str, explanation: Explanation) -> None:
    def said(**other: object) -> str:
        return "\n".join(for_agent(model, decided(model, label, "act"), replace(explanation, **other), "en"))  # type: ignore[arg-type]

    assert "These words carry it" in said()
    assert "a good part" in said(faithfulness=Faithfulness(0.3, 0.3, 1.0))
    assert "with care" in said(faithfulness=Faithfulness(0.05, 0.5, 1.0))
    assert "matter little" in said(without_words=0.69)
    assert "too little time" in said(sufficed=False)
    assert "most of these have another label" in said(nearest=explanation.nearest[1:])
    assert "most of these have another label" not in said()
    assert "No small change" in said(counterfactual=None)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_stands_alone(
    model: Model, label: str, explanation: Explanation, tmp_path: Path, language: str
) -> None:
    path = tmp_path / "why.html"
    write_explanation(model, decided(model, label, "act"), explanation, TEXT, path, language=language)
    page = path.read_text("utf-8")
    addresses = page.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")  # the name of a notation
    assert "<script" not in page and "http" not in addresses
    assert "<b>card" not in page and "&lt;b&gt;" in page and "<i>row" not in page
    assert re.search(r"--blue\) 55%[^>]*>stolen<", page) and re.search(r"--orange\) 18%[^>]*>not<", page)
    text = re.sub(r"<[^>]*>", "", re.search(r"line-height:2\">(.*?)</p>", page)[1])  # type: ignore[index]
    assert text == "My &lt;b&gt;card&lt;/b&gt; was stolen, not lost"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_rows_to_relabel(model: Model, label: str, explanation: Explanation, tmp_path: Path, language: str) -> None:
    def shown(found: Relabelling | None) -> tuple[str, str]:
        told, decision = replace(explanation, relabelling=found), decided(model, label, "act")
        write_explanation(model, decision, told, TEXT, tmp_path / "why.html", language=language)
        return "\n".join(for_agent(model, decision, told, language)), (tmp_path / "why.html").read_text("utf-8")

    rows = (Example("it <b>was</b> gone", (label,), 0.9, 0.2), Example("gone", ("other",), 0.5, 0.1))
    for verified, known in (
        (True, {"en": "fitted again to see", "zh": "已重新拟合"}),
        (False, {"en": "estimate", "zh": "估计"}),
    ):
        panel, page = shown(Relabelling("loss", rows, 0.613, verified))
        for said in (panel, page):
            assert known[language] in said and "loss" in said and "61" in said
        assert f"{label}: “it <b>was</b> gone”" in panel and "<b>was" not in page and "+0.200" in page
    for said in shown(None):
        assert "relabel" not in said and "labelled so" not in said and "标" not in said.replace("标签", "")


def weighed(*parts: object, without: float = 0.1) -> Weighed:  # type: ignore[type-arg]
    return Weighed(parts, without, "chains", 20, True, Faithfulness(0.5, 0.05, 0.9))


@pytest.fixture
def seen(explanation: Explanation) -> Explanation:
    """With fields, a picture and a recording."""
    return replace(
        explanation,
        shares={"image": 0.4, "text": 0.1, "fields": 0.06},
        fields=weighed(Entry("plan", "<i>gold</i>", -0.1), Entry("age", "31", 0.2)),
        regions=weighed(
            Region(0, 0.5, 0.5, 1.0, 1.0, 0.4), Region(0, 0.0, 0.0, 0.5, 0.5, -0.2),
            Region(0, 0.5, 0.0, 1.0, 0.5, 0.001), Region(1, 0.0, 0.0, 1.0, 1.0, 0.1),
        ),
        stretches=weighed(Stretch(0, 0.0, 0.5, 0.3), Stretch(0, 0.5, 1.0, 0.0), without=0.9),
    )  # fmt: skip


def drawn() -> Media:
    from PIL import Image

    with io.BytesIO() as file:
        Image.new("RGB", (8, 6), "red").save(file, "PNG")
        return Media(content=file.getvalue())


def hummed() -> Media:
    with io.BytesIO() as file:
        with wave.open(file, "wb") as writer:
            writer.setparams((1, 2, 16_000, 0, "NONE", ""))
            writer.writeframes(b"\x00\x10" * 16_000)
        return Media(content=file.getvalue())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_parts_beside_words_are_told(model: Model, label: str, seen: Explanation, language: str) -> None:
    panel = "\n".join(for_agent(model, decided(model, label, "act"), seen, language))
    for part in ("age +20.0%, plan -10.0%", "2: ", "0:00.0–0:00.5 +30.0%"):
        assert part in panel
    if language == "en":
        assert "bottom right +40.0%, 2: middle +10.0%, top right +0.1%, top left -20.0%" in panel
        assert "These fields carry it" in panel and "These parts of the picture carry it" in panel
        assert "Taken together the parts of the recording speak against it" in panel
    said = for_person(model, decided(model, label, "act"), seen, language)
    assert ("image (bottom right)" if language == "en" else "图片（右下）") in said and not re.search(r"\d|%", said)
    assert seen.regions is not None
    second = tuple(replace(one, picture=1) for one in seen.regions.parts)
    said = for_person(
        model, decided(model, label, "act"), replace(seen, regions=replace(seen.regions, parts=second)), language
    )
    assert ("image" if language == "en" else "图片") in said and not re.search(r"\d|[(（]", said)


def test_parts_that_could_not_be_told_apart_are_not_named(model: Model, label: str, seen: Explanation) -> None:
    assert seen.regions is not None
    same = tuple(replace(one, weight=0.1) for one in seen.regions.parts)
    short = replace(seen, regions=replace(seen.regions, parts=same, sufficed=False, faithfulness=None))
    panel = "\n".join(for_agent(model, decided(model, label, "act"), short, "en"))
    assert "too many parts of the picture" in panel and "where in the picture" not in panel
    assert "because of image and “stolen”" in for_person(model, decided(model, label, "act"), short, "en")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_shows_pictures_and_recordings(
    model: Model, label: str, seen: Explanation, tmp_path: Path, language: str
) -> None:
    pytest.importorskip("av", reason='recordings are read with the extra "audio"')
    decision = replace(decided(model, label, "act"), readings={"speech": Reading("it <b>was</b> me", 0.9)})
    record = Record(images=(drawn(), drawn()), audios=(hummed(),))
    write_explanation(model, decision, seen, "", tmp_path / "why.html", language=language, record=record)
    page = (tmp_path / "why.html").read_text("utf-8")
    assert page.count("data:image/jpeg;base64,") == 4 and "<svg" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")
    assert "<i>gold" not in page and "&lt;i&gt;gold" in page and "it <b>was" not in page
    boxes = re.findall(r"<i title=\"([^\"]*)\" style=\"left:([\d.]+)%;[^\"]*--(\w+)\) (\d+)%[^>]*>(<b>\d</b>)?", page)
    assert boxes[0] == ("+40.0%", "50.00", "blue", "60", "<b>1</b>")
    assert boxes[1] == ("-20.0%", "0.00", "orange", "30", "<b>2</b>")
    assert boxes[2][4] == ""  # hardly anything: not named
    assert re.search(r'<rect x="0.0" y="0" width="320.0"[^>]*--blue\);fill-opacity:60%', page)


def test_media_that_cannot_be_read_any_more_are_left_out(
    model: Model, label: str, seen: Explanation, tmp_path: Path
) -> None:
    record = Record(images=(Media(path=tmp_path / "gone.png"),), audios=(Media(path=tmp_path / "gone.wav"),))
    write_explanation(model, decided(model, label, "act"), seen, TEXT, tmp_path / "why.html", record=record)
    page = (tmp_path / "why.html").read_text("utf-8")
    assert "<img" not in page and page.count("<svg") == 1 and "bottom right" in page
