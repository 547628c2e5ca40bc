"""Records without parts of their pictures and recordings: what encoders are given, and what is kept of it."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image

from huiyi.perceive import PICTURES, ImagePerceiver, Perception, TranscriptPerceiver, Upkeep
from huiyi.perceive.altered import painted, silenced
from huiyi.perceive.encoders.onnx_pictures import OnnxPictureEncoder
from huiyi.perceive.media import Sense
from huiyi.perceive.recordings import RATE
from huiyi.perceive.stretches import stretches
from huiyi.values import Media, Reading, Record

LEFT, RIGHT, ALL = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0), (0.0, 0.0, 1.0, 1.0)


class Halves(OnnxPictureEncoder):
    """Says how red the left half is, and how red the right one, and remembers how many it was asked about."""

    def __init__(self) -> None:
        super().__init__("halves", b"", side=8, width=2)
        self.asked = 0

    def _features(self, batch: np.ndarray) -> np.ndarray:
        self.asked += len(batch)
        return np.stack([batch[:, :, :4, 0].mean((1, 2)), batch[:, :, 4:, 0].mean((1, 2))], axis=1).astype(np.float32)


class Untouched:
    """A cache in which nothing may be looked up or put."""

    def get(self, maker: str, digest: bytes) -> bytes | None:
        pytest.fail("it was looked up")

    def put(self, maker: str, values: Mapping[bytes, bytes]) -> None:
        pytest.fail("it was put")


def halved(left: int, right: int) -> Media:
    """A picture whose halves are so red."""
    pixels = np.zeros((8, 8, 3), dtype=np.uint8)
    pixels[:, :4, 0], pixels[:, 4:, 0] = left, right
    with io.BytesIO() as file:
        Image.fromarray(pixels).save(file, "PNG")
        return Media(content=file.getvalue())


def seeing(encoder: OnnxPictureEncoder) -> Perception:
    perception = Perception(("words", "fields"))
    records = [Record(text="a red one", fields={"size": size}) for size in (1, 1, 2, 2)]
    perception.fit(records)
    perception.add("image", ImagePerceiver(encoder))
    return perception


def test_parts_of_pictures_are_taken_out_and_all_else_stays() -> None:
    encoder = Halves()
    perception = seeing(encoder)
    record = Record(text="a red one", fields={"size": 2}, images=(halved(200, 100), halved(40, 60)))
    context = perception.perceive([record])
    np.testing.assert_array_equal(context.signals["image"], [[120, 80]])
    perception.keep_up(Upkeep(Untouched()))
    altered = perception.altered(context, PICTURES)
    assert altered is not None and altered.count == 2 and not altered.is_slow
    told = altered.without([[], [(0, LEFT)], [(0, RIGHT), (1, LEFT)], [(0, ALL), (1, ALL)]])
    np.testing.assert_array_equal(told.signals["image"], [[120, 80], [95, 80], [125, 105], [100, 100]])
    for name in ("words", "fields"):
        for row in range(4):
            assert (told.signals[name][[row]] != context.signals[name]).sum() == 0
    assert told.present.all() and told.records == [record] * 4


def test_the_same_is_looked_at_once() -> None:
    encoder = Halves()
    perception = seeing(encoder)
    context = perception.perceive([Record(images=(halved(200, 100), halved(40, 60)))])
    altered = perception.altered(context, PICTURES)
    assert altered is not None
    altered.without([[(0, LEFT)]])
    before = encoder.asked
    altered.without([[(0, LEFT)], [(0, LEFT), (1, LEFT)], [(1, LEFT)]])
    assert encoder.asked == before + 2  # the second without its left half, and the first whole


def test_there_is_nothing_to_alter() -> None:
    assert seeing(Halves()).altered(seeing(Halves()).perceive([Record(text="red")]), PICTURES) is None
    only_words = Perception(("words",))
    only_words.fit([Record(text="a"), Record(text="b")])
    context = only_words.perceive([Record(text="a", images=(halved(1, 2),))])
    assert only_words.altered(context, PICTURES) is None


def test_what_is_written_in_pictures_is_read_anew() -> None:
    def work(pictures: Sequence[np.ndarray]) -> list[Reading]:
        return [Reading("stolen" if one[0, 0, 0] > 150 else "", 0.9) for one in pictures]

    def prepare(content: bytes, name: str) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(content)))

    sense: Sense[Any, Reading] = Sense(PICTURES, "redness", prepare, work, lambda _: b"", lambda _: Reading("", 0))
    reader = TranscriptPerceiver("ocr", PICTURES, lambda: sense)
    reader.fit([Record(images=(halved(200, number),)) for number in range(4)])
    perception = Perception(("words",))
    perception.fit([Record(text="a"), Record(text="a")])
    perception.add("ocr", reader)
    altered = perception.altered(perception.perceive([Record(text="a", images=(halved(200, 100),))]), PICTURES)
    assert altered is not None
    assert altered.is_slow
    told = altered.without([[], [(0, RIGHT)], [(0, LEFT)]])
    assert [reading and reading.text for reading in told.readings["ocr"]] == ["stolen", "stolen", None]
    assert told.has("ocr").tolist() == [True, True, False]
    reader.is_idle = True
    assert perception.altered(perception.perceive([Record(images=(halved(200, 100),))]), PICTURES) is None


def test_paint_and_silence_leave_what_they_are_given() -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    before = pixels.copy()
    mean = pixels.mean(axis=(0, 1)).round()
    found = painted(pixels, [(0.0, 0.0, 0.25, 1.0), (0.5, 0.5, 1.0, 1.0)])
    assert (found[:, 0] == mean).all() and (found[2:, 2:] == mean).all()
    assert (found[:2, 1:] == before[:2, 1:]).all() and (pixels == before).all()
    sound = np.ones(RATE, dtype=np.float32)
    assert silenced(sound, [(0.25, 0.5), (0.9, 2.0)]).sum() == pytest.approx(0.65 * RATE, abs=2)
    assert sound.sum() == RATE


def test_stretches_are_where_somebody_speaks() -> None:
    sound = np.ones(10 * RATE, dtype=np.float32)
    speech = [(RATE, 3 * RATE), (int(3.5 * RATE), 5 * RATE), (8 * RATE, 9 * RATE)]
    assert stretches(sound, 3, lambda _: speech) == [(1.0, 3.0), (3.5, 5.0), (8.0, 9.0)]
    assert stretches(sound, 2, lambda _: speech) == [(1.0, 5.0), (8.0, 9.0)]  # the shorter pause goes
    more = stretches(sound, 8, lambda _: speech)
    assert len(more) == 4 and more[0][1] == more[1][0]  # none of the pieces is shorter than a word or two
    assert len(stretches(sound, 4, lambda _: [])) == 4
    assert stretches(sound[: RATE // 2], 4, lambda _: []) == [(0.0, 0.5)]
