"""What is written in pictures: read as people read it, in silence, and by the models that are known."""

from __future__ import annotations

import io
import logging
import socket
import sys
import threading
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from huiyi.errors import DataError, MissingExtraError
from huiyi.perceive import PERCEIVERS
from huiyi.perceive.encoders import ocr as module
from huiyi.perceive.encoders import packaged
from huiyi.perceive.encoders.layout import Block, Line, paragraphs
from huiyi.perceive.encoders.ocr import MOST_READ, ocr, prepared
from huiyi.perceive.encoders.screens import messages
from huiyi.values import Media, Reading, Record

CHINESE = Path(__file__).with_name("chinese.png")
"""Two lines in Noto Sans CJK: Pillow itself has no font for them."""


def drawn(
    *texts: tuple[str, int, int], width: int = 420, height: int = 120, size: int = 24, dark: bool = False
) -> Image.Image:
    """A picture of texts, each at its place."""
    page, ink = ("black", "white") if dark else ("white", "black")
    image = Image.new("RGB", (width, height), page)
    for text, left, top in texts:
        ImageDraw.Draw(image).text((left, top), text, ink, ImageFont.load_default(size))
    return image


def saved(image: Image.Image, form: str = "PNG") -> bytes:
    with io.BytesIO() as file:
        image.save(file, form)
        return file.getvalue()


def read(*images: Image.Image) -> list[Reading]:
    sense = ocr()
    return list(sense.work([sense.prepare(saved(image), "test") for image in images]))


CARD = drawn(("Where is my card?", 20, 20), ("It has not arrived.", 20, 52))


# What is read


def test_lines_of_a_paragraph_are_one() -> None:
    (reading,) = read(CARD)
    assert reading.text == "Where is my card? It has not arrived."
    assert 0.9 < reading.confidence <= 1


def test_chinese_lines_are_joined_without_a_blank() -> None:
    (reading,) = read(Image.open(CHINESE))
    assert reading.text.replace(",", "，") == "我的银行卡等了两个星期还没有收到，请帮我查"


def test_columns_are_read_one_after_the_other() -> None:
    left, right = ("lost my card", "in the train"), ("please block", "it right now")
    lines = [(text, 20, 20 + 32 * row) for row, text in enumerate(left)]
    lines += [(text, 330, 20 + 32 * row) for row, text in enumerate(right)]
    assert read(drawn(*lines, width=560))[0].text == "lost my card in the train\nplease block it right now"


def test_bubbles_stay_in_their_order() -> None:
    """Also where they stand beside each other across, on the left and on the right."""
    said = [("where is it", 15, 20), ("which one", 280, 80), ("the card", 15, 140), ("it is late", 280, 200)]
    assert read(drawn(*said, height=250))[0].text == "where is it\nwhich one\nthe card\nit is late"


def test_dark_turned_and_small_ones() -> None:
    dark = drawn(("Where is my card?", 20, 40), dark=True)
    turned = CARD.rotate(3, Image.Resampling.BICUBIC, expand=True, fillcolor="white")
    small = drawn(("Where is my card?", 8, 8), width=150, height=30, size=13)
    both, alone = "Where is my card? It has not arrived.", "Where is my card?"
    assert [reading.text for reading in read(dark, turned, small)] == [alone, both, alone]


def test_colours_that_are_as_bright() -> None:
    image = Image.new("RGB", (420, 80), (0, 0, 200))
    ImageDraw.Draw(image).text((20, 20), "Where is my card?", (200, 0, 0), ImageFont.load_default(24))
    assert read(image)[0].text == "Where is my card?"


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_picture_on_its_side_or_its_head(turn: int) -> None:
    assert read(CARD.rotate(turn, expand=True))[0].text == "Where is my card? It has not arrived."


def test_of_a_phones_screen_only_the_messages_count() -> None:
    said = ("9:41", 20, 8), ("88%", 310, 8), ("Anna", 160, 50), ("Today 10:32", 120, 110), ("Message", 40, 590)
    screen = drawn(*said, ("where is my card", 30, 200), width=360, height=640, size=20)
    assert read(screen)[0].text == "where is my card"


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 3), (300, 200)])
def test_a_blank_picture_says_nothing(size: tuple[int, int]) -> None:
    images = tuple(Media(content=saved(Image.new("RGB", size, colour))) for colour in ("white", "black", "teal"))
    perceiver = PERCEIVERS["ocr"]()
    signals, present = perceiver.perceive([Record(images=images), Record()])
    assert (list(signals), present.tolist()) == (["ocr text", "ocr phrases"], [False, False])


def test_noise_says_nothing() -> None:
    noise = np.random.default_rng(0).integers(256, size=(90, 120, 3), dtype=np.uint8)
    assert read(Image.fromarray(noise)) == [Reading("", 0.0)]


def test_large_pictures_are_scaled_down() -> None:
    large = CARD.resize((4_900, 1_400), Image.Resampling.NEAREST)
    pixels = prepared(saved(large), "test")
    assert 0.9 * MOST_READ < pixels.shape[0] * pixels.shape[1] <= MOST_READ * 1.001
    assert read(large)[0].text == "Where is my card? It has not arrived."
    assert prepared(saved(CARD), "test").shape == (120, 420, 3)
    assert prepared(saved(Image.new("RGB", (9, 9), (1, 2, 3))), "test")[0, 0].tolist() == [3, 2, 1]


def test_the_same_in_any_thread_and_order() -> None:
    first, other = CARD, drawn(("Block it, please", 30, 30))
    expected = read(first, other)
    found: list[list[Reading]] = []
    threads = [threading.Thread(target=lambda: found.append(read(other, first))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected[::-1]] * 3


def test_broken_pictures_are_refused() -> None:
    for content in (b"no picture", saved(CARD)[:200]):
        with pytest.raises(DataError, match=r"^shot\.png is .*Expected a picture in JPEG"):
            ocr().prepare(content, "shot.png")


# What surrounds it


def test_in_silence_and_without_a_network(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("a socket was opened")

    for name in ("socket", "create_connection", "getaddrinfo", "socketpair"):
        monkeypatch.setattr(socket, name, refuse)
    module._reader.cache_clear()
    log = logging.getLogger("RapidOCR")
    before = (logging.root.level, logging.root.handlers[:], log.level)
    assert read(CARD)[0].text.startswith("Where is my card?")
    assert capfd.readouterr() == ("", "")
    assert before == (logging.root.level, logging.root.handlers, log.level)


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    module._reader.cache_clear()
    extra = r'Texts in pictures need the extra "image".*pip install "huiyi\[image\]"'
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "rapidocr.ch_ppocr_det", None)  # one of its own dependencies
        with pytest.raises(MissingExtraError, match=extra):
            ocr()
    monkeypatch.setattr(packaged, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=extra):
        ocr()


def test_other_models_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Found:
        origin = str(tmp_path / "__init__.py")

    module._reader.cache_clear()
    monkeypatch.setattr(packaged, "find_spec", lambda _: Found)
    with pytest.raises(
        DataError, match=r"PP-OCRv6_det_small\.onnx .* cannot be read: No such file.*rapidocr==3\.10\.0"
    ):
        ocr()
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "PP-OCRv6_det_small.onnx").write_bytes(b"other")
    with pytest.raises(DataError, match=r"is not the known one \(SHA-256 .*expected 090f04ab…\)"):
        ocr()


# The order of lines


def line(text: str, left: float, top: float, *, height: float = 20, turn: float = 0) -> Line:
    right, bottom = left + 10 * len(text), top + height
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    angle = np.radians(turn)
    return Line(text, corners @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]))


def texts(*lines: Line) -> list[str]:
    return [block.text for block in paragraphs(lines)]


def test_the_order_does_not_depend_on_how_lines_were_found() -> None:
    lines = [
        line(f"row {row} {side}", 10 + 300 * place, 24 * row) for row in range(4) for place, side in enumerate("ab")
    ]
    expected = texts(*lines)
    for seed in range(5):
        assert texts(*(lines[i] for i in np.random.default_rng(seed).permutation(len(lines)))) == expected
    assert expected == [" ".join(f"row {row} {side}" for row in range(4)) for side in "ab"]


@pytest.mark.parametrize("turn", [-4, 0, 4])
def test_a_turned_page_is_set_upright(turn: float) -> None:
    words = [
        line(word, 120 * place, 0, turn=turn) for place, word in enumerate(("every word", "of one row", "stays here"))
    ]
    assert texts(*words[::-1]) == ["every word of one row stays here"]


def test_no_lines_are_no_paragraphs() -> None:
    assert paragraphs([]) == []


def test_headings_and_far_rows_stand_alone() -> None:
    assert texts(line("HEADING", 0, 0, height=40), line("a row", 0, 42), line("far below", 0, 120)) == [
        "HEADING",
        "a row",
        "far below",
    ]


# Screens


def block(text: str, top: float) -> Block:
    return Block(text, 20, top, 200, top + 20, 20)


@pytest.mark.parametrize(
    "moment",
    ["Today 10:32", "Today10:32", "Yesterday", "Tue 18:04", "Wednesday, 3 Dec at 9:05 PM", "10:32", "昨天 18:04",
     "昨天18:04", "星期二", "上午10:32", "12月3日 下午6：08"],
)  # fmt: skip
def test_times_between_messages(moment: str) -> None:
    found = [block("9:41", 10), block(moment, 200), block("where is my card", 300)]
    assert [kept.text for kept in messages(found, 360, 640)] == ["where is my card"]


@pytest.mark.parametrize("said", ["Sunday is too late", "I paid 500", "12", "3/4", "today only?", "昨天没收到"])
def test_messages_that_speak_of_times_are_kept(said: str) -> None:
    assert [kept.text for kept in messages([block("9:41", 10), block(said, 200)], 360, 640)] == [said]


def test_what_is_no_screen_is_kept() -> None:
    found = [block("INVOICE 9:41", 10), block("Anna", 50), block("Today 10:32", 200)]
    assert messages(found, 360, 640) is found
    screen = [block("9:41", 10), block("Anna", 50), block("Today 10:32", 200)]
    assert messages(screen, 360, 400) is screen  # not tall
    assert messages(screen, 360, 640) is screen  # nothing else
