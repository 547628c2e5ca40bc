"""What pictures and recordings from anyone can do: thousands of files, each changed in a few places at random.

Each must be read or refused in one line, within ten seconds, with nothing on
the error stream and no other file opened. Files are tried in processes of
their own, so that a crash is counted, and one that does not end is stopped.

Run it in an environment with the extras ``audio`` and ``image``.
"""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from harness import run_cases

FILES = 2_000
BATCH = 250
LIMIT_SECONDS = 10.0
PICTURES = ("JPEG", "PNG", "GIF", "WEBP", "BMP")
RECORDINGS = {
    "WAV": ("wav", "pcm_s16le"),
    "FLAC": ("flac", "flac"),
    "Ogg": ("ogg", "libopus"),
    "MP3": ("mp3", "libmp3lame"),
    "M4A": ("ipod", "aac"),
    "WebM": ("webm", "libopus"),
}


def pictures() -> list[bytes]:
    """One of each format."""
    from PIL import Image

    image = Image.fromarray(np.random.default_rng(0).integers(256, size=(48, 64, 3), dtype=np.uint8))
    found = []
    for form in PICTURES:
        with io.BytesIO() as file:
            image.save(file, form)
            found.append(file.getvalue())
    return found


def recordings() -> list[bytes]:
    """One of each format."""
    import av

    found = []
    for container, codec in RECORDINGS.values():
        with io.BytesIO() as file:
            with av.open(file, "w", format=container) as writer:
                stream: Any = writer.add_stream(codec, rate=16_000, layout="mono")
                sound = np.sin(np.arange(8_000, dtype=np.float32) / 10)[None] / 3
                frame = av.AudioFrame.from_ndarray(sound, format="fltp", layout="mono")
                frame.sample_rate, frame.pts = 16_000, 0
                writer.mux([*stream.encode(frame), *stream.encode(None)])
            found.append(file.getvalue())
    return found


def changed(whole: list[bytes], first: int, count: int) -> Iterator[bytes]:
    """Files from number ``first`` on, each always changed in the same way."""
    for number in range(first, first + count):
        draw = random.Random(number)
        content = bytearray(whole[number % len(whole)])
        for _ in range(draw.choice((1, 1, 3, 20, 100))):
            # The beginning says most, so half of what is changed is there.
            place = draw.randrange(min(96, len(content)) if draw.random() < 0.5 else len(content)) if content else 0
            match draw.randrange(4):
                case 0:
                    content[place : place + 1] = draw.randbytes(1)
                case 1:
                    content[place : place + draw.randrange(9)] = draw.randbytes(draw.randrange(9))
                case 2:
                    content[place : place + 4] = draw.choice((b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\0\0\0\1"))
                case 3 if draw.random() < 0.3:
                    del content[place + 1 :]
        yield bytes(content)


def tried(kind: str, first: int) -> None:
    """Try a batch, telling the outcome of each file on a line of its own; this runs in a process of its own."""
    from huiyi.errors import DataError
    from huiyi.perceive import recordings as module
    from huiyi.perceive.pictures import pixels
    from huiyi.perceive.recordings import samples

    whole = pictures() if kind == "pictures" else recordings()
    read: Callable[[bytes, str], Any] = samples
    if kind == "pictures":
        read = lambda content, name: pixels(content, name, side=8)  # noqa: E731  shorter than a function
    read(whole[0], "whole")  # loads what it needs, so that opening files can be watched from here on
    watching = [True]

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if watching[0] and event == "open" and not str(arguments[0]).endswith((".py", ".pyc", ".so")):
            print(json.dumps({"opened": str(arguments[0])}), flush=True)

    def asked(*arguments: Any) -> None:
        """What FFmpeg asks for when a recording names another file."""
        print(json.dumps({"opened": str(arguments[0])}), flush=True)
        refuse(*arguments)

    refuse, module._refuse = module._refuse, asked
    sys.addaudithook(watch)
    for content in changed(whole, first, BATCH):
        began = time.perf_counter()
        try:
            read(content, "file")
            outcome = "read"
        except DataError as error:
            outcome = "refused" if len(str(error).splitlines()) == 1 else "several lines"
        except Exception as error:
            outcome = type(error).__name__
        print(json.dumps({"outcome": outcome, "seconds": time.perf_counter() - began}), flush=True)
    watching[0] = False


def fuzzed(kind: str) -> dict[str, Any]:
    """Outcomes of all files of a kind."""
    figures: dict[str, Any] = {
        "files": 0, "read": 0, "refused": 0, "crashed": 0, "hung": 0, "other": 0, "opened": 0, "printed": 0,
        "slowest_seconds": 0.0,
    }  # fmt: skip
    for first in range(0, FILES, BATCH):
        command = [sys.executable, "-W", "error", __file__, "--tried", kind, str(first)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=30 + BATCH * 0.5, check=False)
            lines, printed, code = done.stdout, done.stderr, done.returncode
        except subprocess.TimeoutExpired as stopped:
            lines, printed, code = (stopped.stdout or b"").decode(), "", 0
            figures["hung"] += 1
        figures["crashed"] += code != 0
        figures["printed"] += bool(printed)
        for told in map(json.loads, lines.splitlines()):
            if "opened" in told:
                figures["opened"] += 1
                continue
            figures["files"] += 1
            outcome = told["outcome"]
            figures[outcome if outcome in ("read", "refused") else "other"] += 1
            figures["hung"] += told["seconds"] > LIMIT_SECONDS
            figures["slowest_seconds"] = max(figures["slowest_seconds"], told["seconds"])
    return figures


if __name__ == "__main__":
    if sys.argv[1:2] == ["--tried"]:
        tried(sys.argv[2], int(sys.argv[3]))
    else:
        run_cases(
            "fuzz_media", {kind: (lambda kind=kind: fuzzed(kind)) for kind in ("pictures", "recordings")}, __doc__
        )
