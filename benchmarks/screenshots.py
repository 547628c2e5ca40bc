"""A message photographed from a phone: what a model that learnt from texts makes of the picture alone.

Test texts are drawn as screenshots by a seeded renderer: chat bubbles of
several themes, fonts, sizes and widths under a status bar and a name, with
noise, a slight turn, and JPEG of any quality; a fifth is cropped. A fast model of the training
texts is asked with the text, and with nothing but the picture.

Name some cases to run these alone; their rows then replace the ones of before.
Run it in an environment with the extra ``image``, and with the fonts of
``pip install manimgx-fonts-cjk``.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from harness import Pair, clocked, load, run_cases
from PIL import Image, ImageDraw, ImageFont

import huiyi
from huiyi.values import Media, Record

SEED = 20
FONTS = "manimgx-fonts-cjk"
"""A package of one file, Noto Sans CJK in all weights."""

NARROWEST, WIDEST = 360, 1080  # pixels of a phone's picture
CROPPED = 0.2  # share of pictures of which only the message is left

Colour = tuple[int, int, int]
Font = ImageFont.FreeTypeFont


@dataclass(frozen=True)
class Theme:
    """Colours of a chat, and on which side the message stands."""

    page: Colour
    bubble: Colour
    ink: Colour
    faint: Colour
    is_mine: bool


THEMES = (
    Theme((255, 255, 255), (233, 233, 235), (0, 0, 0), (140, 140, 145), is_mine=False),
    Theme((255, 255, 255), (10, 132, 255), (255, 255, 255), (140, 140, 145), is_mine=True),
    Theme((0, 0, 0), (38, 38, 41), (235, 235, 240), (130, 130, 135), is_mine=False),
    Theme((236, 229, 221), (220, 248, 198), (17, 27, 33), (102, 119, 129), is_mine=True),
    Theme((11, 20, 26), (0, 92, 75), (233, 237, 239), (134, 150, 160), is_mine=True),
    Theme((237, 237, 237), (149, 236, 105), (25, 25, 25), (150, 150, 150), is_mine=True),
    Theme((237, 237, 237), (255, 255, 255), (25, 25, 25), (150, 150, 150), is_mine=False),
    Theme((244, 236, 255), (124, 58, 237), (255, 255, 255), (120, 110, 140), is_mine=True),
)


@dataclass(frozen=True)
class Words:
    """What stands around a message."""

    names: tuple[str, ...]
    times: tuple[str, ...]
    prompt: str


AROUND = {
    "en": Words(("Support", "Anna", "Mum", "Help Desk"), ("Today 10:32", "Yesterday", "Tue 18:04"), "Message"),
    "zh": Words(("客服", "李雷", "妈妈", "在线咨询"), ("上午10:32", "昨天 18:04", "星期二"), "发消息"),
}


@cache
def font(name: str, size: int) -> Font:
    """One of the fonts by what FACES calls it."""
    if name == "aileron":
        built_in = ImageFont.load_default(size)
        assert isinstance(built_in, ImageFont.FreeTypeFont)
        return built_in
    if name.startswith("dejavu"):
        return ImageFont.truetype({"dejavu": "DejaVuSans.ttf", "dejavu serif": "DejaVuSerif.ttf"}[name], size)
    made = ImageFont.truetype(str(_noto()), size, index=2)  # Simplified Chinese
    made.set_variation_by_name(name.removeprefix("noto ").encode())
    return made


def _noto() -> Path:
    """The file of the package; leaves the script with a clear word when it is not there."""
    spec = find_spec(FONTS.replace("-", "_"))
    files = sorted(Path(spec.origin).parent.glob("*.ttc")) if spec is not None and spec.origin else []
    if not files:
        sys.exit(f"skipped: there is no font that has Chinese characters; install one with: pip install {FONTS}")
    return files[0]


def faces(language: str) -> tuple[str, ...]:
    """Names of the fonts that write a language; DejaVu only where the machine has it."""
    noto = ("noto Regular", "noto Light", "noto Medium", "noto Bold")
    if language == "zh":
        return noto
    found = ["aileron", *noto]
    for name in ("dejavu", "dejavu serif"):
        try:
            font(name, 10)
            found.append(name)
        except OSError:
            print(f"without {name}, which this machine does not have", file=sys.stderr)
    return tuple(found)


def wrapped(text: str, letters: Font, width: int) -> list[str]:
    """Lines no wider than that: cut between words, or between Chinese characters."""
    pieces: list[str] = []
    for word in text.split():
        parts = list(word) if any(ord(letter) > 0x2E80 for letter in word) else [word]
        parts[-1] += " "
        pieces += parts
    lines = [""]
    for piece in pieces:
        if lines[-1] and letters.getlength((lines[-1] + piece).rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines]


def screenshot(text: str, language: str, rng: np.random.Generator) -> bytes:
    """A picture of a phone that shows the text as a message, as JPEG."""
    theme, words = THEMES[rng.integers(len(THEMES))], AROUND[language]
    width = int(rng.integers(NARROWEST, WIDEST + 1))
    names = faces(language)
    dot = width / 360  # as phones measure
    face = names[rng.integers(len(names))]
    letters, small = font(face, round(dot * rng.uniform(14, 19))), font(face, round(dot * rng.uniform(10, 12)))
    size = int(letters.size)
    margin, pad = round(10 * dot), round(rng.uniform(0.5, 0.9) * size)
    lines = wrapped(text, letters, int(rng.uniform(0.66, 0.8) * width) - 2 * pad)
    step = round(size * rng.uniform(1.25, 1.5))
    tall = step * len(lines) + 2 * pad
    wide = max(round(letters.getlength(line)) for line in lines) + 2 * pad
    top = round(dot * rng.uniform(90, 200))
    height = max(top + tall + round(90 * dot), round(width * rng.uniform(1.3, 2.17)))
    image = Image.new("RGB", (width, height), theme.page)
    draw = ImageDraw.Draw(image)

    draw.text((2 * margin, margin), f"{rng.integers(24)}:{rng.integers(60):02}", theme.faint, small)
    charge = f"{rng.integers(5, 101)}%"
    draw.text((width - 2 * margin - small.getlength(charge), margin), charge, theme.faint, small)
    draw.text((width / 2, 45 * dot), words.names[rng.integers(len(words.names))], theme.faint, letters, anchor="mm")
    draw.text((width / 2, top - 18 * dot), words.times[rng.integers(len(words.times))], theme.faint, small, anchor="mm")
    left = width - margin - wide if theme.is_mine else margin
    draw.rounded_rectangle((left, top, left + wide, top + tall), radius=pad, fill=theme.bubble)
    for number, line in enumerate(lines):
        draw.text((left + pad, top + pad + number * step), line, theme.ink, letters)
    below = height - 40 * dot
    draw.rounded_rectangle((margin, below, width - margin, height - 8 * dot), radius=pad, outline=theme.faint)
    draw.text((2 * margin, below + 16 * dot), words.prompt, theme.faint, small, anchor="lm")

    if rng.random() < CROPPED:  # as people do, to the message and what stands right around it
        room = round(dot * rng.uniform(4, 40))
        image = image.crop((max(0, left - room), top - room, min(width, left + wide + room), top + tall + room))
    image = image.rotate(rng.uniform(-3, 3), Image.Resampling.BICUBIC, expand=True, fillcolor=theme.page)
    grain = rng.normal(0, rng.uniform(0, 8), (image.height, image.width, 1))
    noisy = np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8)
    with io.BytesIO() as file:
        Image.fromarray(noisy).save(file, "JPEG", quality=int(rng.integers(30, 96)))
        return file.getvalue()


def errors(text: str, read: str) -> int:
    """Characters of the text that are not in what was read, or are wrong there, blanks aside.

    What stands around the message is not counted: the least edits to any
    stretch of what was read (Sellers 1980).
    """
    wanted, found = "".join(text.split()), "".join(read.split())
    row = np.arange(len(wanted) + 1)
    least = row[-1]
    steps = np.arange(len(wanted) + 1)
    for letter in found:
        swapped = row[:-1] + np.array([letter != other for other in wanted], dtype=int)
        best = np.concatenate([[0], np.minimum(swapped, row[1:] + 1)])
        row = np.minimum.accumulate(best - steps) + steps
        least = min(least, row[-1])
    return int(least)


def measured(model: huiyi.Model, test: Sequence[Pair], language: str) -> dict[str, Any]:
    """One row of the table."""
    texts, intents = [text for text, _ in test], np.array([intent for _, intent in test])
    rng = np.random.default_rng(SEED)
    pictures = [screenshot(text, language, rng) for text in texts]
    by_text = model.decide_all(texts)
    begun = time.perf_counter()
    with clocked() as spent:
        by_picture = model.decide_all([Record(images=(Media(content=picture),)) for picture in pictures])
    seconds = time.perf_counter() - begun
    read = [decision.readings["ocr"].text if "ocr" in decision.readings else "" for decision in by_picture]
    wrong = sum(errors(text, found) for text, found in zip(texts, read, strict=True))
    acts = np.array([decision.kind == "act" for decision in by_picture])
    right = np.array([decision.label for decision in by_picture]) == intents
    text_right = np.array([decision.label for decision in by_text]) == intents
    return {
        "rows": len(test),
        "accuracy_text": float(text_right.mean()),
        "accuracy_picture": float(right.mean()),
        "difference": float(right.mean() - text_right.mean()),
        "character_errors": wrong / sum(len("".join(text.split())) for text in texts),
        "act_rate_text": float(np.mean([decision.kind == "act" for decision in by_text])),
        "act_rate_picture": float(acts.mean()),
        "act_error_picture": float((~right[acts]).mean()) if acts.any() else None,
        "seconds_a_picture": seconds / len(test),
        "processor_seconds_a_picture": spent["processor_seconds"] / len(test),
        "fonts": ", ".join(faces(language)),
    }


def sampled(rows: Sequence[Pair], count: int) -> list[Pair]:
    """Some rows, the same ones every time."""
    chosen = np.random.default_rng(SEED).choice(len(rows), size=min(count, len(rows)), replace=False)
    return [rows[place] for place in np.sort(chosen)]


def banking77() -> dict[str, Any]:
    return measured(huiyi.train(load("banking77/train")), sampled(load("banking77/test"), 500), "en")


def kuake_qic() -> dict[str, Any]:
    return measured(huiyi.train(load("kuake_qic/train")), sampled(load("kuake_qic/validation"), 100), "zh")


if __name__ == "__main__":
    run_cases("screenshots", {"banking77": banking77, "kuake_qic": kuake_qic}, __doc__)
