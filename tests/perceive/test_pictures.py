"""Pictures of every kind become the same upright pixels, and what is none is refused in one line."""

from __future__ import annotations

import io
import random
import struct
import sys
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from huiyi.errors import DataError, MissingExtraError
from huiyi.perceive.pictures import PICTURES, picture, pixels
from huiyi.values import Media

CORNERS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 0]]], dtype=np.uint8)
"""Red, green; blue, yellow."""

BLOCKS = CORNERS.repeat(32, axis=0).repeat(48, axis=1)
"""The same, 64 pixels high and 96 wide."""


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    with io.BytesIO() as file:
        image.save(file, form, **options)
        return file.getvalue()


def corners(content: bytes, **options: Any) -> np.ndarray:
    """The pixels in the middle of the four quarters."""
    image = picture(content, "test", **options)
    assert image.mode == "RGB"
    height, width = image.height, image.width
    rows, columns = [height // 4, 3 * height // 4], [width // 4, 3 * width // 4]
    return np.asarray(image)[np.ix_(rows, columns)]


def refusal(content: bytes, name: str = "cat.png") -> str:
    """The message with which it is refused, which is one line and names it."""
    with pytest.raises(DataError) as caught:
        pixels(content, name, side=8)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert message.startswith(name)
    return message


# What can be read


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "MPO"])
def test_formats(form: str) -> None:
    found = corners(saved(Image.fromarray(BLOCKS), form))
    np.testing.assert_allclose(found.astype(int), CORNERS, atol=12)  # some lose a little


@pytest.mark.parametrize(("form", "mode"), [("PNG", "RGBA"), ("PNG", "P"), ("JPEG", "CMYK"), ("JPEG", "YCbCr")])
@pytest.mark.parametrize("at_least", [None, 16])
def test_modes_of_colour(form: str, mode: str, at_least: int | None) -> None:
    found = corners(saved(Image.fromarray(BLOCKS).convert(mode), form), at_least=at_least)
    np.testing.assert_allclose(found.astype(int), CORNERS, atol=12)


@pytest.mark.parametrize(("form", "mode"), [("PNG", "L"), ("JPEG", "L"), ("PNG", "LA"), ("PNG", "1"), ("PNG", "I;16")])
def test_grey(form: str, mode: str) -> None:
    grey = np.array([[0, 255], [255, 0]], dtype=np.uint8).repeat(32, axis=0).repeat(32, axis=1)
    image = Image.fromarray(grey.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(grey).convert(mode)
    found = corners(saved(image, form)).astype(int)
    np.testing.assert_allclose(found, np.array([[0, 255], [255, 0]])[..., None].repeat(3, axis=2), atol=2)


def test_sixteen_bits_keep_their_scale() -> None:
    values = np.array([[0, 257, 40_000, 65_535]], dtype=np.uint16)
    found = np.asarray(picture(saved(Image.fromarray(values), "PNG"), "test"))
    assert found[0, :, 0].tolist() == [round(value / 257) for value in values[0].tolist()]


@pytest.mark.parametrize("form", ["PNG", "WEBP", "GIF"])
def test_what_is_transparent_is_white(form: str) -> None:
    clear = np.dstack([BLOCKS, np.full(BLOCKS.shape[:2], 255, np.uint8)])
    clear[:32, :48, 3] = 0
    options = {"lossless": True} if form == "WEBP" else {}
    found = corners(saved(Image.fromarray(clear), form, **options)).astype(int)
    expected = CORNERS.astype(int)
    expected[0, 0] = 255
    np.testing.assert_allclose(found, expected, atol=3)


def test_half_transparent_is_mixed_with_white() -> None:
    content = saved(Image.new("RGBA", (2, 2), (0, 0, 200, 51)), "PNG")
    found = np.asarray(picture(content, "test"))[0, 0].tolist()
    np.testing.assert_allclose(found, [204, 204, 244], atol=1)  # 0.2 · (0, 0, 200) + 0.8 · 255


def test_a_transparent_colour_of_a_palette() -> None:
    image = Image.fromarray(np.array([[0, 1]], dtype=np.uint8))
    image.putpalette([255, 0, 0, 0, 0, 255])
    for transparency in (0, bytes([0, 255])):
        found = np.asarray(picture(saved(image, "PNG", transparency=transparency), "test"))
        assert found.tolist() == [[[255, 255, 255], [0, 0, 255]]]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_it_is_upright_however_it_was_held(form: str, orientation: int) -> None:
    turned = {  # how the sensor saw it, by the standard: where its first row and first column belong
        1: BLOCKS,
        2: BLOCKS[:, ::-1],
        3: BLOCKS[::-1, ::-1],
        4: BLOCKS[::-1],
        5: BLOCKS.transpose(1, 0, 2),
        6: BLOCKS.transpose(1, 0, 2)[::-1],
        7: BLOCKS.transpose(1, 0, 2)[::-1, ::-1],
        8: BLOCKS.transpose(1, 0, 2)[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = saved(Image.fromarray(np.ascontiguousarray(turned)), form, exif=exif)
    assert picture(content, "test").size == (96, 64)
    np.testing.assert_allclose(corners(content).astype(int), CORNERS, atol=12)


def test_broken_exif_turns_nothing() -> None:
    content = saved(Image.fromarray(BLOCKS), "JPEG", exif=b"Exif\0\0nonsense")
    np.testing.assert_allclose(corners(content).astype(int), CORNERS, atol=12)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_of_a_film_the_first(form: str) -> None:
    first, second = (Image.new("RGB", (20, 20), colour) for colour in ("red", "blue"))
    content = saved(first, form, save_all=True, append_images=[second])
    np.testing.assert_allclose(corners(content)[0, 0].astype(int), [255, 0, 0], atol=3)


def test_all_of_it_becomes_a_square() -> None:
    wide = pixels(saved(Image.fromarray(BLOCKS), "PNG"), "test", side=16)
    tall = pixels(saved(Image.fromarray(BLOCKS[:, 40:56]), "PNG"), "test", side=16)
    for found in (wide, tall):
        assert (found.shape, found.dtype) == ((16, 16, 3), np.uint8)
        np.testing.assert_allclose(found[[3, 3, 12, 12], [3, 12, 3, 12]].reshape(2, 2, 3).astype(int), CORNERS, atol=2)
    assert pixels(saved(Image.new("RGB", (1, 1), "white"), "PNG"), "test", side=4).min() == 255
    assert pixels(saved(Image.new("RGB", (9_000, 1), "white"), "PNG"), "test", side=4).min() == 255


def test_a_large_jpeg_is_decoded_smaller_and_looks_the_same() -> None:
    smooth = Image.fromarray(np.random.default_rng(0).integers(256, size=(6, 8, 3), dtype=np.uint8))
    content = saved(smooth.resize((1600, 1200), Image.Resampling.BICUBIC), "JPEG", quality=95)
    assert picture(content, "test", at_least=224).size == (400, 300)
    assert picture(content, "test").size == (1600, 1200)
    whole = picture(content, "test").resize((224, 224), Image.Resampling.BICUBIC)
    np.testing.assert_allclose(pixels(content, "test", side=224).astype(int), np.asarray(whole).astype(int), atol=6)


def test_files_and_bytes_are_the_same(tmp_path: Path) -> None:
    content = saved(Image.fromarray(BLOCKS), "PNG")
    (tmp_path / "cat.png").write_bytes(content)
    assert PICTURES.content(Media(path=tmp_path / "cat.png")) == PICTURES.content(Media(content=content)) == content


# What is refused


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    def refused(path: Path) -> str:
        with pytest.raises(DataError) as caught:
            PICTURES.content(Media(path=path))
        assert len(str(caught.value).splitlines()) == 1
        return str(caught.value)

    path = tmp_path / "cat.png"
    assert refused(path) == f"{path} is not there. Expected a picture in JPEG, PNG, GIF, WebP or BMP: " + (
        "check the path"
    )
    path.touch()
    assert refused(path).startswith(f"{path} is empty. Expected a picture in")
    assert "is no file" in refused(tmp_path)
    assert "is no file" in refused(Path("/dev/zero"))
    assert "cannot be read" in refused(tmp_path / ("x" * 5_000)) or "is not there" in refused(tmp_path / ("x" * 5_000))
    assert "two lines.png is not there" in refused(tmp_path / "two\nlines.png")
    path.write_bytes(b"x" * 11)
    few = replace(PICTURES, most_bytes=10)
    with pytest.raises(DataError, match=r"has more than the 0 MB that a picture may have\. Expected a smaller file"):
        few.content(Media(path=path))
    with pytest.raises(DataError, match="a picture given as bytes has more than"):
        few.content(Media(content=b"x" * 11))
    with pytest.raises(DataError, match="neither a path nor content"):
        PICTURES.content(Media())


def test_a_file_without_the_right_to_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "cat.png").write_bytes(b"x")
    monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(DataError, match=r"cannot be read: Permission denied\. Expected a picture"):
        PICTURES.content(Media(path=tmp_path / "cat.png"))


@pytest.mark.parametrize(
    "content",
    [
        b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        b"\xef\xbb\xbf\n<?xml version='1.0'?>\n<!-- made by hand -->\n<svg></svg>",
    ],
)
def test_drawings(content: bytes) -> None:
    assert refusal(content, "logo.svg").startswith("logo.svg is an SVG drawing, which has no pixels.")
    assert refusal(content).endswith("convert it to PNG")


@pytest.mark.parametrize(
    "content",
    [
        b"hello",
        b"<!DOCTYPE HTML><HTML><body><svg></svg></body></HTML>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        b"\0\0\0\x18ftypheic",
        b"P6 2 2 255 ",
        saved(Image.fromarray(BLOCKS), "TIFF"),
    ],
)
def test_what_is_no_picture(content: bytes) -> None:
    assert refusal(content) == (
        "cat.png is no picture that can be read. Expected a picture in JPEG, PNG, GIF, WebP or BMP: save it as PNG"
    )


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "BMP"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_picture_cut_short(form: str, share: float) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(256, size=(64, 64, 3), dtype=np.uint8))
    content = saved(noise, form)
    message = refusal(content[: int(share * len(content))])
    assert "copy it again" in message or "save it as PNG" in message


def png(width: int, height: int) -> bytes:
    """A whole PNG that says to be of that size, and has next to nothing in it."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("width", "height"), [(8_000, 9_000), (12_000, 12_000), (60_000, 60_000), (2**31 - 1,) * 2])
def test_a_bomb_is_refused_by_its_first_bytes(monkeypatch: pytest.MonkeyPatch, width: int, height: int) -> None:
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("it was decoded"))
    message = refusal(png(width, height))
    assert "pixels" in message and "than the 70,000,000 that a picture may have" in message
    if width < 10_000:
        assert message.startswith(f"cat.png has {width:,} × {height:,} pixels, more than the")


def test_without_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtraError, match=r'Pictures need the extra "image".*pip install "huiyi\[image\]"'):
        picture(b"", "test")


def test_no_bytes_crash(capfd: pytest.CaptureFixture[str]) -> None:
    """Warnings are errors here, so none leaks either."""
    draw = random.Random(0)
    image = Image.fromarray(BLOCKS)
    exif = Image.Exif()
    exif[0x0112] = 6
    whole = [
        saved(image, "PNG", exif=exif),
        saved(image.convert("P"), "PNG", transparency=bytes(range(256))),
        saved(image, "JPEG", exif=exif),
        saved(image, "JPEG", progressive=True),
        saved(image, "GIF", save_all=True, append_images=[image.rotate(90)]),
        saved(image, "WEBP"),
        saved(image, "BMP"),
        saved(Image.fromarray(BLOCKS[..., 0].astype(np.uint16) * 257), "PNG"),
    ]
    read = refused = 0
    for turn in range(400):
        content = bytearray(whole[turn % len(whole)])
        for _ in range(draw.choice((1, 1, 3, 20))):
            # The beginning says most, so half of what is changed is there.
            place = draw.randrange(min(64, len(content)) if draw.random() < 0.5 else len(content)) if content else 0
            match draw.randrange(3):
                case 0:
                    content[place : place + 1] = draw.randbytes(1)
                case 1:
                    content[place : place + draw.randrange(9)] = draw.randbytes(draw.randrange(9))
                case 2:
                    del content[place + 1 :]
        try:
            assert pixels(bytes(content), "cat.png", side=8).shape == (8, 8, 3)
            read += 1
        except DataError as error:
            assert len(str(error).splitlines()) == 1
            refused += 1
    assert read > 30 and refused > 100
    assert capfd.readouterr() == ("", "")
