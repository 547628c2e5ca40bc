"""What is perceived in media: each content once, kept, and all that is broken told at once."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from huiyi.errors import DataError, OutputError
from huiyi.perceive.cache import FeatureCache
from huiyi.perceive.media import MediaKind, Sense, Upkeep, perceived
from huiyi.values import Media, Record

NOTES = MediaKind("note", "a note", 100, lambda record: record.audios)


def record(*contents: bytes, name: str = "") -> Record:
    return Record(id=name, audios=tuple(Media(content=content) for content in contents))


class Counting:
    """Says how long a note is; notes that begin with ``!`` are broken."""

    def __init__(self, *, batch: int = 2, maker: str = "length-1") -> None:
        self.worked: list[int] = []
        self.sense: Sense[bytes, int] = Sense(
            NOTES, maker, self._prepare, self._work, lambda value: b"%d" % value, int, batch=batch
        )

    def _prepare(self, content: bytes, name: str) -> bytes:
        if content.startswith(b"!"):
            raise DataError(f"{name} is broken")
        return content

    def _work(self, contents: Sequence[bytes]) -> Sequence[int]:
        self.worked.append(len(contents))
        return list(map(len, contents))


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    return FeatureCache(tmp_path / "run" / "features.sqlite")


def test_equal_contents_are_worked_on_once_in_batches() -> None:
    counting, ticks = Counting(), list[int]()
    records = [record(b"a", b"bb"), record(), record(b"bb", b"ccc"), record(b"a")]
    assert perceived(records, counting.sense, Upkeep(), tick=ticks.append) == [[1, 2], [], [2, 3], [1]]
    assert (counting.worked, ticks) == ([2, 1], [1, 1, 1, 1])


def test_a_second_time_nothing_is_worked_on(cache: FeatureCache) -> None:
    records = [record(b"a", b"bb"), record(b"ccc")]
    first, again, other = Counting(), Counting(), Counting(maker="length-2")
    expected = [[1, 2], [3]]
    assert perceived(records, first.sense, Upkeep(cache)) == expected
    reopened = FeatureCache(cache.file)
    assert perceived(records, again.sense, Upkeep(reopened)) == expected
    assert again.worked == []
    assert perceived(records, other.sense, Upkeep(reopened)) == expected
    assert other.worked == [2, 1], "what another maker said is not taken for its own"


def test_what_was_done_before_an_interruption_is_kept(cache: FeatureCache) -> None:
    counting = Counting()

    def stop(_: int) -> None:
        if counting.worked:
            raise KeyboardInterrupt

    records = [record(b"a", b"bb"), record(b"ccc")]
    with pytest.raises(KeyboardInterrupt):
        perceived(records, counting.sense, Upkeep(cache), tick=stop)
    rest = Counting()
    assert perceived(records, rest.sense, Upkeep(FeatureCache(cache.file))) == [[1, 2], [3]]
    assert rest.worked == [1]


def test_all_that_are_broken_are_told() -> None:
    counting = Counting()
    records = [record(b"a", name="r1"), record(b"!1", name="r2"), record(b"bb", b"!2")]
    with pytest.raises(DataError) as caught:
        perceived(records, counting.sense, Upkeep())
    assert str(caught.value) == (
        "record r2: a note given as bytes is broken. The same goes for 1 other notes: a note given as bytes"
    )
    assert counting.worked == []


def test_or_they_are_left_out_and_told() -> None:
    told: list[str] = []
    records = [record(b"!1", b"a", name="r1"), record(b""), record(b"x" * 101)]
    assert perceived(records, Counting().sense, Upkeep(excuse=told.append)) == [[1], [], []]
    assert [line.split(" Expected")[0] for line in told] == [
        "record r1: a note given as bytes is broken",
        "a note given as bytes is empty.",
        "a note given as bytes has more than the 0 MB that a note may have.",
    ]


def test_a_file_that_is_no_cache(tmp_path: Path) -> None:
    file = tmp_path / "features.sqlite"
    file.write_bytes(b"no database, but long enough to be taken for one" * 100)
    for use in (lambda cache: cache.get("m", b"1"), lambda cache: cache.put("m", {b"1": b"2"})):
        with pytest.raises(OutputError, match=r"features\.sqlite, which keeps .* cannot be used: file is not a data"):
            use(FeatureCache(file))
    assert file.read_bytes().startswith(b"no database")


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file where the folder should be")
    with pytest.raises(OutputError, match="cannot be used"):
        FeatureCache(tmp_path / "run" / "features.sqlite").put("m", {b"1": b"2"})


def test_half_of_a_put_is_none_of_it(cache: FeatureCache) -> None:
    cache.put("m", {b"1": b"one"})
    wrong: Any = {b"1": b"changed", b"2": object()}
    with pytest.raises(OutputError):
        cache.put("m", wrong)
    assert (cache.get("m", b"1"), cache.get("m", b"2")) == (b"one", None)


def test_threads_and_another_connection_share_it(cache: FeatureCache) -> None:
    cache.put("m", {b"first": b"1"})

    def work(number: int) -> None:
        for step in range(20):
            cache.put("m", {b"%d-%d" % (number, step): b"x"})
            assert cache.get("m", b"first") == b"1"

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with sqlite3.connect(cache.file) as other:
        assert other.execute("SELECT COUNT(*) FROM features").fetchone() == (81,)
    cache.close()
    assert cache.get("m", b"first") == b"1"
