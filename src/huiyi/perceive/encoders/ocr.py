"""PP-OCRv6 by ``rapidocr``: what is written in a picture, in English and Chinese.

The package carries the models. They are found without asking it, checked, and
opened as every other ONNX file here is; of its code only the steps around them
are used. So nothing of it looks for files, and nothing can be downloaded.

A picture is first looked at small. What is blank in it is not looked at at
all, and where the writing turns out small, it is looked at again larger.

Source:
    Liao et al., "Real-Time Scene Text Detection with Differentiable
    Binarization", AAAI 2020; PaddleOCR, https://github.com/PaddlePaddle/PaddleOCR.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.errors import MissingExtraError
from huiyi.perceive.encoders.blanks import filled, regions
from huiyi.perceive.encoders.layout import Line, paragraphs
from huiyi.perceive.encoders.onnx import open_session, usable_cores
from huiyi.perceive.encoders.packaged import Packaged
from huiyi.perceive.encoders.screens import messages
from huiyi.perceive.media import Sense
from huiyi.perceive.pictures import PICTURES, picture
from huiyi.values import Reading

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    Pixels = NDArray[np.uint8]  # (height, width, 3): blue, green, red, as the models learnt

NAME = "rapidocr-3.10.0"

MOST_READ = 6_000_000
"""Pixels of a picture that are looked at; a larger one is scaled down."""

FIRST_LOOK = 500_000  # pixels; a page of A4 then has letters of 8 pixels, which are just found
SECOND_LOOK = 2_000_000
SMALL = 18  # pixels: where lines are lower at the first look, there is a second
ENOUGH = 26  # pixels: as high as these become
LARGEST_SCALE = 3.0
LONGEST = 16_000  # pixels of a side that is looked at: a strip has few pixels, but what looks at it fills them up

_NARROWEST = 8  # pixels: a picture with a side below it has no room for a letter
_LEAST_SURE = 0.5
_UPRIGHT = 0.85  # how sure the reader is of lines that do not stand on their heads, by far
_MOST_LINES = 400

_WORD = "Texts in pictures"
_EXTRA = "image"


def _file(name: str, sha256: str) -> Packaged:
    """A model of the package."""
    return Packaged("rapidocr", "3.10.0", f"models/{name}", sha256, needed_by=_WORD, extra=_EXTRA)


_FINDS = _file("PP-OCRv6_det_small.onnx", "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f")
_READS = _file("PP-OCRv6_rec_small.onnx", "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884")


def ocr() -> Sense[Pixels, Reading]:
    """What reads pictures; a blank one reads as an empty text.

    Raises:
        MissingExtraError: ``rapidocr`` is not installed.
        DataError: Its models are missing or not the ones known.
    """
    reader = _reader()
    return Sense(PICTURES, reader.maker, prepared, lambda pictures: list(map(reader.read, pictures)), pack, unpack, 4)


def prepared(content: bytes, name: str) -> Pixels:
    """The pixels of a picture, no more than MOST_READ.

    Raises:
        DataError: It cannot be read. See ``picture``.
    """
    image = picture(content, name)
    scale = min(1.0, (MOST_READ / (image.width * image.height)) ** 0.5)
    return np.ascontiguousarray(np.asarray(_scaled(image, scale))[:, :, ::-1])


def pack(reading: Reading) -> bytes:
    r"""As bytes.

    Example:
        >>> unpack(pack(Reading("两行\nof text", 0.9)))
        Reading(text='两行\nof text', confidence=0.9)
    """
    return f"{reading.confidence!r}\n{reading.text}".encode()


def unpack(content: bytes) -> Reading:
    """Take back what ``pack`` gave."""
    confidence, _, text = content.decode().partition("\n")
    return Reading(text, float(confidence))


class OcrReader:
    """Reads one picture at a time, whatever threads ask.

    Args:
        maker: Names the models and what surrounds them.
        finds: The session that marks where writing is.
        reads: The session that reads one line.
    """

    def __init__(self, maker: str, finds: Any, reads: Any) -> None:
        from rapidocr.ch_ppocr_det import TextDetector
        from rapidocr.ch_ppocr_rec import TextRecognizer

        self.maker = maker
        self._lock = Lock()
        with _quiet():
            self._finds = TextDetector(
                _settings(finds, limit_type="max", limit_side_len=10**6, max_candidates=_MOST_LINES)
            )
            self._reads = TextRecognizer(_settings(reads, rec_img_shape=[3, 48, 320], rec_batch_num=1))

    def read(self, pixels: Pixels) -> Reading:
        """The text of a picture, lines in the order in which people read; empty where there is none."""
        with self._lock:
            pixels, lines = self._upright(pixels)
        lines = [line for line in lines if line.text and line.confidence >= _LEAST_SURE]
        if not lines:
            return Reading("", 0.0)
        height, width = pixels.shape[:2]
        text = "\n".join(block.text for block in messages(paragraphs(lines), width, height))
        return Reading(text, round(_sureness(lines), 4))

    def _upright(self, pixels: Pixels) -> tuple[Pixels, list[Line]]:
        """A picture, turned if its lines stand upright or upside down, and its lines."""
        found = self._found(pixels)
        if len(found) and np.median(_slopes(found)) > 1:
            pixels = np.ascontiguousarray(np.rot90(pixels))
            found = self._found(pixels)
        lines = self._lines(pixels, found)
        if not lines or _sureness(lines) >= _UPRIGHT:
            return pixels, lines
        over = np.ascontiguousarray(pixels[::-1, ::-1])
        ends = np.array(pixels.shape[1::-1], np.float32) - 1
        others = self._lines(over, ends - np.roll(found, 2, axis=1))
        return (over, others) if _sureness(others) > _sureness(lines) else (pixels, lines)

    def _lines(self, pixels: Pixels, found: NDArray[np.float32]) -> list[Line]:
        """What lines say that were found at some places."""
        from rapidocr.ch_ppocr_rec import TextRecInput
        from rapidocr.utils.process_img import get_rotate_crop_image

        lines = []
        for corners in found:
            piece = get_rotate_crop_image(pixels, corners.copy())
            if 0 not in piece.shape:
                told: Any = self._reads(TextRecInput(img=[piece], return_word_box=False))
                lines.append(Line(" ".join(told.txts[0].split()), corners, float(told.scores[0])))
        return lines

    def _found(self, pixels: Pixels) -> NDArray[np.float32]:
        """Where lines are: their corners, shape (lines, 4, 2)."""
        height, width = pixels.shape[:2]
        if min(height, width) < _NARROWEST:
            return np.zeros((0, 4, 2), np.float32)
        bound = LONGEST / max(height, width)
        scale = min(1.0, bound, (FIRST_LOOK / (height * width)) ** 0.5)
        found = self._looked(pixels, scale)
        if len(found):
            low = float(np.median(_heights(found))) * scale
            if low < SMALL:
                most = (SECOND_LOOK / (height * width)) ** 0.5
                larger = min(scale * ENOUGH / low, most, bound, LARGEST_SCALE)
                if larger > scale:
                    found = self._looked(pixels, larger)
        return found

    def _looked(self, pixels: Pixels, scale: float) -> NDArray[np.float32]:
        """Where lines are in a picture that is looked at in another size."""
        from PIL import Image

        small = np.asarray(_scaled(Image.fromarray(pixels), scale))
        height, width = small.shape[:2]
        found = [np.zeros((0, 4, 2), np.float32)]
        for region in regions(small):
            seen = self._finds(filled(small[region.top : region.bottom, region.left : region.right]))
            if seen.boxes is not None:
                found.append(seen.boxes.astype(np.float32) + np.array([region.left, region.top], np.float32))
        full = np.array([pixels.shape[1] / width, pixels.shape[0] / height], np.float32)
        return np.concatenate(found) * full


@cache
def _reader() -> OcrReader:
    """The one of this process."""
    finds, reads = _FINDS.content(), _READS.content()
    digest = hashlib.sha256(finds + reads).hexdigest()
    threads = usable_cores()
    sessions = [open_session(NAME, model, what=_WORD, extra=_EXTRA, threads=threads) for model in (finds, reads)]
    try:
        return OcrReader(f"{NAME} {digest}", *sessions)
    except ImportError as error:
        raise MissingExtraError(_WORD, extra=_EXTRA) from error


def _settings(session: Any, **options: Any) -> Any:
    """As the package takes them. Given a session it looks for no file."""
    from omegaconf import OmegaConf
    from rapidocr import EngineType, LangRec

    usual = {"engine_type": EngineType.ONNXRUNTIME, "lang_type": LangRec.CH, "font_path": None, "session": session}
    return OmegaConf.create({**usual, **options}, flags={"allow_objects": True})


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the package from telling the error stream what it uses."""
    log = logging.getLogger("RapidOCR")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


def _scaled(image: Image, scale: float) -> Image:
    """A picture in another size."""
    from PIL.Image import Resampling

    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image if size == image.size else image.resize(size, Resampling.BICUBIC, reducing_gap=3.0)


def _sureness(lines: Sequence[Line]) -> float:
    """How sure the reader is of lines, by the mean over their characters."""
    lengths = [len(line.text) for line in lines]
    return float(np.dot(lengths, [line.confidence for line in lines]) / max(1, sum(lengths)))


def _slopes(corners: NDArray[np.float32]) -> NDArray[np.floating]:
    """Of lines: how far they go down, for each pixel that they go along."""
    down, along = np.abs(corners[:, 2] - corners[:, 0]).T[::-1]
    found: NDArray[np.floating] = down / np.maximum(along, 1)
    return found


def _heights(corners: NDArray[np.float32]) -> NDArray[np.floating]:
    """Of lines: the shorter of their sides."""
    across = np.linalg.norm(corners[:, 3] - corners[:, 0], axis=1)
    along = np.linalg.norm(corners[:, 1] - corners[:, 0], axis=1)
    found: NDArray[np.floating] = np.minimum(across, along)
    return found
